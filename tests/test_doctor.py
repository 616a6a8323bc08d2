"""`guard doctor`: it sees what is wrong, says how to mend it, and mends what it says it can."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from guard.adapters.gitdir import git_version
from guard.core.diagnosis import Diagnosis, Level, exit_status
from tests.gitrepo import Repo, clean_environment
from tests.hook_world import BRANCH, NO_HOOKS, REF, World, build, guard, installed

HOOKS = ("pre-commit", "pre-merge-commit", "prepare-commit-msg", "pre-push", "reference-transaction")
CONFIGURED = git_version() >= (2, 54)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return installed(tmp_path)


def findings(
    world: World, capsys: pytest.CaptureFixture[str], *more: str, section: str = "hooks"
) -> tuple[int, dict[str, str]]:
    """The exit status, and the level of each finding by code."""
    capsys.readouterr()
    status = guard("doctor", "--repo", world.dev.path, "--section", section, "--format", "json", *more)
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == status
    return status, {found["code"]: found["level"] for found in report["findings"]}


def test_all_is_well(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert findings(world, capsys) == (0, {"hooks.in-place": "ok"})


def _gone(world: World) -> None:
    (world.dev.path / ".git/hooks/reference-transaction").unlink()


def _not_executable(world: World) -> None:
    (world.dev.path / ".git/hooks/prepare-commit-msg").chmod(0o644)


def _another_tools(world: World) -> None:
    (world.dev.path / ".git/hooks/pre-push").write_text("#!/bin/sh\n")


def _moved_to_old(world: World) -> None:
    hook = world.dev.path / ".git/hooks/pre-commit"
    hook.rename(hook.with_name("pre-commit.old"))
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)


def _older(world: World) -> None:
    with (world.dev.path / ".git/hooks/pre-push").open("a") as file:
        file.write("# an older text\n")


def _hooks_path(world: World) -> None:
    world.dev.git("config", "core.hooksPath", ".husky/_")


def _compiled_gone(world: World) -> None:
    shutil.rmtree(world.dev.path / ".git/guard")


def _patterns_garbage(world: World) -> None:
    (world.dev.path / ".git/guard/patterns").write_text("guard_protected=''\n")


def _compiled_garbage(world: World) -> None:
    (world.dev.path / ".git/guard/hooks.json").write_text("[]")


@pytest.mark.parametrize(
    "spoil",
    [
        _gone,
        _not_executable,
        _another_tools,
        _moved_to_old,
        _older,
        _hooks_path,
        _compiled_gone,
        _compiled_garbage,
        _patterns_garbage,
    ],
)
def test_what_is_wrong_is_seen_and_mended(
    world: World, capsys: pytest.CaptureFixture[str], spoil: object
) -> None:
    assert callable(spoil)
    spoil(world)
    status, found = findings(world, capsys)
    assert (status, found["hooks.not-current"]) == (1, "fault")
    assert findings(world, capsys, "--fix") == (0, {"hooks.in-place": "ok"})
    assert b"refs.protected" in world.dev.run("push", "--dry-run", "origin", f"master:{REF}").stderr


@pytest.mark.parametrize(
    ("setting", "value", "code", "level"),
    [
        ("hook.release-guard-pre-push.enabled", "false", "hooks.disabled", "fault" if CONFIGURED else "note"),
        ("hook.reference-transaction.enabled", "off", "hooks.disabled", "fault" if CONFIGURED else "note"),
        ("remote.origin.mirror", "true", "push.mirror", "fault"),
        ("remote.origin.pushurl", "/elsewhere.git", "push.url", "note"),
        (f"branch.{BRANCH}.pushRemote", "mine", "push.remote", "note"),
        ("remote.pushDefault", "mine", "push.remote", "note"),
    ],
)
def test_settings_that_lead_round(
    world: World, capsys: pytest.CaptureFixture[str], setting: str, value: str, code: str, level: str
) -> None:
    world.dev.git("config", setting, value)
    status, found = findings(world, capsys)
    assert (found[code], status) == (level, int(level == "fault"))


def test_settings_of_others_are_left_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.dev.git("config", "hook.linter.enabled", "false")
    world.dev.git("config", "branch.feature.pushRemote", "mine")
    assert findings(world, capsys) == (0, {"hooks.in-place": "ok"})


def test_a_switch_in_this_repository_is_taken_back(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.dev.git("config", "hook.release-guard-pre-push.enabled", "false")
    assert findings(world, capsys, "--fix") == (0, {"hooks.in-place": "ok"})


def test_configuration_that_another_tool_took_away(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.dev.git("config", "--remove-section", "hook.release-guard-pre-push")
    assert "hooks.not-configured" in findings(world, capsys)[1]
    assert findings(world, capsys, "--fix") == (0, {"hooks.in-place": "ok"})


def test_an_unchecked_push_is_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.dev.git("push", "-q", "--no-verify", "origin", f"master:{REF}")
    status, found = findings(world, capsys)
    assert (status, found["push.unverified"]) == (0, "note")
    (world.dev.path / ".git/guard/pushes.unverified").write_text("\0garbage\n")
    assert findings(world, capsys)[1]["push.unverified"] == "note"


def test_the_forge_and_the_service_are_honest(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert findings(world, capsys, section="service") == (0, {"service.not-configured": "not-configured"})
    assert findings(world, capsys, section="forge") == (0, {"forge.not-configured": "not-configured"})
    text = (world.dev.path / "guard.toml").read_text().replace('forge = "local"', 'forge = "gitlab"')
    world.dev.commit("GitLab", {"guard.toml": text})
    world.dev.git("push", "-q", "origin", "master")
    assert findings(world, capsys, section="forge") == (2, {"forge.unknown": "unknown"})


def test_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = build(tmp_path)
    assert guard("doctor", "--repo", world.dev.path) == 1
    said = capsys.readouterr().out
    assert "✗ hooks.not-current: the guard's hooks are not installed in this clone" in said
    assert "fix: guard install  (guard doctor --fix does it)" in said
    assert guard("doctor", "--repo", tmp_path) == 64


@pytest.mark.parametrize(
    ("levels", "status"),
    [
        ([], 0),
        ([Level.OK, Level.NOTE, Level.NOT_CONFIGURED], 0),
        ([Level.UNKNOWN], 2),
        ([Level.UNKNOWN, Level.FAULT], 1),
    ],
)
def test_the_exit_status(levels: list[Level], status: int) -> None:
    assert exit_status(Diagnosis("hooks", "x", level, "x") for level in levels) == status


class TestHooksInConfiguration:
    """git >= 2.54 runs hooks that its configuration names, and then those in the folder."""

    def test_are_set_and_taken_away_again(self, world: World) -> None:
        listed = world.dev.git("config", "--get-regexp", r"^hook\.release-guard-.*\.event")
        assert [line.split()[1] for line in listed.splitlines()] == list(HOOKS)
        assert guard("uninstall", "--repo", world.dev.path) == 0
        assert "release-guard" not in (world.dev.path / ".git/config").read_text()
        assert not (world.dev.path / ".git/guard").exists()

    def test_a_clone_that_was_moved_is_not_stopped(self, world: World) -> None:
        moved = Repo(world.dev.path.with_name("moved"), env=world.dev.env)
        world.dev.path.rename(moved.path)
        moved.git("commit", "-q", "--allow-empty", "-m", "x")
        assert b"refs.protected" in moved.run("push", "--dry-run", "origin", f"master:{REF}").stderr

    @pytest.mark.parametrize("hook", HOOKS)
    def test_the_two_judge_once(self, world: World, hook: str) -> None:
        """The configured hook first, then the folder's, by one parent: as git runs them."""
        dev = world.dev
        dev.git("switch", "-q", BRANCH)
        lines = (
            f"refs/heads/x {world.new} {REF} {world.old}\n"
            if hook == "pre-push"
            else f"{world.old} {world.new} {REF}\n"
        )
        argument = {"reference-transaction": "prepared", "pre-push": "origin url"}.get(hook, "x")
        both = f'sh -c \'test ! -r "$0" || . "$0"\' "$PWD/.git/guard/hooks/{hook}" {argument} <"$1" ; a=$?'
        script = f'{both}; .git/hooks/{hook} {argument} <"$1"; echo $a $?'
        (world.dev.path.parent / "lines").write_text(lines)
        done = subprocess.run(
            ["sh", "-c", script, "sh", str(world.dev.path.parent / "lines")],
            cwd=dev.path, env=clean_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout.split() == ["1", "1"], done.stderr
        assert done.stderr.count('then run "guard promote"') == 1, done.stderr

    @pytest.mark.skipif(not CONFIGURED, reason="this git knows no hooks in configuration (2.54 and newer do)")
    def test_survive_a_hook_folder_that_is_switched_off(self, world: World) -> None:
        dev = world.dev
        off = ("-c", "core.hooksPath=/dev/null")
        assert b"refs.protected" in dev.run(*off, "push", "--dry-run", "origin", f"master:{REF}").stderr
        assert b"refs.protected" in dev.run(*off, "branch", BRANCH, "master").stderr
        done = dev.run("push", "--dry-run", "origin", f"master:{REF}")
        assert done.stderr.count(b"refs.protected") == 1
        dev.git(*NO_HOOKS, "push", "-q", "--dry-run", "origin", f"master:{REF}")


def test_git_says_its_version() -> None:
    assert git_version() >= (2, 39)
