"""A policy read, and everything that can be wrong with one: each with its key path, line and what was expected."""

from __future__ import annotations

import contextlib
import hashlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.core.durations import format_duration
from guard.core.errors import PolicyError
from guard.core.evidence import All, leaves
from guard.core.policy_text import LISTED, MAX_BYTES, MAX_DEPTH, parse_policy
from guard.core.report_kinds import Sarif
from guard.core.upstream_kinds import Document
from tests.policy_texts import BRANCH, DOCUMENT, GATE, HEAD, LINES, SMALL, gate, problems


def test_a_policy_carries_the_digest_of_its_very_bytes() -> None:
    text = (SMALL + GATE + DOCUMENT).encode()
    loaded = parse_policy(text, where="guard.toml at master")
    assert loaded.digest == f"sha256:{hashlib.sha256(text).hexdigest()}"
    assert loaded.where == "guard.toml at master"
    assert loaded.policy.branches["release/x"].permit_ttl == timedelta(minutes=15)
    assert loaded.policy.incidents.labels == ("SEV-1", "SEV-2")
    assert isinstance(loaded.policy.gates[0].evidence, Document)


def test_a_folder_may_be_written_with_a_slash_at_its_end() -> None:
    evidence = (
        parse_policy(gate('{ kind = "document", path = "doc/x/" }').encode(), where="g")
        .policy.gates[0]
        .evidence
    )
    assert isinstance(evidence, Document)
    assert evidence.path == "doc/x"


def test_nested_evidence_has_a_key_for_each_piece() -> None:
    text = gate(
        '{ all = [ { kind = "sarif", source = "sast" }, { any = [ { kind = "approvals" } ] },'
        ' { kind = "sarif", source = "dast", max_age = "24h" } ] }'
    )
    evidence = parse_policy(text.encode(), where="g").policy.gates[0].evidence
    assert isinstance(evidence, All)
    pieces = dict(leaves(evidence, prefix="x"))
    assert list(pieces) == ["x/0", "x/1/0", "x/2"]
    last = pieces["x/2"]
    assert isinstance(last, Sarif)
    assert last.max_age == timedelta(days=1)
    assert format_duration(timedelta(days=1)) == "1d"


TEXTS = [
    pytest.param(b"", "g:1: branches: missing; expected a table for each protected branch", id="empty"),
    pytest.param(b"version = 2\nx = 1\n", "g:1: version: got 2; expected 1, the version", id="other-version"),
    pytest.param(b"\nversion = 0\n", "g:2: version: got 0; expected 1", id="version-below"),
    pytest.param(b"version = true\n", "g:1: version: got true; expected 1", id="version-true-is-not-1"),
    pytest.param(b"version = 1.0\n", "g:1: version: got 1.0; expected 1", id="version-1.0-is-not-1"),
    pytest.param(b"version = '1'\n", "g:1: version: got '1'; expected 1", id="version-text"),
    pytest.param(b"a = 1\nb = \n", "g:2: column 5: Invalid value; expected TOML 1.0", id="syntax"),
    pytest.param(b"a = [1,\n2", "g:2: Unclosed array; expected TOML 1.0", id="syntax-at-the-end"),
    pytest.param(b"a = 1\n\na = 2\n", "Cannot overwrite a value; expected TOML 1.0", id="key-twice"),
    pytest.param(b"\xef\xbb\xbfversion = 1\n", "g:1: starts with a byte order mark; expected", id="bom"),
    pytest.param(b"a = 1\n# \xff\n", "g:2: byte 0xff is not UTF-8; expected UTF-8 text", id="not-utf-8"),
    pytest.param("a = 1\n".encode("utf-16"), "g:1: byte 0xff is not UTF-8", id="utf-16"),
    pytest.param(b"a = 1\n\n# \0\n", "g:3: holds a NUL character; expected text", id="nul"),
    pytest.param(b"a = '\x1b[31m'\n", "g:1: column 6: ", id="control-character"),
    pytest.param(b"#" * (MAX_BYTES + 1), f"expected at most {MAX_BYTES}", id="too-large"),
    pytest.param(b"a = " + b"[" * 100_000, f"nested more than {MAX_DEPTH} deep", id="deeper-than-the-stack"),
    pytest.param(
        b"a = " + b"[" * 40 + b"]" * 40,
        f"g: tables and arrays are nested more than {MAX_DEPTH} deep",
        id="deep",
    ),
    pytest.param(
        b"a = 1\n" + b"b." * 300_000 + b"c = 1\n", "g:2: a key of more than 32 parts", id="long-key"
    ),
    pytest.param(b"a = " + b"9" * 9000, "g:1: Exceeds the limit", id="huge-number"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_a_file_that_cannot_be_read(text: bytes, expected: str) -> None:
    assert expected in problems(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SMALL, id="rules-without-gates"),
        pytest.param(
            HEAD.partition("[roles")[0] + BRANCH.replace(', "approvals", "incidents"', ""), id="no-roles"
        ),
        pytest.param(gate('{ all = [ { kind = "approvals" } ] }'), id="approval-cited"),
        pytest.param(
            SMALL + GATE + DOCUMENT + "mandatory = false\nwhen = { environment = 'staging' }\n",
            id="conditional",
        ),
    ],
)
def test_what_is_valid(text: str) -> None:
    assert parse_policy(text.encode(), where="g").policy.version == 1


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        SMALL.replace("gitlab", "gitlub").replace('"master"', '"release/x"') + GATE + "evidence = 1\nx = 2\n"
    )
    found = problems(text)
    assert [line.split(":")[1] for line in found] == ["3", "10", f"{LINES + 5}", f"{LINES + 6}"]


def test_the_problems_are_there_as_data_too() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy((SMALL + "mod = 1\n").encode(), where="g")
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ('branches."release/x".mod', LINES + 1)
    assert problem.message.startswith("unknown key")
    assert caught.value.brief == caught.value.message


def test_a_thousand_problems_are_counted_not_listed() -> None:
    text = SMALL + "".join(f"x{number} = 1\n" for number in range(1000))
    found = problems(text)
    assert len(found) == LISTED + 1
    assert found[-1] == f"g: and {1000 - LISTED} more"
    with pytest.raises(PolicyError) as caught:
        parse_policy(text.encode(), where="g")
    assert caught.value.brief.endswith(" (and 999 more)")


WORDS = [
    "version = 1\n",
    "[[gates]]\n",
    "gates",
    "evidence",
    "kind",
    "all",
    "roles",
    "true",
    "evidence = { all = [ 1 ] }\n",
]
PIECES = st.sampled_from([HEAD, BRANCH, GATE, DOCUMENT, *WORDS, *"[]{}\"'=.,1é\n\0"])


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=300), st.lists(PIECES, max_size=30).map(lambda parts: "".join(parts).encode())
    )
)
def test_no_text_makes_it_crash(text: bytes) -> None:
    with contextlib.suppress(PolicyError):
        parse_policy(text, where="g")


TABLES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("sarif")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["kind", "all", "any", "fields", "source", "x"]), inner, max_size=3),
    ),
    max_leaves=8,
)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_toml(child)}' for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08X}" for c in value if not 0xD800 <= ord(c) <= 0xDFFF) + '"'
    return "2020-01-01" if value is None else str(value).lower()


@settings(deadline=None, max_examples=300)
@given(TABLES)
def test_no_evidence_makes_it_crash_and_every_problem_has_a_line(value: object) -> None:
    """The internal tags never show: each path that is named stands in the file, or its table does."""
    text = gate(_toml(value))
    try:
        parse_policy(text.encode(), where="g")
    except PolicyError as error:
        for problem in error.problems:
            assert problem.line == LINES + 5
            assert problem.path.startswith("gates[0].evidence")
            assert problem.path.count("all") + problem.path.count("any") <= _toml(value).count('"a')
