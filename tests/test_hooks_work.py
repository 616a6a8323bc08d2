"""The work that nobody may hold up: on a protected branch that follows its remote, and on every other branch; in one
work tree and among twenty."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gitrepo import Repo
from tests.hook_world import BRANCH, REF, WORK_TREES, World, guard, keep, standing

Again = Callable[[], World]


@pytest.fixture(scope="module", params=WORK_TREES)
def again(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Again:
    folder = tmp_path_factory.mktemp("work") / "here"
    return keep(standing(folder, work_trees=request.param), folder)


@pytest.fixture
def world(again: Again) -> World:
    """A clone whose HEAD is on the protected branch, as it was made."""
    return again()


def advance(world: World) -> str:
    """The remote's release branch moves to master, as a promotion moves it."""
    world.bare.git("update-ref", REF, world.new)
    return world.new


WORK = [
    # (commands, whether the remote's branch was promoted before)
    pytest.param(["pull -q"], True, id="pull"),
    pytest.param(["pull -q --rebase"], True, id="pull-rebase"),
    pytest.param(["pull -q --ff-only origin {branch}"], True, id="pull-by-name"),
    pytest.param(["pull -q --no-rebase --autostash"], True, id="pull-autostash"),
    pytest.param(["fetch -q", "rebase -q"], True, id="fetch-and-rebase-on-upstream"),
    pytest.param(["fetch -q", "merge -q --ff-only"], True, id="fetch-and-merge-upstream"),
    pytest.param(["fetch -q", "reset -q --hard @{{upstream}}"], True, id="fetch-and-reset-to-upstream"),
    pytest.param(["fetch -q", "switch -q --detach", "branch -q -f {branch} origin/{branch}"], True, id="branch-f"),
    pytest.param(["switch -q --detach", "fetch -q", "fetch -q origin {branch}:{branch}"], True, id="fetch-refspec"),
    pytest.param(["fetch -q", "update-ref {ref} origin/{branch}"], True, id="update-ref-to-upstream"),
    pytest.param(["rebase -q origin/{branch}"], False, id="rebase-on-upstream"),
    pytest.param(["reset -q --hard origin/{branch}"], False, id="reset-to-upstream"),
    pytest.param(["reset -q", "reset -q --soft HEAD", "reset -q --hard"], False, id="reset-to-where-it-is"),
    pytest.param(["merge -q origin/{branch}"], False, id="merge-of-upstream"),
    pytest.param(["fetch -q --prune"], False, id="fetch-prune"),
    pytest.param(["fetch -q --all --tags --prune --prune-tags"], False, id="fetch-all"),
    pytest.param(["remote update --prune", "remote prune origin"], False, id="remote-update"),
    pytest.param(["push -q origin {branch}"], False, id="push-of-what-is-there"),
    pytest.param(["push -q --no-verify origin {branch}", "push -q origin master"], False, id="push-up-to-date"),
    pytest.param(["gc -q --prune=now"], False, id="gc"),
    pytest.param(["maintenance run --task=gc --task=commit-graph --task=pack-refs"], False, id="maintenance"),
    pytest.param(["maintenance run --task=prefetch --task=loose-objects"], False, id="prefetch"),
    pytest.param(["pack-refs --all --prune", "pack-refs --all"], False, id="pack-refs"),
    pytest.param(["reflog expire --expire=now --all", "prune", "fsck"], False, id="expire-and-prune"),
    pytest.param(["worktree add -q ../added -b added", "worktree remove ../added"], False, id="worktree-add"),
    pytest.param(["worktree add -q --detach ../added {branch}", "worktree prune"], False, id="worktree-of-the-branch"),
    pytest.param(["clone -q . ../copy", "clone -q --mirror . ../copy.git"], False, id="clone"),
    pytest.param(["clone -q --filter=blob:none --no-local . ../partial"], False, id="clone-partial"),
    pytest.param(["sparse-checkout set doc", "sparse-checkout disable"], False, id="sparse-checkout"),
    pytest.param(["switch -q -c mine", "commit -q --allow-empty -m x", "switch -q {branch}"], False, id="switch"),
    pytest.param(["branch -q feature {branch}", "branch -q -d feature"], False, id="branch-and-delete"),
    pytest.param(["branch -q -c {branch} copy", "branch -q --edit-description copy"], False, id="branch-copy"),
    pytest.param(["branch -q -D picks-free"], False, id="delete-another"),
    pytest.param(["branch -q -M picks-free more"], False, id="rename-another"),
    pytest.param(["tag v1", "tag -a -m x v2", "push -q origin v1 v2", "tag -d v1"], False, id="tags"),
    pytest.param(["commit-graph write --reachable"], False, id="commit-graph"),
    pytest.param(["notes add -m x", "notes remove"], False, id="notes"),
    pytest.param(["restore --staged .", "checkout -q -- .", "clean -q -n"], False, id="restore"),
    pytest.param(["bisect start picks {old}", "bisect good", "bisect reset"], False, id="bisect"),
    pytest.param(["switch -q --detach", "merge -q --no-edit master", "switch -q -"], False, id="detached-merge"),
    pytest.param(["switch -q -c p", "cherry-pick picks~2..picks", "revert --no-edit HEAD~2.."], False, id="picks"),
    pytest.param(["switch -q -c p", "am -q ../one.patch", "rebase -q --onto master {branch} p"], False, id="am"),
    pytest.param(["switch -q -c p master", "rebase -q -i --exec true picks"], False, id="rebase-exec"),
    pytest.param(["cherry-pick -n picks~1", "restore --staged .", "clean -qf one.txt"], False, id="pick-no-commit"),
    pytest.param(["merge -q --squash master", "reset -q --merge"], False, id="merge-squash-and-back"),
]  # fmt: skip


@pytest.mark.parametrize(("commands", "promoted"), WORK)
def test_it_is_never_refused(world: World, commands: list[str], promoted: bool) -> None:
    dev = world.dev
    new = advance(world) if promoted else world.old
    for command in commands:
        words = command.format(branch=BRANCH, ref=REF, old=world.old).split()
        done = dev.run(*words, GIT_EDITOR="true", GIT_SEQUENCE_EDITOR="true")
        said = done.stderr.decode()
        assert done.returncode == 0, (command, said)
        assert not {code for code in ("refs.", "hooks.", "push.unverified") if code in said}, said
    assert dev.rev(REF) == new


@pytest.mark.parametrize("verb", ["cherry-pick", "revert", "rebase", "am"])
def test_a_conflict_on_a_feature_branch_is_resolved_and_continued(world: World, verb: str) -> None:
    dev = world.dev
    dev.git("switch", "-q", "-c", "mine", "picks")
    dev.commit("Mine", {"one.txt": "mine\n"})
    dev.git("branch", "-q", "-f", "base", "picks~1")
    command = {
        "cherry-pick": ["cherry-pick", "picks~1"], "revert": ["revert", "--no-edit", "picks~1"],
        "rebase": ["rebase", "--onto", world.old, "picks"], "am": ["am", "-3", "../one.patch"],
    }[verb]  # fmt: skip
    if verb == "am":
        dev.commit("Otherwise", {"one.txt": "otherwise\n"})
    assert dev.run(*command).returncode != 0
    (dev.path / "one.txt").write_text("both\n")
    dev.git("add", "one.txt")
    done = dev.run("-c", "core.editor=true", verb, "--continue")
    assert done.returncode == 0, done.stderr
    assert b"refs." not in done.stderr


def test_stash(world: World) -> None:
    dev = world.dev
    (dev.path / "app.py").write_text("half done\n")
    for words in (
        ["stash", "-q"], ["stash", "apply", "-q"], ["stash", "drop", "-q"], ["stash", "push", "-q", "-u"],
        ["stash", "branch", "from-a-stash"], ["restore", "app.py"], ["switch", "-q", "-"],
    ):  # fmt: skip
        done = dev.run(*words)
        assert done.returncode == 0, (words, done.stderr)
        assert b"refs." not in done.stderr
    assert dev.git("symbolic-ref", "HEAD") == REF


def test_a_feature_branch_is_free(world: World) -> None:
    dev = world.dev
    dev.git("switch", "-q", "-c", "fix", BRANCH)
    dev.commit("Fix", {"fix.txt": "1\n"})
    dev.git("commit", "-q", "--no-verify", "--amend", "-m", "Fix it")
    dev.git("rebase", "-q", "master")
    dev.git("merge", "-q", "--no-ff", "-m", "Merge", "picks")
    dev.git("reset", "-q", "--hard", "master")
    dev.git("push", "-q", "origin", "fix")
    dev.git("push", "-q", "--force-with-lease", "origin", "fix~0:fix")
    dev.git("push", "-q", "--delete", "origin", "fix")
    dev.git("switch", "-q", "--detach", "master")
    dev.git("branch", "-q", "-D", "fix")


def test_a_submodule_has_hooks_of_its_own(world: World, tmp_path: Path) -> None:
    """Neither the submodule's moves nor its release branch are the outer repository's, and the other way round."""
    dev = world.dev
    dev.git("switch", "-q", "-c", "outer")
    allowed = ("-c", "protocol.file.allow=always")
    dev.git(*allowed, "submodule", "-q", "add", str(world.bare.path), "part")
    dev.git("commit", "-q", "-m", "A part")
    part = Repo(dev.path / "part")
    part.git("switch", "-q", BRANCH)
    part.git("commit", "-q", "--allow-empty", "-m", "hooks were not installed there")
    part.git("reset", "-q", "--hard", f"origin/{BRANCH}")
    assert guard("install", "--repo", part.path) == 0
    assert b"refs.protected: " in part.run("commit", "--allow-empty", "-m", "x").stderr
    assert b"refs.protected: " in part.run("push", "origin", f"origin/master:{REF}").stderr
    advance(world)
    for words in (
        ["fetch", "-q", "--recurse-submodules"],
        ["submodule", "-q", "update", "--remote"],
        ["gc", "-q"],
    ):
        done = dev.run(*allowed, *words)
        assert done.returncode == 0, done.stderr
        assert b"refs." not in done.stderr
    part.git("switch", "-q", BRANCH)
    part.git("pull", "-q")
    assert part.rev(REF) == world.new
    dev.git("submodule", "-q", "deinit", "-f", "part")
    assert dev.run("push", "-q", "--recurse-submodules=check", "origin", "outer").returncode == 0


def test_the_hook_runs_with_nothing_of_the_users_python(world: World) -> None:
    (world.dev.path / "subprocess.py").write_text("raise SystemExit(0)\n")
    done = world.dev.run("update-ref", REF, "master", PYTHONPATH=str(world.dev.path))
    assert done.stderr.startswith(b"refs.protected: ")


def test_hooks_work_without_a_path_and_a_home(world: World) -> None:
    """As from an editor or a service: what a hook needs it calls by an absolute path, and git is found by git."""
    git = next(p for p in map(Path, os.get_exec_path()) if (p / "git").exists())
    for words, status in (
        (["push", "-q", "origin", "master:refs/heads/f"], 0),
        (["update-ref", REF, "master"], 128),
    ):
        done = world.dev.run(*words, PATH=str(git), HOME="/nowhere")
        assert done.returncode == status, done.stderr
    assert Path(sys.executable).is_absolute()
