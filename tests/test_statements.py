"""Statements: their form, what the server takes and refuses, and the commands that send them over real pushes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.adapters.ledger import SqliteLedger
from guard.cli.main import status_of
from guard.core.canonical import canonical_bytes, digest_of_bytes
from guard.core.claims import (
    ApprovalGiven,
    ApprovalWithdrawn,
    Claim,
    EvidenceSubmitted,
    IncidentClosed,
    IncidentOpened,
    ProposalClosed,
    ProposalOpened,
    SignedOff,
)
from guard.core.errors import GuardError, LedgerError
from guard.core.model import Commit
from guard.core.statements import (
    STATEMENT_REFS,
    Statement,
    StatementError,
    encode_statement,
    name_of,
    parse_statement,
    proposal_ref,
    statement_fields,
)
from guard.ports import Ledger
from tests.gitrepo import Repo, clean_environment
from tests.local_world import REPOSITORY, TARGET, ZERO, BrokenLedger, LocalWorld, Update
from tests.people import KeySigner, key_of, signer_line, write_key

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HEAD = Commit("a" * 40)
ANN, BOB = "ann@example.com", "bob@example.com"
REPORT = b"<testsuites/>"

CLAIMS: tuple[Claim, ...] = (
    ApprovalGiven(TARGET, HEAD),
    ApprovalWithdrawn(TARGET, HEAD),
    SignedOff("security.threat-model", None, "geprüft ✓"),
    SignedOff("security.threat-model", Commit("b" * 64), ""),
    IncidentOpened("INC-1", "SEV-1", "Down"),
    IncidentClosed("INC-1", "up again"),
    EvidenceSubmitted("sast", HEAD, "sarif", "bandit", "1.8", 1, ("bandit", "-r\n."), "sha256:" + "0" * 64),
    EvidenceSubmitted("sast", HEAD, "", "bandit", "", 137, (), ""),
    ProposalOpened(TARGET, "r1", HEAD, "Release 1.2"),
    ProposalClosed(TARGET, "r1"),
)


def statement(claim: Claim = CLAIMS[0], *, by: str = ANN, at: datetime = NOW) -> Statement:
    return Statement(REPOSITORY, by, at, "0" * 32, claim)


def raw(**changes: object) -> bytes:
    """An approval's bytes with some members changed; None takes one away."""
    fields = {**statement_fields(statement()), **changes}
    return canonical_bytes({name: value for name, value in fields.items() if value is not None})


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: type(claim).__name__)
def test_every_statement_reads_back_as_it_was_written(claim: Claim) -> None:
    data = encode_statement(statement(claim))
    assert parse_statement(data) == statement(claim)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "canonical", id="nothing"),
        pytest.param(b"[]", "canonical", id="a-list"),
        pytest.param(b"\xff\xfe", "canonical", id="not-utf8"),
        pytest.param(b"[" * 60_000, "canonical", id="deep"),
        pytest.param(b'{"a":1e999}', "canonical", id="infinite"),
        pytest.param(b" " + raw(), "canonical", id="space-before"),
        pytest.param(raw()[:-1] + b',"type":"approval"}', "canonical", id="key-twice"),
        pytest.param(b'{"at":"' + b"x" * 70_000 + b'"}', "at most", id="too-large"),
        pytest.param(raw(type="promotion"), "type: expected one of", id="unknown-type"),
        pytest.param(raw(type=7), "type: expected text", id="type-a-number"),
        pytest.param(raw(extra="x"), "no such field", id="unknown-field"),
        pytest.param(raw(note=""), "no such field", id="field-of-another-type"),
        pytest.param(raw(commit=None), "commit: it is missing", id="missing-field"),
        pytest.param(raw(commit="abc123"), "commit: expected a full commit", id="short-commit"),
        pytest.param(raw(commit="A" * 40), "commit: expected a full commit", id="capital-commit"),
        pytest.param(raw(commit=f"{'a' * 40}\n"), "commit: expected a full commit", id="commit-and-newline"),
        pytest.param(raw(target="refs/heads/x"), "target:", id="full-ref"),
        pytest.param(raw(target="a..b"), "target:", id="no-branch-name"),
        pytest.param(raw(target="re\u202elease"), "target:", id="right-to-left-target"),
        pytest.param(raw(by="ann\n@example.com"), "control", id="newline-in-name"),
        pytest.param(raw(by=""), "1 to 200", id="nobody"),
        pytest.param(raw(by="x" * 201), "1 to 200", id="long-name"),
        pytest.param(raw(nonce="0"), "nonce", id="short-nonce"),
        pytest.param(raw(at="2026-05-01"), "at: expected", id="date-alone"),
        pytest.param(raw(at="2026-05-01T12:00:00+02:00"), "at: expected", id="other-zone"),
        pytest.param(raw(at="2026-13-01T12:00:00Z"), "cannot be read", id="month-13"),
        pytest.param(raw(at="٢٠٢٦-05-01T12:00:00Z"), "at: expected", id="other-digits"),
    ],
)
def test_a_statement_that_is_not_exactly_right_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(StatementError, match=why) as caught:
        parse_statement(data)
    assert caught.value.code == "statement.malformed"


@pytest.mark.parametrize(
    ("claim", "field"),
    [
        pytest.param(SignedOff("Not A Gate", None, ""), "gate", id="gate"),
        pytest.param(SignedOff("a.b", None, "x" * 2001), "note", id="long-note"),
        pytest.param(SignedOff("a.b", None, "two\nlines"), "note", id="two-lines"),
        pytest.param(IncidentOpened("../x", "SEV-1", "t"), "incident", id="incident-id"),
        pytest.param(IncidentOpened("INC-1", "", "t"), "label", id="no-label"),
        pytest.param(ProposalOpened(TARGET, "a/b", HEAD, ""), "proposal", id="slash-in-id"),
        pytest.param(ProposalOpened(TARGET, "a.lock", HEAD, ""), "proposal", id="lock"),
        pytest.param(ProposalOpened(TARGET, "a..b", HEAD, ""), "proposal", id="dots"),
        pytest.param(EvidenceSubmitted("s", HEAD, "", "t", "", -9, (), ""), "exit_code", id="signal"),
        pytest.param(EvidenceSubmitted("s", HEAD, "", "t", "", True, (), ""), "exit_code", id="bool"),
        pytest.param(EvidenceSubmitted("s", HEAD, "", "t", "", 0, ("x",) * 1001, ""), "command", id="words"),
        pytest.param(EvidenceSubmitted("s", HEAD, "", "t", "", 0, ("\x00",), ""), "command", id="nul"),
        pytest.param(EvidenceSubmitted("s", HEAD, "", "t", "", 0, (), "md5:00"), "digest", id="digest"),
    ],
)
def test_a_claim_that_no_server_would_take_is_not_written(claim: Claim, field: str) -> None:
    with pytest.raises(StatementError, match=field):
        encode_statement(statement(claim))


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    ),
    st.sampled_from([*statement_fields(statement(CLAIMS[6])), "more"]),
)
def test_any_value_in_any_field_is_read_or_refused(value: object, field: str) -> None:
    fields = {**statement_fields(statement(CLAIMS[6])), field: value}
    try:
        parse_statement(json.dumps(fields).encode())
        parse_statement(canonical_bytes(fields))
    except GuardError as error:
        assert error.code  # noqa: PT017  # an unreadable one is refused with a code, anything else is a crash


# What the server takes


@pytest.fixture
def world(tmp_path: Path) -> LocalWorld:
    return LocalWorld(tmp_path)


class Bundle:
    """One statement's tree, to be spoilt in some way."""

    def __init__(
        self, world: LocalWorld, claim: Claim | None = None, *, by: str = ANN, **envelope: object
    ) -> None:
        self.world = world
        made = Statement(
            str(envelope.get("repository", REPOSITORY)),
            by,
            envelope.get("at", world.clock.now()),  # type: ignore[arg-type]
            "1" * 32,
            claim or ApprovalGiven(TARGET, HEAD),
        )
        self.data = encode_statement(made)
        self.files: dict[str, bytes] = {
            "statement.json": self.data, "statement.json.sig": KeySigner(by).sign(self.data)
        }  # fmt: skip

    @property
    def ref(self) -> str:
        return f"{STATEMENT_REFS}{name_of(self.data)}"

    def update(self, *, ref: str | None = None, old: str = ZERO) -> Update:
        return Update(ref or self.ref, old, self.world.store(self.files))


def codes(world: LocalWorld, *updates: Update) -> list[str]:
    return [problem.code for problem in world.receive(*updates)]


def entries(world: LocalWorld) -> list[str]:
    return [entry.kind for entry in world.ledger.entries()]


def test_a_statement_goes_on_record_with_the_key_and_the_time_of_receipt(world: LocalWorld) -> None:
    bundle = Bundle(world)
    assert codes(world, bundle.update()) == []
    (entry,) = world.ledger.entries()
    assert (entry.kind, entry.once) == ("statement.approval", f"statement:{digest_of_bytes(bundle.data)}")
    assert entry.body["digest"] == digest_of_bytes(bundle.data)
    assert str(entry.body["key"]).startswith("SHA256:")
    assert entry.body["statement"] == json.loads(bundle.data)


def test_receiving_it_again_records_it_once(world: LocalWorld) -> None:
    update = Bundle(world).update()
    assert codes(world, update) + codes(world, update) == []
    assert entries(world) == ["statement.approval"]


def test_what_cannot_be_recorded_is_not_taken(world: LocalWorld) -> None:
    ledger: Ledger = BrokenLedger()  # type: ignore[assignment]
    with pytest.raises(LedgerError):
        world.receive(Bundle(world).update(), ledger=ledger)


def spoilt(world: LocalWorld, how: str) -> Update:
    """One good statement, made bad in one way."""
    bundle = Bundle(world)
    if how == "other-person":
        bundle.files["statement.json.sig"] = KeySigner(BOB).sign(bundle.data)
    if how == "other-namespace":
        bundle.files["statement.json.sig"] = KeySigner(ANN, namespace="git").sign(bundle.data)
    if how == "no-signature":
        del bundle.files["statement.json.sig"]
    if how == "spoilt-signature":
        bundle.files["statement.json.sig"] = b"-----BEGIN SSH SIGNATURE-----"
    if how == "other-words":
        bundle.files["statement.json"] = bundle.data.replace(b"a" * 40, b"b" * 40)
    if how == "extra-file":
        bundle.files["README"] = b""
    if how == "large-signature":
        bundle.files["statement.json.sig"] = b"x" * 40_000
    if how == "unasked-report":
        bundle.files["report"] = REPORT
    return bundle.update()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("other-person", "signer.other-key"),
        ("other-namespace", "signature.namespace"),
        ("no-signature", "statement.malformed"),
        ("spoilt-signature", "signature.malformed"),
        ("other-words", "statement.other-digest"),
        ("extra-file", "statement.malformed"),
        ("large-signature", "statement.too-large"),
        ("unasked-report", "statement.other-report"),
    ],
)
def test_a_spoilt_statement_is_refused_and_nothing_recorded(how: str, code: str, world: LocalWorld) -> None:
    assert codes(world, spoilt(world, how)) == [code]
    assert entries(world) == []


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        pytest.param({"by": "eve@example.com"}, "signer.unknown", id="a-stranger"),
        pytest.param({"repository": "gpuaas/other"}, "statement.other-repository", id="other-repository"),
        pytest.param({"at": NOW - timedelta(days=2)}, "statement.old", id="kept-back"),
        pytest.param({"at": NOW + timedelta(hours=8)}, "statement.future", id="from-the-future"),
    ],
)
def test_who_says_it_where_and_when_matters(
    envelope: Mapping[str, object], code: str, world: LocalWorld
) -> None:
    assert codes(world, Bundle(world, **envelope).update()) == [code]  # type: ignore[arg-type]


def test_the_ref_is_named_after_the_statement(world: LocalWorld) -> None:
    update = Bundle(world).update(ref=f"{STATEMENT_REFS}{'0' * 64}")
    assert codes(world, update) == ["statement.other-digest"]


def test_a_statement_on_record_is_neither_changed_nor_deleted(world: LocalWorld) -> None:
    bundle = Bundle(world)
    tree = bundle.update().new
    for update in (Update(bundle.ref, tree, ZERO), Update(bundle.ref, tree, spoilt(world, "").new)):
        assert codes(world, update) == ["statement.append-only"]


@pytest.mark.parametrize(
    "ref",
    [
        "refs/guard/jwks", "refs/guard", f"{STATEMENT_REFS}x", f"{STATEMENT_REFS}{'A' * 64}",
        f"{STATEMENT_REFS}{'0' * 64}/x", "refs/Guard/statements/x", "refs/proposals",
    ],
)  # fmt: skip
def test_other_refs_of_the_guard_take_no_push(ref: str, world: LocalWorld) -> None:
    assert codes(world, Update(ref, ZERO, world.first)) == ["refs.guard"]


@pytest.mark.parametrize("kind", ["commit", "blob", "missing", "huge-tree"])
def test_what_is_no_statement_tree_is_refused(kind: str, world: LocalWorld) -> None:
    blob = world.bare.git("hash-object", "-w", "--stdin", stdin=b"{}")
    rows = "".join(f"100644 blob {blob}\tfile-{number}\n" for number in range(100))
    names = {
        "commit": world.first, "blob": blob, "missing": "f" * 40,
        "huge-tree": world.bare.git("mktree", stdin=rows.encode()),
    }  # fmt: skip
    assert codes(world, Update(f"{STATEMENT_REFS}{'0' * 64}", ZERO, names[kind])) == ["statement.malformed"]


@pytest.mark.parametrize("mode", ["100755", "120000", "160000", "040000"])
def test_only_regular_files_are_taken(mode: str, world: LocalWorld) -> None:
    bundle = Bundle(world)
    signature = world.bare.git("hash-object", "-w", "--stdin", stdin=bundle.files["statement.json.sig"])
    kinds = {"160000": ("commit", world.first), "040000": ("tree", world.bare.git("mktree", stdin=b""))}
    plain = world.bare.git("hash-object", "-w", "--stdin", stdin=bundle.data)
    kind, name = kinds.get(mode, ("blob", plain))
    rows = f"{mode} {kind} {name}\tstatement.json\n100644 blob {signature}\tstatement.json.sig\n"
    assert codes(world, Update(bundle.ref, ZERO, world.bare.git("mktree", stdin=rows.encode()))) == [
        "statement.malformed"
    ]


def test_one_bad_statement_keeps_the_whole_push_off_the_record(world: LocalWorld) -> None:
    good, bad = Bundle(world, SignedOff("a.b", None, "")), Bundle(world, by="eve@example.com")
    assert codes(world, good.update(), bad.update()) == ["signer.unknown"]
    assert entries(world) == []


def test_evidence_without_its_report_is_refused(world: LocalWorld) -> None:
    claim = EvidenceSubmitted("sast", HEAD, "", "t", "1", 0, (), digest_of_bytes(REPORT))
    bundle = Bundle(world, claim)
    assert codes(world, bundle.update()) == ["statement.other-report"]
    bundle.files["report"] = REPORT + b" "
    assert codes(world, bundle.update()) == ["statement.other-report"]
    bundle.files["report"] = REPORT
    assert codes(world, bundle.update()) == []


# Proposals


def test_a_proposal_ref_moves_only_with_its_statement(world: LocalWorld) -> None:
    ref = proposal_ref(TARGET, "r1")
    for update in (Update(ref, ZERO, world.first), Update(ref, world.first, ZERO)):
        assert codes(world, update) == ["proposal.unsigned"]


@pytest.mark.parametrize(
    ("claim_head", "ref_head", "code"),
    [
        pytest.param("first", "second", "proposal.other-head", id="another-head"),
        pytest.param("first", None, "proposal.other-head", id="statement-without-the-ref"),
        pytest.param("tree", "tree", "proposal.no-commit", id="no-commit"),
    ],
)
def test_the_ref_is_exactly_what_the_statement_says(
    claim_head: str, ref_head: str | None, code: str, world: LocalWorld
) -> None:
    heads = {"first": world.first, "second": world.commit("two"), "tree": world.bare.git("mktree", stdin=b"")}
    bundle = Bundle(world, ProposalOpened(TARGET, "r1", Commit(heads[claim_head]), "t"))
    updates = [bundle.update()]
    if ref_head:
        updates.append(Update(proposal_ref(TARGET, "r1"), ZERO, heads[ref_head]))
    assert codes(world, *updates) == [code]
    assert entries(world) == []


def test_closing_needs_the_deletion_and_the_deletion_the_closing(world: LocalWorld) -> None:
    world.propose("r1", world.first, by=ANN)
    ref, closing = proposal_ref(TARGET, "r1"), Bundle(world, ProposalClosed(TARGET, "r1")).update()
    assert codes(world, closing) == ["proposal.other-head"]
    assert codes(world, Update(ref, world.first, ZERO)) == ["proposal.unsigned"]
    assert codes(world, closing, Update(ref, world.first, ZERO)) == []


def test_two_statements_about_one_proposal_are_one_too_many(world: LocalWorld) -> None:
    bundles = [
        Bundle(world, ProposalOpened(TARGET, "r1", world.first, title)).update() for title in ("one", "two")
    ]
    update = Update(proposal_ref(TARGET, "r1"), ZERO, world.first)
    assert codes(world, *bundles, update) == ["proposal.twice"]


# The commands, over real pushes: the server's hook runs in git's quarantine

POLICY = f"""
version = 1
[project]
forge = "local"
repository = "{REPOSITORY}"
[branches."{TARGET}"]
upstream = "master"
require = ["lineage", "approvals", "incidents"]
[roles.platform]
members = ["@owners"]
[roles.security]
members = ["{ANN}"]
"""

HOOK = """#!/bin/sh
exec {python} -m guard.cli.main hook pre-receive --home {home}
"""


class Town:
    """A guarded bare repository and a developer's clone; only the guard's own refs are pushed here."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [*os.environ]:
            if name.startswith(("GIT_", "GUARD_", "SSH_AUTH")):
                monkeypatch.delenv(name)
        for name, value in clean_environment().items():
            monkeypatch.setenv(name, value)
        self.bare = Repo.init(folder / "server.git", "--bare")
        self.clone = Repo.init(folder / "clone")
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
        ledger = SqliteLedger(self.home / "ledger.sqlite3", repository=REPOSITORY)
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
    listing = ["incident", "list", "--target", TARGET, "--format", "json"]
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
