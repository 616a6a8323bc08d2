"""The decisions on record: numbered for each proposal, and put there only when they say something new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from guard.core.canonical import digest_of
from guard.core.facts import Proposal
from guard.core.model import Decision
from guard.journeys.keeping import recorded
from guard.journeys.office import Office
from guard.ports import Entry, Ledger, Memory, Telling
from guard.render.decision_json import decision_document
from guard.render.since import since_last
from guard.render.status import decision_status

UNDECIDED = "decision.undecided"
"""The kind of the ledger's entries that say that something could not be decided."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as it stands on record, and the document of the one before it, {} for the first."""

    digest: str
    before: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Due:
    """A proposal, and the moment (RFC 3339) at which its decision changed by time alone."""

    proposal: str
    at: str


def record(proposal: Proposal, decision: Decision, office: Office, *, beside: Mapping[str, Any]) -> Recorded:
    """The decision on record, which is put there unless the last one on this proposal says the same; `beside` is what
    its page tells too.

    Decisions on a proposal are numbered. Where a crash, or a lost memory, left the number behind the ledger, the
    ledger's own last one is found by going on from there.
    """
    document, before = decision_document(decision), _told(proposal, office)
    count, latest = _last(proposal, before.count, office)
    if latest is None or _substance(_body(latest)) != _substance(document):
        told = {**beside, "since": list(since_last(_body(latest) if latest else {}, document))}
        count, latest = count + 1, _append(proposal, count + 1, decision, document, told, office)
    office.memory.remember(replace(before, head=proposal.head, count=count))
    earlier = _entry(proposal, count - 1, office)
    return Recorded(str(latest.body["digest"]), _body(earlier) if earlier else {})


def record_undecided(proposal: Proposal, why: str, office: Office, *, said: str) -> None:
    """Put on record that it could not be decided, and what the status `said` of it, unless that is the last thing on
    record. It is numbered with the decisions, so that the next one is on record again, whatever it says."""
    before = _told(proposal, office)
    count, latest = _last(proposal, before.count, office)
    body = {
        "proposal": proposal.id,
        "ref": f"refs/heads/{proposal.target}",
        "new": proposal.head,
        "why": why,
        "said": said,
    }
    if latest is None or latest.kind != UNDECIDED or dict(latest.body) != body:
        count += 1
        office.ledger.append(UNDECIDED, body, at=office.clock.now(), once=_once(proposal, count))
    office.memory.remember(replace(before, head=proposal.head, count=count))


def changes_due(branches: Iterable[str], memory: Memory, ledger: Ledger, *, now: datetime) -> tuple[Due, ...]:
    """The proposals whose decision on record says that time alone has changed it by now: evidence or a waiver that it
    rests on has ended since, or a date is no longer in the future."""
    found = []
    for branch in branches:
        for telling in memory.told(branch):
            entry = ledger.find(f"decision:{branch}:{telling.proposal}:{telling.count}")
            moment = _body(entry).get("next_change_at") if entry else None
            if isinstance(moment, str) and datetime.fromisoformat(moment) <= now:
                found.append(Due(telling.proposal, moment))
    return tuple(found)


def _last(proposal: Proposal, count: int, office: Office) -> tuple[int, Entry | None]:
    """The newest entry on record about the proposal, and its number; `count` is the number that is remembered."""
    latest = _entry(proposal, count, office)
    while (following := _entry(proposal, count + 1, office)) is not None:
        count, latest = count + 1, following
    return count, latest


def record_queued(decision: Decision, office: Office) -> None:
    """Put on record what was decided on a commit that a merge queue made, once for each thing that was said."""
    document = decision_document(decision)
    candidate = decision.candidate
    told, parts = recorded(decision, document)
    body = {"ref": candidate.ref, "said": decision_status(decision).description, **told}
    once = f"decision:{candidate.branch}:queue:{candidate.new}:{_substance(document)}"
    if office.ledger.find(once) is None:
        office.ledger.append("decision.recorded", body, at=office.clock.now(), once=once, parts=parts)


def head_is_known(proposal: Proposal, office: Office) -> bool:
    """Whether a decision on this very head was made before."""
    told = _told(proposal, office)
    return told.count > 0 and told.head == proposal.head


def _append(
    proposal: Proposal,
    number: int,
    decision: Decision,
    document: dict[str, Any],
    beside: Mapping[str, Any],
    office: Office,
) -> Entry:
    told, parts = recorded(decision, document)
    body = {
        "proposal": proposal.id,
        "ref": decision.candidate.ref,
        "said": decision_status(decision).description,
        "beside": beside,
        **told,
    }
    once = _once(proposal, number)
    return office.ledger.append("decision.recorded", body, at=office.clock.now(), once=once, parts=parts)


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
