"""Stories of one clone's branches: skipped checks and their stamp, permits, shallow clones, many work trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gitrepo import Repo
from tests.hook_world import BRANCH, NO_HOOKS, REF, World, build, guard, guarded, installed, standing


@pytest.fixture
def world(tmp_path: Path) -> World:
    return standing(tmp_path)


class TestSkippedChecks:
    """`commit --no-verify` skips pre-commit, not prepare-commit-msg, which asks for the other's stamp."""

    def test_the_fact(self, tmp_path: Path) -> None:
        repo = Repo.init(tmp_path / "r")
        for hook in (
            "pre-commit",
            "prepare-commit-msg",
            "commit-msg",
            "post-commit",
            "reference-transaction",
        ):
            file = repo.path / ".git/hooks" / hook
            file.write_text(f'#!/bin/sh\necho "{hook}" >>"{tmp_path}/ran"\n')
            file.chmod(0o755)
        repo.git("commit", "-q", "--no-verify", "--allow-empty", "-m", "x")
        ran = set((tmp_path / "ran").read_text().split())
        assert ran == {"prepare-commit-msg", "post-commit", "reference-transaction"}

    def test_in_the_middle_of_a_pick_is_not_exempt(self, world: World) -> None:
        dev = world.dev
        dev.git(*NO_HOOKS, "commit", "-q", "--allow-empty", "-m", "Something to conflict with")
        (dev.path / "one.txt").write_text("other\n")
        dev.git("add", "one.txt")
        dev.git(*NO_HOOKS, "commit", "-q", "-m", "Conflict")
        head = dev.rev("HEAD")
        assert dev.run("cherry-pick", "picks~1").returncode == 1
        dev.git("add", "one.txt")
        for words, code in (
            (["commit", "--no-verify", "-m", "x"], "hooks.skipped"),
            (["commit", "-m", "x"], "refs.protected"),
            (["-c", "core.editor=true", "cherry-pick", "--continue"], "refs.protected"),
        ):
            done = dev.run(*words)
            assert done.returncode != 0
            assert done.stderr.decode().startswith(f"{code}: ")
        assert dev.rev("HEAD") == head

    def test_observing_warns_once_and_lets_pass(self, tmp_path: Path) -> None:
        dev = installed(tmp_path, mode="observe").dev
        dev.git("switch", "-q", BRANCH)
        done = dev.run("commit", "-q", "--no-verify", "--allow-empty", "-m", "x")
        assert done.returncode == 0
        assert b"hooks.skipped" in done.stderr
        done = dev.run("commit", "-q", "--allow-empty", "-m", "x")
        assert done.returncode == 0
        assert b"hooks.skipped" not in done.stderr

    def test_the_stamp_is_of_what_the_chained_hook_left(self, tmp_path: Path) -> None:
        world = build(tmp_path, mode="observe")
        hook = world.dev.path / ".git/hooks/pre-commit"
        hook.write_text("#!/bin/sh\necho formatted >app.py\ngit add app.py\n")
        hook.chmod(0o755)
        assert guard("install", "--repo", world.dev.path) == 0
        world.dev.git("switch", "-q", BRANCH)
        done = world.dev.run("commit", "-q", "--allow-empty", "-m", "x")
        assert done.returncode == 0, done.stderr
        assert b"hooks.skipped" not in done.stderr
        assert world.dev.git("show", "HEAD:app.py") == "formatted"


class TestPermits:
    def test_a_permitted_fast_forward_and_push(self, tmp_path: Path) -> None:
        world = guarded(tmp_path)
        dev = world.dev
        dev.git("switch", "-q", BRANCH)
        token = world.issue(world.permit())
        assert dev.run("reset", "-q", "--hard", world.side, GUARD_PERMIT=token).returncode != 0
        dev.git("reset", "-q", "--hard")
        dev.git("merge", "-q", "--ff-only", "master", GUARD_PERMIT=token)
        assert dev.rev(REF) == world.new
        pushed = dev.run(
            "push", "origin", BRANCH, GUARD_PERMIT=token, GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0="push.pushOption", GIT_CONFIG_VALUE_0=f"guard-permit={token}",
        )  # fmt: skip
        assert pushed.returncode == 0, pushed.stderr
        assert b"push.unverified" not in pushed.stderr
        assert not (dev.path / ".git/guard/pushes.unverified").exists()
        dev.git("gc", "-q")
        assert not (dev.path / ".git/guard/pushes.unverified").exists()


def test_a_shallow_clone(tmp_path: Path) -> None:
    world = build(tmp_path)
    world.bare.git("config", "uploadpack.allowAnySHA1InWant", "true")
    shallow = Repo(tmp_path / "shallow")
    world.dev.git(
        "clone", "-q", "--depth=1", "--no-single-branch", f"file://{world.bare.path}", str(shallow.path)
    )
    assert guard("install", "--repo", shallow.path) == 0
    shallow.git("switch", "-q", BRANCH)
    assert b"refs.protected: " in shallow.run("update-ref", REF, "origin/master").stderr
    assert b"refs.protected: " in shallow.run("push", "--force", "origin", f"origin/master:{REF}").stderr
    world.bare.git("update-ref", REF, world.new)
    shallow.git("fetch", "-q", "--depth=1")
    shallow.git("reset", "-q", "--hard", f"origin/{BRANCH}")
    assert shallow.rev(REF) == world.new


def test_twenty_work_trees(tmp_path: Path) -> None:
    """One installation is enough for all of them, whichever it was made from, and each is judged by its own HEAD."""
    world = build(tmp_path)
    lanes = []
    for number in range(20):
        lane = Repo(tmp_path / f"lane {number}")
        start = ["-b", f"lane/{number}", "master"] if number else ["-b", BRANCH, f"origin/{BRANCH}"]
        world.dev.git("worktree", "add", "-q", *start[:2], str(lane.path), start[2])
        lanes.append(lane)
    assert guard("install", "--repo", lanes[7].path) == 0
    for number, lane in enumerate(lanes):
        done = lane.run("commit", "-q", "--no-verify", "--allow-empty", "-m", "x")
        assert (done.returncode != 0) is (number == 0), done.stderr
        done = lane.run("commit", "-q", "--allow-empty", "-m", "x")
        assert (done.returncode != 0) is (number == 0), done.stderr
        pushed = lane.run("push", "-q", "origin", f"HEAD:{REF}", "--force")
        assert (b"refs.protected: " in pushed.stderr) is (number != 0), pushed.stderr
        assert b"push.unverified" not in pushed.stderr
        if number:
            assert b"refs.protected: " in lane.run("update-ref", REF, "HEAD").stderr
    lanes[3].git("gc", "-q")
    lanes[0].git("reset", "-q", "--hard", f"origin/{BRANCH}")
    assert world.head() == world.old


def test_names_beyond_ascii_are_folded_too(tmp_path: Path) -> None:
    """A Kelvin sign is a k on some file systems."""
    world = build(tmp_path)
    file = world.dev.path / "guard.toml"
    file.write_text(file.read_text().replace(BRANCH, "kelvin"))
    world.dev.commit("Another branch", {})
    world.dev.git("push", "-q", "origin", "master", "master:refs/heads/kelvin")
    assert guard("install", "--repo", world.dev.path) == 0
    done = world.dev.run("branch", "\u212aelvin", "master")
    assert done.stderr.startswith(b"refs.case: ")
    assert world.dev.run("branch", "grün", "master").returncode == 0
