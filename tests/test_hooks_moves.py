"""Every way to move the protected branch in a clone: what is refused, what is detected, what is out of reach. Facts
about git that the hooks build on have a test each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guard.adapters.gitdir import git_version
from tests.gitrepo import Repo, clean_environment
from tests.hook_world import BRANCH, NO_HOOKS, REF, WORK_TREES, World, guard, since, standing


@pytest.fixture
def world(tmp_path: Path) -> World:
    return standing(tmp_path)


@pytest.fixture(scope="module", params=WORK_TREES)
def steady(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One for all commands that are refused: each has to leave it as it was. HEAD is on the protected branch."""
    return standing(tmp_path_factory.mktemp("steady"), work_trees=request.param)


@pytest.fixture(scope="module", params=WORK_TREES)
def elsewhere(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The same with HEAD on another branch: git itself refuses some moves of a branch that is checked out."""
    world = standing(tmp_path_factory.mktemp("elsewhere"), work_trees=request.param)
    world.dev.git("switch", "-q", "-c", "mine", "master")
    world.dev.git("bundle", "create", "-q", "../all.bundle", "master", "picks")
    return world


MOVES = [
    # (command, code); {nv} stands where --no-verify may be said
    pytest.param("commit {nv} --allow-empty -m x", "refs.protected", id="commit"),
    pytest.param("commit {nv} --amend --no-edit --allow-empty", "refs.protected", id="amend"),
    pytest.param("commit {nv} --allow-empty --fixup HEAD", "refs.protected", id="fixup"),
    pytest.param("merge {nv} master", "refs.protected", id="merge-fast-forward"),
    pytest.param("merge {nv} --no-ff -m x master", "refs.protected", id="merge"),
    pytest.param("pull {nv} -q origin master", "refs.protected", id="pull-of-another-branch"),
    pytest.param("pull {nv} -q --rebase origin master", "refs.protected", id="pull-rebase-of-another-branch"),
    pytest.param("rebase {nv} master", "refs.protected", id="rebase-onto-master"),
    pytest.param("rebase {nv} --force-rebase --root", "refs.protected", id="rebase-root"),
    pytest.param("reset --hard master", "refs.protected", id="reset-hard"),
    pytest.param("reset --keep master", "refs.protected", id="reset-keep"),
    pytest.param("reset --merge master", "refs.protected", id="reset-merge"),
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

FROM_ELSEWHERE = [
    pytest.param("branch -f {branch} master", "refs.protected", id="branch-f"),
    pytest.param("branch -d {branch}", "refs.protected", id="branch-d"),
    pytest.param("branch -D {branch}", "refs.protected", id="branch-D"),
    pytest.param("branch -M picks-free {branch}", "refs.protected", id="renamed-onto-it"),
    pytest.param("branch -m {branch} gone", "refs.protected", id="renamed-away"),
    pytest.param("switch -q -C {branch} master", "refs.protected", id="switch-C"),
    pytest.param("checkout -q -B {branch} master", "refs.protected", id="checkout-B"),
    pytest.param("worktree add -q -B {branch} ../added master", "refs.protected", id="worktree-add-B"),
    pytest.param("rebase {nv} -q master {branch}", "refs.protected", id="rebase-of-it"),
    pytest.param("fetch -q origin master:{branch}", "refs.protected", id="fetch-refspec"),
    pytest.param("fetch -q origin +refs/heads/m*:refs/heads/release/platform-control*", None, id="no-match"),
    pytest.param("fetch -q ../all.bundle +picks:{branch}", "refs.protected", id="fetch-of-a-bundle"),
    pytest.param(
        "-c remote.origin.fetch=+refs/heads/master:{ref} fetch -q origin",
        "refs.protected",
        id="fetch-configured",
    ),
    pytest.param(
        "-c remote.origin.fetch=+refs/heads/master:{ref} remote update", "refs.protected", id="remote-update"
    ),
    pytest.param("push {nv} -q . master:{branch}", "refs.protected", id="push-into-itself"),
    pytest.param("push {nv} -q . :{branch}", "refs.protected", id="push-into-itself-deleting"),
    pytest.param(
        "replay --advance {branch} master..picks", "refs.protected", id="replay", marks=since(2, 52)
    ),
    pytest.param(
        "symbolic-ref {ref} refs/heads/master", "refs.protected", id="symbolic-ref", marks=since(2, 46)
    ),
]

ON_STANDARD_INPUT = [
    pytest.param("update-ref --stdin", "update {ref} {new}\n", id="update"),
    pytest.param(
        "update-ref --stdin", "create refs/heads/x {new}\nupdate {ref} {new} {old}\n", id="one-of-several"
    ),
    pytest.param("update-ref --stdin", "delete {ref}\n", id="delete"),
    pytest.param("update-ref --stdin", "start\nupdate {ref} {new}\nprepare\ncommit\n", id="in-steps"),
    pytest.param(
        "fast-import --quiet --force",
        "commit {ref}\ncommitter D <d@example.com> 1 +0000\ndata 1\nx\nfrom {new}\n\n",
        id="fast-import",
    ),
    pytest.param("fast-import --quiet --force", "reset {ref}\nfrom {new}\n\n", id="fast-import-reset"),
]


def bring_back(dev: Repo, said: str) -> None:
    """Do what a refusal says of the reflog."""
    for line in said.splitlines():
        if line.startswith(("To bring its reflog back: ", "To clean up: ")):
            subprocess.run(line.split(": ", 1)[1], shell=True, check=True, cwd=dev.path)
    assert dev.run("rev-parse", "-q", "--verify", "HEAD@{0}").returncode == 0


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


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param(
            way, row.values[1], marks=row.marks, id=f"{row.id}-no-verify" if "--no-verify" in way else row.id
        )
        for row in FROM_ELSEWHERE
        for way in both_ways(str(row.values[0]))
    ],
)
def test_a_move_from_another_branch(elsewhere: World, command: str, code: str | None) -> None:
    world, dev = elsewhere, elsewhere.dev
    done = dev.run(*command.format(branch=BRANCH, ref=REF).split())
    said = done.stderr.decode()
    assert (done.returncode == 0) is (code is None), said
    assert code is None or f"{code}: " in said, said
    assert dev.git("rev-parse", REF, f"refs/remotes/origin/{BRANCH}").split() == [world.old, world.old]
    bring_back(dev, said)
    if "rebase" in command:
        dev.run("rebase", "--abort")
        dev.git("switch", "-q", "mine")
    assert dev.git("symbolic-ref", "HEAD") == "refs/heads/mine"
    assert dev.git("status", "--porcelain") == "?? untracked.txt"
    assert dev.git("config", f"branch.{BRANCH}.merge") == REF, "its settings have not moved away either"


@pytest.mark.parametrize(("command", "text"), ON_STANDARD_INPUT)
def test_a_move_on_standard_input(elsewhere: World, command: str, text: str) -> None:
    world, dev = elsewhere, elsewhere.dev
    names = {"ref": REF, "old": world.old, "new": world.new}
    done = dev.run(*command.split(), stdin=text.format(**names).encode())
    assert done.returncode != 0
    assert b"refs.protected: " in done.stderr
    assert dev.rev(REF) == world.old
    assert dev.run("rev-parse", "-q", "--verify", "refs/heads/x").returncode == 1, "refused whole"


def test_a_packed_branch_is_not_deleted_either(world: World) -> None:
    world.dev.git("switch", "-q", "master")
    world.dev.git("pack-refs", "--all", "--prune")
    assert b"refs.protected: " in world.dev.run("branch", "-D", BRANCH).stderr
    assert world.dev.rev(REF) == world.old


def test_a_stack_of_branches_is_rebased_without_the_protected_one(world: World) -> None:
    """`rebase --update-refs` moves every branch on the way; git leaves the refused one where it is, and says so."""
    dev = world.dev
    dev.git("switch", "-q", "-c", "stack")
    dev.commit("Above it", {"above.txt": "1\n"})
    done = dev.run("rebase", "-q", "--update-refs", "--onto", "picks", f"{world.old}", "stack")
    assert dev.rev(REF) == world.old, done.stderr
    done = dev.run("-c", "sequence.editor=true", "rebase", "-q", "-i", "--update-refs", "--root")
    assert dev.rev(REF) == world.old, done.stderr


def test_a_stash_cannot_make_the_branch_anew(world: World) -> None:
    dev = world.dev
    dev.git("switch", "-q", "master")
    dev.git(*NO_HOOKS, "branch", "-q", "-D", BRANCH)
    (dev.path / "app.py").write_text("half done\n")
    dev.git("stash", "-q")
    assert b"refs.protected: " in dev.run("stash", "branch", BRANCH).stderr
    assert dev.run("rev-parse", "-q", "--verify", REF).returncode == 1
    dev.git("stash", "pop", "-q")
    for words in (
        ["branch", BRANCH],
        ["switch", "-c", BRANCH],
        ["worktree", "add", "-q", "-b", BRANCH, "../new"],
    ):
        assert b"refs.protected: " in dev.run(*words).stderr
    dev.git("restore", "app.py")
    dev.git("switch", "-q", "--orphan", BRANCH)
    for words in (["commit", "--allow-empty", "-m", "x"], ["commit", "-n", "--allow-empty", "-m", "x"]):
        done = dev.run(*words)
        assert done.returncode != 0
        assert b"refs.protected: " in done.stderr or b"hooks.skipped: " in done.stderr
    assert dev.run("rev-parse", "-q", "--verify", REF).returncode == 1


RENAMES = [
    "-m other {branch}",
    "-M other {branch}",
    "--move other {branch}",
    "-fm {branch}",
    "-m RELEASE/Platform-Control",
]


@pytest.mark.parametrize("rename", RENAMES)
@pytest.mark.parametrize("there", [True, False], ids=["there", "not-there"])
def test_another_branch_does_not_take_its_name(world: World, rename: str, there: bool) -> None:
    """git tells of the old name only, and is refused before that goes."""
    dev = world.dev
    dev.git("switch", "-q", "-c", "other", "master")
    dev.commit("Its own work", {"other.txt": "1\n"})
    work = dev.rev("other")
    if not there:
        dev.git(*NO_HOOKS, "branch", "-q", "-D", BRANCH)
    done = dev.run("branch", *rename.format(branch=BRANCH).split())
    said = done.stderr.decode()
    assert done.returncode != 0
    assert "refs.protected: " in said or "refs.case: " in said or "already exists" in said
    assert dev.rev("other") == work
    assert (dev.run("rev-parse", "-q", "--verify", REF).returncode == 0) is there
    bring_back(dev, said)
    assert dev.git("reflog", "other").count("\n") == 1
    dev.git("branch", "-q", "-c", "other", "copy")
    dev.git("branch", "-q", "-M", "copy", "copied")


@pytest.mark.parametrize(
    ("way", "there"),
    [
        pytest.param("branch -c master {branch}", False, id="copied-to-it"),
        pytest.param("branch -C master {branch}", True, id="copied-onto-it"),
        pytest.param("symbolic-ref {ref} refs/heads/master", False, id="symbolic-ref-before-2.46"),
    ],
)
def test_out_of_reach_and_seen_afterwards(
    world: World, way: str, there: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a copy git tells no hook, and of a symbolic ref only from 2.46 on. The push is refused all the same, and the
    doctor sees it."""
    dev = world.dev
    dev.git("switch", "-q", "master")
    if not there:
        dev.git(*NO_HOOKS, "branch", "-q", "-D", BRANCH)
    done = dev.run(*way.format(branch=BRANCH, ref=REF).split())
    if done.returncode:
        assert git_version() >= (2, 46)
        assert b"refs.protected: " in done.stderr
        return
    assert dev.rev(REF) == world.new
    assert b"refs.protected: " in dev.run("push", "origin", f"{REF}:{REF}").stderr
    capsys.readouterr()
    guard("doctor", "--repo", dev.path, "--section", "hooks")
    said = capsys.readouterr().out
    assert "hooks.moved-here: " in said
    fix = next(line for line in said.splitlines() if "git branch my-change" in line).partition("fix: ")[2]
    subprocess.run(
        fix.replace("; then", " &&"), shell=True, check=True, cwd=dev.path, env=clean_environment()
    )
    assert (dev.rev(REF), dev.rev("my-change")) == (world.old, world.new)


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


def test_other_names_of_the_branch_are_no_way_round(world: World) -> None:
    """A local symbolic ref that leads to it: git tells reference-transaction of the branch itself as well."""
    dev = world.dev
    dev.git("symbolic-ref", "refs/heads/alias", REF)
    assert b"refs.protected: " in dev.run("update-ref", "refs/heads/alias", "master").stderr
    dev.git("switch", "-q", "alias")
    for words in (
        ["commit", "--allow-empty", "-m", "x"],
        ["merge", "-q", "master"],
        ["reset", "--hard", "master"],
    ):
        assert b"refs.protected: " in dev.run(*words).stderr
        dev.git("reset", "-q", "--hard", f"origin/{BRANCH}")
    assert dev.rev(REF) == world.old
