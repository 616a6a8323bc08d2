"""The catalogue page, docs/catalogue.md: where each gate and document of the release readiness page went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from guard.cli.init import BRANCH, filled_catalogue
from guard.core.evidence import All, AnyOf, Evidence, Leaf
from guard.core.policy import Gate, Policy, When
from guard.core.policy_names import GROUPS
from guard.core.policy_text import parse_policy

Place = str | tuple[str, ...]

DOCUMENTS: tuple[tuple[str, Place], ...] = (
    # what the release readiness page names, and the gates (or the other part of the guard) that stand for it
    ("`architecture/adrs/*`", ("architecture.adrs",)),
    ("`scripts/ci/contracts_validate.sh`, spectral", ("architecture.openapi", "architecture.asyncapi")),
    ("`openapi.draft.yaml`", ("architecture.openapi",)),
    ("`asyncapi.draft.yaml`", ("architecture.asyncapi",)),
    ("`scripts/ci/contracts_breaking_change.sh`, the label `BREAKING:`", ("architecture.breaking-changes",)),
    ("Threat model", ("security.threat-model",)),
    ("`Security_Control_Verification.md`", ("security.control-verification",)),
    ("SAST, DAST and dependency scan reports", ("security.vulnerabilities",)),
    ("git-secrets, gitleaks", ("security.secrets",)),
    ("`Pen_Test_Scope.md`", ("security.pen-test",)),
    ("`Encryption_Envelope_Spec.md`", ("security.encryption-envelope",)),
    ("Assumption A-014, east/west security validated", ("security.mtls",)),
    ("Assumption A-016", ("security.admin-token-deny-list",)),
    ("Assumptions register", ("security.mtls", "security.admin-token-deny-list")),
    ("Ledger invariants: never UPDATE/DELETE, balance recomputable", ("data.ledger-invariants",)),
    ("Audit immutability", ("data.audit-immutability",)),
    ("Migration forward + rollback", ("data.migrations",)),
    ("Stripe webhook replay/idempotency tests", ("data.stripe-replay", "data.idempotency")),
    ("Stripe signature bypass test", ("data.stripe-signature",)),
    ("Outbox-relay at-least-once", ("data.outbox-relay",)),
    ("Idempotency tests on all mutations", ("data.idempotency",)),
    ("AT-051", ("data.ledger-invariants",)),
    ("AT-052", ("data.stripe-replay",)),
    ("AT-053", ("data.stripe-signature",)),
    ("Observability (dashboards, alerts)", ("reliability.slo-dashboards", "reliability.alerts")),
    ("SLO dashboards live", ("reliability.slo-dashboards",)),
    ("Alerts wired to on-call", ("reliability.alerts",)),
    ("Runbooks published for critical incidents", ("reliability.runbooks",)),
    ("Incident severity and escalation policy active", ("reliability.incident-policy",)),
    ("Backup/restore drill completed", ("reliability.restore-drill",)),
    ("38 runbooks under `doc/operations/runbooks/`, runbook index", ("reliability.runbooks",)),
    ("Incident severity", ("reliability.incident-policy",)),
    ("`scripts/ci/*.sh` per CI gates", ("delivery.ci",)),
    ("queue `completed_at` + commit log", ("delivery.release-notes",)),
    ("`Contract_Versioning_Policy.md`", ("delivery.compatibility-notes",)),
    ("Sign-off captured in the PR", ("delivery.approval",)),
    ("Phase Readiness Tracker, phase readiness", ("delivery.approval",)),
    ("Unresolved SEV-1/SEV-2 risk", "`[incidents]` labels, the rule `incidents`"),
    ("`doc/Release_Go_NoGo_Checklist.md`", "the five groups and the decision: `guard check`"),
    (
        "`doc/governance/Platform_Control_Release_Promotion_Policy.md`",
        '`read_first` of `[branches."release/platform-control"]`, shown by every refusal',
    ),
    ("`Multi_Agent_Lane_Worktrees_v1.md`", '`read_first` of `[branches."release/platform-control"]`'),
    (
        "`scripts/ci/platform_control_promote_release_branch.sh`",
        '`promote` of `[branches."release/platform-control"]`, run by `guard promote`',
    ),
    (
        "Merge fixes to `master` first",
        '`upstream` of `[branches."release/platform-control"]`, the rule `lineage`',
    ),
    ("`AGENTS.md`, `Coding_Standards.md`: the hard rule on the branch", "the hooks: `guard install`"),
    ("`doc/operations/Environment_Promotion_Policy.md`", "no gate: what must hold between environments"),
    ("`doc/operations/Production_Platform_Baseline.md`", "no gate: the baseline of production"),
    ("`doc/operations/Release_Smoke_Checklist.md`", "no gate: it is worked through after the promotion"),
    ("Assumption A-012, GitLab first", "`forge` of `[project]`"),
    ("C-OPS-002, PKI staging readiness", "no gate: a condition of the step from staging to production"),
    ("Active work queue", "`[queue]`: an open entry that gates the release stops it, judged with the gates"),
    ("Tech debt register", "no gate: accepted fallbacks are not on the no-go list"),
)


def catalogue_text() -> str:
    """The `guard.toml` that `guard init` writes for the repository of the release readiness page."""
    return filled_catalogue(forge="gitlab", repository="gpuaas/platform", branch=BRANCH, upstream="master")


def catalogue_policy() -> Policy:
    return parse_policy(catalogue_text().encode(), where="guard.toml").policy


def gate_lines() -> dict[str, int]:
    """Gate id → the line of the catalogue that it begins on."""
    found = ((number, line) for number, line in enumerate(catalogue_text().splitlines(), 1))
    return {line.split('"')[1]: number for number, line in found if line.startswith("id = ")}


def catalogue_page() -> str:
    """The whole page as Markdown."""
    policy = catalogue_policy()
    lines = [
        "# The catalogue",
        "",
        "<!-- Generated by `make schemas` from guard/catalogue.toml. -->",
        "",
        f"What `guard init` writes: {len(policy.gates)} gates in five groups, all mandatory unless a condition is",
        "named, and the labels of the incidents that stop a promotion. `line` is where the gate's id stands in the",
        "`guard.toml` of `guard init --forge gitlab`. Every key is explained in the",
        "[policy reference](policy-reference.md).",
        *_gate_tables(policy),
        "",
        "## Incidents",
        "",
        f"No promotion while an incident labelled {' or '.join(policy.incidents.labels)} is open.",
        "",
        "## What the release readiness page names, and where it went",
        "",
        "| named there | here |",
        "|---|---|",
        *(f"| {name} | {_place(place, gate_lines())} |" for name, place in DOCUMENTS),
    ]
    return "\n".join(lines) + "\n"


def _gate_tables(policy: Policy) -> Iterator[str]:
    for number, (group, title) in enumerate(GROUPS.items(), start=1):
        yield from (
            "",
            f"## Group {number}: {title}",
            "",
            "| gate | id | line | evidence | condition |",
            "|---|---|---|---|---|",
        )
        for gate in policy.gates:
            if gate.group == group:
                yield _gate_row(gate)


def _gate_row(gate: Gate) -> str:
    condition = _condition(gate.when) if gate.when else ("" if gate.mandatory else "conditional")
    line = gate_lines()[gate.id]
    return f"| {gate.title}<br>{gate.help} | `{gate.id}` | {line} | {_evidence(gate.evidence)} | {condition or '–'} |"


def _condition(when: When) -> str:
    said = when.model_dump(exclude_defaults=True)
    return "; ".join(
        f"{key} {', '.join(value) if isinstance(value, tuple) else value}".replace("*", "\\*")
        for key, value in said.items()
    )


def _evidence(evidence: Evidence) -> str:
    if isinstance(evidence, All):
        return "<br>and ".join(_evidence(part) for part in evidence.all)
    if isinstance(evidence, AnyOf):
        return "<br>or ".join(_evidence(part) for part in evidence.any)
    return _leaf(evidence)


def _leaf(leaf: Leaf) -> str:
    """The kind and what it looks at: a path, a source, a role."""
    shown = [f"`{leaf.kind}`"]
    said = leaf.model_dump(exclude_defaults=True, exclude={"kind"})
    for key in ("part", "path", "queue", "script", "source", "entry", "target", "role"):
        if key in said:
            shown.append(str(said[key]))
    for key in ("tests", "jobs"):
        shown += [f"`{name}`" for name in said.get(key, ())]
    age = getattr(leaf, "max_age", None)
    shown += [f"at most {_span(age)} old"] if age else []
    return " ".join([shown[0], ", ".join(shown[1:])]).strip()


def _span(age: timedelta) -> str:
    """Days from two days on, hours or minutes below that: `7d`, `24h`, `15m`."""
    minutes = int(age.total_seconds()) // 60
    return f"{age.days}d" if age.days > 1 else f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def _place(place: Place, lines: Mapping[str, int]) -> str:
    """Each gate with its line in the profile."""
    return place if isinstance(place, str) else ", ".join(f"`{gate}` (line {lines[gate]})" for gate in place)
