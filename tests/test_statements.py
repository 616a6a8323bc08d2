"""Statements: their form, what the server takes and refuses, and the commands that send them over real pushes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from guard.core.canonical import canonical_bytes
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
from guard.core.errors import GuardError
from guard.core.model import Commit
from guard.core.statements import (
    Statement,
    StatementError,
    encode_statement,
    parse_statement,
    statement_fields,
    statement_schema,
)
from tests.local_world import REPOSITORY, TARGET

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


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: type(claim).__name__)
def test_the_published_schema_describes_every_statement(claim: Claim) -> None:
    schema = Draft202012Validator(statement_schema())
    fields = statement_fields(statement(claim))
    schema.validate(fields)
    assert not schema.is_valid({**fields, "extra": ""})
    assert not schema.is_valid({name: value for name, value in fields.items() if name != "nonce"})


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
