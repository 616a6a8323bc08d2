"""reference-transaction's traps, given to the hook as git would; and who it believes to run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gitrepo import clean_environment
from tests.hook_world import BRANCH, REF, World, build, guard, standing

LINES = [
    pytest.param("prepared", "{zero} {new} {ref}", 1, id="a-move-without-an-old-value"),
    pytest.param("prepared", "{old} {new} {ref}", 1, id="a-move"),
    pytest.param("prepared", "{zero} {old} {ref}", 0, id="pack-refs-writes-what-is"),
    pytest.param("prepared", "{zero} {zero} {ref}", 1, id="a-deletion"),
    pytest.param("prepared", "{old} {zero} {ref}", 1, id="a-deletion-that-is-no-pruning"),
    pytest.param("prepared", "{zero} ref:refs/heads/master {ref}", 1, id="made-a-symbolic-ref"),
    pytest.param("prepared", "ref:{ref} ref:refs/heads/master HEAD", 0, id="a-switch"),
    pytest.param("preparing", "{old} {new} {ref}", 0, id="preparing"),
    pytest.param("aborted", "{old} {new} {ref}", 0, id="aborted"),
    pytest.param("something-new", "{old} {new} {ref}", 0, id="an-unknown-state"),
    pytest.param("committed", "{old} {new} {ref}", 0, id="committed"),
    pytest.param("prepared", "{zero} {new} refs/heads/other", 0, id="another-branch"),
    pytest.param("prepared", "{zero} {new} refs/tags/release/platform-control", 0, id="a-tag"),
    pytest.param("prepared", "{zero} {new} refs/heads/Release/Platform-Control", 1, id="another-case"),
    pytest.param("prepared", "{zero} {missing} {ref}", 1, id="a-commit-that-is-not-there"),
    pytest.param("prepared", "garbage {ref}", 2, id="two-words"),
    pytest.param("prepared", "", 0, id="nothing"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The hook is only asked, so that one clone does for all."""
    return standing(tmp_path_factory.mktemp("transactions"))


class TestTransactions:
    """reference-transaction's traps, given to the hook as git would."""

    def run(self, world: World, state: str, *lines: str) -> subprocess.CompletedProcess[bytes]:
        hook = world.dev.path / ".git/hooks/reference-transaction"
        text = "".join(f"{line}\n" for line in lines).encode()
        return subprocess.run(
            [hook, state],
            input=text,
            cwd=world.dev.path,
            env=clean_environment(),
            capture_output=True,
            check=False,
        )

    @pytest.mark.parametrize(("state", "line", "status"), LINES)
    def test_one_line(self, world: World, state: str, line: str, status: int) -> None:
        text = line.format(zero="0" * 40, old=world.old, new=world.new, ref=REF, missing="1" * 40)
        if text.startswith("garbage"):
            text = f"garbage refs/heads/x\n{world.old} {world.new} {REF}"
        done = self.run(world, state, *([text] if text else []))
        assert done.returncode == status, done.stderr

    def test_the_remotes_new_value_in_the_same_transaction(self, world: World) -> None:
        arriving = f"{world.old} {world.new} refs/remotes/origin/{BRANCH}"
        assert self.run(world, "prepared", f"{world.old} {world.new} {REF}", arriving).returncode == 0
        many = [f"{'0' * 40} {world.new} refs/remotes/origin/f{n}" for n in range(50)]
        assert self.run(world, "prepared", *many, arriving, f"{world.old} {world.new} {REF}").returncode == 0
        assert self.run(world, "prepared", *many, f"{world.old} {world.new} {REF}").returncode == 1
        assert self.run(world, "prepared", *many).returncode == 0

    def test_pruning_after_packing_is_no_deletion(self, world: World) -> None:
        world.dev.git("pack-refs", "--all", "--no-prune")
        assert self.run(world, "prepared", f"{world.old} {'0' * 40} {REF}").returncode == 0
        assert self.run(world, "prepared", f"{world.new} {'0' * 40} {REF}").returncode == 1

    def test_another_tools_hook_gets_every_state_and_line(self, tmp_path: Path) -> None:
        world = build(tmp_path)
        hook = world.dev.path / ".git/hooks/reference-transaction"
        hook.write_text(f'#!/bin/sh\nsed "s/^/$1 /" >>"{tmp_path}/seen"\n')
        hook.chmod(0o755)
        assert guard("install", "--repo", world.dev.path) == 0
        refs = [f"{'0' * 40} {world.new} refs/heads/f{n}" for n in range(30)]
        (tmp_path / "seen").unlink(missing_ok=True)
        for state in ("preparing", "prepared", "committed", "new"):
            assert self.run(world, state, *refs).returncode == 0
        seen = (tmp_path / "seen").read_text().splitlines()
        assert seen == [f"{s} {ref}" for s in ("preparing", "prepared", "committed", "new") for ref in refs]


def test_ancestors_are_read_from_the_system() -> None:
    from hooks.ancestry import git_command

    table = {
        ("git", "commit", "-n"): ("commit", ("-n",)),
        ("/usr/bin/git", "-C", "x", "-c", "a=b", "--no-pager", "push", "--mirror"): ("push", ("--mirror",)),
        ("git-receive-pack", "x"): ("receive-pack", ("x",)),
        ("git", "--version"): ("", ()),
        ("git", "-C"): ("", ()),
        ("vim", "git"): ("", ()),
        (): ("", ()),
    }
    assert {words: git_command(words) for words in table} == table
    script = "import sys; sys.path[:0] = ['.']; from hooks.ancestry import running_command as r; print(r())"
    done = subprocess.run(
        ["git", "-c", f"alias.x=!{sys.executable} -c \"{script}\"", "x"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent,
        env={**clean_environment(), "HOME": os.devnull},
    )  # fmt: skip
    assert "verb='x'" in done.stdout, done.stderr
