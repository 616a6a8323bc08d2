"""`guard break-glass` on a self-hosted repository: two signed wishes, a GO that says so, and what is owed then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guard.cli.main import status_of
from tests.local_world import TARGET
from tests.test_statement_commands import ANN, BOB, POLICY, Town

WITH_GLASS = POLICY + "[break_glass]\n"


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    made = Town(tmp_path, monkeypatch)
    made.clone.commit("policy", {"guard.toml": WITH_GLASS})
    made.clone.git("push", "-q", str(made.bare.path), "master")
    made.bare.git("update-ref", f"refs/heads/{TARGET}", made.clone.rev("master"))
    made.clone.git("fetch", "-q", "origin")
    return made


def decided(town: Town, capsys: pytest.CaptureFixture[str], head: str) -> dict[str, object]:
    capsys.readouterr()
    arguments = [
        "check",
        "--server",
        str(town.bare.path),
        "--target",
        TARGET,
        "--head",
        head,
        "--format",
        "json",
    ]
    status_of(arguments)
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_two_people_open_it_for_one_head_and_the_fix_is_owed(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    town.clone.git("switch", "-q", "-c", "hotfix")
    head = town.clone.commit("an emergency", {"tool.sh": "exit 0\n"})
    assert status_of(["propose", "--id", "now", "--target", TARGET, *town.as_(ANN)]) == 0
    wish = ["break-glass", "--target", TARGET, "--because", "SEV-1: payments are down"]
    assert status_of([*wish, *town.as_(BOB)]) == 0
    assert "it opens when a second person asks" in capsys.readouterr().out
    assert decided(town, capsys, head)["decision"] == "NO-GO"
    assert status_of([*wish, *town.as_(BOB)]) == 0
    assert decided(town, capsys, head)["decision"] == "NO-GO"
    assert status_of([*wish, *town.as_(ANN)]) == 0
    opened = decided(town, capsys, head)
    assert opened["decision"] == "GO (break-glass)"
    assert opened["next_change_at"] is not None
    # It is promoted. What follows waits for the fix on master.
    town.bare.git("update-ref", f"refs/heads/{TARGET}", head)
    later = town.clone.commit("more")
    assert status_of(["propose", "--id", "later", "--target", TARGET]) == 0
    assert "follow-up.open" in codes(decided(town, capsys, later))
    town.clone.git("switch", "-q", "master")
    town.clone.git("merge", "-q", "--no-ff", "-m", "home", head)
    town.clone.git("push", "-q", str(town.bare.path), "master")
    assert "follow-up.open" not in codes(decided(town, capsys, later))


def codes(document: dict[str, object]) -> str:
    return json.dumps(document["verdicts"])


def test_it_needs_a_reason(town: Town) -> None:
    assert status_of(["break-glass", "--target", TARGET]) == 64
    assert status_of(["break-glass", "--target", TARGET, "--because", ""]) in {2, 64}
