"""A delivery says "look again": fetch, gather afresh, decide by the target's policy, record, and then publish.

A status is per commit, so what is decided is a branch and a head; proposals that share a head share its decision.
Nothing here trusts the event that woke it, and every step can be done twice: a decision is recorded when it differs
from the one on record, and what stands on the forge already is not said again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from guard.core.errors import ForgeError, GuardError, Refused
from guard.core.facts import Proposal
from guard.core.forge_facts import Comment, Wake
from guard.core.model import Commit, Decision, Outcome, Unknown
from guard.core.policy import Policy
from guard.journeys.alarm import open_alarm
from guard.journeys.asking import read_policy
from guard.journeys.commands import Post, obey
from guard.journeys.decisions import head_is_known
from guard.journeys.judging import judge, upstream_of
from guard.journeys.office import Matter, Office
from guard.journeys.protecting import watch_protection
from guard.journeys.publish import put_comment, withdraw_status
from guard.journeys.rechecking import revoke_no_go, revoke_unproposed
from guard.journeys.speaking import publish, say_undecided, say_waiting
from guard.journeys.watching import watch
from guard.ports import Telling, Voice
from guard.render.comment import superseded_comment
from guard.render.status import superseded_status

__all__ = ["Busy", "Matter", "NotYet", "Office", "give_up", "look_again", "matters"]

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
            say_undecided(matter, why, "ask the operator to look into the service's log", office)


WATCHED = frozenset({"everything", "branch", "proposal"})
"""The wakes at which the protected branches are compared with what the ledger expects. An event only says "look
again": a push that never was changes nothing, and a push whose event is lost is found by the sweep."""


def _look(wake: Wake, office: Office, *, last: bool) -> list[GuardError]:
    failures: list[GuardError] = []
    watched = office.branches if wake.kind in WATCHED else ()
    for branch in watched:
        # Before anything is decided, so that a decision made just now already knows of the hold.
        failures += _attempt(partial(_watch, branch, office))
        if wake.kind == "everything":
            failures += _attempt(partial(watch_protection, branch, office))
    opened = {branch: office.forge.proposals(branch) for branch in office.branches}
    still_open = {one.id for fact in opened.values() if not isinstance(fact, Unknown) for one in fact.value}
    for branch, fact in opened.items():
        if isinstance(fact, Unknown):
            failures += _unreadable(branch, fact, wake, office, last=last)
            continue
        concerned = matters(branch, fact.value, wake, told=office.memory.told(branch))
        for telling in office.memory.told(branch):
            failures += _attempt(partial(_settle, telling, fact.value, still_open, office))
        handle = [partial(_handle, matter, office, last=last) for matter in concerned]
        for step in handle:
            failures += _attempt(step)
        if branch in watched and _ended_by_command(branch, office, failures):
            for step in handle:
                failures += _attempt(step)
    return failures


def _watch(branch: str, office: Office) -> None:
    watch(branch, office)


def _ended_by_command(branch: str, office: Office, failures: list[GuardError]) -> bool:
    """Whether what people said in the comments just read ended an alarm, so that it has to be decided once more."""
    if open_alarm(office.ledger, f"refs/heads/{branch}") is None:
        return False
    try:
        return watch(branch, office)
    except GuardError as error:
        failures.append(error)
        return False


def matters(
    branch: str, proposals: Sequence[Proposal], wake: Wake, *, told: Sequence[Telling] = ()
) -> tuple[Matter, ...]:
    """The heads that the wake has to do with. A proposal has to do with the head that was told of it last, too:
    another may have the same. A branch may be a source, a target or an upstream, so it stands for all that is open."""
    if wake.kind == "queue":
        return _queued(branch, proposals, wake.key)
    heads = {one.head: None for one in proposals if _concerns(wake, one)}
    if wake.kind == "proposal":
        before = {telling.head for telling in told if telling.proposal == wake.key}
        heads |= {one.head: None for one in proposals if one.head in before}
    return tuple(Matter(branch, head, tuple(one for one in proposals if one.head == head)) for head in heads)


def _queued(branch: str, proposals: Sequence[Proposal], key: str) -> tuple[Matter, ...]:
    """What a merge queue made is judged like any head: it is a proposal's, or it is no candidate."""
    base, head, ref = key.split(" ")
    if base != branch:
        return ()
    return (Matter(branch, Commit(head), tuple(one for one in proposals if one.head == head), queue=ref),)


def _is_queued(matter: Matter, office: Office) -> bool:
    """Whether the queue still has the commit; else nobody waits for a word about it."""
    ref = matter.queue if matter.queue.startswith("refs/") else f"refs/heads/{matter.queue}"
    return office.sources.git.resolve(ref) == matter.head


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
    comments: dict[str, Sequence[Comment]] = {}
    try:
        _refresh(matter, office)
        if matter.queue and not _is_queued(matter, office):
            return
        trouble = _attempt(partial(_obey, matter, office, comments, last=last))
        judged = judge(office.repository, matter.branch, matter.head, office.sources)
    except GuardError as error:
        if not last:
            raise
        revoke_unproposed(matter.branch, matter.head, office, why=f"it could not be decided: {error.message}")
        say_undecided(matter, error.message, error.fix, office)
        return
    revoke_no_go(judged.decision, office, last=last)
    unread = _worth_another_try(judged.decision)
    if unread and judged.decision.exit_status == 2 and not last:
        say_waiting(matter, unread, office)
        raise NotYet(unread)
    office.check()
    publish(matter, judged, office, comments=comments)
    if unread and not last:
        raise NotYet(unread)
    if trouble:
        raise trouble[0]


def _refresh(matter: Matter, office: Office) -> None:
    office.refresh((matter.branch, *([matter.queue] if matter.queue else [])), matter.proposals)
    upstream = upstream_of(office.sources, matter.branch)
    if upstream is not None:
        office.refresh((upstream,), ())


def _obey(matter: Matter, office: Office, comments: dict[str, Sequence[Comment]], *, last: bool) -> None:
    """Carry out what people told the guard in comments, before it is decided. `comments` is filled with all there are.
    Where no policy can be used, nobody may tell the guard anything."""
    target = office.sources.git.resolve(f"refs/heads/{matter.branch}")
    if office.voice is None or target is None:
        return
    policy = read_policy(office.sources, target, matter.branch)
    for proposal in matter.proposals:
        found = office.voice.comments(proposal)
        if not isinstance(policy, Unknown):
            known = head_is_known(proposal, office)
            table = policy.value.policy
            obey(found, _post(proposal, table, office, office.voice, last=last, head_is_known=known))
        comments[proposal.id] = found


def _post(
    proposal: Proposal, policy: Policy, office: Office, voice: Voice, *, last: bool, head_is_known: bool
) -> Post:
    return Post(
        repository=office.repository,
        proposal=proposal,
        policy=policy,
        forge=office.forge,
        voice=voice,
        ledger=office.ledger,
        clock=office.clock,
        check=office.check,
        head_is_known=head_is_known,
        last=last,
    )


def _worth_another_try(decision: Decision) -> str:
    """The first thing that could not be read just now, or ""."""
    for verdict in decision.blockers:
        if verdict.id in ASKED_ELSEWHERE:
            for finding in verdict.findings:
                if finding.outcome is Outcome.ERROR:
                    return finding.message
    return ""


def _settle(told: Telling, opened: Sequence[Proposal], still_open: set[str], office: Office) -> None:
    """Take back what was said about a head that is not the proposal's any more. What was promoted stays as it is."""
    mine = next((one for one in opened if one.id == told.proposal), None)
    if not told.head or (mine is not None and mine.head == told.head):
        return
    if not any(one.head == told.head for one in opened):
        revoke_unproposed(told.branch, told.head, office, why="it is no open proposal's head any more")
    if office.voice is not None and not any(one.head == told.head for one in opened):
        office.refresh((told.branch,), ())
        if not _is_on_branch(told, office):
            office.check()
            withdraw_status(
                office.voice,
                told.head,
                superseded_status(told.branch, url=office.page(told.branch, told.head)),
            )
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
            failures += _attempt(partial(say_undecided, matter, fact.why, fact.fix, office))
    return failures if last else [ForgeError(fact.why, fix=fact.fix)]
