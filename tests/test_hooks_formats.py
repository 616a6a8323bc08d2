"""The hooks in every kind of repository: SHA-256, reftable, reached by GIT_DIR; and where they cannot be written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gitrepo import Repo
from tests.hook_world import BRANCH, REF, build, guard, since

FORMATS = [
    pytest.param({"GIT_DEFAULT_HASH": "sha256"}, id="sha256"),
    pytest.param({"GIT_DEFAULT_REF_FORMAT": "reftable"}, id="reftable", marks=since(2, 45)),
    pytest.param(
        {"GIT_DEFAULT_HASH": "sha256", "GIT_DEFAULT_REF_FORMAT": "reftable"}, id="both", marks=since(2, 45)
    ),
]


@pytest.mark.parametrize("env", FORMATS)
def test_a_repository_of_another_format(tmp_path: Path, env: dict[str, str]) -> None:
    world = build(tmp_path, env=env)
    dev = world.dev
    assert guard("install", "--repo", dev.path) == 0
    assert guard("install", "--server", world.bare.path) == 0
    dev.git("switch", "-q", "-c", BRANCH, "--track", f"origin/{BRANCH}")
    refused = [
        ["commit", "--allow-empty", "-m", "x"], ["commit", "-n", "--allow-empty", "-m", "x"],
        ["merge", "-q", "master"], ["update-ref", REF, "master"], ["update-ref", "-d", REF],
        ["push", "origin", f"master:{REF}"], ["push", "--no-verify", "origin", f"master:{REF}"],
        ["push", "origin", f":{REF}"],
    ]  # fmt: skip
    for words in refused:
        done = dev.run(*words)
        assert done.returncode != 0, words
        assert b"refs." in done.stderr or b"hooks.skipped" in done.stderr, (words, done.stderr)
        dev.git("reset", "-q", "--hard")
    assert dev.rev(REF) == world.old
    world.bare.git("update-ref", REF, world.new)
    for words in (["pull", "-q"], ["gc", "-q"], ["pack-refs", "--all"], ["switch", "-q", "-c", "mine"]):
        done = dev.run(*words)
        assert done.returncode == 0, done.stderr
        assert b"refs." not in done.stderr
    assert dev.rev(REF) == world.new
    dev.commit("Mine")
    dev.git("push", "-q", "origin", "mine")
    assert guard("doctor", "--repo", dev.path, "--section", "hooks") == 0


def test_a_permit_in_a_sha256_repository(tmp_path: Path) -> None:
    world = build(tmp_path, env={"GIT_DEFAULT_HASH": "sha256"})
    assert guard("install", "--server", world.bare.path) == 0
    assert guard("install", "--repo", world.dev.path) == 0
    token = world.issue(world.permit())
    done = world.dev.run(
        "push", "-o", f"guard-permit={token}", "origin", f"{world.new}:{REF}", GUARD_PERMIT=token
    )
    assert done.returncode == 0, done.stderr
    assert world.head() == world.new


def test_hooks_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The installation says so and changes nothing else. (A file stands in the folder's way.)"""
    world = build(tmp_path)
    hooks = world.dev.path / ".git/hooks"
    before = sorted(p.name for p in hooks.iterdir())
    (tmp_path / "file").touch()
    world.dev.git("config", "core.hooksPath", str(tmp_path / "file"))
    assert guard("install", "--repo", world.dev.path) == 2
    said = capsys.readouterr().err
    assert "install.unwritable: " in said
    assert "Traceback" not in said
    assert sorted(p.name for p in hooks.iterdir()) == before


@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_reached_by_git_dir_from_elsewhere(tmp_path: Path, absolute: bool) -> None:
    world = build(tmp_path)
    assert guard("install", "--repo", world.dev.path) == 0
    place = str(world.dev.path / ".git") if absolute else "dev/.git"
    outside = Repo(tmp_path, env={"GIT_DIR": place, "GIT_WORK_TREE": str(world.dev.path)})
    for words in (
        ["update-ref", REF, "master"],
        ["push", "origin", f"master:{REF}"],
        ["push", "origin", f":{REF}"],
    ):
        done = outside.run(*words)
        assert b"refs.protected: " in done.stderr, done.stderr
    outside.git("push", "-q", "origin", "master:refs/heads/feature")
    inside = Repo(world.dev.path / "doc")
    inside.path.mkdir()
    assert b"refs.protected: " in inside.run("push", "origin", f"master:{REF}").stderr
    assert b"refs.protected: " in inside.run("update-ref", REF, "master").stderr


def test_a_python_that_is_gone(tmp_path: Path) -> None:
    """A moved or removed environment: what is protected stays so with a way to mend it, and nobody else notices."""
    world = build(tmp_path)
    dev = world.dev
    assert guard("install", "--repo", dev.path) == 0
    dev.git("switch", "-q", "-c", BRANCH, "--track", f"origin/{BRANCH}")
    for folder in (".git/hooks", ".git/guard/hooks"):
        for file in (dev.path / folder).glob("[!.]*"):
            if b"release-guard" in file.read_bytes():
                text = file.read_text()
                line = next(x for x in text.splitlines() if x.startswith("guard_python="))
                file.write_text(text.replace(line, "guard_python=/nowhere/python"))
    for words in (
        ["commit", "--allow-empty", "-m", "x"], ["commit", "-n", "--allow-empty", "-m", "x"], ["merge", "master"],
        ["update-ref", REF, "master"], ["push", "origin", f"master:{REF}"], ["push", "--mirror", "origin"],
    ):  # fmt: skip
        done = dev.run(*words)
        assert done.returncode != 0, words
        assert b"hooks.broken: " in done.stderr
        assert b'"guard install"' in done.stderr
        dev.run("reset", "-q", "--merge")
    dev.git("switch", "-q", "-c", "mine")
    assert dev.run("commit", "-q", "--allow-empty", "-m", "x").stderr == b""
    assert dev.run("push", "-q", "origin", "mine", "master").stderr == b""
    assert dev.run("fetch", "-q").stderr == b""
    assert dev.rev(REF) == world.old
    assert guard("doctor", "--repo", dev.path, "--section", "hooks", "--fix") == 0
    assert b"refs.protected: " in dev.run("update-ref", REF, "master").stderr


def test_what_the_doctor_says_is_also_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = build(tmp_path)
    assert guard("install", "--repo", world.dev.path) == 0
    (world.dev.path / ".git/hooks/pre-push").unlink()
    capsys.readouterr()
    assert guard("doctor", "--repo", world.dev.path, "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert any("hooks.not-current" in json.dumps(entry) for entry in found["findings"])
