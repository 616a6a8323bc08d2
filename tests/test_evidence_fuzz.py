"""Every parser of evidence met with anything: only a reading comes out, and nothing bad that is added makes it better.

A bounded run by default; with GUARD_TEST_LONG fifty times as many examples.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from guard.core.evidence import Absent, Reading
from guard.core.facts import Job, Proposal
from guard.core.model import Known, Unknown
from tests.builders import NEW, NOW, OLD
from tests.evidence_fakes import HeldForge, HeldRecords, asks, people, read, sources, submission

SAMPLES = Path(__file__).parent / "samples"
TIMES = 50 if os.environ.get("GUARD_TEST_LONG") else 1

SPECS: dict[str, Any] = {
    "sarif": asks(kind="sarif", source="s", fail_at="low"),
    "vulnerabilities": asks(kind="vulnerabilities", source="s", fail_at="low"),
    "secrets": asks(kind="secrets", source="s"),
    "contract": asks(
        kind="contract", source="s", fail_at="hint", breaking_label="B", labelled_by=["platform"],
        migration_guide="g.md",
    ),
    "junit": asks(kind="junit", source="s", tests=["AT-051"]),
    "script": asks(kind="script", source="s", script="check.sh", fields={"a": 1}),
}  # fmt: skip
FILES = {
    "sarif": ("bandit-risky.sarif", "semgrep-risky.sarif", "gitleaks-risky.sarif", "trivy-secrets-risky.sarif"),
    "vulnerabilities": (
        "pip-audit-risky.json", "pip-audit-skipped.json", "npm-audit-risky.json", "npm-audit-empty.json",
        "npm-audit-failed.json", "trivy-secrets-risky.json",
    ),
    "secrets": ("gitleaks-risky.json", "gitleaks-empty.json", "detect-secrets-risky.json", "detect-secrets-empty.json"),
    "contract": (
        "spectral-risky.json", "spectral-nothing.txt", "redocly-risky.json", "oasdiff-broken.json",
        "openapi-diff-broken.txt", "openapi-diff-clean.txt", "asyncapi-risky.json", "asyncapi-diff-broken.json",
    ),
    "junit": ("pytest-mixed.xml", "go-test.xml", "jest.xml"),
    "script": ("npm-audit-clean.json",),
}  # fmt: skip
BAD = {kind: [(SAMPLES / name).read_bytes() for name in names] for kind, names in FILES.items()}


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def reading_of(kind: str, report: bytes, **fields: Any) -> Reading:
    """As CI would have submitted it, by a tool of every name at once, so that no name stands in the way."""
    words = "spectral redocly asyncapi oasdiff openapi-diff gitleaks"
    sent = submission(
        report,
        **{"source": "s", "tool": words, "command": ("check.sh",), "said": "3 commits scanned.", **fields},
    )
    found = read(SPECS[kind], sources(sent, reports={"s1": report}))
    assert isinstance(found, (Known, Unknown, Absent))
    if isinstance(found, Known):
        words = found.value.summary + "".join(problem.message for problem in found.value.problems)
        assert words.encode("utf-8")
        assert "\n" not in words
        assert len(found.value.problems) < 50
    return found


def passes(found: Reading) -> bool:
    return isinstance(found, Known) and not found.value.problems


TOKENS = [
    *(
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"9" * 400,
        b"NaN",
        b"../..",
    ),
    *(b"\\ud800", b"\\u0000", b"\xff", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf"),
    *(b"<", b">", b"&a;", b"<!DOCTYPE a>", b"<skipped/>", b"]]>"),
]
PLACE = st.integers(0, 4000)
CHANGE = st.one_of(
    st.tuples(st.just("put"), PLACE, st.sampled_from(TOKENS)),
    st.tuples(st.just("cut"), PLACE, st.integers(1, 60)),
    st.tuples(st.just("byte"), PLACE, st.integers(0, 255)),
    st.tuples(st.just("twice"), PLACE, st.integers(1, 80)),
)


def changed(report: bytes, changes: list[tuple[str, int, Any]]) -> bytes:
    data = bytearray(report)
    for how, place, what in changes:
        at = place % (len(data) + 1)
        if how == "put":
            data[at:at] = what
        elif how == "cut":
            del data[at : at + what]
        elif how == "byte":
            data[at : at + 1] = bytes([what])
        else:
            data[at:at] = data[at : at + what]
    return bytes(data)


@pytest.mark.parametrize("kind", SPECS)
@given(st.data())
@bounded(120)
def test_a_mutilated_report_of_a_real_tool_gives_a_reading(kind: str, data: st.DataObject) -> None:
    report = data.draw(st.sampled_from(BAD[kind]))
    reading_of(kind, changed(report, data.draw(st.lists(CHANGE, min_size=1, max_size=5))))


WORDS = sorted(
    {
        key
        for reports in BAD.values()
        for report in reports
        if report[:1] in (b"{", b"[")
        for key in json.dumps(json.loads(report)).split('"')
        if key.isidentifier() and len(key) < 30
    }
    | {
        "matches",
        "vulnerability",
        "artifact",
        "descriptor",
        "db",
        "groups",
        "packages",
        "package",
        "Vulnerabilities",
    }
)
"""Every key and word that the real reports hold, and some of those that have no report here."""

LIKE_REPORTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["high", "error", "9.8", "AT-051", "FAIL", "lang-pkgs", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=30,
)
TOPS = {
    "vulnerabilities": ("dependencies", "auditReportVersion", "advisories", "results", "Results", "matches"),
    "secrets": ("results", "plugins_used"),
    "contract": ("totals", "changes", "breakingDifferencesFound", "problems", "breakingDifferences"),
}


@pytest.mark.parametrize("kind", ["vulnerabilities", "secrets", "contract"])
@given(st.data())
@bounded(150)
def test_anything_like_a_report_gives_a_reading(kind: str, data: st.DataObject) -> None:
    tops = data.draw(st.dictionaries(st.sampled_from(TOPS[kind]), LIKE_REPORTS, max_size=3))
    value = data.draw(st.sampled_from([tops, list(tops.values())]))
    reading_of(kind, json.dumps(value).encode())


ADVISORY = {"id": "GHSA-1", "fix_versions": [], "aliases": []}
MATCH = {"vulnerability": {"id": "GHSA-1", "severity": "Critical"}, "artifact": {"name": "a", "version": "1"}}


def _worse(kind: str, table: Any) -> Any:
    """The same report with one more finding that counts."""
    if kind == "sarif":
        for run in table["runs"]:
            run["results"] = [*(run.get("results") or []), {"level": "error", "message": {"text": "bad"}}]
    elif kind == "secrets" and isinstance(table, list):
        table.append({"RuleID": "aws", "File": "a.py", "StartLine": 1})
    elif kind == "secrets":
        table["results"].setdefault("a.py", []).append(
            {"type": "AWS", "hashed_secret": "0", "line_number": 1}
        )
    elif kind == "contract" and isinstance(table, list):
        table.append(dict(table[0]) if table else {"code": "x", "severity": 0, "message": "m", "path": []})
    elif kind == "contract" and "problems" in table:
        table["problems"].append({"ruleId": "x", "severity": "error", "message": "m", "location": []})
    elif kind == "contract":
        table.setdefault("changes", []).append({"action": "remove", "path": "/x", "type": "breaking"})
    elif "dependencies" in table:
        table["dependencies"].append({"name": "x", "version": "1", "vulns": [ADVISORY]})
    elif "auditReportVersion" in table:
        table["vulnerabilities"]["x"] = {"name": "x", "severity": "high", "via": []}
    elif "matches" in table:
        table["matches"].append(MATCH)
    return table


TABLES = {
    "sarif": [
        "bandit-clean.sarif", "bandit-risky.sarif", "bandit-empty.sarif", "semgrep-empty.sarif", "gitleaks-empty.sarif",
    ],
    "vulnerabilities": [
        "pip-audit-clean.json", "pip-audit-skipped.json", "npm-audit-clean.json", "npm-audit-risky.json",
    ],
    "secrets": [
        "gitleaks-clean.json", "gitleaks-risky.json", "detect-secrets-clean.json", "detect-secrets-risky.json",
    ],
    "contract": [
        "spectral-clean.json", "spectral-risky.json", "redocly-clean.json", "asyncapi-diff-clean.json",
        "oasdiff-broken.json",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in TABLES.items() for name in names])
@pytest.mark.parametrize("exit_code", [0, 1, 2])
def test_one_more_finding_never_makes_a_report_pass(kind: str, name: str, exit_code: int) -> None:
    report = json.loads((SAMPLES / name).read_bytes())
    worse = json.dumps(_worse(kind, report)).encode()
    assert not passes(reading_of(kind, worse, exit_code=exit_code))


CASES = st.lists(
    st.tuples(
        st.sampled_from(["AT-051", "AT-0511", "other"]),
        st.sampled_from(["", "<failure/>", "<skipped/>", "<error/>"]),
    ),
    max_size=6,
)


@given(
    CASES,
    st.integers(0, 6),
    st.sampled_from(["<failure/>", "<skipped/>", "<error/>", "<rerunFailure/>"]),
    st.integers(0, 2),
)
@bounded(100)
def test_one_more_red_test_never_makes_a_run_pass(cases: Any, place: int, end: str, exit_code: int) -> None:
    def run(rows: Any) -> Reading:
        inside = "".join(f'<testcase name="{name}">{inner}</testcase>' for name, inner in rows)
        return reading_of("junit", f"<testsuite>{inside}</testsuite>".encode(), exit_code=exit_code)

    assert not passes(run([*cases[:place], ("AT-051", end), *cases[place:]]))
    good = run(cases)
    if passes(good):
        assert [inner for name, inner in cases if name == "AT-051"]
        assert not any(inner for name, inner in cases if name == "AT-051")


JOBS = st.lists(
    st.builds(
        Job,
        name=st.sampled_from(["test", "test 2", "build"]),
        state=st.sampled_from(["success", "success", "failed", "cancelled", "running", "skipped"]),
        number=st.integers(1, 50),
        source=st.sampled_from(["push", "web", ""]),
        workflow=st.sampled_from(["", ".github/workflows/ci.yml"]),
        app_id=st.sampled_from([None, 1]),
    ),
    max_size=8,
    unique_by=lambda job: job.number,
)


@given(JOBS, st.sampled_from(["failed", "skipped", "running", "manual"]), st.randoms(use_true_random=False))
@bounded(150)
def test_a_later_red_job_never_makes_ci_pass_and_the_order_does_not_matter(
    jobs: list[Job], state: str, random: Any
) -> None:
    spec = asks(kind="ci", jobs=["test*"])

    def ran(found: list[Job]) -> Reading:
        return read(spec, sources(forge=HeldForge(ran=Known(tuple(found), "test", NOW))))

    before = ran(jobs)
    shuffled = random.sample(jobs, len(jobs))
    assert passes(ran(shuffled)) == passes(before)
    assert not passes(ran([*shuffled, Job("test", state, 99, source="push")]))
    without = [job for job in jobs if job.state != "success"]
    assert not passes(ran(without))


@given(
    st.sampled_from([(kind, name) for kind, names in TABLES.items() for name in names]),
    st.integers(0, 255),
    st.booleans(),
)
@bounded(60)
def test_a_source_that_is_lost_never_makes_it_better(
    which: tuple[str, str], exit_code: int, gone: bool
) -> None:
    """The submission withdrawn, its bytes lost, about another commit, by somebody else, or newer and worse."""
    kind, name = which
    report = (SAMPLES / name).read_bytes()
    fields: dict[str, Any] = {"source": "s", "command": ("gitleaks", "spectral"), "exit_code": exit_code}
    sent = submission(report, **fields)
    held = {"reports": {"s1": report}}
    lost = [
        sources(),
        sources(sent),
        sources(submission(report, **fields, subject=OLD), **held),
        sources(sent, **held, submitters=people("somebody@example.com")),
        sources(sent, **held, submitters=Unknown("HTTP 502")),
        sources(records=HeldRecords(Unknown("HTTP 502"))),
        sources(sent, submission(None, **fields, id="s2", received_at=NOW - timedelta(minutes=1)), **held),
    ]
    assert not any(passes(read(SPECS[kind], one)) for one in lost[: 7 if gone else 6])


@given(st.text(max_size=30), st.text(max_size=30))
@bounded(60)
def test_words_from_outside_that_are_named_do_no_harm(label: str, setter: str) -> None:
    """A label, a person or a path of any characters ends in one printable line."""
    assume(label.strip())
    report = (SAMPLES / "oasdiff-broken.json").read_bytes()
    spec = SPECS["contract"].model_copy(update={"breaking_label": label})
    proposal = Proposal("1", "release/platform-control", NEW, "t", "ann")
    forge = HeldForge(open=Known((proposal,), "test", NOW), labels={label: Known(setter, "test", NOW)})
    sent = submission(report, source="s", tool="oasdiff")
    found = read(spec, sources(sent, reports={"s1": report}, forge=forge))
    assert isinstance(found, Known)
    assert all(problem.message.isprintable() for problem in found.value.problems)
