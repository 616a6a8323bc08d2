"""Evidence on a hosted forge: CI's own jobs, and what CI submits to the service over HTTP by the command line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.cli.main import status_of
from tests.gitrepo import clean_environment
from tests.people import key_of, write_key
from tests.service_sides import BOTH, BRANCH
from tests.service_world import CHECK, CI, ServiceWorld
from tests.stories import JOBS, opened


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    with opened(request.param, tmp_path, more=JOBS) as made:
        yield made


def test_a_proposal_cannot_bring_its_own_ci(world: ServiceWorld) -> None:
    with world.serving() as url:
        world.work.git("switch", "-q", "-c", "topic")
        head = world.commit(
            "a fix, and a check that checks nothing", {CHECK: "#!/bin/sh\nexit 0\n", "app": "2\n"}
        )
        proposal = world.side.propose(head)
        world.side.jobs(head, test="good", lint="good")
        world.settle(url)
        comment = world.comment(proposal)
        assert world.status(head).state == "failure"
        assert "ci.configuration" in comment
        assert "scripts/ci/check" in comment


@pytest.fixture
def clone(world: ServiceWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CI's clone of the proposal's head, with its key; its remote takes no refs of the guard's."""
    for name in [*os.environ]:
        if name.startswith(("GIT_", "GUARD_", "SSH_AUTH")):
            monkeypatch.delenv(name)
    for name, value in clean_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GUARD_SSH_KEY", str(write_key(tmp_path / "ci.key", key_of(CI))))
    (world.work.path / CHECK).chmod(0o755)
    world.commit("a fix", {"app": "2\n"})
    world.work.git("clone", "-q", str(world.bare.path), str(tmp_path / "clone"))
    return tmp_path / "clone"


def test_ci_runs_a_check_and_submits_it_to_the_service(world: ServiceWorld, clone: Path) -> None:
    head = world.work.rev("master")
    with world.serving() as url, contextlib.chdir(clone):
        given = ["--service", url, "--as", CI, "--target", BRANCH, "--source", "check"]
        assert status_of(["evidence", "run", *given, "--", CHECK]) == 0
        (entry,) = world.service.ledger.entries("statement.evidence")
        body = entry.body["statement"]
        assert isinstance(body, dict)
        assert (body["commit"], body["command"], body["exit_code"]) == (head, [CHECK], 0)
        (clone / "report.json").write_text("{}")
        (clone / "log").write_bytes(b"\x1b[1m3 commits scanned.\x1b[0m\n")
        add = ["evidence", "add", "--service", url, "--as", CI, "--target", BRANCH, "--source", "secrets"]
        tool = [
            "--tool",
            "gitleaks",
            "--tool-version",
            "8.30.1",
            "--log",
            "log",
            "--commit",
            "HEAD",
            "--exit-code",
            "0",
        ]
        assert status_of([*add, *tool, "report.json"]) == 0
        newest = list(world.service.ledger.entries("statement.evidence"))[-1].body["statement"]
        assert isinstance(newest, dict)
        assert newest["said"] == "3 commits scanned."


def test_what_the_service_does_not_take_is_said(
    world: ServiceWorld, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with world.serving() as url, contextlib.chdir(clone):
        run = ["evidence", "run", "--as", "mallory", "--target", BRANCH, "--source", "check"]
        assert status_of([*run, "--service", url, "--", "true"]) == 1
        assert "mallory" in capsys.readouterr().err
    with contextlib.chdir(clone):
        assert status_of([*run, "--service", url, "--", "true"]) == 2
        assert "cannot be reached" in capsys.readouterr().err
        assert status_of([*run, "--service", "ftp://x", "--", "true"]) == 64
        assert not list(world.service.ledger.entries("statement.evidence"))
