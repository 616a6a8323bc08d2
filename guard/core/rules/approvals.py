"""Each required role approved by a different person, on exactly the head, by nobody who had a hand in the change.

Source: release readiness, "Approval recorded by platform + security owners". Names are compared exactly where that
permits something (is this a member?) and without regard to case where it forbids (is this an author? the same person
twice?), so that a doubtful spelling never helps. What the guard rests on (`guarding`) needs both owners, whatever
roles the policy names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from guard.core.facts import Approval, ApprovalFacts, Objection
from guard.core.forge_words import Forge, approve, withdraw_objection
from guard.core.model import (
    Commit,
    Deed,
    Fact,
    Finding,
    Known,
    Outcome,
    Unknown,
    Verdict,
    blocked,
    deeds_of,
    undecided,
)
from guard.core.policy import ApprovalRule
from guard.core.rules.guarding import OWNERS

ID = "approvals"
TITLE = "Approvals"
NAMED = 5
"""How many approvals that did not count are named with their reasons."""

Members = Mapping[str, Fact[frozenset[str]]]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The approvals that count for some role, and why each other one does not."""

    counted: tuple[Approval, ...]
    passed_over: tuple[tuple[Approval, str], ...]


def judge_approvals(
    rule: ApprovalRule,
    facts: Fact[ApprovalFacts],
    members: Members,
    *,
    head: Commit,
    guarding: Sequence[str] = (),
    forge: Forge = "local",
) -> Verdict:
    """Pass when the required roles can be given to as many different people who approved `head`, and no holder of
    one objects. `guarding` are the changed paths that the guard rests on, or why they are not known; `forge` is where
    people approve."""
    if isinstance(facts, Unknown):
        return undecided(ID, TITLE, facts, code="approvals.unknown")
    roles = tuple(dict.fromkeys((*rule.roles, *(OWNERS if guarding else ()))))
    unknown = (*_unknown_authorship(rule, facts.value), *_unknown_members(roles, members))
    sorted_ = _sort(rule, facts.value, head=head)
    eligible = {role: _eligible(role, sorted_.counted, members) for role in roles}
    given = match_roles(eligible)
    asked = [role for role in roles if role not in given and isinstance(members.get(role), Known)]
    because = f"; both owners are needed, because {guarding[0]} changes" if guarding else ""
    first = _deeds(_unknown_authorship(rule, facts.value, approved=True))
    missing = (
        _missing(
            role, eligible, given, sorted_, members, head=head, because=because, first=first, forge=forge
        )
        for role in asked
    )
    findings = (*unknown, *_objections(facts.value, members, roles, forge=forge), *missing)
    if findings:
        return blocked(ID, TITLE, *findings)
    summary = f"Approved: {', '.join(f'{role} owner' for role in roles)}"
    return Verdict(ID, TITLE, Outcome.PASS, summary=summary)


def approved_roles(
    rule: ApprovalRule, facts: Fact[ApprovalFacts], members: Members, *, head: Commit
) -> frozenset[str]:
    """The roles of which some member's approval of `head` counts; unknown facts, and an objection, give none. Where it
    is not known who holds a role, whoever objects may hold it."""
    if isinstance(facts, Unknown) or _unknown_authorship(rule, facts.value):
        return frozenset()
    if facts.value.objections and any(isinstance(fact, Unknown) for fact in members.values()):
        return frozenset()
    if any(_held(one, members, tuple(members)) for one in facts.value.objections):
        return frozenset()
    counted = _sort(rule, facts.value, head=head).counted
    return frozenset(role for role in members if _eligible(role, counted, members))


def approval_deeds(
    rule: ApprovalRule,
    facts: Fact[ApprovalFacts],
    members: Members,
    *,
    head: Commit,
    forge: Forge = "local",
) -> dict[str, tuple[Deed, ...]]:
    """What has to be done before `approved_roles` gives each of the roles that it does not give."""
    if isinstance(facts, Unknown):
        unread = _deeds(undecided(ID, TITLE, facts, code="approvals.unknown").findings)
        return dict.fromkeys(members, unread)
    first = (
        *_deeds(_unknown_authorship(rule, facts.value, approved=True)),
        *_deeds(_objections(facts.value, members, tuple(members), forge=forge)),
        *(_deeds(_unknown_members(tuple(members), members)) if facts.value.objections else ()),
    )
    counted = _sort(rule, facts.value, head=head).counted
    found = {}
    for role, holders in members.items():
        if isinstance(holders, Unknown):
            own = _deeds(_unknown_members((role,), members))
        else:
            ask = Deed(_ask(role, head, "a", forge), (role,))
            own = () if _eligible(role, counted, members) else (ask,)
        found[role] = (*first, *own)
    return found


def _deeds(findings: Sequence[Finding]) -> tuple[Deed, ...]:
    return tuple(dict.fromkeys(deed for one in findings for way in deeds_of(one) for deed in way))


def _ask(role: str, head: Commit, another: str, forge: Forge) -> str:
    return f"ask {another} {role} owner to approve {head[:10]}{approve(forge, head)}"


def match_roles(eligible: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Give as many roles as possible to different people (maximum bipartite matching, Kuhn's algorithm).

    A greedy choice would fail where ann holds both roles and bob one of them, depending on who is looked at first.
    """
    holder: dict[str, str] = {}

    def give(role: str, tried: set[str]) -> bool:
        for person in eligible[role]:
            if person in tried:
                continue
            tried.add(person)
            if person not in holder or give(holder[person], tried):
                holder[person] = role
                return True
        return False

    for role in eligible:
        give(role, set())
    return {role: person for person, role in holder.items()}


def _sort(rule: ApprovalRule, facts: ApprovalFacts, *, head: Commit) -> _Sorted:
    counted, passed_over = [], []
    for approval in sorted(facts.approvals, key=lambda one: (one.actor, one.commit, one.at)):
        hands = [
            kind for kind in rule.not_by if _is_one_of(approval.actor, facts.authors.get(kind, frozenset()))
        ]
        if approval.is_bot or approval.void:
            passed_over.append((approval, "is a bot" if approval.is_bot else approval.void))
        elif hands:
            passed_over.append((approval, f"is the change's {' and '.join(hands)}"))
        elif approval.commit != head and facts.kept.get(approval.commit) not in rule.keep:
            passed_over.append((approval, _stale(approval, facts)))
        else:
            counted.append(approval)
    return _Sorted(tuple(counted), tuple(passed_over))


def _stale(approval: Approval, facts: ApprovalFacts) -> str:
    """Who approved what when, and what the policy could do about it."""
    kept = facts.kept.get(approval.commit)
    could = f" (what came since is a mere {kept}; [approvals] keep does not name that)" if kept else ""
    return f"approved {approval.commit[:10]} at {_when(approval.at)}, not this head{could}"


def _when(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _is_one_of(actor: str, names: frozenset[str]) -> bool:
    return actor.strip().casefold() in {name.strip().casefold() for name in names}


def _eligible(role: str, counted: Sequence[Approval], members: Members) -> tuple[str, ...]:
    """The people, each once whatever the spelling, whose approval counts for the role."""
    holders = members.get(role, Unknown(""))
    if isinstance(holders, Unknown):
        return ()
    return tuple(sorted({one.actor.strip().casefold() for one in counted if one.actor in holders.value}))


def _objections(
    facts: ApprovalFacts, members: Members, roles: Sequence[str], *, forge: Forge
) -> tuple[Finding, ...]:
    """A holder of a role who asked for changes stops the proposal, whatever its head is by now, until they withdraw
    that; who holds no role, or no longer, stops nothing."""
    findings = []
    for one in sorted(facts.objections, key=lambda one: (one.actor, one.at)):
        if held := _held(one, members, roles):
            findings.append(_objection(one, held, forge=forge))
    return tuple(findings)


def _held(one: Objection, members: Members, roles: Sequence[str]) -> tuple[str, ...]:
    return tuple(role for role in roles if _holds(one.actor, members.get(role, Unknown(""))))


def _objection(one: Objection, held: tuple[str, ...], *, forge: Forge) -> Finding:
    said = f"; {one.dismissed_by} dismissed that, which only {one.actor} can" if one.dismissed_by else ""
    message = f"{one.actor}, {' and '.join(held)} owner, asked for changes at {_when(one.at)}{said}"
    fix = f"answer what {one.actor} asked for; {withdraw_objection(forge)}"
    deeds = ((Deed(fix, ("author",)),),)
    return Finding("approvals.changes-requested", message, one.source, fix, ("author", *held), deeds=deeds)


def _holds(actor: str, holders: Fact[frozenset[str]]) -> bool:
    return isinstance(holders, Known) and _is_one_of(actor, holders.value)


def _unknown_authorship(
    rule: ApprovalRule, facts: ApprovalFacts, *, approved: bool | None = None
) -> tuple[Finding, ...]:
    """Nobody can be told not to approve their own change when it is not known whose it is, which matters once somebody
    has `approved` it."""
    approved = bool(facts.approvals) if approved is None else approved
    unread = [kind for kind in rule.not_by if kind not in facts.authors and kind not in facts.unsure]
    if "proposer" in rule.not_by and approved and not facts.authors.get("proposer"):
        unread.append("proposer")
    unsure = {(one.why, one.fix, one.who): one for kind, one in facts.unsure.items() if kind in rule.not_by}
    found = tuple(
        Finding("approvals.authorship.unknown", one.why, fix=one.fix, who=one.who, outcome=Outcome.ERROR)
        for one in (unsure.values() if approved else ())
    )
    return found + tuple(
        Finding(
            "approvals.authorship.unknown",
            f"it is not known who is the {kind} of this change, so nobody can be told not to approve it",
            fix="open it anew, as somebody who is known (without a forge: guard propose)"
            if kind == "proposer"
            else "check the repository: git fsck",
            who=("author",) if kind == "proposer" else ("operator",),
            outcome=Outcome.ERROR,
        )
        for kind in dict.fromkeys(unread)
    )


def _unknown_members(roles: Sequence[str], members: Members) -> tuple[Finding, ...]:
    findings = []
    for role in roles:
        fact = members.get(
            role, Unknown(f"the policy has no role {role}", f"add [roles.{role}]", ("release-owner",))
        )
        if isinstance(fact, Known):
            continue
        why = f"who holds the role {role} is not known: {fact.why}"
        findings.append(
            Finding(f"approvals.{role}.unknown", why, fix=fact.fix, who=fact.who, outcome=Outcome.ERROR)
        )
    return tuple(findings)


def _missing(
    role: str,
    eligible: Mapping[str, Sequence[str]],
    given: Mapping[str, str],
    sorted_: _Sorted,
    members: Members,
    *,
    head: Commit,
    because: str = "",
    first: tuple[Deed, ...] = (),
    forge: Forge = "local",
) -> Finding:
    """`first` is what has to be done before any approval counts."""
    if eligible[role]:
        serving = "; ".join(
            f"{person} counts for {other}" for other, person in given.items() if person in eligible[role]
        )
        why = f"no second person of the role {role} approved {head[:10]}: {serving}"
    else:
        why = f"no {role} owner's approval of {head[:10]} counts"
        reasons = _not_counted(role, sorted_, members)
        why += f": {reasons}" if reasons else ""
    fix = _ask(role, head, "another" if eligible[role] else "a", forge)
    return Finding(
        f"approvals.{role}.missing",
        why + because,
        fix=fix,
        who=(role,),
        outcome=Outcome.MISSING,
        deeds=((*first, Deed(fix, (role,))),),
    )


def _not_counted(role: str, sorted_: _Sorted, members: Members) -> str:
    """Which approvals stand and do not help this role, and why: stale, of one's own change, by no member."""
    fact = members.get(role)
    holders = fact.value if isinstance(fact, Known) else frozenset()
    reasons = [f"{one.actor} {why}" for one, why in sorted_.passed_over]
    reasons += [f"{one.actor} does not hold the role" for one in sorted_.counted if one.actor not in holders]
    reasons = list(dict.fromkeys(reasons))
    more = f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
    return "; ".join(reasons[:NAMED]) + more
