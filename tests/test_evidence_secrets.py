"""Evidence kind `secrets`: what counts as found, what upstream has accepted, and whether anything was looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guard.cli.evidence import _said
from guard.core.evidence import Absent, Reading
from guard.core.model import Unknown
from tests.evidence_fakes import asks, codes, read, seen, sources, submission

SAMPLES = Path(__file__).parent / "samples"
FOUND, NOTHING = "secrets.found", "secrets.nothing-scanned"
SPEC: dict[str, Any] = {"kind": "secrets", "source": "secrets"}
BASELINE = ".secrets.baseline"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def logged(name: str) -> str:
    """As `guard evidence run` submits it."""
    return _said(sample(name))


def gitleaks(report: bytes, log: str = "", **fields: Any) -> Reading:
    envelope = {"tool": "gitleaks", "tool_version": "8.30.1", "said": log, "source": "secrets"}
    return reading(report, **{**envelope, **fields})


def reading(
    report: bytes, *, spec: Any = None, files: Any = None, differs: Any = (), **fields: Any
) -> Reading:
    sent = submission(report, **{"source": "secrets", **fields})
    return read(
        spec or asks(**SPEC), sources(sent, reports={"s1": report}, files=files or {}, differs=differs)
    )


def detect_secrets(audited: bool | str | None = "absent", **changed: Any) -> bytes:
    """A report or baseline with one potential secret, and what an audit said of it."""
    one = {"type": "AWS Access Key", "filename": "config.py", "hashed_secret": "7e79", "is_verified": False}
    one |= {"line_number": 1} | ({} if audited == "absent" else {"is_secret": audited}) | changed
    plugins = [{"name": "AWSKeyDetector"}]
    return json.dumps({"version": "1.5.0", "plugins_used": plugins, "results": {"config.py": [one]}}).encode()


@pytest.mark.parametrize(
    ("name", "exit_code", "found"),
    [
        pytest.param("clean", 0, set(), id="clean"),
        pytest.param("risky", 1, {FOUND}, id="risky"),
        pytest.param("empty", 0, {NOTHING}, id="a-repository-without-commits"),
    ],
)
def test_gitleaks(name: str, exit_code: int, found: set[str]) -> None:
    log = logged(f"gitleaks-{name}.log")
    assert codes(gitleaks(sample(f"gitleaks-{name}.json"), log, exit_code=exit_code)) == found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param(
            {"log": "INF 12 commits scanned. INF scanned ~9 bytes (9 bytes) in 2ms"}, set(), id="git"
        ),
        pytest.param({"log": "INF scanned ~9 bytes (9 bytes) in 2ms"}, set(), id="dir"),
        pytest.param({"log": "INF 12 commits scanned. INF scanned ~0 bytes (0)"}, {NOTHING}, id="no-bytes"),
        pytest.param({"log": "INF 0 commits scanned."}, {NOTHING}, id="no-commits"),
        pytest.param({"log": ""}, {NOTHING}, id="nothing-tells"),
        pytest.param({"log": "no leaks found"}, {NOTHING}, id="no-count"),
        pytest.param({"log": "3 commits scanned.", "tool_version": ""}, {NOTHING}, id="no-version"),
        pytest.param({"log": "3 commits scanned.", "tool": "echo"}, {NOTHING}, id="another-tool"),
        pytest.param(
            {"log": "3 commits scanned.", "tool": "sh", "command": ("sh", "-c", "gitleaks git .")},
            set(),
            id="by-a-shell",
        ),
        pytest.param({"log": "3 commits scanned.", "exit_code": 126}, {"evidence.exit-code"}, id="broke-off"),
        pytest.param({"log": "3 commits scanned.", "exit_code": 1}, {"evidence.exit-code"}, id="unexplained"),
    ],
)
def test_an_empty_list_needs_more_to_count(fields: dict[str, Any], found: set[str]) -> None:
    assert codes(gitleaks(b"[]", **fields)) == found


def test_a_leak_is_named_by_rule_and_place_and_never_shown() -> None:
    (finding,) = seen(gitleaks(sample("gitleaks-risky.json"), exit_code=1)).problems
    assert finding.message == "secrets: aws-access-token is new: no baseline on upstream holds it"
    assert finding.where.startswith("config.py:1 in ")
    assert "AKIA" not in repr(finding)


@pytest.mark.parametrize("path", [".gitleaksignore", ".gitleaks.toml", "baseline.json"])
def test_a_proposal_cannot_tell_gitleaks_what_to_pass_over(path: str) -> None:
    spec, log = asks(**SPEC, baseline="baseline.json"), "3 commits scanned."
    files = {"baseline.json": b"[]"}
    assert codes(gitleaks(b"[]", log, spec=spec, files=files, differs=("src/app.py",))) == set()
    assert codes(gitleaks(b"[]", log, spec=spec, files=files, differs=(path,))) == {"secrets.configuration"}


def test_gitleaks_knows_what_the_baseline_on_upstream_holds() -> None:
    report, spec = sample("gitleaks-risky.json"), asks(**SPEC, baseline="baseline.json")
    known = gitleaks(report, spec=spec, files={"baseline.json": report}, exit_code=1)
    assert (codes(known), seen(known).summary) == (set(), "clean (1 known and accepted)")
    other = report.replace(b"config.py", b"other.py")
    assert codes(gitleaks(other, spec=spec, files={"baseline.json": report}, exit_code=1)) == {FOUND}


@pytest.mark.parametrize(
    ("name", "found"), [("clean", set()), ("risky", {FOUND})], ids=["clean", "risky"]
)  # fmt: skip
def test_detect_secrets_without_a_baseline(name: str, found: set[str]) -> None:
    assert codes(reading(sample(f"detect-secrets-{name}.json"))) == found


@pytest.mark.parametrize(
    ("report", "baseline", "why"),
    [
        pytest.param(detect_secrets(), detect_secrets(False), "", id="looked-into-and-none"),
        pytest.param(detect_secrets(), detect_secrets(), "nobody has looked into it", id="not-looked-into"),
        pytest.param(
            detect_secrets(), detect_secrets(None), "nobody has looked into it", id="audit-left-open"
        ),
        pytest.param(detect_secrets(), detect_secrets(True), "is a real secret", id="real"),
        pytest.param(
            detect_secrets(), detect_secrets(False, hashed_secret="0"), "is new", id="another-secret"
        ),
        pytest.param(detect_secrets(), detect_secrets(False, type="JWT"), "is new", id="another-kind"),
        pytest.param(detect_secrets(is_verified=True), detect_secrets(False), "is a live secret", id="live"),
        pytest.param(
            detect_secrets(False), detect_secrets(), "nobody has looked into it", id="audited-by-the-proposal"
        ),
    ],
)
def test_detect_secrets_against_the_baseline_on_upstream(report: bytes, baseline: bytes, why: str) -> None:
    found = seen(reading(report, spec=asks(**SPEC, baseline=BASELINE), files={BASELINE: baseline})).problems
    assert [finding.code for finding in found] == ([FOUND] if why else [])
    assert all(why in finding.message for finding in found)


def test_a_scan_that_sees_nothing_of_what_is_still_there_saw_no_files() -> None:
    spec, empty = asks(**SPEC, baseline=BASELINE), sample("detect-secrets-clean.json")
    files = {BASELINE: detect_secrets(False), "config.py": b"key"}
    assert codes(reading(empty, spec=spec, files=files)) == {NOTHING}
    assert codes(reading(empty, spec=spec, files=files, differs=("config.py",))) == set()
    assert codes(reading(empty, spec=spec, files={BASELINE: detect_secrets(False)})) == set()


@pytest.mark.parametrize(
    ("report", "found"),
    [
        pytest.param(b'{"plugins_used": [], "results": {}}', {NOTHING}, id="no-plugin"),
        pytest.param(b'{"results": {}}', Unknown, id="no-plugins-named"),
        pytest.param(b'{"plugins_used": [1], "results": {"a": [{}]}}', Unknown, id="a-secret-without-hash"),
        pytest.param(b'{"plugins_used": [1], "results": []}', Unknown, id="results-of-another-type"),
        pytest.param(b"[1]", Unknown, id="a-list-of-numbers"),
        pytest.param(b"[{}]", Unknown, id="a-leak-of-nothing"),
        pytest.param(b"null", Unknown, id="null"),
        pytest.param(b"", Unknown, id="empty"),
    ],
)
def test_what_is_no_report(report: bytes, found: Any) -> None:
    got = reading(report)
    assert isinstance(got, Unknown) if found is Unknown else codes(got) == found, got


def test_the_baseline_has_to_be_there_and_by_the_same_tool() -> None:
    spec = asks(**SPEC, baseline=BASELINE)
    assert isinstance(reading(detect_secrets(), spec=spec), Absent)
    got = reading(detect_secrets(), spec=spec, files={BASELINE: b"[]"})
    assert isinstance(got, Unknown)
    assert "is one of gitleaks" in got.why
