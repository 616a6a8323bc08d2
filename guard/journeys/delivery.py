"""A delivery says "look again": fetch, gather afresh, decide by the target's policy, record, and then publish.

A status is per commit, so what is decided is a branch and a head; proposals that share a head share its decision.
Nothing here trusts the event that woke it, and every step can be done twice: a decision is recorded when it differs
from the one on record, and what stands on the forge already is not said again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from guard.core.canonical import digest_of
from guard.core.errors import ForgeError, GuardError, Refused
from guard.core.facts import CommitStatus, Proposal, Wake
from guard.core.model import Commit, Decision, Outcome, Unknown
from guard.journeys.gather import Sources
from guard.journeys.judging import Judged, judge, upstream_of
from guard.journeys.publish import post_status, protection_warnings, put_comment, withdraw_status
from guard.ports import Clock, Entry, Forge, Ledger, Memory, Telling, Voice
from guard.render.comment import Subject, decision_comment, superseded_comment, undecided_comment
from guard.render.decision_json import decision_document
from guard.render.status import (
    context_of,
    decision_status,
    superseded_status,
    undecided_status,
    waiting_status,
)

LOCK = "refs/guard/service"
"""The lock under which one process at a time decides and publishes for a repository: an older decision must not
overwrite a newer one, and two must not both find that there is no comment yet."""

ASKED_ELSEWHERE = frozenset({"candidate", "lineage", "approvals", "incidents"})
"""The verdicts made of what a forge or git was asked just now; their errors may be gone the next time."""


class NotYet(GuardError):
    """Something could not be read; it is worth another try."""

    code = "delivery.not-yet"


class Busy(Refused):
    """Another process works on this repository."""

    code = "delivery.busy"


@dataclass(frozen=True, slots=True)
class Office:
    """What a delivery is worked on with.

    `branches` are the protected ones; `voice` is None where there is no forge to speak on; `refresh` brings branches
    and proposals' heads into the repository that `sources.git` reads; `url` is the page that statuses link to;
    `check` raises when somebody else may have taken this work over; `tell` takes a line for the log.
    """

    repository: str
    branches: tuple[str, ...]
    forge: Forge
    voice: Voice | None
    sources: Sources
    ledger: Ledger
    memory: Memory
    clock: Clock
    refresh: Callable[[Iterable[str], Sequence[Proposal]], None]
    check: Callable[[], None]
    tell: Callable[[str], None]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Matter:
    """One head of one branch, with the open proposals that it is the head of; none, when it no longer is any's."""

    branch: str
    head: Commit
    proposals: tuple[Proposal, ...]


def look_again(wake: Wake, office: Office, *, last: bool = False) -> None:
    """Decide and publish whatever the wake has to do with.

    Raises Busy; and the first of what went wrong, after everything else was done. On the `last` try that is
    published too ("could not decide: …"), and only what could not even be said is raised.
    """
    try:
        lock = office.ledger.branch_lock(LOCK)
        with lock:
            failures = _look(wake, office, last=last)
    except Refused as error:
        if error.code == "promotion.locked":
            raise Busy("another process works on this repository", fix="wait") from None
        raise
    if failures:
        raise failures[0]


def give_up(wake: Wake, office: Office, *, why: str) -> None:
    """Say on everything that the wake has to do with that it could not be decided. Raises GuardError where not even
    that can be said."""
    for branch in office.branches:
        fact = office.forge.proposals(branch)
        if isinstance(fact, Unknown):
            raise ForgeError(fact.why, fix=fact.fix)
        for matter in matters(branch, fact.value, wake, told=office.memory.told(branch)):
            _say_undecided(matter, why, "ask the operator to look into the service's log", office)


def _look(wake: Wake, office: Office, *, last: bool) -> list[GuardError]:
    opened = {branch: office.forge.proposals(branch) for branch in office.branches}
    failures: list[GuardError] = []
    still_open = {one.id for fact in opened.values() if not isinstance(fact, Unknown) for one in fact.value}
    for branch, fact in opened.items():
        if isinstance(fact, Unknown):
            failures += _unreadable(branch, fact, wake, office, last=last)
            continue
        concerned = matters(branch, fact.value, wake, told=office.memory.told(branch))
        for telling in office.memory.told(branch):
            failures += _attempt(partial(_settle, telling, fact.value, still_open, office))
        for matter in concerned:
            failures += _attempt(partial(_handle, matter, office, last=last))
    return failures


def matters(
    branch: str, proposals: Sequence[Proposal], wake: Wake, *, told: Sequence[Telling] = ()
) -> tuple[Matter, ...]:
    """The heads that the wake has to do with. A proposal has to do with the head that was told of it last, too:
    another may have the same. A branch may be a source, a target or an upstream, so it stands for all that is open."""
    heads = {one.head: None for one in proposals if _concerns(wake, one)}
    if wake.kind == "proposal":
        before = {telling.head for telling in told if telling.proposal == wake.key}
        heads |= {one.head: None for one in proposals if one.head in before}
    return tuple(Matter(branch, head, tuple(one for one in proposals if one.head == head)) for head in heads)


def _concerns(wake: Wake, proposal: Proposal) -> bool:
    named = {"proposal": proposal.id, "commit": proposal.head}.get(wake.kind)
    return named is None or named == wake.key


def _attempt(step: Callable[[], None]) -> list[GuardError]:
    """One proposal's trouble must not keep the others waiting."""
    try:
        step()
    except GuardError as error:
        return [error]
    return []


def _handle(matter: Matter, office: Office, *, last: bool) -> None:
    try:
        judged = _judge(matter, office)
    except GuardError as error:
        if not last:
            raise
        _say_undecided(matter, error.message, error.fix, office)
        return
    unread = _worth_another_try(judged.decision)
    if unread and judged.decision.exit_status == 2 and not last:
        _say_waiting(matter, unread, office)
        raise NotYet(unread)
    office.check()
    _publish(matter, judged, office)
    if unread and not last:
        raise NotYet(unread)


def _judge(matter: Matter, office: Office) -> Judged:
    office.refresh((matter.branch,), matter.proposals)
    upstream = upstream_of(office.sources, matter.branch)
    if upstream is not None:
        office.refresh((upstream,), ())
    return judge(office.repository, matter.branch, matter.head, office.sources)


def _worth_another_try(decision: Decision) -> str:
    """The first thing that could not be read just now, or ""."""
    for verdict in decision.blockers:
        if verdict.id in ASKED_ELSEWHERE:
            for finding in verdict.findings:
                if finding.outcome is Outcome.ERROR:
                    return finding.message
    return ""


def _publish(matter: Matter, judged: Judged, office: Office) -> None:
    """Record first, then say it. Both again after a crash: the record is found, and so is the comment."""
    decision = judged.decision
    records = {one.id: _record(one, decision, office) for one in matter.proposals}
    word = "GO" if decision.allowed else "NO-GO"
    office.tell(f"{matter.branch} → {matter.head[:10]}: {word}")
    if office.voice is None:
        return
    # The status comes first: a merge may wait for it, and a GO that does not hold any more must go at once.
    post_status(office.voice, matter.head, replace(decision_status(decision), url=office.url))
    warnings = protection_warnings(office.voice, matter.branch)
    for warning in warnings:
        office.tell(f"protection of {matter.branch}: {warning}")
    for proposal in matter.proposals:
        subject = Subject(records[proposal.id], judged.lineage, judged.roles, warnings)
        put_comment(office.voice, proposal, decision_comment(decision, subject))


def _record(proposal: Proposal, decision: Decision, office: Office) -> str:
    """The digest of the decision on record, which is put there unless the last one on this proposal says the same.

    Decisions on a proposal are numbered. Where a crash, or a lost memory, left the number behind the ledger, the
    ledger's own last one is found by going on from there.
    """
    document, before = decision_document(decision), _told(proposal, office)
    count, latest = before.count, _entry(proposal, before.count, office)
    while (following := _entry(proposal, count + 1, office)) is not None:
        count, latest = count + 1, following
    if latest is None or _substance(_body(latest)) != _substance(document):
        count, latest = count + 1, _append(proposal, count + 1, decision, document, office)
    office.memory.remember(replace(before, head=proposal.head, count=count))
    return str(latest.body["digest"])


def _append(
    proposal: Proposal, number: int, decision: Decision, document: dict[str, Any], office: Office
) -> Entry:
    body = {
        "proposal": proposal.id,
        "ref": decision.candidate.ref,
        "digest": digest_of(document),
        "outcome": document["outcome"],
        "allowed": decision.allowed,
        "decision": document,
    }
    once = _once(proposal, number)
    return office.ledger.append("decision.recorded", body, at=office.clock.now(), once=once)


def _told(proposal: Proposal, office: Office) -> Telling:
    told = (one for one in office.memory.told(proposal.target) if one.proposal == proposal.id)
    return next(told, Telling(proposal.target, proposal.id, proposal.head, 0))


def _entry(proposal: Proposal, number: int, office: Office) -> Entry | None:
    return office.ledger.find(_once(proposal, number))


def _once(proposal: Proposal, number: int) -> str:
    return f"decision:{proposal.target}:{proposal.id}:{number}"


def _body(entry: Entry) -> Mapping[str, Any]:
    decision = entry.body.get("decision")
    return decision if isinstance(decision, Mapping) else {}


def _substance(document: Mapping[str, Any]) -> str:
    """What a decision says, without when it was made and where upstream stood then: a push to upstream that
    changes no verdict is nothing to tell."""
    said = {name: value for name, value in document.items() if name not in {"decided_at", "candidate"}}
    candidate = {name: value for name, value in document.get("candidate", {}).items() if name != "upstream"}
    return digest_of({**said, "candidate": candidate})


def _settle(told: Telling, opened: Sequence[Proposal], still_open: set[str], office: Office) -> None:
    """Take back what was said about a head that is not the proposal's any more. What was promoted stays as it is."""
    mine = next((one for one in opened if one.id == told.proposal), None)
    if not told.head or (mine is not None and mine.head == told.head):
        return
    if office.voice is not None and not any(one.head == told.head for one in opened):
        office.refresh((told.branch,), ())
        if not _is_on_branch(told, office):
            office.check()
            withdraw_status(office.voice, told.head, replace(superseded_status(told.branch), url=office.url))
            if told.proposal not in still_open:
                gone = Proposal(told.proposal, told.branch, told.head, "", None)
                put_comment(office.voice, gone, superseded_comment(told.branch), create=False)
    if mine is None:
        # The count goes on when it is opened again.
        office.memory.remember(replace(told, head=Commit("")))


def _is_on_branch(told: Telling, office: Office) -> bool:
    git = office.sources.git
    target = git.resolve(f"refs/heads/{told.branch}")
    known = git.resolve(told.head) is not None
    return known and target is not None and git.descends(target, told.head)


def _unreadable(branch: str, fact: Unknown, wake: Wake, office: Office, *, last: bool) -> list[GuardError]:
    """Which proposals are open is not known. What was said last is taken back on the last try."""
    failures: list[GuardError] = []
    for told in office.memory.told(branch) if last else ():
        if told.head and wake.key in {"", told.proposal, told.head, branch}:
            proposal = Proposal(told.proposal, branch, told.head, "", None)
            matter = Matter(branch, told.head, (proposal,))
            failures += _attempt(partial(_say_undecided, matter, fact.why, fact.fix, office))
    return failures if last else [ForgeError(fact.why, fix=fact.fix)]


def _say_waiting(matter: Matter, why: str, office: Office) -> None:
    """A GO does not stand while it is not known whether it still holds."""
    if office.voice is not None:
        office.check()
        waiting = replace(waiting_status(matter.branch, why), url=office.url)
        there = office.voice.status(matter.head, context_of(matter.branch))
        if there is None or there.state == "success":
            office.voice.post_status(matter.head, waiting)


def _say_undecided(matter: Matter, why: str, fix: str, office: Office) -> None:
    office.tell(f"{matter.branch} → {matter.head[:10]}: could not decide: {why}")
    if office.voice is None:
        return
    office.check()
    status: CommitStatus = replace(undecided_status(matter.branch, why), url=office.url)
    post_status(office.voice, matter.head, status)
    for proposal in matter.proposals:
        put_comment(office.voice, proposal, undecided_comment((matter.branch, matter.head), why, fix))
