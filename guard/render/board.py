"""What every rendering of a decision shows: sections in the order of the release readiness page."""

from __future__ import annotations

from dataclasses import dataclass

from guard.core.model import Decision, Finding, Outcome, Verdict, WaiverUse, worst
from guard.core.policy_names import GROUPS

RULE_TITLES = {
    "policy": "Policy",
    "candidate": "Candidate",
    "lineage": "Master First",
    "approvals": "Approvals",
    "hold": "Holds",
    "follow-up": "Follow-Up",
    "break-glass": "Break-Glass",
}
"""The rules that have a section of their own, after the gate groups."""

MARKS = {Outcome.PASS: "✓", Outcome.NOT_APPLICABLE: "–", Outcome.WAIVED: "–"}
"""A check for what passes, a dash for what needs no pass; everything else is a cross."""


@dataclass(frozen=True, slots=True)
class Section:
    """One dotted line of the board with the verdicts below it."""

    title: str
    outcome: Outcome
    verdicts: tuple[Verdict, ...]


def sections(decision: Decision) -> tuple[Section, ...]:
    """The gate groups that were judged, in their order, then the rules."""
    found = []
    for group, title in GROUPS.items():
        verdicts = tuple(verdict for verdict in decision.verdicts if verdict.group == group)
        if verdicts:
            found.append(Section(title, _together(verdicts), verdicts))
    for verdict in decision.verdicts:
        if not verdict.group and verdict.id != "incidents":
            found.append(Section(RULE_TITLES.get(verdict.id, verdict.title), verdict.outcome, (verdict,)))
    return tuple(found)


def _together(verdicts: tuple[Verdict, ...]) -> Outcome:
    """As bad as the worst; what does not apply says nothing beside what does."""
    applying = [one.outcome for one in verdicts if one.outcome != Outcome.NOT_APPLICABLE]
    return worst(applying) if applying else Outcome.NOT_APPLICABLE


def incidents(decision: Decision) -> Verdict | None:
    return next((verdict for verdict in decision.verdicts if verdict.id == "incidents"), None)


def mark(outcome: Outcome) -> str:
    return MARKS.get(outcome, "✗")


def word(decision: Decision) -> str:
    """`GO`, `GO (2 waivers)`, `GO (break-glass)` or `NO-GO`; a narrowed question is `PARTIAL`, whatever it came to."""
    if decision.partial:
        return "PARTIAL"
    if not decision.allowed:
        return "NO-GO"
    if emergency(decision) is not None:
        return "GO (break-glass)"
    waived = len({use.id for use in decision.waivers if use.state == "used"}) or sum(
        verdict.outcome is Outcome.WAIVED for verdict in decision.verdicts
    )
    return f"GO ({waived} waiver{'s' if waived > 1 else ''})" if waived else "GO"


def emergency(decision: Decision) -> Verdict | None:
    """The verdict that break-glass is open, which nobody may overlook."""
    return next(
        (one for one in decision.verdicts if one.id == "break-glass" and one.outcome is Outcome.WAIVED), None
    )


def line(verdict: Verdict) -> str:
    """What the board says of one verdict: its summary when it passes, else its title and the first reason."""
    if verdict.outcome.allows:
        return verdict.summary or verdict.title
    reasons = [finding for finding in verdict.findings if not finding.outcome.allows]
    if not reasons:
        return f"{verdict.title}: {verdict.summary or verdict.outcome}"
    first, more = reasons[0], len(reasons) - 1
    where = f"{first.where}: " if first.where and not first.where.startswith(verdict.id) else ""
    return f"{verdict.title}: {where}{said(first)}{f' (and {more} more)' if more else ''}"


def said(finding: Finding) -> str:
    """The message, and that there are other ways where there are."""
    choice = next((way for way in finding.ways if way.of > 1), None)
    return f"(one of {choice.of} ways) {finding.message}" if choice else finding.message


def waiver_lines(decision: Decision) -> tuple[str, ...]:
    """One line for each waiver that has to do with the decision: what it lets pass and until when, or why not."""
    return tuple(_waiver_line(use) for use in decision.waivers)


def _waiver_line(use: WaiverUse) -> str:
    what = f"{use.gate} {use.finding}"
    asked = f"asked for by {use.requester}" if use.requester else f"listed as {use.entry}"
    if use.state == "refused":
        return f"{what}: not waived ({asked}): {'; '.join(use.why)}"
    people = f"approved by {' and '.join(use.approvers)}" if use.approvers else "approved by being listed"
    resting = f", resting on {use.entry}" if use.entry and use.requester else ""
    state = "waived" if use.state == "used" else "waived, and not needed,"
    return f"{what}: {state} until {use.expires_at:%Y-%m-%d %H:%M} UTC: {use.reason} ({asked}{resting}, {people})"


def incident_line(verdict: Verdict) -> str:
    if verdict.outcome.allows:
        return verdict.summary or "none"
    if verdict.outcome is Outcome.ERROR:
        return f"unknown: {verdict.findings[0].message}" if verdict.findings else "unknown"
    return verdict.summary or "; ".join(finding.message for finding in verdict.findings)
