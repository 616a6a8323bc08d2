"""Stories of a developer's clone: what the client hooks refuse, what they let pass, and what they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.gitrepo import Repo, clean_environment
from tests.hook_world import BRANCH, DOCUMENT, NAME, REF, World, build, guard, guarded, policy

ZERO = "0" * 40


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A clone with hooks whose remote has none: what is refused here was refused by the client alone."""
    world = build(tmp_path_factory.mktemp("calm"))
    assert guard("install", "--repo", world.dev.path) == 0
    world.dev.git("branch", "-q", "feature", "master")
    world.dev.git("tag", "v1", "master")
    world.dev.git("tag", BRANCH, "master")
    return world


def test_the_refusal_names_the_way_and_what_to_read(calm: World) -> None:
    said = calm.dev.run("push", "origin", f"master:{REF}", NO_COLOR="1").stderr.decode()
    assert said.startswith(
        f'refs.protected: {BRANCH} takes no direct push. Merge to master first, then run "guard promote".\n'
        f"Read first: {DOCUMENT}\n"
    )


@pytest.mark.parametrize("text", [b"garbage\n", b"a b c d\n", b"\xff \xfe " + REF.encode() + b" \x1b[2J\n"])
def test_input_that_git_would_not_give_is_not_decided(calm: World, text: bytes) -> None:
    hook = calm.dev.path / ".git/hooks/pre-push"
    done = subprocess.run(
        [hook, "origin", "url"],
        input=text,
        cwd=calm.dev.path,
        env=clean_environment(),
        capture_output=True,
        check=False,
    )
    if text.startswith(b"a b"):
        assert done.returncode == 0  # four fields about no protected ref are none of the guard's business
    else:
        assert done.returncode == 2
        assert done.stderr.startswith(b"hooks.input: ")
        assert b"\x1b" not in done.stderr


def test_a_fork_is_let_through_once_the_user_says_so(tmp_path: Path) -> None:
    world = build(tmp_path)
    fork = Repo.init(tmp_path / "fork.git", "--bare")
    world.dev.git("remote", "add", "mine", str(fork.path))
    assert guard("install", "--repo", world.dev.path) == 0
    refused = world.dev.run("push", "mine", f"master:{REF}")
    assert refused.returncode == 1
    assert b'git config --add guard.fork "mine"' in refused.stderr
    world.dev.git("config", "--add", "guard.fork", "mine")
    world.dev.git("config", "--add", "guard.fork", "origin")
    assert world.dev.run("push", "mine", f"master:{REF}").returncode == 0
    assert world.dev.run("push", "origin", f"master:{REF}").returncode == 1
    world.dev.git("remote", "set-url", "mine", str(world.bare.path))
    assert world.dev.run("push", "mine", f"master:{REF}").returncode == 1


def on_release(world: World) -> Repo:
    world.dev.git("switch", "-q", "-c", BRANCH, "--track", f"origin/{BRANCH}")
    (world.dev.path / "app.py").write_text("three\n")
    world.dev.git("add", "-A")
    return world.dev


def test_commits_on_the_protected_branch_and_beside_it(tmp_path: Path) -> None:
    world = build(tmp_path)
    assert guard("install", "--repo", world.dev.path) == 0
    dev = on_release(world)
    for arguments in (["-m", "x"], ["-a", "-m", "x"], ["--amend", "-m", "x"], ["--allow-empty", "-m", "x"]):
        done = dev.run("commit", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(f"refs.protected: {BRANCH} takes no direct commit.".encode())
        assert b"git switch -c my-change" in done.stderr
    assert dev.rev("HEAD") == world.old
    dev.git("switch", "-q", "-c", "my-change")
    dev.git("commit", "-q", "-m", "x")
    dev.git("switch", "-q", "--detach")
    dev.git("commit", "-q", "--allow-empty", "-m", "detached")


def test_a_merge_into_the_protected_branch(tmp_path: Path) -> None:
    world = build(tmp_path)
    assert guard("install", "--repo", world.dev.path) == 0
    world.dev.git("switch", "-q", "-c", BRANCH, "--track", f"origin/{BRANCH}")
    done = world.dev.run("merge", "--no-ff", "-m", "Merge", "master")
    assert done.returncode != 0
    assert b"refs.protected" in done.stderr
    assert b"git merge --abort" in done.stderr
    assert world.dev.rev("HEAD") == world.old
    world.dev.git("merge", "--abort")
    world.dev.git("switch", "-q", "-c", "feature", world.old)
    world.dev.git("merge", "-q", "--no-ff", "-m", "Merge", "master")


def test_a_name_in_another_case_is_refused_too(tmp_path: Path) -> None:
    world = build(tmp_path)
    assert guard("install", "--repo", world.dev.path) == 0
    made = world.dev.run("switch", "-q", "-c", "RELEASE/Platform-Control")
    assert made.returncode != 0
    assert made.stderr.startswith(b"refs.case: ")
    world.dev.git("symbolic-ref", "HEAD", "refs/heads/RELEASE/Platform-Control")
    done = world.dev.run("commit", "--allow-empty", "-m", "x")
    assert done.returncode == 1
    assert done.stderr.startswith(b"refs.case: ")


def test_a_linked_work_tree_is_guarded_like_the_main_one(tmp_path: Path) -> None:
    world = build(tmp_path)
    folder = tmp_path / "a lane's\nwork tree"
    world.dev.git("worktree", "add", "-q", str(folder), "-b", BRANCH, f"origin/{BRANCH}")
    assert guard("install", "--repo", folder) == 0
    lane = Repo(folder)
    assert lane.run("commit", "--allow-empty", "-m", "x").returncode == 1
    lane.git("switch", "-q", "-c", "lane")
    lane.commit("Fine")
    assert b"refs.protected" in lane.run("push", "origin", f"lane:{BRANCH}").stderr
    lane.git("push", "-q", "origin", "lane")
    assert world.head() == world.old


def test_observing_warns_and_lets_pass(tmp_path: Path) -> None:
    world = build(tmp_path, mode="observe")
    assert guard("install", "--repo", world.dev.path) == 0
    done = world.dev.run("push", "origin", f"master:{REF}")
    assert done.returncode == 0
    assert b"refs.protected" in done.stderr
    assert b"mode = observe" in done.stderr
    assert world.head() == world.new


def test_the_policy_is_that_of_the_remote_branch_never_the_work_tree(tmp_path: Path) -> None:
    world = build(tmp_path)
    world.dev.git("switch", "-q", "-c", "loosen")
    world.dev.commit("Loosen", {"guard.toml": policy(branch="nothing-at-all", mode="observe")})
    world.dev.git("push", "-q", "origin", "loosen")
    assert guard("install", "--repo", world.dev.path) == 0
    assert world.dev.run("push", "origin", f"master:{REF}").returncode == 1


@pytest.fixture(scope="module")
def permitted(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The server's hooks are taken away again, so that the client alone decides; its keys stay published."""
    world = guarded(tmp_path_factory.mktemp("permits"))
    assert guard("uninstall", "--server", world.bare.path) == 0
    return world


class TestPermits:
    """A permit in the environment covers exactly one move."""

    def test_of_another_move_and_of_this_one(self, permitted: World) -> None:
        now = int(time.time())
        reasons = {
            "permit.expired": permitted.permit(issued=now - 900, expires=now - 60),
            "permit.other-ref": permitted.permit(ref="refs/heads/release/other"),
            "permit.other-new": permitted.permit(new=permitted.side),
            "permit.other-old": permitted.permit(old=permitted.side),
            "permit.other-repository": permitted.permit(repository="demo/other"),
        }
        for code, permit in reasons.items():
            done = permitted.dev.run(
                "push", "--dry-run", "origin", f"{permitted.new}:{REF}", GUARD_PERMIT=permitted.issue(permit)
            )
            assert done.returncode == 1
            assert f"{code}: " in done.stderr.decode()
        token = permitted.issue(permitted.permit())
        garbled = token[:-8] + ("AAAAAAA=" if token.endswith("A") else "AAAAAAAA")
        for code, text in {"permit.malformed": "garbage", "permit.signature": garbled}.items():
            done = permitted.dev.run(
                "push", "--dry-run", "origin", f"{permitted.new}:{REF}", GUARD_PERMIT=text
            )
            assert done.returncode == 1
            assert "permit." in done.stderr.decode(), code
        deletion = permitted.dev.run("push", "--dry-run", "origin", f":{REF}", GUARD_PERMIT=token)
        assert deletion.returncode == 1
        assert (
            permitted.dev.run(
                "push", "--dry-run", "origin", f"{permitted.new}:{REF}", GUARD_PERMIT=token
            ).returncode
            == 0
        )

    def test_of_a_commit_with_exactly_this_tree(self, permitted: World) -> None:
        dev = on_release(permitted)
        wrong = permitted.issue(permitted.permit())
        done = dev.run("commit", "-m", "x", GUARD_PERMIT=wrong)
        assert done.returncode == 1
        assert b"permit.other-tree" in done.stderr
        tree = dev.git("write-tree")
        dev.env.update({"GIT_AUTHOR_DATE": "@1 +0000", "GIT_COMMITTER_DATE": "@1 +0000"})
        new = dev.git("commit-tree", "-p", "HEAD", "-m", "x", tree)
        right = permitted.issue(permitted.permit(tree=tree, new=new))
        other = dev.run("commit", "-m", "y", GUARD_PERMIT=right)
        assert other.returncode != 0
        assert b"permit.other-new" in other.stderr
        skipped = dev.run("commit", "--no-verify", "-m", "x", GUARD_PERMIT=right)
        assert skipped.stderr.startswith(b"hooks.skipped: ")
        assert dev.run("commit", "-m", "x", GUARD_PERMIT=right).returncode == 0
        assert dev.rev("HEAD") == new


class TestABrokenInstallation:
    """What is protected stays so; nobody else notices."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        world = build(tmp_path)
        assert guard("install", "--repo", world.dev.path) == 0
        world.dev.git("branch", "-q", "feature", "master")
        return world

    def broken(self, world: World, code: str) -> None:
        done = world.dev.run("push", "origin", f"master:{REF}")
        assert done.returncode != 0
        assert done.stderr.startswith(f"{code}: ".encode()), done.stderr
        assert b"guard install" in done.stderr
        assert world.dev.run("push", "origin", "feature").returncode == 0
        assert world.dev.run("commit", "--allow-empty", "-m", "x").returncode == 0

    def test_its_python_is_gone(self, world: World) -> None:
        for hook in ("pre-push", "pre-commit"):
            for folder in ("hooks", "guard/hooks"):
                file = world.dev.path / ".git" / folder / hook
                text = file.read_text()
                line = next(x for x in text.splitlines() if x.startswith("guard_python="))
                file.write_text(text.replace(line, "guard_python=/nowhere/python"))
        self.broken(world, "hooks.broken")

    def test_its_compiled_policy_is_gone(self, world: World) -> None:
        shutil.rmtree(world.dev.path / ".git/guard")
        self.broken(world, "hooks.config")

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"format": 9}', "\0", '{"format": 1, "branches": [1]}']
    )
    def test_its_compiled_policy_is_garbage(self, world: World, text: str) -> None:
        (world.dev.path / ".git/guard/hooks.json").write_text(text)
        self.broken(world, "hooks.config")


def test_the_hooks_run_with_the_standard_library_alone(calm: World) -> None:
    """Nothing of the environment's, the user's or the work tree's Python takes part."""
    (calm.dev.path / "json.py").write_text("raise SystemExit(0)\n")
    (calm.dev.path / "guard.py").write_text("raise SystemExit(0)\n")
    try:
        done = calm.dev.run(
            "push", "origin", f"master:{REF}", PYTHONPATH=str(calm.dev.path), PYTHONSTARTUP="json.py"
        )
    finally:
        (calm.dev.path / "json.py").unlink()
        (calm.dev.path / "guard.py").unlink()
    assert done.returncode == 1
    assert done.stderr.startswith(b"refs.protected")


def test_nothing_from_the_policy_can_steer_a_terminal(tmp_path: Path) -> None:
    world = build(tmp_path)
    assert guard("install", "--repo", world.dev.path) == 0
    file = world.dev.path / ".git/guard/hooks.json"
    table = json.loads(file.read_text())
    table["branches"][REF]["read_first"] = ["doc/\x1b[2J\u202edoc"]
    file.write_text(json.dumps(table))
    said = world.dev.run("push", "origin", f"master:{REF}").stderr.decode()
    assert "Read first: doc/\\x1b[2J\\u202edoc" in said


@pytest.mark.parametrize("count", [1, 8, 9, 1000])
@pytest.mark.parametrize("shell", ["dash", "bash", "sh"])
def test_an_unprotected_push_starts_no_process(calm: World, tmp_path: Path, shell: str, count: int) -> None:
    """The front is run with nothing on its PATH, by a parent that looks like git: were it to start anything, it would
    fail. With `grep` on the PATH, a long input is sifted by that."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    hook = calm.dev.path / ".git/hooks/pre-push"
    lines = "".join(f"refs/heads/f{n} {calm.new} refs/heads/f{n} {ZERO}\n" for n in range(count))
    command = ["git", "-c", f'"{found}" "$0" origin url; exit $?', str(hook), "push"]
    for path in (str(tmp_path), os.environ["PATH"]):
        done = subprocess.run(
            command, executable="/bin/sh", input=lines.encode(), cwd=calm.dev.path, capture_output=True,
            env={"PATH": path}, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("place", [0, 7, 8, 500, 999])
def test_one_protected_ref_among_many_is_seen(calm: World, place: int) -> None:
    hook = calm.dev.path / ".git/hooks/pre-push"
    lines = [f"refs/heads/f{n} {calm.new} refs/heads/f{n} {ZERO}\n" for n in range(1000)]
    for ref in (REF, "refs/heads/RELEASE/platform-control", f"refs/tags/{BRANCH}", "refs/heads/release"):
        lines[place] = f"refs/heads/x {calm.new} {ref} {ZERO}\n"
        done = subprocess.run(
            [hook, "origin", "url"], input="".join(lines).encode(), cwd=calm.dev.path, capture_output=True,
            env=clean_environment(), check=False,
        )  # fmt: skip
        assert done.returncode == 1, ref
        assert done.stderr.startswith(b"refs."), ref


def test_names_used_here_are_the_worlds(calm: World) -> None:
    table = json.loads((calm.dev.path / ".git/guard/hooks.json").read_text())
    assert table["branches"][REF]["repository"] == NAME
    assert os.access(table["python"], os.X_OK)
