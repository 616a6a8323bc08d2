"""The unblock plan: what would turn a NO-GO into a GO, one action each, with who can do it."""

from __future__ import annotations

from dataclasses import dataclass

from guard.core.model import Decision, Finding, Verdict


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. `serves` are the ids of the verdicts that it helps; `who` the roles that can do it."""

    text: str
    who: tuple[str, ...]
    serves: tuple[str, ...]
    codes: tuple[str, ...]


def unblock_plan(decision: Decision) -> tuple[Action, ...]:
    """The actions of all blockers, the same fix by the same people named once, in the order of the board."""
    merged: dict[tuple[str, tuple[str, ...]], tuple[list[str], list[str]]] = {}
    for verdict in decision.blockers:
        for finding in _blocking(verdict):
            key = (finding.fix or finding.message, finding.who)
            serves, codes = merged.setdefault(key, ([], []))
            serves.append(verdict.id)
            codes.append(finding.code)
    return tuple(
        Action(text, who, tuple(dict.fromkeys(serves)), tuple(dict.fromkeys(codes)))
        for (text, who), (serves, codes) in merged.items()
    )


def _blocking(verdict: Verdict) -> tuple[Finding, ...]:
    found = tuple(finding for finding in verdict.findings if not finding.outcome.allows)
    return found or (Finding(f"{verdict.id}.{verdict.outcome}", verdict.summary or verdict.title),)
