"""The unblock plan: what would turn a NO-GO into a GO, one action each, with who can do it."""

from __future__ import annotations

from dataclasses import dataclass

from guard.core.model import Decision, Finding, Verdict


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. `who` are the roles that can do it, `serves` the ids of the verdicts that it helps, and
    `findings` the reasons for it, each said once."""

    text: str
    who: tuple[str, ...]
    serves: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(finding.code for finding in self.findings))


def unblock_plan(decision: Decision) -> tuple[Action, ...]:
    """The actions of all blockers, the same fix by the same people named once, in the order of the board."""
    merged: dict[tuple[str, tuple[str, ...]], tuple[dict[str, None], dict[Finding, None]]] = {}
    for verdict in decision.blockers:
        for finding in _blocking(verdict):
            key = (finding.fix or finding.message, finding.who)
            serves, findings = merged.setdefault(key, ({}, {}))
            serves[verdict.id] = None
            findings[finding] = None
    return tuple(
        Action(text, who, tuple(serves), tuple(findings))
        for (text, who), (serves, findings) in merged.items()
    )


def _blocking(verdict: Verdict) -> tuple[Finding, ...]:
    found = tuple(finding for finding in verdict.findings if not finding.outcome.allows)
    return found or (Finding(f"{verdict.id}.{verdict.outcome}", verdict.summary or verdict.title),)
