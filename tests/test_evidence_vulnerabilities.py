"""Evidence kind `vulnerabilities`: what each scanner found, and whether it looked at anything."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from guard.core.model import Unknown
from tests.builders import NOW
from tests.evidence_fakes import asks, codes, read, reading_of, seen, sources, submission

SAMPLES = Path(__file__).parent / "samples"
FOUND, NOTHING = "vulnerabilities.found", "vulnerabilities.nothing-scanned"
SPEC = {"kind": "vulnerabilities", "source": "dependencies"}


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def osv(*packages: dict[str, Any]) -> bytes:
    return as_json(
        {"results": [{"source": {"path": "uv.lock", "type": "lockfile"}, "packages": list(packages)}]}
    )


def osv_package(score: str | None = None, word: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"package": {"name": "jinja2", "version": "2.4.1", "ecosystem": "PyPI"}}
    if score is not None or word is not None:
        one = {"id": "GHSA-1", "aliases": ["CVE-2014-1402"], "summary": "s"}
        found["vulnerabilities"] = [{**one, "database_specific": {"severity": word}}]
        found["groups"] = [{"ids": ["GHSA-1"], "aliases": ["CVE-2014-1402"], "max_severity": score or ""}]
    return found


def trivy(*results: dict[str, Any]) -> bytes:
    return as_json(
        {"SchemaVersion": 2, "ArtifactName": ".", "ArtifactType": "filesystem", "Results": list(results)}
    )


def trivy_result(severity: str | None = None, **more: Any) -> dict[str, Any]:
    found = {"Target": "poetry.lock", "Class": "lang-pkgs", "Type": "poetry", **more}
    one = {"VulnerabilityID": "CVE-2026-1", "PkgName": "a", "InstalledVersion": "1", "Severity": severity}
    return found | ({"Vulnerabilities": [one]} if severity else {})


def grype(*severities: str, **changed: Any) -> bytes:
    match = [
        {"vulnerability": {"id": "GHSA-1", "severity": one}, "artifact": {"name": "a", "version": "1"},
         "relatedVulnerabilities": [{"id": "CVE-2026-1"}]} for one in severities
    ]  # fmt: skip
    database = {"status": {"built": "2026-04-24T00:00:00Z", "valid": True}}
    report = {
        "matches": match,
        "source": {"type": "directory", "target": "."},
        "descriptor": {"name": "grype", "version": "0.110.0", "db": database},
    }
    return as_json(report | changed)


def npm6(severity: str | None, dependencies: int = 3) -> bytes:
    one = {"id": 782, "module_name": "lodash", "severity": severity, "cves": ["CVE-2018-16487"], "title": "t"}
    return as_json(
        {"advisories": {"782": one} if severity else {}, "metadata": {"totalDependencies": dependencies}}
    )


@pytest.mark.parametrize(
    ("report", "exit_code", "found"),
    [
        pytest.param(sample("pip-audit-clean.json"), 0, set(), id="pip-audit-clean"),
        pytest.param(sample("pip-audit-risky.json"), 1, {FOUND}, id="pip-audit-knows-no-severity"),
        pytest.param(sample("pip-audit-skipped.json"), 0, {NOTHING}, id="pip-audit-skipped-all"),
        pytest.param(sample("pip-audit-empty.json"), 0, {NOTHING}, id="pip-audit-of-nothing"),
        pytest.param(sample("npm-audit-clean.json"), 0, set(), id="npm-clean"),
        pytest.param(sample("npm-audit-risky.json"), 1, {FOUND}, id="npm-critical"),
        pytest.param(sample("npm-audit-empty.json"), 0, {NOTHING}, id="npm-of-nothing"),
        pytest.param(npm6("high"), 1, {FOUND}, id="npm-6"),
        pytest.param(npm6("moderate"), 1, set(), id="npm-6-below"),
        pytest.param(npm6(None, 0), 0, {NOTHING}, id="npm-6-of-nothing"),
        pytest.param(osv(osv_package()), 0, set(), id="osv-clean"),
        pytest.param(osv(osv_package("7.5")), 1, {FOUND}, id="osv-by-score"),
        pytest.param(osv(osv_package("5.0", "CRITICAL")), 1, set(), id="osv-score-goes-before-the-word"),
        pytest.param(osv(osv_package(None, "HIGH")), 1, {FOUND}, id="osv-by-word"),
        pytest.param(osv(osv_package("", "?")), 1, {FOUND}, id="osv-unknown-severity"),
        pytest.param(as_json({"results": []}), 0, {NOTHING}, id="osv-names-no-package"),
        pytest.param(
            as_json({"results": []}), 128, {NOTHING, "evidence.exit-code"}, id="osv-no-packages"
        ),
        pytest.param(trivy(trivy_result()), 0, set(), id="trivy-clean"),
        pytest.param(trivy(trivy_result("HIGH")), 0, {FOUND}, id="trivy-high-with-exit-code-0"),
        pytest.param(trivy(trivy_result("MEDIUM")), 0, set(), id="trivy-below"),
        pytest.param(trivy(trivy_result("UNKNOWN")), 0, {FOUND}, id="trivy-unknown"),
        pytest.param(trivy({"Target": "a", "Packages": [{"Name": "b"}]}), 0, set(), id="trivy-without-a-class"),
        pytest.param(trivy(), 0, {NOTHING}, id="trivy-without-results"),
        pytest.param(
            trivy({"Target": ".", "Class": "secret"}), 0, {NOTHING}, id="trivy-for-secrets-only"
        ),
        pytest.param(
            trivy(trivy_result(Secrets=[{"RuleID": "aws", "Severity": "CRITICAL"}])),
            0, {FOUND}, id="trivy-found-a-secret",
        ),
        pytest.param(grype(), 0, set(), id="grype-clean"),
        pytest.param(grype("Critical", "Low"), 2, {FOUND}, id="grype-critical"),
        pytest.param(grype("Negligible"), 0, set(), id="grype-negligible"),
        pytest.param(grype(source=None), 0, {NOTHING}, id="grype-without-source"),
        pytest.param(grype(descriptor={}), 0, {NOTHING}, id="grype-without-database"),
        pytest.param(
            grype(descriptor={"db": {"status": {"built": "x", "valid": False}}}),
            0, {NOTHING}, id="grype-with-a-bad-database",
        ),
        pytest.param(sample("pip-audit-clean.json"), 2, {"evidence.exit-code"}, id="clean-but-broke-off"),
        pytest.param(sample("pip-audit-clean.json"), 1, {"evidence.exit-code"}, id="clean-but-exit-code-1"),
    ],
)  # fmt: skip
def test_what_a_scanner_found(report: bytes, exit_code: int, found: set[str]) -> None:
    assert codes(reading_of(asks(**SPEC), report, exit_code=exit_code)) == found


def test_it_says_what_and_how_to_mend_it() -> None:
    (finding,) = seen(reading_of(asks(**SPEC), sample("pip-audit-risky.json"), exit_code=1)).problems
    assert finding.message == "dependencies: PYSEC-2018-28 in requests 2.19.0 is of unknown severity"
    assert finding.fix.startswith(
        "upgrade requests to 2.20.0; then scan again: guard evidence add --source dependencies"
    )
    assert "Authorization header" in finding.detail


def test_what_was_skipped_beside_the_rest_is_named() -> None:
    report = {
        "dependencies": [
            {"name": "six", "version": "1", "vulns": []},
            {"name": "own", "skip_reason": "editable"},
            {"name": "odd", "version": "1", "vulns": None},
        ]
    }
    (finding,) = seen(reading_of(asks(**SPEC), as_json(report))).problems
    assert finding.message == "dependencies: these were not looked at: odd, own"
    until = {"until": date(2099, 1, 1), "reason": "this project itself"}
    entries = [{"id": "own", **until}, {"id": "odd", **until}]
    assert not seen(reading_of(asks(**SPEC, ignore=entries), as_json(report))).problems


@pytest.mark.parametrize(
    ("until", "passes"),
    [
        pytest.param(NOW.date(), True, id="on-its-last-day"),
        pytest.param(NOW.date() - timedelta(days=1), False, id="the-day-after"),
        pytest.param(date(9999, 12, 31), True, id="as-good-as-for-ever"),
    ],
)
def test_an_advisory_is_ignored_until_a_day_and_by_any_of_its_names(until: date, passes: bool) -> None:
    entry = {"id": "cve-2018-18074", "until": until, "reason": "no redirects here"}
    reading = reading_of(asks(**SPEC, ignore=[entry]), sample("pip-audit-risky.json"), exit_code=1)
    observation = seen(reading)
    assert (not observation.problems) is passes
    if passes:
        assert observation.summary == f"0 critical, 0 high (1 ignored until {until})"
        assert observation.holds_until is not None
    else:
        assert f"(it was ignored until {until}, which is over)" in observation.problems[0].message


def test_it_turns_red_by_itself_when_the_day_is_over() -> None:
    entry = {"id": "PYSEC-2018-28", "until": date(2099, 3, 1), "reason": "x"}
    observation = seen(reading_of(asks(**SPEC, ignore=[entry]), sample("pip-audit-risky.json"), exit_code=1))
    assert observation.holds_until == datetime(2099, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("report", "why"),
    [
        pytest.param(sample("npm-audit-failed.json"), "tells that the scanner failed: 405", id="npm-error"),
        pytest.param(b"[1]", "a dependency is not an object", id="a-list-of-numbers"),
        pytest.param(b"{}", "its shape is none of theirs", id="nothing"),
        pytest.param(as_json({"matches": [], "Results": []}), "trivy and of grype", id="two-shapes-in-one"),
        pytest.param(
            as_json({"auditReportVersion": 2, "metadata": {"vulnerabilities": {"high": 3}}}),
            "names none", id="counts-what-it-does-not-name",
        ),
        pytest.param(trivy({"Class": "lang-pkgs", "Vulnerabilities": {"a": 1}}), "not an array", id="wrong-type"),
    ],
)  # fmt: skip
def test_what_is_no_scan_is_unknown(report: bytes, why: str) -> None:
    reading = reading_of(asks(**SPEC), report)
    assert isinstance(reading, Unknown)
    assert why in reading.why


@pytest.mark.parametrize(
    ("via", "found"),
    [
        pytest.param(["b"], set(), id="its-dependency-is-named-itself"),
        pytest.param(["gone"], {FOUND}, id="its-dependency-is-not-in-the-report"),
        pytest.param(["a"], {FOUND}, id="by-itself"),
        pytest.param([], {FOUND}, id="without-a-reason"),
    ],
)
def test_a_package_that_npm_calls_vulnerable_counts_once(via: list[str], found: set[str]) -> None:
    low = {
        "name": "b",
        "severity": "low",
        "via": [{"source": 1, "name": "b", "severity": "low", "range": "*"}],
    }
    report = {
        "auditReportVersion": 2,
        "vulnerabilities": {"a": {"name": "a", "severity": "high", "via": via}, "b": low},
        "metadata": {"dependencies": {"total": 2}},
    }
    assert codes(reading_of(asks(**SPEC), as_json(report), exit_code=1)) == found


@pytest.mark.parametrize(
    ("report", "path", "counts"),
    [
        pytest.param(trivy(trivy_result()), ".trivyignore", True, id="trivy"),
        pytest.param(trivy(trivy_result()), "services/api/.trivyignore.yaml", True, id="trivy-in-a-folder"),
        pytest.param(trivy(trivy_result()), "doc/my.trivyignore", False, id="a-file-of-another-name"),
        pytest.param(trivy(trivy_result()), ".grype.yaml", False, id="another-scanner-s"),
        pytest.param(grype(), ".grype/config.yaml", True, id="grype"),
        pytest.param(osv(osv_package()), "go/osv-scanner.toml", True, id="osv-scanner"),
        pytest.param(npm6(None), ".npmrc", True, id="npm"),
    ],
)
def test_a_proposal_cannot_tell_a_scanner_what_to_pass_over(report: bytes, path: str, counts: bool) -> None:
    sent = submission(report, source="dependencies")
    given = sources(sent, reports={"s1": report}, differs=("src/app.py", path))
    assert codes(read(asks(**SPEC), given)) == ({"vulnerabilities.configuration"} if counts else set())
