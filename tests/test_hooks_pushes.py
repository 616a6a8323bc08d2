"""Pushes that pre-push does not see whole: those that skipped it, and mirrors; and the policy that follows a fetch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gitrepo import Repo
from tests.hook_world import BRANCH, NO_HOOKS, REF, World, standing


@pytest.fixture
def world(tmp_path: Path) -> World:
    return standing(tmp_path)


class TestUnverifiedPushes:
    """A push that skipped pre-push, to a server without hooks: it cannot be refused here any more, so it is told."""

    def notes(self, world: World) -> list[dict[str, str]]:
        file = world.dev.path / ".git/guard/pushes.unverified"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @pytest.mark.parametrize(
        ("refspec", "new"), [(f"master:{REF}", "new"), (f":{REF}", "zero"), (f"+{{side}}:{REF}", "side")]
    )
    def test_is_told_and_on_record(self, world: World, refspec: str, new: str) -> None:
        done = world.dev.run("push", "--no-verify", "origin", refspec.format(side=world.side))
        assert done.returncode == 0
        assert b"push.unverified: " in done.stderr
        wanted = {"new": world.new, "side": world.side, "zero": "0" * 40}[new]
        notes = self.notes(world)
        assert [(note["ref"], note["new"], note["remote"]) for note in notes] == [(REF, wanted, "origin")]
        world.dev.git("gc", "-q")
        world.dev.git("fetch", "-q", "--prune")
        assert self.notes(world) == notes

    def test_the_fact_that_git_says_so_in_the_reflog(self, world: World) -> None:
        world.dev.git(*NO_HOOKS, "push", "-q", "origin", f"master:{REF}")
        said = world.dev.git("log", "-g", "-1", "--format=%gs", f"refs/remotes/origin/{BRANCH}")
        assert said == "update by push"
        assert self.notes(world) == []

    def test_a_fetch_is_none(self, world: World) -> None:
        world.bare.git("update-ref", REF, world.new)
        done = world.dev.run("fetch", "origin")
        assert b"push.unverified" not in done.stderr
        assert self.notes(world) == []

    def test_other_branches_are_none(self, world: World) -> None:
        world.dev.git("push", "-q", "--no-verify", "origin", "picks", "master")
        assert self.notes(world) == []


MIRRORS = [
    pytest.param(["push", "--mirror", "origin"], True, id="mirror"),
    pytest.param(["push", "--mirr", "origin"], True, id="abbreviated"),
    pytest.param(["-c", "alias.p=push --mirror", "p", "origin"], True, id="by-an-alias"),
    pytest.param(["-c", "remote.origin.mirror=true", "push", "origin"], True, id="by-configuration"),
    pytest.param(["-C", ".", "push", "--mirror", "origin"], True, id="after-gits-own-options"),
    pytest.param(["push", "--mirror", "--no-mirror", "origin", "master"], False, id="taken-back"),
    pytest.param(["push", "origin", "master:refs/heads/mirror--m"], False, id="a-name-like-it"),
]


@pytest.mark.parametrize(("words", "refused"), MIRRORS)
def test_a_mirror_push(world: World, words: list[str], refused: bool) -> None:
    world.dev.git("switch", "-q", "master")
    world.dev.git(*NO_HOOKS, "branch", "-q", "-D", BRANCH)  # so that the mirror would delete it
    for ref in world.dev.git("for-each-ref", "--format=%(refname)", "refs/remotes").splitlines():
        world.dev.git(*NO_HOOKS, "update-ref", "--no-deref", "-d", ref)
    done = world.dev.run(*words)
    assert (done.returncode != 0) is refused, done.stderr
    assert (b"refs.mirror: " in done.stderr) is refused
    assert world.head() == world.old


def test_a_mirror_by_the_clones_configuration_and_to_a_place_without_the_branch(
    world: World, tmp_path: Path
) -> None:
    dev = world.dev
    dev.git("switch", "-q", "master")
    dev.git(*NO_HOOKS, "branch", "-q", "-D", BRANCH)
    dev.git("config", "remote.origin.mirror", "true")
    assert b"refs.mirror: " in dev.run("push", "origin").stderr
    dev.git("config", "--unset", "remote.origin.mirror")
    backup = Repo.init(tmp_path / "backup.git", "--bare")
    dev.git("remote", "add", "--mirror=push", "backup", str(backup.path))
    assert dev.run("push", "backup").returncode == 0, "no protected branch is there"
    backup.git("branch", BRANCH, "master")
    assert b"refs.mirror: " in dev.run("push", "backup").stderr
    dev.git("config", "--add", "guard.fork", "backup")
    assert dev.run("push", "backup").returncode == 0


class TestRefreshing:
    """The compiled policy follows the remote's branches with every fetch; a feature branch has no say in it."""

    def push_policy(self, world: World, text: str, ref: str = "master") -> None:
        other = Repo(world.dev.path.parent / "somebody else's")
        if not other.path.exists():
            world.bare.clone(other.path)
        other.git("fetch", "-q")
        other.git("switch", "-q", "--detach", "origin/master")
        other.commit("Policy", {"guard.toml": text})
        other.git("push", "-q", "--no-verify", "origin", f"HEAD:refs/heads/{ref}")

    def more(self, world: World) -> str:
        text = world.bare.git("show", "master:guard.toml")
        return text + '\n[branches."release/more"]\nupstream = "master"\nrequire = ["lineage", "approvals"]\n'

    def refused(self, world: World, branch: str) -> bool:
        done = world.dev.run("push", "--dry-run", "origin", f"master:refs/heads/{branch}")
        return b"refs.protected: " in done.stderr

    def test_on_fetch(self, world: World) -> None:
        assert not self.refused(world, "release/more")
        self.push_policy(world, self.more(world), "feature")
        world.dev.git("fetch", "-q")
        assert not self.refused(world, "release/more"), "a feature branch decides nothing"
        self.push_policy(world, self.more(world))
        world.dev.git("fetch", "-q")
        assert self.refused(world, "release/more")
        assert self.refused(world, BRANCH)

    def test_an_invalid_policy_takes_nothing_away(self, world: World) -> None:
        self.push_policy(world, "version = = 1")
        done = world.dev.run("fetch", "-q")
        assert done.returncode == 0
        assert self.refused(world, BRANCH)

    def test_a_fetch_without_a_change_does_not_compile(self, world: World) -> None:
        file = world.dev.path / ".git/guard/hooks.json"
        before = file.stat().st_mtime_ns
        self.push_policy(world, world.bare.git("show", "master:guard.toml") + "\n")
        other = Repo(world.dev.path.parent / "somebody else's")
        other.git("switch", "-q", "--detach", "origin/master")
        world.dev.git("fetch", "-q", "origin", "master")
        after = file.stat().st_mtime_ns
        other.commit("No policy", {"more.txt": "1\n"})
        other.git("push", "-q", "--no-verify", "origin", "HEAD:refs/heads/master")
        world.dev.git("fetch", "-q")
        assert file.stat().st_mtime_ns == after
        assert before <= after
