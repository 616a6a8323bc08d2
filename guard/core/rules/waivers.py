"""Waivers: one finding of one gate let pass for a time, because the policy's people said so.

A waiver is never more than the policy allows: for what it cannot waive, without enough different people, after its
time, or for another commit it counts for nothing, and the decision says why.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from guard.core.durations import format_duration
from guard.core.facts import DebtEntry, Waiver, WaiverFacts
from guard.core.model import Candidate, Fact, Finding, Known, Outcome, Unknown, Verdict, WaiverUse
from guard.core.rules.approvals import Members, match_roles

if TYPE_CHECKING:
    from guard.core.policy import Policy, TechDebt, Waivers

INCIDENTS = "incidents"
"""What a waiver of an open incident names in place of a gate."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a waiver comes to: it stands where there is no reason in `why`, `until` it or what it rests on
    ends. `approvers` are those who count."""

    waiver: Waiver
    approvers: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiving:
    """All that findings are held against: the rulings by gate and finding, and whether an error can be waived."""

    rulings: Mapping[tuple[str, str], tuple[Ruling, ...]]
    errors: bool = False

    def over(self, gate: str, findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], datetime | None]:
        """The findings, each with its id, the waived ones as such; and when the first of these waivers ends."""
        named = [replace(finding, id=finding_id(finding)) for finding in findings]
        if not self.rulings:
            return tuple(named), None
        judged, ends = [], []
        for finding in named:
            until = self._until(gate, finding)
            judged.append(replace(finding, outcome=Outcome.WAIVED) if until else finding)
            ends += [until] if until else []
        return tuple(judged), min(ends, default=None)

    def _until(self, gate: str, finding: Finding) -> datetime | None:
        """When the last waiver that lets this finding pass ends; None where none does."""
        if finding.outcome is Outcome.ERROR and not self.errors:
            return None
        standing = [one for one in self.rulings.get((gate, finding.id), ()) if not one.why]
        return max((one.until or one.waiver.expires_at for one in standing), default=None)


NOTHING_WAIVED = Waiving({})


def finding_id(finding: Finding) -> str:
    """`code:` and the first 64 bits of the SHA-256 of its code, place and message, as 16 hex digits."""
    content = f"{len(finding.code)}:{finding.code}{len(finding.where)}:{finding.where}{finding.message}"
    return f"{finding.code}:{hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def judge_waivers(
    policy: Policy, facts: WaiverFacts, members: Members, *, candidate: Candidate, now: datetime
) -> Waiving:
    """A ruling on every waiver that is about this branch. Without a table [waivers] nothing can be waived."""
    rule = policy.waivers
    asked = facts.asked.value if isinstance(facts.asked, Known) else ()
    mandatory = {gate.id: gate.mandatory for gate in policy.gates}
    times = Counter(waiver.id for waiver in asked)
    found: dict[tuple[str, str], list[Ruling]] = {}
    for waiver in asked:
        if waiver.target != candidate.branch:
            continue
        if rule is None:
            ruling = Ruling(waiver, why=("the policy has no table [waivers]: nothing can be waived",))
        else:
            approvers, lacking = _people(rule, waiver, members)
            why = (
                *(("its id is there more than once",) if times[waiver.id] > 1 else ()),
                *_scope(rule, waiver, mandatory),
                *_commit(rule, waiver, candidate),
                *_time(rule, waiver, now),
                *_entry(rule, waiver, facts.entries, now),
                *lacking,
            )
            ruling = Ruling(waiver, approvers, why, _until(waiver, facts.entries))
        found.setdefault((waiver.gate, waiver.finding), []).append(ruling)
    for waiver in _listed(rule, facts.entries, candidate) if rule else ():
        why = (
            *(_scope(rule, waiver, mandatory) if rule else ()),
            *(_entry(rule, waiver, facts.entries, now) if rule else ()),
            *_expired(waiver, now),
        )
        found.setdefault((waiver.gate, waiver.finding), []).append(
            Ruling(waiver, (), why, _until(waiver, facts.entries))
        )
    return Waiving({key: tuple(rulings) for key, rulings in found.items()}, bool(rule and rule.errors))


def uses(waiving: Waiving, verdicts: Iterable[Verdict]) -> tuple[WaiverUse, ...]:
    """What is told of waivers: those of findings that are there, whether they count or not, and those that stand
    although nothing needs them. A past or refused waiver of something that is not there is not told."""
    there: dict[tuple[str, str], Finding] = {}
    for verdict in verdicts:
        there.update({(verdict.id, finding.id): finding for finding in verdict.findings if finding.id})
    told = []
    for key, rulings in waiving.rulings.items():
        finding = there.get(key)
        for ruling in rulings:
            if finding is not None and finding.outcome is not Outcome.WAIVED and not ruling.why:
                told.append(_use(ruling, "refused", (_NO_ERRORS,)))
            elif finding is not None:
                told.append(_use(ruling, "refused" if ruling.why else "used"))
            elif not ruling.why:
                told.append(_use(ruling, "unneeded"))
    return tuple(sorted(told, key=lambda use: (use.gate, use.finding, use.id)))


_NO_ERRORS = "the finding is an error: what is not known cannot be waived under this policy"


def _use(ruling: Ruling, state: str, why: tuple[str, ...] = ()) -> WaiverUse:
    waiver = ruling.waiver
    return WaiverUse(
        id=waiver.id,
        gate=waiver.gate,
        finding=waiver.finding,
        reason=waiver.reason,
        requester=waiver.requester,
        approvers=ruling.approvers,
        expires_at=ruling.until or waiver.expires_at,
        state=state,
        entry=waiver.entry,
        why=ruling.why or why,
    )


def _scope(rule: Waivers, waiver: Waiver, mandatory: Mapping[str, bool]) -> tuple[str, ...]:
    """What of it the policy does not let anybody waive."""
    why = []
    code = waiver.finding.rpartition(":")[0]
    if waiver.gate == INCIDENTS and not rule.incidents:
        why.append("the policy lets nobody waive an incident")
    if waiver.gate not in mandatory:
        why += [] if waiver.gate == INCIDENTS else [f"the policy has no gate {waiver.gate}"]
    elif mandatory[waiver.gate] and not _any_fits(waiver.gate, rule.mandatory):
        why.append(f"{waiver.gate} is mandatory, and the policy lets nobody waive it")
    elif not mandatory[waiver.gate] and not _any_fits(waiver.gate, rule.gates):
        why.append(f"the policy lets nobody waive {waiver.gate}")
    if not _any_fits(code, rule.findings):
        why.append(f"the policy lets nobody waive a finding {code}")
    return tuple(why)


def _any_fits(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _commit(rule: Waivers, waiver: Waiver, candidate: Candidate) -> tuple[str, ...]:
    if waiver.commit is None:
        return () if rule.any_commit else ("it names no commit, and the policy wants one",)
    if waiver.commit == candidate.new:
        return ()
    return (f"it is for {waiver.commit[:10]}, not for {candidate.new[:10]}",)


def _time(rule: Waivers, waiver: Waiver, now: datetime) -> tuple[str, ...]:
    if waiver.expires_at - waiver.requested_at > rule.longest:
        return (f"it asks for more than the {format_duration(rule.longest)} of the policy",)
    return _expired(waiver, now)


def _expired(waiver: Waiver, now: datetime) -> tuple[str, ...]:
    return (f"it expired on {waiver.expires_at:%Y-%m-%d %H:%M} UTC",) if waiver.expires_at <= now else ()


def _people(rule: Waivers, waiver: Waiver, members: Members) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those whose yes counts, and what is lacking: a holder of each role, all different, none the requester."""
    own = waiver.requester.strip().casefold()
    roles = tuple(dict.fromkeys(rule.roles))
    seats = roles if len(roles) > 1 else (roles[0], roles[0])
    able = {
        f"{role}#{seat}": _able(waiver, members.get(role, Unknown("")), own)
        for seat, role in enumerate(seats)
    }
    given = match_roles(able)
    people = tuple(sorted(given.values()))
    lacking = dict.fromkeys(key.partition("#")[0] for key in able if key not in given)
    why = [f"no {'second ' if role in _roles(given) else ''}{role} owner approved it" for role in lacking]
    if lacking and any(consent.actor.strip().casefold() == own for consent in waiver.consents):
        why.append(f"{waiver.requester} asked for it and cannot approve it")
    if lacking and people:
        why.append(f"{', '.join(people)} counts once")
    return people, tuple(why)


def _roles(given: Mapping[str, str]) -> set[str]:
    return {key.partition("#")[0] for key in given}


def _able(waiver: Waiver, holders: Fact[frozenset[str]], own: str) -> tuple[str, ...]:
    """The people, each once whatever the spelling, who hold the role and did not ask themselves."""
    if isinstance(holders, Unknown):
        return ()
    people = {one.actor.strip().casefold() for one in waiver.consents if one.actor in holders.value}
    return tuple(sorted(people - {own}))


def _entry(
    rule: Waivers, waiver: Waiver, entries: Fact[tuple[DebtEntry, ...]], now: datetime
) -> tuple[str, ...]:
    """A waiver that rests on an entry of the tech debt register stands only while the entry does."""
    if not waiver.entry:
        return ()
    if rule.tech_debt is None:
        return (f"it rests on {waiver.entry}, and the policy names no tech debt register",)
    path = rule.tech_debt.path
    if isinstance(entries, Unknown):
        return (f"{path} could not be read: {entries.why}",)
    found = [entry for entry in entries.value if entry.id == waiver.entry]
    if len(found) != 1:
        return (f"{path} has {'more than one' if found else 'no'} entry {waiver.entry} on upstream",)
    if not _carries(rule.tech_debt, found[0]):
        return (f"{waiver.entry} is {found[0].state or 'without a state'} in {path}",)
    if found[0].expires_at is not None and found[0].expires_at <= now:
        return (f"{waiver.entry} expired on {found[0].expires_at:%Y-%m-%d}",)
    return ()


def _until(waiver: Waiver, entries: Fact[tuple[DebtEntry, ...]]) -> datetime:
    """When it ends, or the entry that it rests on, if that is sooner."""
    listed = entries.value if waiver.entry and isinstance(entries, Known) else ()
    ends = [entry.expires_at for entry in listed if entry.id == waiver.entry and entry.expires_at]
    return min([waiver.expires_at, *ends])


def _carries(register: TechDebt, entry: DebtEntry) -> bool:
    return entry.state.casefold() in {state.casefold() for state in register.states}


def _listed(rule: Waivers, entries: Fact[tuple[DebtEntry, ...]], candidate: Candidate) -> tuple[Waiver, ...]:
    """The entries that are waivers by themselves, where the policy says that being listed is enough."""
    if rule.tech_debt is None or not rule.tech_debt.suffices or isinstance(entries, Unknown):
        return ()
    return tuple(
        Waiver(
            id=f"{rule.tech_debt.path}#{entry.id}",
            target=candidate.branch,
            gate=entry.gate,
            finding=entry.finding,
            commit=None,
            reason=entry.reason or entry.id,
            requester="",
            requested_at=entries.observed_at,
            expires_at=entry.expires_at,
            entry=entry.id,
        )
        for entry in entries.value
        if entry.gate and entry.finding and entry.expires_at
    )
