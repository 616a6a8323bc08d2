"""Evidence kind `contract`: a clean report, or breaking changes that somebody who may has documented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guard.core.evidence import Reading
from guard.core.facts import Proposal
from guard.core.model import Fact, Known, Unknown
from guard.core.policy_text import parse_policy
from tests.builders import NEW, NOW, OLD
from tests.evidence_fakes import HeldForge, asks, codes, people, read, seen, sources, submission
from tests.policy_texts import gate, problems

SAMPLES = Path(__file__).parent / "samples"
LABEL, GUIDE = "BREAKING:", "doc/Migration.md"
SPEC: dict[str, Any] = {
    "kind": "contract", "source": "contract", "breaking_label": LABEL, "labelled_by": ["platform"],
    "migration_guide": GUIDE,
}  # fmt: skip
WRITTEN = b"# Migration\nBookings have a new address from this release on; clients change /bookings to /reservations.\n"
PAM = "pam@example.com"
NO_LABEL, NO_GUIDE = "contract.label", "contract.guide"
FAULT, NOTHING, BREAKING = "contract.fault", "contract.nothing-checked", "contract.breaking"
UNDOCUMENTED = {BREAKING, NO_LABEL, NO_GUIDE}
GUIDED = {GUIDE: WRITTEN}


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def contract(
    report: bytes,
    *,
    tool: str = "spectral",
    setter: Fact[str | None] | str | None = None,
    files: dict[str, bytes] | None = None,
    differs: tuple[str, ...] = (),
    head: Any = NEW,
    spec: dict[str, Any] | None = None,
    **fields: Any,
) -> Reading:
    """The reading of this report; `setter` is who put the label on the proposal with this head."""
    fact = Known(setter, "test", NOW) if setter is None or isinstance(setter, str) else setter
    proposal = Proposal("7", "release/platform-control", head, "A release", "ann")
    forge = HeldForge(open=Known((proposal,), "test", NOW), labels={LABEL: fact})
    sent = submission(report, **{"source": "contract", "tool": tool, "tool_version": "6.1", **fields})
    given = sources(sent, reports={"s1": report}, forge=forge, files=files or {}, differs=differs)
    return read(asks(**(spec or SPEC)), given)


@pytest.mark.parametrize(
    ("name", "tool", "exit_code", "found"),
    [
        pytest.param("spectral-clean.json", "spectral", 0, set(), id="spectral-clean"),
        pytest.param("spectral-risky.json", "spectral", 1, {FAULT}, id="spectral-risky"),
        pytest.param("spectral-unknown.json", "spectral", 0, {NOTHING, FAULT}, id="spectral-of-no-contract"),
        pytest.param("spectral-nothing.txt", "spectral", 2, {NOTHING, "evidence.exit-code"}, id="spectral-no-files"),
        pytest.param("redocly-clean.json", "redocly", 0, set(), id="redocly-clean"),
        pytest.param("redocly-risky.json", "redocly", 1, {FAULT}, id="redocly-risky"),
        pytest.param("asyncapi-clean.json", "asyncapi", 0, set(), id="asyncapi-clean"),
        pytest.param("asyncapi-risky.json", "asyncapi", 1, {FAULT}, id="asyncapi-risky"),
        pytest.param("asyncapi-diff-clean.json", "asyncapi", 0, set(), id="asyncapi-diff-clean"),
        pytest.param("asyncapi-diff-broken.json", "asyncapi", 1, UNDOCUMENTED, id="asyncapi-diff"),
        pytest.param("oasdiff-clean.json", "oasdiff", 0, set(), id="oasdiff-clean"),
        pytest.param("oasdiff-broken.json", "oasdiff", 1, UNDOCUMENTED, id="oasdiff"),
        pytest.param("openapi-diff-clean.txt", "openapi-diff", 0, set(), id="openapi-diff-clean"),
        pytest.param("openapi-diff-broken.txt", "openapi-diff", 1, UNDOCUMENTED, id="openapi-diff"),
    ],
)  # fmt: skip
def test_what_the_real_tools_report(name: str, tool: str, exit_code: int, found: set[str]) -> None:
    assert codes(contract(sample(name), tool=tool, exit_code=exit_code)) == found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({"tool": "spectral"}, set(), id="by-name"),
        pytest.param(
            {"tool": "npx", "command": ("npx", "spectral", "lint", "a.yaml")}, set(), id="by-the-command"
        ),
        pytest.param({"tool": "echo"}, {NOTHING}, id="by-a-tool-that-nobody-knows"),
        pytest.param({"tool": "spectral", "tool_version": ""}, {NOTHING}, id="without-a-version"),
        pytest.param({"tool": "redocly"}, {NOTHING}, id="by-a-tool-that-writes-another-shape"),
        pytest.param({"tool": "spectral", "exit_code": 2}, {"evidence.exit-code"}, id="broke-off"),
    ],
)
def test_an_empty_list_needs_a_tool_that_writes_it_so(fields: dict[str, Any], found: set[str]) -> None:
    assert codes(contract(b"[]", **fields)) == found


@pytest.mark.parametrize(
    ("level", "fail_at", "blocks"),
    [
        pytest.param(0, "error", True, id="error"),
        pytest.param(1, "error", False, id="warning-below-error"),
        pytest.param(1, "warning", True, id="warning"),
        pytest.param(2, "warning", False, id="information-below-warning"),
        pytest.param(3, "hint", True, id="hint"),
        pytest.param(4, "error", True, id="a-number-that-nobody-knows"),
        pytest.param("0", "error", True, id="a-number-in-a-string"),
        pytest.param(True, "error", True, id="true-is-not-1"),
    ],
)
def test_the_level_that_blocks(level: object, fail_at: str, blocks: bool) -> None:
    report = json.dumps(
        [{"code": "rule", "severity": level, "message": "m", "path": ["info"], "source": "a.yaml"}]
    )
    found = codes(contract(report.encode(), spec={**SPEC, "fail_at": fail_at}))
    assert found == ({FAULT} if blocks else set())


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param({"setter": PAM, "files": GUIDED}, set(), id="documented"),
        pytest.param({"setter": "PAM@example.com", "files": GUIDED}, set(), id="names-in-another-case"),
        pytest.param({"files": GUIDED}, {BREAKING, NO_LABEL}, id="no-label"),
        pytest.param({"setter": "mallory", "files": GUIDED}, {BREAKING, NO_LABEL}, id="set-by-anybody"),
        pytest.param({"setter": PAM}, {BREAKING, NO_GUIDE}, id="no-guide-on-upstream"),
        pytest.param({"setter": PAM, "files": {GUIDE: b"# TODO\n"}}, {BREAKING, NO_GUIDE}, id="a-stub"),
        pytest.param({"setter": PAM, "files": GUIDED, "head": OLD}, {BREAKING, NO_LABEL}, id="another-head"),
    ],
)  # fmt: skip
def test_breaking_changes_have_to_be_documented(given: dict[str, Any], found: set[str]) -> None:
    reading = contract(sample("oasdiff-broken.json"), tool="oasdiff", **given)
    assert codes(reading) == found
    if not found:
        assert seen(reading).summary == f"1 breaking, documented: {LABEL} by {given['setter']}, {GUIDE}"


@pytest.mark.parametrize("key", ["breaking_label", "labelled_by", "migration_guide"])
def test_a_gate_that_names_no_way_to_document_takes_no_breaking_change(key: str) -> None:
    spec = {name: value for name, value in SPEC.items() if name != key}
    reading = contract(sample("oasdiff-broken.json"), tool="oasdiff", setter=PAM, files=GUIDED, spec=spec)
    assert codes(reading) == {BREAKING, "contract.undocumented"}
    assert key in seen(reading).problems[-1].message


def test_who_cannot_be_known_blocks() -> None:
    report, down = sample("oasdiff-broken.json"), Unknown("HTTP 502")
    assert contract(report, tool="oasdiff", setter=down) == down
    sent = submission(report, source="contract", tool="oasdiff")
    held = {"reports": {"s1": report}, "files": GUIDED}
    for changed in ({"forge": HeldForge(open=down)}, {"members": {"platform": down}}):
        assert read(asks(**SPEC), sources(sent, **held, **changed)) == down
    clean = submission(b"[]", source="contract", tool="oasdiff")
    assert not codes(read(asks(**SPEC), sources(clean, reports={"s1": b"[]"}, forge=HeldForge(open=down)))), (
        "not asked"
    )
    assert isinstance(read(asks(**SPEC), sources(sent, **held, members={"platform": people()})), Known)


def test_a_linters_complaint_is_never_excused_by_the_label() -> None:
    reading = contract(sample("spectral-risky.json"), exit_code=1, setter=PAM, files=GUIDED)
    assert codes(reading) == {FAULT}


@pytest.mark.parametrize(
    ("tool", "name", "path", "matters"),
    [
        pytest.param("spectral", "spectral-clean.json", ".spectral.yaml", True, id="spectral-rules"),
        pytest.param(
            "redocly", "redocly-clean.json", ".redocly.lint-ignore.yaml", True, id="redocly-ignores"
        ),
        pytest.param("spectral", "spectral-clean.json", "openapi.yaml", False, id="the-contract-itself"),
        pytest.param(
            "openapi-diff", "openapi-diff-clean.txt", ".spectral.yaml", False, id="a-comparison-has-no-rules"
        ),
    ],
)
def test_a_proposal_cannot_bring_its_own_rules(tool: str, name: str, path: str, matters: bool) -> None:
    found = codes(contract(sample(name), tool=tool, differs=(path,)))
    assert found == ({"contract.configuration"} if matters else set())


@pytest.mark.parametrize(
    ("report", "counts"),
    [
        pytest.param(b'{"changes": [{"action": "edit", "path": "/x", "type": "unclassified"}]}', True, id="asyncapi"),
        pytest.param(b'{"changes": [{"action": "edit", "path": "/x", "type": "non-breaking"}]}', False, id="harmless"),
        pytest.param(
            b'{"breakingDifferencesFound": false, "unclassifiedDifferences": [{"code": "x"}]}',
            True, id="openapi-diff",
        ),
    ],
)  # fmt: skip
def test_a_change_that_the_tool_cannot_judge_counts_unless_the_policy_says_not(
    report: bytes, counts: bool
) -> None:
    assert (BREAKING in codes(contract(report, tool="asyncapi openapi-diff"))) is counts
    spec = {**SPEC, "unclassified": "does-not-count"}
    assert codes(contract(report, tool="asyncapi openapi-diff", spec=spec)) == set()


@pytest.mark.parametrize(
    ("level", "breaks"),
    [(1, False), (2, True), (3, True), (0, True), ("1", True), (None, True)],
    ids=["information", "warning", "error", "a-level-that-nobody-knows", "in-a-string", "null"],
)
def test_what_oasdiff_is_unsure_of_breaks(level: object, breaks: bool) -> None:
    report = json.dumps([{"id": "x", "text": "t", "level": level}]).encode()
    assert (BREAKING in codes(contract(report, tool="oasdiff"))) is breaks


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="an-empty-table"),
        pytest.param(b"[{}]", id="a-list-of-nothing"),
        pytest.param(b'[{"code": 1, "severity": 0}, {"id": "x", "level": 3}]', id="two-shapes"),
        pytest.param(b'{"totals": {"errors": 2}, "problems": []}', id="redocly-counts-what-it-does-not-name"),
        pytest.param(b'{"breakingDifferencesFound": true, "breakingDifferences": []}', id="openapi-diff-too"),
        pytest.param(b'{"totals": {}, "changes": []}', id="two-shapes-in-one-table"),
        pytest.param(b"Breaking changes found between the two specifications:", id="cut-off"),
        pytest.param(b'No changes found between the two\n{"breakingDifferencesFound": true}', id="says-both"),
    ],
)
def test_what_is_no_report_is_unknown(report: bytes) -> None:
    assert isinstance(contract(report), Unknown)


def test_the_roles_that_may_label_have_to_be_there() -> None:
    evidence = '{ kind = "contract", source = "c", breaking_label = "B", labelled_by = ["api"] }'
    assert any("there is no role 'api'" in problem for problem in problems(gate(evidence)))
    assert parse_policy(gate(evidence.replace("api", "platform")).encode(), where="g")
