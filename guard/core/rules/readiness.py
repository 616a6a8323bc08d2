"""Every gate judged from the readings of its evidence: one verdict each. Source: "The five mandatory groups".

An observation counts only for the commit it is about and only while it is young enough; `all` is as bad as its worst
part, `any` as good as its best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from guard.core.durations import format_duration
from guard.core.evidence import (
    Absent,
    All,
    AnyOf,
    Approvals,
    Ci,
    Evidence,
    Leaf,
    Observation,
    Reading,
    Signoff,
)
from guard.core.facts import ConditionFacts
from guard.core.model import Candidate, Finding, Known, Outcome, Unknown, Verdict, Way, blocked, worst
from guard.core.policy import Gate
from guard.core.policy_names import GROUPS
from guard.core.report_kinds import Submitted
from guard.core.rules.conditions import Applies, DoesNotHold, Undecided, applies
from guard.core.rules.waivers import NOTHING_WAIVED, Waiving

SKEW = timedelta(minutes=5)
"""How far ahead of this clock another one may be before a date counts as one in the future."""

NO_CONDITIONS = ConditionFacts()
"""Nothing is known that a condition could be decided from."""

COMMIT_BOUND = (Submitted, Ci, Signoff)
"""Kinds that are about one commit (a sign-off: unless the policy gives it an age)."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one piece of evidence, or several together, came to."""

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    summaries: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    changes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """All that a piece of evidence is judged with."""

    readings: Mapping[str, Reading]
    approvals: Verdict
    candidate: Candidate
    now: datetime
    conditions: ConditionFacts
    environments: tuple[str, ...]
    waiving: Waiving


def judge_readiness(
    gates: Sequence[Gate],
    readings: Mapping[str, Reading],
    *,
    approvals: Verdict,
    candidate: Candidate,
    now: datetime,
    conditions: ConditionFacts = NO_CONDITIONS,
    environments: tuple[str, ...] = (),
    waiving: Waiving = NOTHING_WAIVED,
) -> tuple[Verdict, ...]:
    """One verdict for each gate in the policy's order, then one error for each mandatory group without a gate.

    `readings` are by evidence key (`guard.core.evidence.leaves`); `now` is aware, in UTC; `environments` are those
    that the promotion leads out of and into; `waiving` is what may be let pass.
    """
    if not gates:
        finding = Finding(
            "readiness.no-gates",
            "the policy has no gates, so nothing shows that this is ready",
            fix="guard init writes the complete catalogue",
            who=("release-owner",),
            outcome=Outcome.ERROR,
        )
        return (blocked("readiness", "Release readiness", finding),)
    case = _Case(readings, approvals, candidate, now, conditions, environments, waiving)
    times = Counter(gate.id for gate in gates)
    judged = [_judge_gate(gate, case) if times[gate.id] == 1 else _listed_twice(gate) for gate in gates]
    held = {gate.group for gate in gates}
    return (*judged, *(_empty_group(group) for group in GROUPS if group not in held))


def _listed_twice(gate: Gate) -> Verdict:
    message = f"the policy has more than one gate {gate.id}: which one would count?"
    finding = Finding(
        "readiness.gate.duplicate", message, fix="give each gate an id of its own", who=("release-owner",)
    )
    return Verdict(gate.id, gate.title, Outcome.ERROR, findings=(finding,), group=gate.group)


def _empty_group(group: str) -> Verdict:
    finding = Finding(
        "readiness.group.empty",
        f"no gate belongs to the mandatory group {GROUPS[group]}",
        fix=f'add a gate with group = "{group}"; guard init writes the complete catalogue',
        who=("release-owner",),
        outcome=Outcome.ERROR,
    )
    return blocked(f"readiness.{group}", GROUPS[group], finding, group=group)


def _judge_gate(gate: Gate, case: _Case) -> Verdict:
    condition = applies(gate, case.conditions, case.environments)
    if isinstance(condition, DoesNotHold):
        said = f"{gate.title}: n/a, {condition.why}"
        return Verdict(gate.id, gate.title, Outcome.NOT_APPLICABLE, summary=said, group=gate.group)
    judged = _judge(gate.evidence, gate.id, case)
    detail = "; ".join(dict.fromkeys(judged.summaries))
    passes = judged.outcome.allows
    return Verdict(
        id=gate.id,
        title=gate.title,
        outcome=judged.outcome,
        summary=(f"{gate.title}: {detail}" if detail else gate.title) if passes else "",
        findings=(*judged.findings, *_undecided(gate, condition)),
        group=gate.group,
        evidence=tuple(dict.fromkeys(judged.digests)),
        next_change_at=judged.changes_at,
    )


def _undecided(gate: Gate, condition: Applies) -> tuple[Finding, ...]:
    """A note on a conditional gate: a condition that cannot be decided applies."""
    if not isinstance(condition, Undecided):
        return ()
    message = f"whether it has to hold cannot be decided, so it does: {condition.why}"
    code = "readiness.condition.undecided"
    return (Finding(code, message, where=gate.id, fix=condition.fix, outcome=Outcome.PASS),)


def _judge(evidence: Evidence, key: str, case: _Case) -> _Judged:
    if isinstance(evidence, All):
        return _all([_judge(part, f"{key}/{index}", case) for index, part in enumerate(evidence.all)])
    if isinstance(evidence, AnyOf):
        return _any([_judge(part, f"{key}/{index}", case) for index, part in enumerate(evidence.any)], key)
    if isinstance(evidence, Approvals):
        return _judge_approval(case.approvals, key, case)
    return _judge_reading(evidence, key, case)


def _all(parts: list[_Judged]) -> _Judged:
    """As bad as the worst part. Where it is worse than stale already, a part that turns stale changes nothing."""
    outcome = worst(part.outcome for part in parts)
    matters = [part for part in parts if outcome.badness < Outcome.STALE.badness or not part.outcome.allows]
    return _Judged(
        outcome,
        tuple(finding for part in parts for finding in part.findings),
        tuple(summary for part in parts for summary in part.summaries),
        tuple(digest for part in parts for digest in part.digests),
        _earliest(matters),
    )


def _any(parts: list[_Judged], key: str) -> _Judged:
    """As good as the best part. Where none passes, all say what they lack, each as one of the ways through."""
    best = min(parts, key=lambda part: part.outcome.badness)
    digests = tuple(digest for part in parts for digest in part.digests)
    if best.outcome.allows:
        return _Judged(
            best.outcome, best.findings, best.summaries, digests, _any_changes_at(best.outcome, parts)
        )
    findings = tuple(
        replace(finding, ways=(Way(key, number, len(parts)), *finding.ways))
        for number, part in enumerate(parts, 1)
        for finding in part.findings
    )
    return _Judged(best.outcome, findings, (), digests, _earliest(parts))


def _any_changes_at(best: Outcome, parts: list[_Judged]) -> datetime | None:
    """It stands while the last of the best parts does, or until another part becomes better still."""
    ends = [part.changes_at for part in parts if part.outcome == best]
    lasts = max((end for end in ends if end), default=None) if all(ends) else None
    better = _earliest([part for part in parts if part.outcome != best]) if best != Outcome.PASS else None
    return min((moment for moment in (lasts, better) if moment), default=None)


def _earliest(parts: list[_Judged]) -> datetime | None:
    return min((part.changes_at for part in parts if part.changes_at), default=None)


def _judge_approval(verdict: Verdict, key: str, case: _Case) -> _Judged:
    """The approval rule's own verdict and findings, so that one approval is seen to serve both."""
    findings = verdict.findings
    if not verdict.outcome.allows and not findings:
        findings = (
            Finding("evidence.approvals", "the approval rule is not satisfied", outcome=verdict.outcome),
        )
    if not verdict.outcome.allows:
        return _found(
            verdict.outcome, findings, key, case, digests=verdict.evidence, ends=verdict.next_change_at
        )
    summaries = (verdict.summary,) if verdict.summary else ()
    return _Judged(verdict.outcome, findings, summaries, verdict.evidence, verdict.next_change_at)


def _judge_reading(spec: Leaf, key: str, case: _Case) -> _Judged:
    reading = case.readings.get(key, Unknown("this evidence was not gathered"))
    if isinstance(reading, Unknown):
        finding = Finding("evidence.unknown", reading.why, key, reading.fix, reading.who, Outcome.ERROR)
        return _found(Outcome.ERROR, (finding,), key, case)
    if isinstance(reading, Absent):
        finding = Finding("evidence.missing", reading.why, key, reading.fix, reading.who, Outcome.MISSING)
        return _found(Outcome.MISSING, (finding,), key, case)
    seen = reading.value
    digests = (seen.digest,) if seen.digest else ()
    findings = (*seen.problems, *_subject(spec, key, reading, case), *_age(spec, key, reading, case))
    if findings:
        # A problem is never a pass, whatever it calls itself.
        findings = tuple(
            replace(finding, outcome=Outcome.FAIL) if finding.outcome.allows else finding
            for finding in findings
        )
        return _found(
            worst(finding.outcome for finding in findings),
            findings,
            key,
            case,
            digests=digests,
            ends=_dawns_at(seen, case),
            expires=_expires_at(spec, seen, case),
        )
    return _Judged(
        Outcome.PASS, (), (seen.summary,) if seen.summary else (), digests, _expires_at(spec, seen, case)
    )


def _found(
    outcome: Outcome,
    findings: tuple[Finding, ...],
    key: str,
    case: _Case,
    *,
    digests: tuple[str, ...] = (),
    ends: datetime | None = None,
    expires: datetime | None = None,
) -> _Judged:
    """Findings after the waivers: waived where not one of them still blocks, until the first of the waivers ends or
    the evidence `expires`; else as bad as `outcome` was without waivers, until what they say `ends` by itself."""
    judged, until = case.waiving.over(key.partition("/")[0], findings)
    blocking = [finding.outcome for finding in judged if not finding.outcome.allows]
    if blocking or until is None:
        return _Judged(worst(blocking) if until else outcome, judged, digests=digests, changes_at=ends)
    moments = [moment for moment in (until, expires) if moment and moment > case.now]
    summaries = tuple(f"waived: {finding.message}" for finding in judged)
    return _Judged(Outcome.WAIVED, judged, summaries, digests, min(moments, default=None))


def _subject(spec: Leaf, key: str, reading: Known[Observation], case: _Case) -> tuple[Finding, ...]:
    """Evidence about another commit says nothing about this one; a dated sign-off may have been given before it."""
    new, subject = case.candidate.new, reading.value.subject
    if subject == new or (isinstance(spec, Signoff) and spec.max_age is not None):
        return ()
    if subject is None:
        if not isinstance(spec, COMMIT_BOUND):
            return ()
        message = f"{reading.source}: it is not known which commit it is about, and it has to be {new[:10]}"
        return (Finding("evidence.subject", message, where=key, who=("ci",), outcome=Outcome.ERROR),)
    message = f"{reading.source}: it is about {subject[:10]}, not about {new[:10]}"
    fix = _anew(spec, key, case) if isinstance(spec, COMMIT_BOUND) else f"make it anew for {new}"
    return (Finding("evidence.other-commit", message, key, fix, _renewers(spec), Outcome.MISSING),)


def _age(spec: Leaf, key: str, reading: Known[Observation], case: _Case) -> tuple[Finding, ...]:
    seen = reading.value
    limit = _limit(spec, seen, case)
    if seen.dated is not None and seen.dated - case.now > SKEW:
        message = f"{reading.source}: dated {seen.dated:%Y-%m-%d %H:%M} UTC, which is in the future"
        fix = "correct the date, or the clock that wrote it"
        return (Finding("evidence.future", message, key, fix, ("author", "operator"), Outcome.ERROR),)
    if limit is None:
        return ()
    if seen.dated is None:
        if seen.problems:  # which say already why there is no date
            return ()
        message = f"{reading.source}: it bears no date, and may be no older than {format_duration(limit)}"
        fix = "give it a date; for a document, name the policy's reviewed_field and write it there"
        return (Finding("evidence.undated", message, key, fix, ("author",), Outcome.ERROR),)
    if case.now - seen.dated < limit:
        return ()
    old = f"of {seen.dated:%Y-%m-%d %H:%M} UTC, and may be no older than {format_duration(limit)}"
    return (
        Finding(
            "evidence.stale",
            f"{reading.source}: {old}",
            key,
            _anew(spec, key, case),
            _renewers(spec),
            Outcome.STALE,
        ),
    )


def _anew(spec: Leaf, key: str, case: _Case) -> str:
    """How this sort of evidence is renewed."""
    if isinstance(spec, Submitted):
        return f"run it again for {case.candidate.new} and submit the report as {spec.source}"
    if isinstance(spec, Ci):
        return f"run the jobs again on {case.candidate.new}"
    if isinstance(spec, Signoff):
        return f"ask a {spec.role} owner to sign off again: guard signoff {key.partition('/')[0]}"
    return "review it again, write the new date into it, and land it on upstream"


def _limit(spec: Leaf, seen: Observation, case: _Case) -> timedelta | None:
    """The age at which it no longer counts; a sign-off for this very commit does not age."""
    if isinstance(spec, Signoff) and seen.subject == case.candidate.new:
        return None
    return getattr(spec, "max_age", None)


def _renewers(spec: Leaf) -> tuple[str, ...]:
    if isinstance(spec, Signoff):
        return (spec.role,)
    return ("ci",) if isinstance(spec, (Submitted, Ci)) else ("author",)


def _expires_at(spec: Leaf, seen: Observation, case: _Case) -> datetime | None:
    """By its age, or by what it says itself, whichever comes first."""
    limit = _limit(spec, seen, case)
    if limit is None or seen.dated is None:
        return seen.holds_until
    try:
        old = seen.dated + limit
    except OverflowError:  # beyond the year 9999
        return seen.holds_until
    return min(old, seen.holds_until) if seen.holds_until else old


def _dawns_at(seen: Observation, case: _Case) -> datetime | None:
    """When a date in the future stops being one."""
    return seen.dated - SKEW if seen.dated is not None and seen.dated - case.now > SKEW else None
