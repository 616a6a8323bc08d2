"""Reports and documents made to break a parser: only a reading comes out, and never a better one."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.adapters.evidence.untrusted import MAX_REPORT, Unreadable, load_json, shown
from guard.core.evidence import Absent
from guard.core.model import Known, Unknown
from tests.evidence_fakes import asks, read, reading_of, seen, sources

SARIF = asks(kind="sarif", source="sast", fail_at="low")
JUNIT = asks(kind="junit", source="sast", tests=["AT-*"])
SCRIPT = asks(kind="script", source="sast", script="check.sh", fields={"a.b": 1})
DOCUMENT = asks(kind="document", path="a.md", status=["accepted"], max_age="90d")
BOMB = b"<!DOCTYPE b [<!ENTITY a 'aaaaaaa'><!ENTITY b '&a;&a;&a;'><!ENTITY c '&b;&b;&b;'>]><testsuite>&c;</testsuite>"


def proves_nothing(spec: Any, report: bytes) -> bool:
    reading = reading_of(spec, report, command=("check.sh",))
    assert isinstance(reading, (Known, Unknown, Absent))
    return not isinstance(reading, Known) or bool(reading.value.problems)


@pytest.mark.parametrize(
    ("spec", "report"),
    [
        pytest.param(SARIF, b"[" * 1_000_000, id="deep-json"),
        pytest.param(SARIF, b'{"a":' * 1_000_000, id="deep-json-tables"),
        pytest.param(SARIF, b'{"version": "2.1.0", "runs": [], "runs": []}', id="the-same-key-twice"),
        pytest.param(
            SARIF, b'{"version": "2.1.0", "x": ' + b"9" * 10_000 + b"}", id="a-number-of-10000-digits"
        ),
        pytest.param(SARIF, b'{"version": "2.1.0", "runs": []}'.decode().encode("utf-16"), id="utf-16"),
        pytest.param(SARIF, b'{"version": "2.1.0", "runs": []}\x00', id="nul"),
        pytest.param(SARIF, b"\xff\xfe\x00", id="no-text-at-all"),
        pytest.param(SARIF, b" " * (MAX_REPORT + 1), id="too-large"),
        pytest.param(JUNIT, b" " * (MAX_REPORT + 1), id="too-large-xml"),
        pytest.param(JUNIT, BOMB, id="entity-bomb"),
        pytest.param(JUNIT, b"<testsuite>" * 100_000, id="deep-xml-cut-off"),
        pytest.param(JUNIT, b"<testsuite>" * 100_000 + b"</testsuite>" * 100_000, id="deep-xml"),
        pytest.param(
            SARIF, b"{" + b",".join(b'"%d": 1' % n for n in range(200_000)) + b', "1": 1}', id="wide-json"
        ),
        pytest.param(SCRIPT, b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, id="deep-fields"),
    ],
)
def test_hostile_reports_prove_nothing_and_are_told_apart_quickly(spec: Any, report: bytes) -> None:
    started = time.monotonic()
    assert proves_nothing(spec, report)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Status: " + " " * 1_000_000 + "x", id="a-line-of-blanks"),
        pytest.param("# " + "# " * 500_000, id="a-line-of-hashes"),
        pytest.param("---\n" + "a" * 1_000_000, id="front-matter-without-end"),
        pytest.param("---\n" * 500_000, id="front-matter-marks"),
        pytest.param("<!--" * 500_000, id="comments-without-end"),
        pytest.param("|" * 2_000_000, id="a-table-of-nothing"),
        pytest.param("```\n" * 500_000, id="fences"),
        pytest.param("a: b\n" * 500_000, id="very-many-fields"),
        pytest.param("".join(f"status: {n}\n" for n in range(50_000)), id="very-many-values"),
    ],
)
def test_hostile_documents_are_read_in_reasonable_time(text: str) -> None:
    started = time.monotonic()
    assert seen(read(DOCUMENT, sources(files={"a.md": text.encode()}))).problems
    assert time.monotonic() - started < 10


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=12,
)
KEYS = """
    tool driver name rules extensions id index guid properties security-severity defaultConfiguration level results
    ruleId ruleIndex rule toolComponent kind suppressions status locations physicalLocation artifactLocation uri
    region startLine message text invocations executionSuccessful toolExecutionNotifications artifacts metrics
    _totals loc externalPropertyFileReferences baselineState ruleConfigurationOverrides descriptor configuration
""".split()  # noqa: SIM905
LIKE_SARIF = st.recursive(
    JSON | st.sampled_from(["error", "fail", "9.9", "R1", 0, 1, True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=40,
)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_reading(data: bytes) -> None:
    for spec in (SARIF, JUNIT, SCRIPT):
        assert proves_nothing(spec, data)
    assert not isinstance(read(DOCUMENT, sources(files={"a.md": data})), Absent)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), LIKE_SARIF, max_size=8), max_size=3))
@settings(max_examples=300, deadline=None)
def test_anything_like_sarif_gives_a_reading(runs: list[object]) -> None:
    report = json.dumps({"version": "2.1.0", "runs": runs}).encode()
    reading = reading_of(SARIF, report)
    assert isinstance(reading, (Known, Unknown))


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_any_json_gives_a_reading_of_a_script(report: object) -> None:
    assert isinstance(
        reading_of(SCRIPT, json.dumps(report).encode(), command=("check.sh",)), (Known, Unknown)
    )


XML = st.recursive(
    st.sampled_from(["", "text", "<failure/>", "<skipped/>", "<!-- c -->", "<?pi x?>", "<![CDATA[x]]>"]),
    lambda inner: st.builds(
        lambda tag, name, inside: f'<{tag} name="{name}">{"".join(inside)}</{tag}>',
        st.sampled_from(["testsuite", "testcase", "properties", "property", "x:y", "error"]),
        st.sampled_from(["AT-052", "", "AT-*", "[", "&#x10FFFF;"]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=15,
)


@given(XML)
@settings(max_examples=200, deadline=None)
def test_anything_like_junit_gives_a_reading(inside: str) -> None:
    reading = reading_of(JUNIT, f"<testsuites>{inside}</testsuites>".encode())
    assert isinstance(reading, (Known, Unknown))
    if isinstance(reading, Known) and not reading.value.problems:
        assert "<testcase" in inside
        assert "AT-" in inside


MARKS = [
    *"ab:|-#*`<!>\n \t'\"[]{}",
    "status",
    "accepted",
    "---\n",
    "reviewed: ",
    "2026-04-24",
    "<!--",
    "-->",
    "```",
]


@given(st.lists(st.sampled_from(MARKS), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_document_gives_a_reading(words: list[str]) -> None:
    text = "".join(words)
    observation = seen(read(DOCUMENT, sources(files={"a.md": text.encode()})))
    if not observation.problems:
        assert "status" in text
        assert "accepted" in text
        assert "2026-04-24" in text


@given(st.text(max_size=600))
@settings(max_examples=200, deadline=None)
def test_what_is_shown_is_one_short_printable_line(text: str) -> None:
    line = shown(text)
    assert len(line) <= 201
    assert all(char.isprintable() for char in line)
    line.encode("utf-8")


def test_lone_surrogates_do_not_travel_on() -> None:
    result = {"level": "error", "ruleId": "\ud800", "message": {"text": "a\ud800b"}}
    run = {"tool": {"driver": {"name": "x"}}, "results": [result]}
    observation = seen(reading_of(SARIF, json.dumps({"version": "2.1.0", "runs": [run]}).encode()))
    assert all(finding.message.encode("utf-8") for finding in observation.problems)


def test_the_faults_of_very_many_runs_are_not_all_told() -> None:
    report = b'{"version":"2.1.0","runs":[' + b"{}," * 10_000 + b"{}]}"
    assert len(seen(reading_of(SARIF, report)).problems) == 10


def test_a_key_that_is_there_twice_is_named() -> None:
    with pytest.raises(Unreadable, match="the key 'a' is there twice"):
        load_json(b'{"a": 1, "a": 2}', "it")
