"""No promotion while an incident of the watched severities is open. Source: release readiness, "Decision rule"."""

from __future__ import annotations

from collections.abc import Sequence

from guard.core.facts import Incident
from guard.core.forge_words import Forge, close_incident
from guard.core.model import Fact, Finding, Outcome, Unknown, Verdict, blocked, undecided
from guard.core.rules.waivers import NOTHING_WAIVED, Waiving

ID = "incidents"


def judge_incidents(
    labels: Sequence[str],
    incidents: Fact[tuple[Incident, ...]],
    *,
    waiving: Waiving = NOTHING_WAIVED,
    forge: Forge = "local",
) -> Verdict:
    """Pass when the forge was asked for these labels and surely has no open incident with one of them.

    Every incident that it names blocks, whatever its label: one too many is the safe error. What is not known cannot
    be waived.
    """
    title = f"Unresolved {'/'.join(labels)}" if labels else "Unresolved incidents"
    if not labels:
        finding = Finding(
            "incidents.no-labels",
            "the policy names no label that marks an incident",
            fix='set labels = ["SEV-1", "SEV-2"] in [incidents]',
            who=("release-owner",),
            outcome=Outcome.ERROR,
        )
        return blocked(ID, title, finding)
    if isinstance(incidents, Unknown):
        return undecided(ID, title, incidents, code="incidents.unknown")
    if not incidents.value:
        return Verdict(ID, title, Outcome.PASS, summary="none")
    findings, until = waiving.over(ID, tuple(_open(one, forge) for one in incidents.value))
    if until is None or any(not finding.outcome.allows for finding in findings):
        return blocked(ID, title, *findings)
    summary = f"waived: {'; '.join(finding.message for finding in findings)}"
    return Verdict(ID, title, Outcome.WAIVED, summary=summary, findings=findings, next_change_at=until)


def _open(incident: Incident, forge: Forge) -> Finding:
    fix = close_incident(forge, incident.id)
    if incident.register:
        fix = f"resolve it, then set {incident.id} to closed in {incident.register} and land that on upstream"
    return Finding(
        "incidents.open",
        f"{incident.label} {incident.id}: {incident.title}",
        where=incident.url or incident.register or incident.id,
        fix=fix,
        who=("release-owner",),
    )
