"""husky, lefthook and prek in one clone with the guard: the real tools, where they are on the PATH (or in
GUARD_TEST_TOOLS, folders of programs); each left out visibly where it is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guard.adapters.gitdir import git_version
from tests.gitrepo import clean_environment
from tests.hook_tools import PATH, tool
from tests.hook_world import BRANCH, REF, World, build, guard


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = build(tmp_path)
    world.dev.env.update({"PATH": PATH, "HOME": str(tmp_path), "PREK_HOME": str(tmp_path / "prek"), "CI": ""})
    world.dev.git("switch", "-q", "-c", "setup")
    return world


def run(world: World, *words: str) -> None:
    done = subprocess.run(
        words,
        cwd=world.dev.path,
        env=clean_environment(**world.dev.env),
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)


def is_guarded(world: World) -> bool:
    """Pushes by every kind of line, and a local move."""
    refused = [
        b"refs.protected" in world.dev.run("push", "origin", *refs).stderr
        for refs in ([f"setup:{REF}"], ["setup:refs/heads/other", f"setup:{REF}"], [f":{REF}"])
    ]
    moved = world.dev.run("update-ref", REF, "setup")
    return all(refused) and b"refs.protected" in moved.stderr and world.head() == world.old


def husky(world: World, seen: Path) -> None:
    program = tool("husky")
    run(world, program)
    (world.dev.path / ".husky").mkdir(exist_ok=True)
    for hook in ("pre-commit", "pre-push"):
        (world.dev.path / ".husky" / hook).write_text(f'echo {hook} >>"{seen}"\n')


def lefthook(world: World, seen: Path) -> None:
    program = tool("lefthook")
    text = "".join(
        f"{h}:\n  commands:\n    x:\n      run: echo {h} >>'{seen}'\n" for h in ("pre-commit", "pre-push")
    )
    (world.dev.path / "lefthook.yml").write_text(text)
    run(world, program, "install", "--force")


def framework(name: str) -> object:
    def set_up(world: World, seen: Path) -> None:
        program = tool(name)
        hook = f"{{id: x, name: x, entry: sh -c 'echo $PRE_COMMIT_HOOK >>\"{seen}\"', language: system, "
        more = "always_run: true, pass_filenames: false, stages: [pre-commit, pre-push]}"
        (world.dev.path / ".pre-commit-config.yaml").write_text(
            f"repos:\n- repo: local\n  hooks:\n  - {hook}{more}\n"
        )
        world.dev.git("add", ".pre-commit-config.yaml")
        run(world, program, "install", "-t", "pre-commit", "-t", "pre-push")

    return set_up


TOOLS = {
    "husky": husky,
    "lefthook": lefthook,
    "pre-commit": framework("pre-commit"),
    "prek": framework("prek"),
}


@pytest.mark.parametrize("order", ["tool-first", "guard-first"])
@pytest.mark.parametrize("name", TOOLS)
def test_both_work_after_the_doctor(world: World, tmp_path: Path, name: str, order: str) -> None:
    set_up, seen = TOOLS[name], tmp_path / "seen"
    assert callable(set_up)
    steps = [lambda: set_up(world, seen), lambda: guard("install", "--repo", world.dev.path)]
    for step in steps if order == "tool-first" else reversed(steps):
        step()
    status = guard("doctor", "--repo", world.dev.path, "--section", "hooks")
    if name in {"husky", "lefthook"} and order == "guard-first":
        assert status == 1, "it has put its own hooks in the place of ours, or beside them"
        if git_version() >= (2, 54):
            assert is_guarded(world), "the hooks in git's configuration go on"
    if status:
        assert guard("doctor", "--repo", world.dev.path, "--section", "hooks", "--fix") == 0
    assert is_guarded(world)
    world.dev.commit("A file, because lefthook does nothing without one", {"more.txt": "1\n"})
    world.dev.git("push", "-q", "origin", "setup")
    assert len(seen.read_text().splitlines()) >= 2, "the tool's own hooks still run"
    set_up(world, seen)
    assert guard("doctor", "--repo", world.dev.path, "--section", "hooks", "--fix") == 0
    assert is_guarded(world)


def test_all_of_them_in_one_clone(world: World, tmp_path: Path) -> None:
    for name in ("pre-commit", "lefthook", "husky"):
        tool(name)
        set_up = TOOLS[name]
        assert callable(set_up)
        set_up(world, tmp_path / "seen")
        assert guard("install", "--repo", world.dev.path) == 0
        assert is_guarded(world)
    world.dev.git("commit", "-q", "--allow-empty", "-m", "x")
    world.dev.git("switch", "-q", "-c", BRANCH, "--track", f"origin/{BRANCH}")
    done = world.dev.run("commit", "--no-verify", "--allow-empty", "-m", "x")
    assert done.returncode == 1
    assert b"hooks.skipped" in done.stderr


def test_pre_commit_that_installs_over_everything(world: World, tmp_path: Path) -> None:
    """`pre-commit install -f` deletes what it had kept as `.legacy`: the doctor sees it and puts ours back."""
    set_up = TOOLS["pre-commit"]
    assert callable(set_up)
    assert guard("install", "--repo", world.dev.path) == 0
    set_up(world, tmp_path / "seen")
    run(world, tool("pre-commit"), "install", "-f", "-t", "pre-commit", "-t", "pre-push")
    assert not (world.dev.path / ".git/hooks/pre-push.legacy").exists()
    assert guard("doctor", "--repo", world.dev.path, "--section", "hooks") == 1
    assert guard("doctor", "--repo", world.dev.path, "--section", "hooks", "--fix") == 0
    assert is_guarded(world)
