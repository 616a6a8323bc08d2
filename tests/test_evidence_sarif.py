"""SARIF: what counts as a result, how bad it is, and which reports without results prove nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guard.core.evidence import Observation
from guard.core.model import Unknown
from tests.evidence_fakes import asks, codes, read, reading_of, seen, sources, submission

SAMPLES = Path(__file__).parent / "samples"
RULES = [
    {"id": "R1", "defaultConfiguration": {"level": "error"}},
    {"id": "R2", "defaultConfiguration": {"level": "note"}},
    {"id": "R3", "properties": {"security-severity": "9.8"}},
]


def log(*results: object, **run: object) -> bytes:
    """A SARIF log of one run with these results."""
    driver = {"name": "scan", "rules": RULES}
    given = {"tool": {"driver": driver}, "results": list(results), **run}
    return json.dumps({"version": "2.1.0", "runs": [given]}).encode()


def judged(report: bytes, *, fail_at: str = "high", exit_code: int = 0, **spec: object) -> Observation:
    asked = asks(kind="sarif", source="sast", fail_at=fail_at, **spec)
    return seen(reading_of(asked, report, exit_code=exit_code))


@pytest.mark.parametrize(
    ("result", "severity"),
    [
        pytest.param({"level": "error"}, "high", id="error"),
        pytest.param({"level": "warning"}, "medium", id="warning"),
        pytest.param({"level": "note"}, "low", id="note"),
        pytest.param({"level": "none"}, "none", id="none"),
        pytest.param({}, "medium", id="no-level-no-rule"),
        pytest.param({"level": "catastrophe"}, "critical", id="unknown-level-is-the-worst"),
        pytest.param({"level": 3}, "critical", id="level-of-another-type"),
        pytest.param({"ruleIndex": 0}, "high", id="level-of-the-rule-by-index"),
        pytest.param({"ruleId": "R2"}, "low", id="level-of-the-rule-by-id"),
        pytest.param({"ruleId": "R1/7"}, "high", id="level-of-the-parent-rule"),
        pytest.param({"rule": {"index": 1}}, "low", id="level-of-the-rule-by-reference"),
        pytest.param({"ruleIndex": 99}, "medium", id="index-out-of-range"),
        pytest.param({"ruleIndex": -1}, "medium", id="negative-index"),
        pytest.param({"ruleIndex": True}, "medium", id="index-is-a-boolean"),
        pytest.param({"ruleId": "R3", "level": "note"}, "critical", id="score-of-the-rule-before-level"),
        pytest.param({"properties": {"security-severity": "7.0"}}, "high", id="score-7"),
        pytest.param({"properties": {"security-severity": 6.9}}, "medium", id="score-6.9"),
        pytest.param({"properties": {"security-severity": "9"}}, "critical", id="score-9"),
        pytest.param({"properties": {"security-severity": "0.1"}}, "low", id="score-0.1"),
        pytest.param({"properties": {"security-severity": "0"}, "level": "error"}, "none", id="score-0"),
        pytest.param({"properties": {"security-severity": "11"}}, "critical", id="score-beyond-ten"),
        pytest.param({"properties": {"security-severity": "-1"}}, "critical", id="score-below-zero"),
        pytest.param({"properties": {"security-severity": "nan"}}, "critical", id="score-not-a-number"),
        pytest.param({"properties": {"security-severity": "high"}}, "critical", id="score-in-words"),
        pytest.param({"properties": {"security-severity": True}}, "critical", id="score-is-a-boolean"),
        pytest.param({"kind": "fail", "level": "error"}, "high", id="fail"),
        pytest.param({"kind": "open", "level": "none", "ruleId": "R1"}, "high", id="open-counts-as-its-rule"),
        pytest.param({"kind": "review", "level": "none"}, "medium", id="review-counts"),
        pytest.param({"kind": "pass", "level": "error"}, None, id="pass"),
        pytest.param({"kind": "notApplicable"}, None, id="not-applicable"),
        pytest.param({"kind": "informational"}, None, id="informational"),
        pytest.param({"baselineState": "absent", "level": "error"}, None, id="gone-since-the-baseline"),
        pytest.param({"baselineState": "unchanged", "level": "error"}, "high", id="old-and-still-there"),
    ],
)
def test_how_bad_a_result_is(result: dict[str, object], severity: str | None) -> None:
    order = ("low", "medium", "high", "critical")
    for fail_at in order:
        problems = judged(log(result), fail_at=fail_at).problems
        assert bool(problems) == (severity in order and order.index(str(severity)) >= order.index(fail_at)), (
            fail_at
        )


@pytest.mark.parametrize(
    ("suppressions", "counts"),
    [
        pytest.param(None, True, id="none"),
        pytest.param([], True, id="empty"),
        pytest.param([{"kind": "inSource"}], False, id="in-source"),
        pytest.param([{"kind": "external", "status": "accepted"}], False, id="accepted"),
        pytest.param([{"kind": "external", "status": "underReview"}], True, id="under-review"),
        pytest.param([{"kind": "external", "status": "rejected"}], True, id="rejected"),
        pytest.param([{"status": "accepted"}, {"status": "rejected"}], True, id="accepted-and-rejected"),
        pytest.param([{"status": "whatever"}], True, id="unknown-status"),
    ],
)
def test_suppressions(suppressions: object, counts: bool) -> None:
    observation = judged(log({"level": "error", "suppressions": suppressions}))
    assert bool(observation.problems) == counts
    assert observation.summary == ("0 critical, 1 high" if counts else "0 critical, 0 high (1 suppressed)")


NOTE = {"level": "error", "message": {"text": "parser crashed"}}


@pytest.mark.parametrize(
    ("run", "code"),
    [
        pytest.param({"tool": {}}, "sarif.no-tool", id="no-driver"),
        pytest.param({"tool": {"driver": {"name": "  "}}}, "sarif.no-tool", id="blank-name"),
        pytest.param({"results": None}, "sarif.no-results", id="results-null"),
        pytest.param(
            {"externalPropertyFileReferences": {"results": [{}]}}, "sarif.no-results", id="results-elsewhere"
        ),
        pytest.param({"invocations": [{"executionSuccessful": False}]}, "sarif.failed", id="failed"),
        pytest.param({"invocations": [{}]}, "sarif.failed", id="success-not-stated"),
        pytest.param(
            {"invocations": [{"executionSuccessful": True, "exitSignalName": "SIGKILL"}]},
            "sarif.failed",
            id="ended-by-a-signal",
        ),
        pytest.param(
            {"invocations": [{"executionSuccessful": True, "toolExecutionNotifications": [NOTE]}]},
            "sarif.error",
            id="error-while-running",
        ),
        pytest.param(
            {"invocations": [{"executionSuccessful": True, "toolConfigurationNotifications": [NOTE]}]},
            "sarif.error",
            id="error-in-its-configuration",
        ),
        pytest.param({"artifacts": []}, "sarif.nothing-scanned", id="no-artifacts"),
    ],
)
def test_a_run_without_results_that_proves_nothing(run: dict[str, object], code: str) -> None:
    assert {finding.code for finding in judged(log(**run)).problems} == {code}


def test_a_warning_of_the_tool_is_no_obstacle() -> None:
    warned = {"executionSuccessful": True, "toolExecutionNotifications": [{"level": "warning"}, {}]}
    assert judged(log(invocations=[warned])).problems == ()


def test_no_runs_at_all() -> None:
    for runs in ("[]", "null"):
        report = f'{{"version": "2.1.0", "runs": {runs}}}'.encode()
        assert [finding.code for finding in judged(report).problems] == ["sarif.no-run"]


@pytest.mark.parametrize(
    ("elsewhere", "unknown"),
    [
        pytest.param([{"results": [{"ruleId": "R1", "message": {"text": "m"}}]}], True, id="results"),
        pytest.param({"results": []}, True, id="no-array"),
        pytest.param([], False, id="none"),
        pytest.param(None, False, id="null"),
    ],
)
def test_results_that_are_kept_outside_of_their_run_are_not_overlooked(
    elsewhere: object, unknown: bool
) -> None:
    report = json.dumps(json.loads(log()) | {"inlineExternalProperties": elsewhere}).encode()
    reading = reading_of(asks(kind="sarif", source="sast", fail_at="high"), report)
    assert isinstance(reading, Unknown) is unknown


def test_a_level_set_for_the_invocation_counts() -> None:
    override = {"descriptor": {"index": 1}, "configuration": {"level": "error"}}
    invocation = {"executionSuccessful": True, "ruleConfigurationOverrides": [override]}
    assert judged(log({"ruleId": "R2"}, invocations=[invocation])).summary == "0 critical, 1 high"


def test_a_rule_of_an_extension_gives_its_level() -> None:
    tool = {
        "driver": {"name": "scan"},
        "extensions": [{"name": "pack", "rules": [{"id": "X", "defaultConfiguration": {"level": "error"}}]}],
    }
    for component in ({"index": 0}, {"name": "pack"}):
        result = {"rule": {"index": 0, "toolComponent": component}}
        assert judged(log(result, tool=tool)).summary == "0 critical, 1 high"


@pytest.mark.parametrize(
    ("exit_code", "results", "problems"),
    [
        pytest.param(0, [], set(), id="clean"),
        pytest.param(0, [{"level": "note"}], set(), id="zero-with-small-results"),
        pytest.param(1, [{"level": "note"}], set(), id="one-because-of-small-results"),
        pytest.param(1, [], {"evidence.exit-code"}, id="one-and-nothing-found"),
        pytest.param(2, [], {"evidence.exit-code"}, id="two"),
        pytest.param(2, [{"level": "note"}], {"evidence.exit-code"}, id="two-with-results"),
        pytest.param(-9, [], {"evidence.exit-code"}, id="killed"),
    ],
)
def test_the_exit_code_fits_the_report(exit_code: int, results: list[object], problems: set[str]) -> None:
    found = judged(log(*results), exit_code=exit_code).problems
    assert {finding.code for finding in found} == problems


def test_only_the_tools_that_the_policy_names() -> None:
    assert judged(log(), tools=["semgrep", "scan"]).problems == ()
    assert [finding.code for finding in judged(log(), tools=["semgrep"]).problems] == ["sarif.other-tool"]


def test_the_worst_are_named_and_the_rest_counted() -> None:
    where = [{"physicalLocation": {"artifactLocation": {"uri": "app.py"}, "region": {"startLine": 7}}}]
    many = [{"level": "error", "ruleId": f"E{n:02}"} for n in range(30)]
    worst: dict[str, Any] = {"ruleId": "R3", "locations": where, "message": {"text": "remote\ncode \x1b[31m"}}
    first, *rest = judged(log(*many, worst)).problems
    assert (first.message, first.where, first.who) == (
        "sast: critical R3: remote code [31m",
        "app.py:7",
        ("author",),
    )
    assert len(rest) == 10
    assert rest[-1].message == "sast: 21 more results at or above high"


@pytest.mark.parametrize(
    "report",
    [
        pytest.param({"version": "2.0.0", "runs": []}, id="older-version"),
        pytest.param({"runs": []}, id="no-version"),
        pytest.param({"version": 2.1, "runs": []}, id="version-is-a-number"),
        pytest.param([], id="a-list"),
        pytest.param({"version": "2.1.0", "runs": {}}, id="runs-is-a-table"),
        pytest.param({"version": "2.1.0", "runs": [[]]}, id="a-run-is-a-list"),
        pytest.param({"version": "2.1.0", "runs": [{"results": [7]}]}, id="a-result-is-a-number"),
        pytest.param(
            {"version": "2.1.0", "runs": [{"results": [{"locations": "x"}]}]}, id="locations-are-text"
        ),
        pytest.param({"version": "2.1.0", "runs": [{"tool": "scan"}]}, id="the-tool-is-text"),
    ],
)
def test_what_is_no_sarif_is_unknown(report: object) -> None:
    reading = reading_of(asks(kind="sarif", source="sast"), json.dumps(report).encode())
    assert isinstance(reading, Unknown)


@pytest.mark.parametrize(
    ("file", "exit_code", "fail_at", "problems", "summary"),
    [
        pytest.param("clean", 0, "low", set(), "0 critical, 0 high, 0 medium, 0 low", id="clean"),
        pytest.param("risky", 1, "high", {"sarif.result"}, "0 critical, 1 high", id="risky"),
        pytest.param("risky", 1, "critical", set(), "0 critical", id="risky-below-the-limit"),
        pytest.param("broken", 0, "high", {"sarif.error"}, "0 critical, 0 high", id="could-not-parse-a-file"),
        pytest.param(
            "empty", 0, "high", {"sarif.nothing-scanned"}, "0 critical, 0 high", id="looked-at-nothing"
        ),
    ],
)
def test_reports_that_bandit_wrote(
    file: str, exit_code: int, fail_at: str, problems: set[str], summary: str
) -> None:
    report = (SAMPLES / f"bandit-{file}.sarif").read_bytes()
    reading = reading_of(
        asks(kind="sarif", source="sast", fail_at=fail_at, tools=["Bandit"]), report, exit_code=exit_code
    )
    assert codes(reading) == problems
    assert seen(reading).summary == summary


@pytest.mark.parametrize(
    ("tool", "path", "counts"),
    [
        pytest.param("Bandit", ".bandit", True, id="bandit"),
        pytest.param("Semgrep OSS", "services/.semgrepignore", True, id="semgrep-by-its-newer-name"),
        pytest.param("Trivy", ".trivyignore", True, id="trivy"),
        pytest.param("CodeQL", ".github/codeql/codeql-config.yml", True, id="codeql"),
        pytest.param("Bandit", ".semgrepignore", False, id="another-tool-s"),
        pytest.param("Bandit", "doc/x.bandit", False, id="a-file-of-another-name"),
    ],
)
def test_a_proposal_cannot_tell_a_scanner_what_to_pass_over(tool: str, path: str, counts: bool) -> None:
    report = log(tool={"driver": {"name": tool}})
    given = sources(submission(report), reports={"s1": report}, differs=("src/app.py", path))
    assert codes(read(asks(kind="sarif", source="sast"), given)) == (
        {"sarif.configuration"} if counts else set()
    )
