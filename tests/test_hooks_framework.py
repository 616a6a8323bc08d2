"""The hooks under the real pre-commit framework, with our commands found on the PATH in place of an environment built
from the registry; and once with the environment that the framework builds, where it can."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gitrepo import Repo, clean_environment
from tests.hook_tools import tool
from tests.hook_world import BRANCH, REF, World, build, guard

pytest.importorskip("pre_commit")

ROOT = Path(__file__).resolve().parent.parent
SYSTEM = """\
repos:
- repo: local
  hooks:
  - {id: guard-protect, name: protect, entry: guard hook protect, language: system, always_run: true,
     pass_filenames: false, stages: [pre-commit, pre-merge-commit, pre-push]}
  - {id: guard-policy, name: policy, entry: guard policy validate, language: system, files: '^guard\\.toml$'}
"""
STAGES = ("pre-commit", "pre-merge-commit", "pre-push")


def framework(
    world: World, *arguments: str, cache: Path, program: list[str] | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    """pre-commit, or another `program`, in the developer's clone."""
    env = {**world.dev.env, "PRE_COMMIT_HOME": str(cache), **extra}
    command = [*(program or [sys.executable, "-m", "pre_commit"]), *arguments]
    return subprocess.run(
        command,
        cwd=world.dev.path,
        env=_environment(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def _environment(extra: dict[str, str]) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**clean_environment(), "PATH": path, "GIT_AUTHOR_NAME": "D", "GIT_AUTHOR_EMAIL": "d@example.com"}
    env |= {"GIT_COMMITTER_NAME": "D", "GIT_COMMITTER_EMAIL": "d@example.com", **extra}
    env.pop("CI", None)
    return env


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = build(tmp_path)
    world.dev.env.update({"PRE_COMMIT_HOME": str(tmp_path / "cache"), "CI": ""})
    world.dev.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    (world.dev.path / ".pre-commit-config.yaml").write_text(SYSTEM)
    world.dev.git("switch", "-q", "-c", "setup")
    world.dev.git("add", "-A")
    world.dev.git("commit", "-q", "-m", "Use pre-commit")
    return world


def set_up(world: World, tmp_path: Path) -> None:
    stages = [word for stage in STAGES for word in ("--hook-type", stage)]
    done = framework(world, "install", *stages, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("order", ["framework-first", "guard-first", "framework-again", "guard-again"])
def test_both_in_one_clone_in_any_order(world: World, tmp_path: Path, order: str) -> None:
    steps = {
        "framework-first": ["f", "g"], "guard-first": ["g", "f"],
        "framework-again": ["f", "g", "f"], "guard-again": ["g", "f", "g", "g"],
    }[order]  # fmt: skip
    for step in steps:
        if step == "g":
            assert guard("install", "--repo", world.dev.path) == 0
        else:
            set_up(world, tmp_path)
    fine = world.dev.run("commit", "--allow-empty", "-m", "Fine")
    assert fine.returncode == 0, fine.stderr
    assert b"protect" in fine.stderr, "the framework's hooks still run"
    world.dev.git("push", "-q", "origin", "setup")
    for refs in ([f"setup:{REF}"], ["setup:refs/heads/other", f"setup:{REF}"], [f":{REF}"]):
        done = world.dev.run("push", "origin", *refs)
        assert done.returncode == 1
        assert b"refs.protected" in done.stderr
    assert world.head() == world.old
    world.dev.git("switch", "-q", "-c", BRANCH, "--track", f"origin/{BRANCH}")
    refused = world.dev.run("commit", "--allow-empty", "-m", "x")
    assert refused.returncode == 1
    assert b"refs.protected" in refused.stderr
    assert guard("uninstall", "--repo", world.dev.path) == 0
    hooks = world.dev.path / ".git/hooks"
    assert all(b"release-guard" not in file.read_bytes() for file in hooks.iterdir())
    assert b"pre-commit" in (hooks / "pre-push").read_bytes()


def test_the_self_check_fails_without_the_native_hooks(world: World, tmp_path: Path) -> None:
    set_up(world, tmp_path)
    done = world.dev.run("commit", "--allow-empty", "-m", "x")
    assert done.returncode == 1
    assert b"hooks.not-current: the guard's hooks are not installed in this clone" in done.stderr
    assert b"fix: guard install" in done.stderr
    in_ci = world.dev.run("commit", "--allow-empty", "-m", "x", CI="true")
    assert in_ci.returncode == 0, in_ci.stderr


def _overwrite(world: World) -> None:
    (world.dev.path / ".git/hooks/pre-push").write_text("#!/bin/sh\n")


def _make_unexecutable(world: World) -> None:
    (world.dev.path / ".git/hooks/pre-push").chmod(0o644)


def _lose_python(world: World) -> None:
    file = world.dev.path / ".git/hooks/pre-push"
    file.write_text(file.read_text().replace("guard_python=", "guard_python=/nowhere"))


def _another_version(world: World) -> None:
    with (world.dev.path / ".git/hooks/pre-push").open("a") as file:
        file.write("# an older text\n")


def _another_policy(world: World) -> None:
    world.dev.git("switch", "-q", "master")
    text = (world.dev.path / "guard.toml").read_text().replace(BRANCH, "release/more")
    world.dev.commit("Protect more", {"guard.toml": text})
    world.dev.git("push", "-q", "origin", "master")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(_overwrite, "another tool's", id="shadowed"),
        pytest.param(_make_unexecutable, "is not executable", id="not-executable"),
        pytest.param(_lose_python, "which is gone", id="python-gone"),
        pytest.param(_another_version, "another version", id="stale"),
        pytest.param(_another_policy, "not that of origin's branches any more", id="policy-changed"),
    ],
)
def test_the_self_check_sees_what_is_wrong(
    world: World,
    spoil: object,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert guard("install", "--repo", world.dev.path) == 0
    monkeypatch.chdir(world.dev.path)
    monkeypatch.delenv("CI", raising=False)
    assert guard("hook", "protect") == 0
    assert callable(spoil)
    spoil(world)
    assert guard("hook", "protect") == 1
    told = capsys.readouterr().err
    assert said in told
    assert "hooks.repaired" in told
    assert guard("hook", "protect") == 0, "it was put right"


def test_a_bad_policy_is_refused_when_it_changes(world: World, tmp_path: Path) -> None:
    assert guard("install", "--repo", world.dev.path) == 0
    set_up(world, tmp_path)
    (world.dev.path / "guard.toml").write_text("version = 7\n")
    world.dev.git("add", "-A")
    done = world.dev.run("commit", "-m", "Bad policy")
    assert done.returncode == 1
    assert b"guard.toml" in done.stderr


def this_repository(folder: Path) -> Repo:
    """What stands in this work tree, committed in a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    repo = Repo.init(folder)
    repo.commit("As it stands")
    return repo


@pytest.mark.long
@pytest.mark.parametrize("name", ["pre-commit", "prek"])
def test_the_environment_that_the_framework_builds(world: World, tmp_path: Path, name: str) -> None:
    """`repo:` a clone of this very repository: the framework installs the distribution as it would from a forge."""
    if not os.environ.get("GUARD_TEST_LONG"):
        pytest.skip("builds an environment from the registry: make test-long")
    program = [sys.executable, "-m", "pre_commit"] if name == "pre-commit" else [tool(name)]
    source = this_repository(tmp_path / "release-guard")
    rev = source.rev("HEAD")
    (world.dev.path / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {source.path}\n  rev: {rev}\n  hooks: [{{id: guard-protect}}, {{id: guard-policy}}]\n"
    )
    world.dev.git("add", "-A")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        extra = {"PREK_HOME": str(tmp_path / "prek"), "HOME": str(tmp_path)}
        return framework(world, *arguments, cache=tmp_path / "cache", program=program, **extra)

    built = run("install-hooks")
    if built.returncode:
        pytest.skip(f"the environment cannot be built here: {built.stdout[-300:]}")
    missing = run("run", "guard-protect")
    assert "hooks.not-current" in missing.stdout
    assert guard("install", "--repo", world.dev.path) == 0
    done = run("run", "--all-files")
    assert done.returncode == 0, done.stdout
    (world.dev.path / "guard.toml").write_text("version = 7\n")
    world.dev.git("add", "-A")
    bad = run("run", "guard-policy")
    assert bad.returncode == 1
    assert "guard.toml" in bad.stdout
    world.dev.git("restore", "--staged", "--worktree", "guard.toml")
    (world.dev.path / ".git/hooks/pre-push").unlink()
    repaired = run("run", "guard-protect")
    assert repaired.returncode == 1
    assert "hooks.repaired" in repaired.stdout
    assert run("run", "guard-protect").returncode == 0
