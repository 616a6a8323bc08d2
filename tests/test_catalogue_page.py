"""The catalogue page maps every gate and document that the release readiness page names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guard.cli.catalogue import DOCUMENTS, catalogue_page, catalogue_policy, catalogue_text, gate_lines
from guard.core.policy_names import GROUPS

PAGE = catalogue_page()
NAMED = {
    "the tables of the groups": (
        "architecture/adrs/*", "scripts/ci/contracts_validate.sh", "spectral",
        "scripts/ci/contracts_breaking_change.sh",
        "BREAKING:", "Threat model", "Security_Control_Verification.md", "SAST", "DAST", "git-secrets", "gitleaks",
        "Pen_Test_Scope.md", "Encryption_Envelope_Spec.md", "A-014", "A-016", "scripts/ci/*.sh", "completed_at",
        "commit log", "Contract_Versioning_Policy.md", "Sign-off captured in the PR", "Phase Readiness Tracker",
    ),
    "the mindmap and the diagrams": (
        "Ledger invariants", "never UPDATE/DELETE", "balance recomputable", "Audit immutability",
        "Migration forward + rollback", "Stripe webhook replay/idempotency", "AT-051", "AT-052",
        "Stripe signature bypass", "AT-053", "Outbox-relay at-least-once", "Idempotency tests on all mutations",
        "SLO dashboards live", "Alerts wired to on-call", "Runbooks published for critical incidents", "escalation",
        "Backup/restore drill", "A-012", "C-OPS-002", "east/west", "SEV-1/SEV-2",
    ),
    "the lists, the sources and the hard rule": (
        "doc/Release_Go_NoGo_Checklist.md", "doc/operations/Production_Platform_Baseline.md",
        "doc/operations/Environment_Promotion_Policy.md", "doc/operations/Release_Smoke_Checklist.md",
        "doc/governance/Platform_Control_Release_Promotion_Policy.md", "doc/operations/runbooks/", "38 runbooks",
        "runbook index", "Incident severity", "Observability", "AGENTS.md", "Coding_Standards.md",
        "Multi_Agent_Lane_Worktrees_v1.md", "scripts/ci/platform_control_promote_release_branch.sh",
        "Merge fixes to `master` first", "openapi.draft.yaml", "asyncapi.draft.yaml", "phase readiness",
        "Active work queue", "Tech debt register", "Assumptions register",
    ),
}  # fmt: skip
TITLES = (
    "ADR set finalized", "OpenAPI validated + lint clean", "AsyncAPI validated",
    "Breaking changes reviewed with migration notes", "Threat model reviewed",
    "Security control verification complete", "No unresolved critical/high vulnerabilities", "Secret scanning clean",
    "Pen test scope addressed", "Encryption envelope baseline live", "mTLS internal active in staging",
    "Admin-token deny-list path live", "Ledger invariants tested", "Audit immutability tested",
    "Migration forward + rollback pass", "Stripe webhook replay test passes", "Stripe signature bypass test passes",
    "Outbox-relay at-least-once verified", "Idempotency tests on all mutations", "SLO dashboards live",
    "Alerts wired to on-call", "Runbooks published for critical incidents",
    "Incident severity policy + escalation active", "Backup/restore drill completed",
    "CI pipeline all required gates green", "Release notes complete", "Compatibility notes complete",
    "Approval recorded by platform + security owners",
)  # fmt: skip
CONDITIONAL = {"security.pen-test", "security.encryption-envelope", "security.mtls"}


@pytest.mark.parametrize("name", [name for names in NAMED.values() for name in names])
def test_what_the_readiness_page_names_has_a_row(name: str) -> None:
    assert [row for row, _ in DOCUMENTS if name in row], f"docs/catalogue.md says nothing of {name}"


def test_every_gate_has_its_title_its_group_and_its_line() -> None:
    policy, lines = catalogue_policy(), catalogue_text().splitlines()
    assert [gate.title for gate in policy.gates] == list(TITLES)
    assert {gate.id for gate in policy.gates if not gate.mandatory} == CONDITIONAL
    assert list(dict.fromkeys(gate.group for gate in policy.gates)) == list(GROUPS)
    for gate in policy.gates:
        line = gate_lines()[gate.id]
        assert lines[line - 1] == f'id = "{gate.id}"'
        assert f"| `{gate.id}` | {line} |" in PAGE


def test_every_row_leads_to_a_gate_that_there_is_and_every_gate_is_led_to() -> None:
    led = {gate for _, place in DOCUMENTS if not isinstance(place, str) for gate in place}
    assert led == {gate.id for gate in catalogue_policy().gates}
    for gate, line in gate_lines().items():
        assert f"`{gate}` (line {line})" in PAGE


def test_the_committed_page_is_this_one() -> None:
    committed = (Path(__file__).parent.parent / "docs" / "catalogue.md").read_text(encoding="utf-8")
    assert committed == PAGE
    assert len(re.findall(r"^\| .*<br>", committed, re.MULTILINE)) == 28
