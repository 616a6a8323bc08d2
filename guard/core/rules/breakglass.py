"""Break-glass: in an emergency two holders of different roles let one head pass, for a short time, and loudly.

It lets every rule's and gate's findings pass but three things: the shape of the move, a policy that cannot be used, and
what an earlier break-glass still owes. For that is its price: whatever it brought to the branch blocks the next
promotion until it stands on upstream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from guard.core.durations import later
from guard.core.facts import BreakGlassAsk, Debt, EmergencyFacts
from guard.core.model import (
    Candidate,
    Commit,
    Fact,
    Finding,
    Known,
    Outcome,
    Unknown,
    Verdict,
    blocked,
    undecided,
)
from guard.core.rules.approvals import match_roles
from guard.core.rules.lineage import NoPolicy, Standing, judge_commits

if TYPE_CHECKING:
    from guard.core.policy import BreakGlass
    from guard.core.policy_branch import Lineage

ID = "break-glass"
TITLE = "Break-glass"
FOLLOW_UP = "follow-up"
FOLLOW_UP_TITLE = "What break-glass still owes"
NEVER = frozenset({"candidate", "policy", "hold", ID, FOLLOW_UP})
"""The verdicts that no emergency lets pass."""
WINDOW = timedelta(minutes=30)
"""How far apart the two may ask (docs/break-glass.md)."""
PAID = frozenset(
    {
        Standing.ON_UPSTREAM, Standing.CLEAN_MERGE, Standing.EQUIVALENT, Standing.ADAPTED, Standing.REVERTED,
        Standing.EXEMPT,
    }
)  # fmt: skip
"""Where a commit of an emergency has to stand for nothing to be owed any more; no approval takes its place."""

Members = Mapping[str, Fact[frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Opening:
    """Two (or more) people opened it for one head, from `at` until `expires`."""

    people: tuple[str, ...]
    at: datetime
    expires: datetime
    reasons: tuple[str, ...]


def judge_emergency(
    verdicts: Sequence[Verdict],
    rule: BreakGlass | None,
    lineage: Lineage | NoPolicy,
    facts: EmergencyFacts | None,
    members: Members,
    *,
    candidate: Candidate,
    now: datetime,
) -> list[Verdict]:
    """The verdicts with what break-glass lets pass, and with what it owes. Without facts nothing was asked."""
    if facts is None:
        return list(verdicts)
    owed = _follow_up(facts.debts, lineage)
    found = [*verdicts, *([owed] if owed else [])]
    if isinstance(facts.asks, Unknown) or rule is None:
        return found
    mine = [one for one in facts.asks.value if (one.target, one.commit) == (candidate.branch, candidate.new)]
    opening = standing_opening(rule, mine, members, now=now)
    if opening is not None:
        return [*(_let_pass(one, opening) for one in found), _opened(opening)]
    waiting = [one for one in mine if one.at <= now and now - one.at < WINDOW]
    return [*found, *([_half_open(rule, waiting)] if waiting else [])]


def standing_opening(
    rule: BreakGlass, asks: Iterable[BreakGlassAsk], members: Members, *, now: datetime
) -> Opening | None:
    """The newest opening that has not ended. Each yes opens once: it takes a fresh one of everybody to open again."""
    fresh: list[BreakGlassAsk] = []
    found: Opening | None = None
    for ask in sorted(asks, key=lambda one: one.at):
        fresh = [one for one in fresh if ask.at - one.at <= WINDOW and not _same_person(one, ask)] + [ask]
        people = _holders(rule, fresh, members)
        if people:
            opened = [one for one in fresh if one.actor in people]
            found = Opening(people, ask.at, later(ask.at, rule.lasts), tuple(one.reason for one in opened))
            fresh = []
    return found if found is not None and found.at <= now < found.expires else None


def _same_person(one: BreakGlassAsk, other: BreakGlassAsk) -> bool:
    """One key is one person, whatever names it may sign with, and one name whatever its spelling."""
    return one.key == other.key or one.actor.casefold() == other.actor.casefold()


def _holders(rule: BreakGlass, asks: Sequence[BreakGlassAsk], members: Members) -> tuple[str, ...]:
    """Different people for all of the roles, who hold them now; () where one is lacking."""
    roles = tuple(dict.fromkeys(rule.roles))
    seats = roles if len(roles) > 1 else (roles[0], roles[0])
    eligible = {}
    for seat, role in enumerate(seats):
        fact = members.get(role, Unknown(""))
        holders = fact.value if isinstance(fact, Known) else frozenset()
        eligible[f"{role}#{seat}"] = tuple(sorted(one.actor for one in asks if one.actor in holders))
    given = match_roles(eligible)
    return tuple(sorted(given.values())) if len(given) == len(seats) else ()


def _let_pass(verdict: Verdict, opening: Opening) -> Verdict:
    if verdict.outcome.allows or verdict.id in NEVER:
        return verdict
    findings = tuple(
        one if one.outcome.allows else replace(one, outcome=Outcome.WAIVED) for one in verdict.findings
    )
    why = next((one.message for one in verdict.findings if not one.outcome.allows), verdict.summary)
    return replace(
        verdict,
        outcome=Outcome.WAIVED,
        summary=f"{verdict.title}: let pass by break-glass: {why or verdict.outcome}",
        findings=findings,
        next_change_at=opening.expires,
    )


def _opened(opening: Opening) -> Verdict:
    people = " and ".join(opening.people)
    return Verdict(
        ID,
        TITLE,
        Outcome.WAIVED,
        summary=f"BREAK-GLASS: opened by {people} until {opening.expires:%Y-%m-%d %H:%M} UTC"
        f" because {'; '.join(opening.reasons)}",
        next_change_at=opening.expires,
    )


def _half_open(rule: BreakGlass, waiting: Sequence[BreakGlassAsk]) -> Verdict:
    first = min(waiting, key=lambda one: one.at)
    until = later(first.at, WINDOW)
    return Verdict(
        ID,
        TITLE,
        Outcome.NOT_APPLICABLE,
        summary=f"break-glass: asked for by {', '.join(one.actor for one in waiting)}; it opens when holders of"
        f" {' and '.join(rule.roles)}, different people, have asked by {until:%H:%M} UTC",
        next_change_at=until,
    )


def opened_commits(
    asks: Iterable[BreakGlassAsk], *, target: str
) -> tuple[tuple[Commit, tuple[str, ...]], ...]:
    """The heads that break-glass may have been opened for, with who asked: two different people within the time. Who
    held a role then is not asked, so that leaving a role pays no debt."""
    by_head: dict[Commit, list[BreakGlassAsk]] = {}
    for ask in sorted(asks, key=lambda one: one.at):
        if ask.target == target:
            by_head.setdefault(ask.commit, []).append(ask)
    return tuple(
        (head, tuple(dict.fromkeys(one.actor for one in found)))
        for head, found in by_head.items()
        if any(
            other.at - one.at <= WINDOW and not _same_person(one, other)
            for number, one in enumerate(found)
            for other in found[number + 1 :]
        )
    )


def _follow_up(debts: Fact[tuple[Debt, ...]], lineage: Lineage | NoPolicy) -> Verdict | None:
    """None where nothing was ever opened."""
    if isinstance(debts, Unknown):
        return undecided(FOLLOW_UP, FOLLOW_UP_TITLE, debts, code="follow-up.unknown")
    if not debts.value:
        return None
    findings = tuple(found for debt in debts.value if (found := _owed(debt, lineage)) is not None)
    if findings:
        return blocked(FOLLOW_UP, FOLLOW_UP_TITLE, *findings)
    count = len(debts.value)
    summary = f"what {count} break-glass promotion{'s' if count > 1 else ''} brought is on upstream"
    return Verdict(FOLLOW_UP, FOLLOW_UP_TITLE, Outcome.PASS, summary=summary)


def _owed(debt: Debt, lineage: Lineage | NoPolicy) -> Finding | None:
    about = f"the break-glass promotion of {debt.head[:10]} (by {', '.join(debt.people)})"
    if isinstance(debt.lineage, Unknown):
        return Finding(
            "follow-up.unknown",
            f"whether {about} is on upstream cannot be told: {debt.lineage.why}",
            fix=debt.lineage.fix,
            who=("operator",),
            outcome=Outcome.ERROR,
        )
    facts = debt.lineage.value
    missing = [one for one in judge_commits(facts, lineage) if one.standing not in PAID]
    if facts.head_on_upstream or not missing:
        return None
    named = ", ".join(one.commit[:10] for one in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return Finding(
        "follow-up.open",
        f"{about} is not on {facts.upstream_name} yet: {named}{more}",
        where=debt.head,
        fix=f"bring it there: git switch {facts.upstream_name}, then git merge {debt.head[:10]}, or pick its commits",
        who=("author", "release-owner"),
    )
