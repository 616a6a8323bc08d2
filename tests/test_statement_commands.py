"""The commands that send statements, over real pushes: the server's hook runs in git's quarantine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from guard.adapters.ledger import SqlLedger
from guard.cli.main import status_of
from guard.core.canonical import digest_of_bytes
from guard.core.model import Commit
from guard.core.statements import (
    STATEMENT_REFS,
    proposal_ref,
)
from guard.render.waivers_json import waivers_schema
from tests.gitrepo import Repo, clean_environment
from tests.local_world import REPOSITORY, TARGET
from tests.people import key_of, signer_line, write_key
from tests.policy_texts import DOCUMENT, GATE, people_policy

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HEAD = Commit("a" * 40)
ANN, BOB = "ann@example.com", "bob@example.com"
REPORT = b"<testsuites/>"

POLICY = people_policy("local", REPOSITORY, TARGET, platform="@owners", security=ANN)
POLICY += f"\n{GATE}{DOCUMENT}"

HOOK = """#!/bin/sh
exec {python} -m guard.cli.main hook pre-receive --home {home}
"""


class Town:
    """A guarded bare repository and a developer's clone; only the guard's own refs are pushed here."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *init: str) -> None:
        for name in [*os.environ]:
            if name.startswith(("GIT_", "GUARD_", "SSH_AUTH")):
                monkeypatch.delenv(name)
        for name, value in clean_environment().items():
            monkeypatch.setenv(name, value)
        self.bare = Repo.init(folder / "server.git", "--bare", *init)
        self.clone = Repo.init(folder / "clone", *init)
        self.clone.git("remote", "add", "origin", str(self.bare.path))
        self.head = self.clone.commit("A platform", {"guard.toml": POLICY, "tool.sh": "exit 3\n"})
        self.clone.git("push", "-q", "origin", "master", f"master:{TARGET}")
        self.clone.git("fetch", "-q", "origin")
        self.clone.git("config", "user.email", ANN)
        self.home = self.bare.path / "guard"
        self.home.mkdir()
        (self.home / "settings.toml").write_text(
            f'repository = "{REPOSITORY}"\ngit_dir = "{self.bare.path}"\n[groups]\n"@owners" = ["{BOB}"]\n'
        )
        (self.home / "allowed_signers").write_text("".join(f"{signer_line(name)}\n" for name in (ANN, BOB)))
        hook = self.bare.path / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK.format(python=sys.executable, home=self.home))
        hook.chmod(0o755)
        for name in (ANN, BOB, "eve@example.com"):
            write_key(folder / "keys" / name, key_of(name))
        monkeypatch.setenv("GUARD_SSH_KEY", str(folder / "keys" / ANN))
        monkeypatch.chdir(self.clone.path)
        self.keys = folder / "keys"

    def bodies(self, kind: str) -> list[Mapping[str, object]]:
        ledger = SqlLedger(self.home / "ledger.sqlite3", repository=REPOSITORY)
        found = [entry.body["statement"] for entry in ledger.entries(f"statement.{kind}")]
        return [body for body in found if isinstance(body, Mapping)]

    def as_(self, name: str) -> tuple[str, ...]:
        return ("--as", name, "--key", str(self.keys / name))


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    return Town(tmp_path, monkeypatch)


def test_a_proposal_is_opened_approved_moved_and_closed(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["propose", "--title", "Release 1.2", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["statement"]["proposal"] == "master"
    assert town.bare.git("rev-parse", said["ref"])
    ref = proposal_ref(TARGET, "master")
    assert town.bare.rev(ref) == town.head
    assert status_of(["approve", *town.as_(BOB)]) == 0
    assert status_of(["withdraw", "--commit", "HEAD", *town.as_(BOB)]) == 0
    assert f"approved {town.head[:10]} for {TARGET}, as {BOB}" in capsys.readouterr().out
    assert [body["by"] for body in town.bodies("approval")] == [BOB]
    assert [body["commit"] for body in town.bodies("approval-withdrawn")] == [town.head]
    moved = town.clone.commit("more")
    assert status_of(["propose"]) == 0
    assert town.bare.rev(ref) == moved
    assert [body["title"] for body in town.bodies("proposal-opened")] == ["Release 1.2", "more"]
    assert status_of(["propose", "--close", "master", "--target", TARGET]) == 0
    assert town.bare.git("for-each-ref", "refs/proposals") == ""


def test_a_repository_of_sha256_objects_that_checks_every_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, "--object-format=sha256")
    town.bare.git("config", "receive.fsckObjects", "true")
    assert status_of(["propose", "--id", "r1"]) == 0
    assert status_of(["approve"]) == 0
    assert [body["commit"] for body in town.bodies("approval")] == [town.head]
    assert status_of(["propose", "--close", "r1"]) == 0


def test_hooks_of_others_that_look_at_every_push_let_statements_pass(town: Town) -> None:
    """What the pre-commit framework asks about each pushed ref (pre_commit/commands/hook_impl.py)."""
    hook = town.clone.path / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "#!/bin/sh\nset -e\nwhile read -r local new ref old; do\n"
        '  git rev-list "$new" --topo-order --reverse --not --remotes="$1" >>.git/seen\n'
        '  echo "$ref" >>.git/refs-seen\ndone\n'
    )
    hook.chmod(0o755)
    assert status_of(["approve"]) == 0
    assert (town.clone.path / ".git" / "refs-seen").read_text().startswith(STATEMENT_REFS)
    assert (town.clone.path / ".git" / "seen").read_text() == ""


def test_nothing_in_the_clone_is_touched(town: Town) -> None:
    (town.clone.path / "guard.toml").write_text("half-done work")
    town.clone.git("add", "-A")
    before = town.clone.git("status", "--porcelain=v2", "--branch"), town.clone.git("for-each-ref")
    assert status_of(["signoff", "security.threat-model", "--note", "seen"]) == 0
    assert (town.clone.git("status", "--porcelain=v2", "--branch"), town.clone.git("for-each-ref")) == before


def test_the_servers_words_reach_the_user(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["approve", *town.as_("eve@example.com")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("signer.unknown: nobody called eve@example.com may sign here\nfix: ")
    assert "remote:" not in said
    assert town.bodies("approval") == []


def test_a_key_of_somebody_else_is_refused(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["approve", "--as", ANN, "--key", str(town.keys / BOB)]) == 1
    assert "signer.other-key" in capsys.readouterr().err


def test_a_server_that_cannot_be_reached_is_no_refusal(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    town.clone.git("remote", "set-url", "origin", str(town.bare.path / "gone"))
    assert status_of(["approve"]) == 2
    assert "push.failed" in capsys.readouterr().err


def test_a_closed_server_door_records_nothing_of_a_proposal(town: Town) -> None:
    """Atomic: neither the proposal nor its statement arrives without the other."""
    assert status_of(["propose", *town.as_("eve@example.com")]) == 1
    assert town.bare.git("for-each-ref", "refs/proposals", "refs/guard") == ""


def test_incidents_are_opened_listed_and_closed(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    listing = ["incident", "list", "--format", "json"]
    assert status_of(["incident", "open", "--label", "SEV-1", "--id", "INC-1", "Balances are wrong"]) == 0
    capsys.readouterr()
    assert status_of(listing) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"id": "INC-1", "label": "SEV-1", "title": "Balances are wrong"}
    ]
    assert status_of(["incident", "close", "INC-1", "--note", "mended", *town.as_(BOB)]) == 0
    capsys.readouterr()
    assert status_of(listing) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("label", "warned"),
    [
        pytest.param("SEV-1", False, id="of-the-policy"),
        pytest.param("sev-2", False, id="in-small-letters"),
        pytest.param("SEV-9", True, id="mistyped"),
        pytest.param("outage", True, id="another-word"),
    ],
)
def test_an_incident_that_stops_nothing_is_opened_with_a_warning(
    town: Town, capsys: pytest.CaptureFixture[str], label: str, warned: bool
) -> None:
    assert status_of(["incident", "open", "--label", label, "--id", "INC-9", "Balances are wrong"]) == 0
    told = capsys.readouterr().err
    assert ("stops no promotion" in told, "SEV-1, SEV-2" in told) == (warned, warned)
    assert status_of(["incident", "list", "--format", "json"]) == 0
    assert (json.loads(capsys.readouterr().out) == []) is warned


def test_closing_an_incident_says_whose_word_counts(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["incident", "open", "--label", "SEV-1", "--id", "INC-1", "Balances are wrong"]) == 0
    assert status_of(["incident", "close", "INC-1"]) == 0
    told = capsys.readouterr()
    assert "said that incident INC-1 is closed, as ann@example.com" in told.out
    assert "it counts from a holder of platform or security" in told.err


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["signoff", "no.such-gate"], id="signoff"),
        pytest.param(
            ["waive", "request", "no.such-gate", "x.y:0123456789abcdef", "--for", "2d", "--reason", "x"],
            id="waive",
        ),
    ],
)
def test_a_gate_that_the_policy_does_not_have_is_noted(
    town: Town, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """It may be a new one of a policy that this clone has not fetched yet, so it is sent all the same."""
    assert status_of(command) == 0
    assert (
        f"the policy of {TARGET} has no gate no.such-gate, as this clone last saw it"
        in capsys.readouterr().err
    )
    assert (
        status_of(
            ["waive", "request", "incidents", *command[3:]]
            if "waive" in command
            else ["signoff", "security.threat-model"]
        )
        == 0
    )
    assert "no gate" not in capsys.readouterr().err


def test_how_a_tool_ended_is_never_assumed(
    town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.xml").write_bytes(REPORT)
    options = ["--source", "junit", "--commit", "HEAD", "--tool", "pytest", "--tool-version", "8"]
    for report in ([], [str(tmp_path / "report.xml")]):
        assert status_of(["evidence", "add", *options, *report]) == 64
        assert "--exit-code" in capsys.readouterr().err
    assert town.bodies("evidence") == []


def test_a_report_is_added(town: Town, tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_bytes(REPORT)
    options = ["--source", "junit", "--commit", "HEAD", "--tool", "pytest", "--tool-version", "8"]
    assert status_of(["evidence", "add", *options, "--exit-code", "1", str(tmp_path / "report.xml")]) == 0
    (body,) = town.bodies("evidence")
    assert (body["digest"], body["exit_code"], body["commit"]) == (digest_of_bytes(REPORT), 1, town.head)


def test_a_tool_is_run_and_its_bad_end_submitted_too(town: Town, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["sh", "-c", "echo hello; echo '<x/>' > out.xml; exit 3"]
    assert status_of(["evidence", "run", "--source", "tests", "--report", "out.xml", "--", *command]) == 3
    assert capfd.readouterr().out == "hello\n"
    (body,) = town.bodies("evidence")
    assert (body["exit_code"], body["command"], body["tool"]) == (3, command, "sh")
    assert body["digest"] == digest_of_bytes(b"<x/>\n")


def test_a_gate_says_what_a_run_is_submitted_as(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    gate = '[[gates]]\nid = "{0}"\ngroup = "security"\ntitle = "t"\nevidence = {1}\n'
    script = '{ kind = "script", source = "contracts", script = "true" }'
    both = "{ all = [" + script + ', { kind = "sarif", source = "sast" }] }'
    text = POLICY + gate.format("security.one", script) + gate.format("security.two", both)
    text += gate.format("security.none", '{ kind = "document", path = "a.md" }')
    town.clone.commit("gates", {"guard.toml": text})
    town.clone.git("update-ref", f"refs/remotes/origin/{TARGET}", "HEAD")
    assert status_of(["evidence", "run", "security.one", "--", "sh", "-c", "exit 3"]) == 3
    (body,) = town.bodies("evidence")
    assert (body["source"], body["command"], body["exit_code"]) == ("contracts", ["sh", "-c", "exit 3"], 3)
    for words, said in (
        (["security.two", "--", "true"], "takes reports as contracts, sast"),
        (["security.none", "--", "true"], "takes no report"),
        (["security.nine", "--", "true"], "has no gate security.nine"),
        (["true"], "nothing says what this is submitted as"),
    ):
        assert status_of(["evidence", "run", *words]) == 64
        assert said in capsys.readouterr().err


def test_what_a_tool_says_on_standard_error_goes_along(town: Town, capfd: pytest.CaptureFixture[str]) -> None:
    """gitleaks tells only there how much it scanned; what it left running is not waited for."""
    script = "printf '\\033[90m7:32PM\\033[0m 3 commits scanned.\\n' >&2; sleep 60 & exit 0"
    assert status_of(["evidence", "run", "--source", "secrets", "--", "sh", "-c", script]) == 0
    (body,) = town.bodies("evidence")
    assert body["said"] == "7:32PM 3 commits scanned."
    assert "3 commits scanned." in capfd.readouterr().err


def test_a_report_of_an_earlier_run_is_not_submitted(town: Town, capfd: pytest.CaptureFixture[str]) -> None:
    (town.clone.path / "out.xml").write_bytes(REPORT)
    assert status_of(["evidence", "run", "--source", "tests", "--report", "out.xml", "--", "true"]) == 0
    assert "was not written" in capfd.readouterr().err
    assert [body["digest"] for body in town.bodies("evidence")] == [""]


def test_a_tool_ended_by_a_signal_is_submitted_as_a_shell_says_it(town: Town) -> None:
    assert status_of(["evidence", "run", "--source", "tests", "--", "sh", "-c", "kill -9 $$"]) == 137
    assert [body["exit_code"] for body in town.bodies("evidence")] == [137]


def test_a_tool_is_not_run_on_anything_but_the_commit(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["evidence", "run", "--source", "tests"]
    (town.clone.path / "tool.sh").write_text("exit 0\n")
    assert status_of([*run, "--", "touch", "ran"]) == 1
    assert "evidence.changed-files" in capsys.readouterr().err
    town.clone.commit("mended")
    assert status_of([*run, "--commit", town.head, "--", "touch", "ran"]) == 1
    assert "evidence.other-commit" in capsys.readouterr().err
    assert status_of([*run, "--", "no-such-tool-here"]) == 64
    assert not (town.clone.path / "ran").exists()
    assert town.bodies("evidence") == []


def test_the_target_is_asked_for_where_it_is_not_plain(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    two = POLICY + '\n[branches."release/other"]\nupstream = "master"\nrequire = ["lineage"]\n'
    town.clone.commit("two", {"guard.toml": two})
    town.clone.git("push", "-q", "origin", "master")
    assert status_of(["approve"]) == 64
    assert "usage.target" in capsys.readouterr().err
    assert status_of(["approve", "--target", TARGET]) == 0


def test_a_repository_without_a_policy_is_named_by_hand(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    for branch in ("master", TARGET):
        town.clone.git("update-ref", "-d", f"refs/remotes/origin/{branch}")
    assert status_of(["approve", "--target", TARGET]) == 64
    assert "usage.repository" in capsys.readouterr().err
    assert status_of(["approve", "--target", TARGET, "--repository", REPOSITORY]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["approve", "--commit", "nowhere"], id="no-such-commit"),
        pytest.param(["approve", "--commit", "HEAD", "--head", "HEAD"], id="both-names"),
        pytest.param(["approve", "--target", "a..b"], id="no-branch-name"),
        pytest.param(["approve", "--remote", "--upload-pack=x"], id="remote-is-an-option"),
        pytest.param(["signoff", "Not A Gate"], id="no-gate"),
        pytest.param(["incident", "open", "--label", "SEV-1", "--id", "../x", "t"], id="no-id"),
        pytest.param(["propose", "--close", "x", "--title", "t"], id="close-with-title"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_sent(arguments: list[str], town: Town) -> None:
    assert status_of(arguments) == 64
    assert town.bare.git("for-each-ref", "refs/guard") == ""


def test_a_waiver_is_asked_for_approved_listed_and_withdrawn(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = "sarif.result:0123456789abcdef"
    asked = ["waive", "request", "security.scan", finding, "--reason", "a test tool", "--for", "7d"]
    assert status_of([*asked, "--entry", "TD-012", "--format", "json"]) == 0
    name = json.loads(capsys.readouterr().out)["digest"]
    assert status_of(["waive", "approve", name, *town.as_(BOB)]) == 0
    capsys.readouterr()
    listing = ["waive", "list", "--target", TARGET]
    assert status_of([*listing, "--format", "json"]) == 0
    waivers = json.loads(capsys.readouterr().out)
    jsonschema.validate(waivers, waivers_schema())
    (one,) = waivers
    assert (one["id"], one["finding"], one["commit"], one["entry"]) == (name, finding, town.head, "TD-012")
    assert [given["by"] for given in one["approvals"]] == [BOB]
    assert status_of(listing) == 0
    assert f"asked for by {ANN}: a test tool" in capsys.readouterr().out
    assert status_of(["waive", "withdraw", name.removeprefix("sha256:")]) == 0
    capsys.readouterr()
    assert status_of(listing) == 0
    assert f"no waiver was asked for on {TARGET}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["security.scan", "sarif.result:0123456789abcdef"], "in one way", id="without-an-end"),
        pytest.param(
            ["security.scan", "sarif.result:0123456789abcdef", "--for", "7d", "--until", "2026-06-01"],
            "in one way",
            id="two-ends",
        ),
        pytest.param(["security.scan", "sarif.result:01", "--for", "soon"], "--for: expected", id="no-span"),
        pytest.param(["security.scan", "B602", "--for", "7d"], "a finding's id such as", id="no-finding"),
    ],
)
def test_a_waiver_that_is_asked_for_wrongly(
    town: Town, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["waive", "request", *options, "--reason", "because"]) == 64
    assert said in capsys.readouterr().err
    assert town.bodies("waiver-requested") == []
