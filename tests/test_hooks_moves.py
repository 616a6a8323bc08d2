"""Every way to move the protected branch in a clone: what is refused, what is detected, what is out of reach; and the
work that nobody may hold up. Facts about git that the hooks build on have a test each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gitrepo import Repo
from tests.hook_world import BRANCH, NO_HOOKS, REF, World, build, guard, guarded, installed, standing


@pytest.fixture
def world(tmp_path: Path) -> World:
    return standing(tmp_path)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One for all commands that are refused: each has to leave it as it was."""
    return standing(tmp_path_factory.mktemp("steady"))


MOVES = [
    # (command, code); {nv} stands where --no-verify may be said
    pytest.param("commit {nv} --allow-empty -m x", "refs.protected", id="commit"),
    pytest.param("commit {nv} --amend --no-edit --allow-empty", "refs.protected", id="amend"),
    pytest.param("merge {nv} master", "refs.protected", id="merge-fast-forward"),
    pytest.param("merge {nv} --no-ff -m x master", "refs.protected", id="merge"),
    pytest.param("pull {nv} -q origin master", "refs.protected", id="pull-of-another-branch"),
    pytest.param("rebase {nv} master", "refs.protected", id="rebase-onto-master"),
    pytest.param("reset --hard master", "refs.protected", id="reset-hard"),
    pytest.param("reset --soft master", "refs.protected", id="reset-soft"),
    pytest.param("reset master", "refs.protected", id="reset-mixed"),
    pytest.param("cherry-pick picks~1", "refs.protected", id="cherry-pick"),
    pytest.param("cherry-pick picks~2..picks", "refs.protected", id="cherry-pick-several"),
    pytest.param("cherry-pick -e picks~1", "refs.protected", id="cherry-pick-with-an-editor"),
    pytest.param("revert --no-edit HEAD", "refs.protected", id="revert"),
    pytest.param("am ../one.patch", "refs.protected", id="am"),
    pytest.param("switch -q -C {branch} master", "refs.protected", id="switch-C"),
    pytest.param("checkout -q -B {branch} master", "refs.protected", id="checkout-B"),
    pytest.param("update-ref {ref} master", "refs.protected", id="update-ref"),
    pytest.param("update-ref {ref} master {old}", "refs.protected", id="update-ref-with-old"),
    pytest.param("update-ref -d {ref}", "refs.protected", id="update-ref-delete"),
    pytest.param("update-ref -d {ref} {old}", "refs.protected", id="update-ref-delete-with-old"),
    pytest.param("update-ref HEAD master", "refs.protected", id="update-ref-of-head"),
    pytest.param("branch -M {branch} elsewhere", "refs.protected", id="renamed-away"),
    pytest.param("fetch -q -u origin master:{branch}", "refs.protected", id="fetch-refspec"),
    pytest.param("fetch -q -u origin +master:{branch}", "refs.protected", id="fetch-refspec-forced"),
    pytest.param("fetch -q -u . master:{branch}", "refs.protected", id="fetch-from-itself"),
    pytest.param("branch RELEASE/platform-control master", "refs.case", id="another-case"),
]


def both_ways(command: str) -> list[str]:
    """The command with and without --no-verify, where git has such an option for it."""
    return (
        [command.replace("{nv}", option) for option in ("", "--no-verify")]
        if "{nv}" in command
        else [command]
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param(way, row.values[1], id=f"{row.id}-no-verify" if "--no-verify" in way else row.id)
        for row in MOVES
        for way in both_ways(str(row.values[0]))
    ],
)
def test_a_local_move_is_refused_and_the_way_back_works(steady: World, command: str, code: str) -> None:
    world, dev = steady, steady.dev
    words = command.format(branch=BRANCH, ref=REF, old=world.old).split()
    done = dev.run(*words, GIT_EDITOR="true")
    said = done.stderr.decode()
    assert done.returncode != 0, said
    skipped = "--no-verify" in command and "hooks.skipped: " in said
    assert f"{code}: " in said or skipped, said
    assert dev.rev(REF) == world.old
    assert 'then run "guard promote"' in said or code == "refs.case"
    for line in said.splitlines():
        if line.startswith("To bring the work tree back: "):
            dev.git(*line.split(": ", 1)[1].split()[1:])
        if line.endswith("git merge --abort"):
            dev.git("merge", "--abort")
    assert dev.git("status", "--porcelain") in {"?? untracked.txt", ""}
    assert dev.git("symbolic-ref", "HEAD") == REF
    assert (dev.path / "untracked.txt").exists()
    assert dev.rev("HEAD") == world.old


def test_commands_that_check_the_branch_out_elsewhere(world: World) -> None:
    """`branch -f` and `branch -D` do not touch the branch that is checked out anyway: from another one, then."""
    world.dev.git("switch", "-q", "master")
    for words in (
        ["branch", "-f", BRANCH, "master"],
        ["branch", "-D", BRANCH],
        ["branch", "-M", "picks-free", BRANCH],
    ):
        done = world.dev.run(*words)
        assert done.returncode != 0
        assert b"refs.protected: " in done.stderr
    world.dev.git("pack-refs", "--all", "--prune")
    assert b"refs.protected: " in world.dev.run("branch", "-D", BRANCH).stderr
    assert world.dev.rev(REF) == world.old


@pytest.mark.parametrize("rename", ["branch -m {branch}", "branch -M {branch}"])
def test_out_of_reach_a_rename_onto_a_name_that_is_not_there(world: World, rename: str) -> None:
    """git tells reference-transaction of the old name only. The push is refused all the same."""
    dev = world.dev
    dev.git("switch", "-q", "-c", "other", "master")
    dev.git(*NO_HOOKS, "branch", "-q", "-D", BRANCH)
    dev.git(*rename.format(branch=BRANCH).split())
    assert dev.rev(REF) == world.new
    assert b"refs.protected: " in dev.run("push", "origin", BRANCH).stderr


def test_out_of_reach_without_hooks(world: World) -> None:
    """Hooks switched off see nothing; what is pushed then is refused by a server with hooks (its own tests)."""
    world.dev.git(*NO_HOOKS, "commit", "-q", "--no-verify", "--allow-empty", "-m", "x")
    assert world.dev.rev(REF) != world.old
    world.dev.git("reset", "-q", "--hard", f"origin/{BRANCH}")
    assert world.dev.rev(REF) == world.old


def test_detached_head_is_nobodys_business(world: World) -> None:
    world.dev.git("switch", "-q", "--detach")
    world.dev.git("commit", "-q", "--allow-empty", "-m", "x")
    world.dev.git("merge", "-q", "--no-edit", "master")
    assert b"refs.protected: " in world.dev.run("push", "origin", f"HEAD:{REF}").stderr
    assert b"refs.protected: " in world.dev.run("branch", "-f", BRANCH, "HEAD").stderr


def advance(world: World) -> str:
    """The remote's release branch moves to master, as a promotion moves it."""
    world.bare.git("update-ref", REF, world.new)
    return world.new


WORK = [
    pytest.param("pull -q", True, id="pull"),
    pytest.param("pull -q --rebase", True, id="pull-rebase"),
    pytest.param("pull -q --ff-only origin {branch}", True, id="pull-by-name"),
    pytest.param("rebase -q origin/{branch}", False, id="rebase-on-upstream"),
    pytest.param("reset -q --hard origin/{branch}", False, id="reset-to-upstream"),
    pytest.param("merge -q origin/{branch}", False, id="merge-of-upstream"),
    pytest.param("fetch -q --prune", False, id="fetch"),
    pytest.param("gc -q --prune=now", False, id="gc"),
    pytest.param("pack-refs --all --prune", False, id="pack-refs"),
    pytest.param("worktree add -q ../lane -b lane", False, id="worktree-add"),
    pytest.param("worktree add -q --detach ../lane {branch}", False, id="worktree-of-the-branch"),
    pytest.param("clone -q . ../copy", False, id="clone"),
    pytest.param("switch -q -c mine", False, id="switch"),
    pytest.param("branch -q feature {branch}", False, id="branch"),
    pytest.param("branch -q -D picks-free", False, id="delete-another"),
    pytest.param("branch -q -M picks-free more", False, id="rename-another"),
    pytest.param("tag v1", False, id="tag"),
    pytest.param("commit-graph write --reachable", False, id="commit-graph"),
]


@pytest.mark.parametrize(("command", "moves"), WORK)
def test_legitimate_work_is_never_refused(world: World, command: str, moves: bool) -> None:
    dev = world.dev
    new = advance(world) if moves else world.old
    done = dev.run(*command.format(branch=BRANCH).split())
    assert done.returncode == 0, done.stderr
    assert b"refs." not in done.stderr
    assert dev.rev(REF) == new


def test_stash_and_bisect_are_never_refused(world: World) -> None:
    dev = world.dev
    (dev.path / "app.py").write_text("half done\n")
    for words in (
        ["stash", "-q"], ["stash", "pop", "-q"], ["restore", "app.py"], ["switch", "-q", "-"], ["switch", "-q", "-"],
        ["bisect", "start", "picks", world.old], ["bisect", "good"], ["bisect", "reset"],
    ):  # fmt: skip
        done = dev.run(*words)
        assert done.returncode == 0, (words, done.stderr)
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
    dev.git("switch", "-q", "master")
    dev.git("branch", "-q", "-D", "fix")


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


def test_the_hook_runs_with_nothing_of_the_users_python(world: World) -> None:
    (world.dev.path / "subprocess.py").write_text("raise SystemExit(0)\n")
    done = world.dev.run("update-ref", REF, "master", PYTHONPATH=str(world.dev.path))
    assert done.stderr.startswith(b"refs.protected: ")


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
