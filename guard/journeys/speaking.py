"""Saying a decision on the forge: the status first, then the one comment, and then whoever has to act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from guard.core.errors import GuardError
from guard.core.facts import Changes, Proposal
from guard.core.forge_facts import Comment, CommitStatus
from guard.core.model import Decision, Fact
from guard.core.unblock import unblock_plan
from guard.journeys.beside import beside
from guard.journeys.changes import read_changes
from guard.journeys.commands import answers
from guard.journeys.decisions import Recorded, record, record_queued, record_undecided
from guard.journeys.judging import Judged
from guard.journeys.office import Matter, Office
from guard.journeys.publish import post_status, protection_warnings, put_comment
from guard.render import board
from guard.render.comment import Subject, decision_comment, undecided_comment
from guard.render.decision_json import decision_document
from guard.render.safe import plain
from guard.render.since import since_last
from guard.render.status import context_of, decision_status, undecided_status, waiting_status

LOOKED_AT = 500
"""Entries of one kind that are looked at for one head."""


def publish(
    matter: Matter, judged: Judged, office: Office, *, comments: Mapping[str, Sequence[Comment]]
) -> None:
    """Record first, then say it. Both again after a crash: the record is found, and so is the comment. `comments` are
    those of a proposal, where they were read just now."""
    decision = judged.decision
    changes = _read_changes(decision, office)
    told = beside(judged, changes)
    records = {one.id: record(one, decision, office, beside=told) for one in matter.proposals}
    if not matter.proposals:
        record_queued(decision, office)
    word = "GO" if decision.allowed else "NO-GO"
    office.tell(f"{matter.branch} → {matter.head[:10]}: {word}")
    if office.voice is None:
        return
    # The status comes first: a merge may wait for it, and a GO that does not hold any more must go at once.
    url = office.page(matter.branch, matter.head)
    say(matter, replace(decision_status(decision), url=url), office)
    warnings = protection_warnings(office.voice, matter.branch)
    for warning in warnings:
        office.tell(f"protection of {matter.branch}: {warning}")
    for proposal in matter.proposals:
        subject = _subject(proposal, matter, judged, records[proposal.id], office, warnings, changes)
        text = decision_comment(decision, subject)
        put_comment(office.voice, proposal, text, comments=comments.get(proposal.id))
        if office.chat is not None:
            tell_owners(proposal, decision, office, roles=judged.roles)


def _read_changes(decision: Decision, office: Office) -> Fact[Changes] | None:
    if office.history is None:
        return None
    return read_changes(office.history, decision.candidate, now=office.clock.now())


def _subject(
    proposal: Proposal,
    matter: Matter,
    judged: Judged,
    recorded: Recorded,
    office: Office,
    warnings: tuple[str, ...],
    changes: Fact[Changes] | None,
) -> Subject:
    answered = answers(office.ledger, proposal)
    return Subject(
        record=recorded.digest,
        lineage=judged.lineage,
        roles=judged.roles,
        warnings=warnings,
        url=office.page(matter.branch, matter.head),
        changes=changes,
        since=since_last(recorded.before, decision_document(judged.decision)),
        answers=answered,
        strangers=strangers(matter, office),
        mentions=judged.mentions,
        explained=judged.explained(dict.fromkeys(one.gate for one in answered if one.gate)),
    )


def say(matter: Matter, status: CommitStatus, office: Office) -> None:
    """Have the status stand on the head, and put on record who had posted another one under its name."""
    if office.voice is None:
        return
    stranger = post_status(office.voice, matter.head, status)
    if stranger is None:
        return
    who, what = stranger.by or "somebody", stranger.state
    office.tell(f"{matter.branch} → {matter.head[:10]}: {who} had posted {what} under the guard's name")
    body = {"ref": f"refs/heads/{matter.branch}", "head": matter.head, "by": who, "state": what}
    office.ledger.append("status.overwritten", body, at=office.clock.now())


def strangers(matter: Matter, office: Office) -> tuple[str, ...]:
    """Who ever posted a status under the guard's name on this head."""
    entries = islice(office.ledger.entries("status.overwritten", newest_first=True), LOOKED_AT)
    return tuple(
        dict.fromkeys(str(one.body.get("by")) for one in entries if one.body.get("head") == matter.head)
    )


def tell_owners(
    proposal: Proposal, decision: Decision, office: Office, *, roles: Mapping[str, tuple[str, ...]]
) -> None:
    """Tell the chat who has to act on this head, each role once, and when it is GO. What cannot be told is told at the
    next look; an edit of the comment is none of its business."""
    waiting = dict.fromkeys(name for action in unblock_plan(decision) for name in action.who if name in roles)
    url = proposal.url or office.page(proposal.target, proposal.head)
    for word in waiting or ([board.word(decision)] if decision.allowed else []):
        once = f"told:{proposal.target}:{proposal.id}:{proposal.head}:{word}"
        if office.chat is None or office.ledger.find(once) is not None:
            continue
        text = f"{proposal.target}, proposal {proposal.id}: {decision_status(decision).description}"
        who = f" This waits for {word}." if word in roles else ""
        try:
            office.chat.say(f"{plain(text)}.{who} {url}".strip())
        except GuardError as error:
            office.tell(f"the chat was not told: {error.message}")
            return
        body = {"proposal": proposal.id, "target": proposal.target, "head": proposal.head, "role": word}
        office.ledger.append("owners.told", body, at=office.clock.now(), once=once)


def say_waiting(matter: Matter, why: str, office: Office) -> None:
    """A GO does not stand while it is not known whether it still holds."""
    if office.voice is not None:
        office.check()
        url = office.page(matter.branch, matter.head)
        there = office.voice.standing_status(matter.head, context_of(matter.branch))
        if there is None or there.state == "success":
            say(matter, waiting_status(matter.branch, why, url=url), office)


def say_undecided(matter: Matter, why: str, fix: str, office: Office) -> None:
    office.tell(f"{matter.branch} → {matter.head[:10]}: could not decide: {why}")
    if office.voice is None:
        return
    office.check()
    status = undecided_status(matter.branch, why, url=office.page(matter.branch, matter.head))
    for proposal in matter.proposals:
        record_undecided(proposal, why, office, said=status.description)
    say(matter, status, office)
    for proposal in matter.proposals:
        put_comment(office.voice, proposal, undecided_comment((matter.branch, matter.head), why, fix))
