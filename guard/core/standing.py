"""What stands after all the statements on record: approvals, open incidents, sign-offs, submissions, proposals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from guard.core.claims import (
    ApprovalGiven,
    ApprovalWithdrawn,
    BreakGlassAsked,
    EvidenceSubmitted,
    HoldLifted,
    HoldPlaced,
    IncidentClosed,
    IncidentOpened,
    ProposalClosed,
    ProposalOpened,
    SignedOff,
    WaiverApproved,
    WaiverRequested,
    WaiverWithdrawn,
)
from guard.core.facts import Approval, BreakGlassAsk, Consent, HoldMark, Incident, SignOff, Submission, Waiver
from guard.core.incident_words import severity_key
from guard.core.model import Commit
from guard.core.statements import Statement, StatementError, statement_of


@dataclass(frozen=True, slots=True)
class Received:
    """A statement as it is on record: `at` is the server's time of receipt, `digest` (`sha256:…`) its name, `key`
    the fingerprint of the key that signed it."""

    statement: Statement
    at: datetime
    digest: str
    key: str


def received_of(at: str, body: Mapping[str, object]) -> Received:
    """The statement in the body of a ledger entry `statement.*`, and the entry's time. Raises StatementError."""
    fields, digest, key = body.get("statement"), body.get("digest"), body.get("key")
    if not isinstance(fields, Mapping) or not isinstance(digest, str) or not isinstance(key, str):
        raise StatementError("an entry of the ledger holds no statement", fix="guard audit verify")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise StatementError(f"an entry of the ledger has no time: {at[:40]!r}") from None
    return Received(statement_of(fields), moment.astimezone(UTC), digest, key)


def standing_approvals(
    record: Iterable[Received], *, target: str, commit: Commit, proposed: Received | None = None
) -> tuple[Approval, ...]:
    """Who says yes to this commit for this branch; of several statements by one person the last one counts.

    One key is one person, whatever names it may sign with: of approvals by the same key the first counts, and none
    by the key that `proposed` it under another name.
    """
    latest: dict[str, Received] = {}
    for one in record:
        claim = one.statement.claim
        if isinstance(claim, ApprovalGiven | ApprovalWithdrawn) and claim in (
            ApprovalGiven(target, commit),
            ApprovalWithdrawn(target, commit),
        ):
            latest[one.statement.by] = one
    holders = {proposed.key: proposed.statement.by} if proposed else {}
    return tuple(
        Approval(by, commit, one.at, source=one.digest)
        for by, one in latest.items()
        if isinstance(one.statement.claim, ApprovalGiven) and holders.setdefault(one.key, by) == by
    )


def open_incidents(
    record: Iterable[Received], *, labels: tuple[str, ...], closers: frozenset[str]
) -> tuple[Incident, ...]:
    """The open incidents with one of the labels, however it was spelt (`sev1` is `SEV-1`); a closing counts only by
    one of `closers`.

    Opening an incident again adds a label to it and takes none away, so that nobody can hide it behind a milder one.
    """
    watched = {severity_key(label) for label in labels}
    found: dict[str, dict[str, str]] = {}
    for one in record:
        claim = one.statement.claim
        if isinstance(claim, IncidentOpened):
            found.setdefault(claim.incident, {}).setdefault(claim.label, claim.title)
        elif isinstance(claim, IncidentClosed) and one.statement.by in closers:
            found.pop(claim.incident, None)
    return tuple(
        Incident(incident, label, title)
        for incident, labelled in found.items()
        for label, title in labelled.items()
        if severity_key(label) in watched
    )


def recorded_signoffs(record: Iterable[Received], gate: str) -> tuple[SignOff, ...]:
    """All sign-offs of the gate, in the order of their receipt."""
    return tuple(
        SignOff(gate, one.statement.by, one.at, claim.commit, claim.note, one.digest)
        for one in record
        if isinstance(claim := one.statement.claim, SignedOff) and claim.gate == gate
    )


def recorded_submissions(record: Iterable[Received], source: str) -> tuple[Submission, ...]:
    """All submissions of the source, in the order of their receipt."""
    return tuple(
        Submission(
            id=one.digest,
            source=source,
            subject=claim.commit,
            tool=claim.tool,
            tool_version=claim.tool_version,
            exit_code=claim.exit_code,
            digest=claim.digest,
            submitter=one.statement.by,
            received_at=one.at,
            command=claim.command,
            said=claim.said,
        )
        for one in record
        if isinstance(claim := one.statement.claim, EvidenceSubmitted) and claim.source == source
    )


def recorded_holds(record: Iterable[Received | HoldMark], target: str) -> tuple[HoldMark, ...]:
    """Everything that held the branch's promotions or lifted it, in the order of receipt, the guard's own marks among
    people's statements. One key is one person, whatever names it may sign with: its first name is told."""
    names: dict[str, str] = {}
    marks: list[HoldMark] = []
    for one in record:
        if isinstance(one, HoldMark):
            marks.append(one)
            continue
        claim = one.statement.claim
        if not isinstance(claim, HoldPlaced | HoldLifted):
            continue
        actor = names.setdefault(one.key, one.statement.by)
        if claim.target != target:
            continue
        if isinstance(claim, HoldPlaced):
            marks.append(HoldMark(actor, one.at, claim.reason, id=hold_id(one.digest), kind=claim.kind))
        else:
            restores = claim.way == "restore"
            marks.append(HoldMark(actor, one.at, claim.reason, lifts=True, id=claim.hold, restores=restores))
    return tuple(marks)


def hold_id(digest: str) -> str:
    """The id of the hold that a statement with this digest (`sha256:…`) placed."""
    return f"hold-{digest.removeprefix('sha256:')[:12]}"


def own_mark(at: str, kind: str, body: Mapping[str, object]) -> HoldMark:
    """The guard's own mark in an entry `hold.placed` or `hold.ended`. Raises StatementError."""
    try:
        moment = datetime.fromisoformat(at).astimezone(UTC)
        name, because = str(body["hold"]), str(body["because"])
        if kind == "hold.ended":
            return HoldMark("", moment, because, lifts=True, id=name, ends=True)
        barred = body["barred"]
        listed = tuple(map(str, barred)) if isinstance(barred, list | tuple) else ()
        return HoldMark("", moment, because, id=name, kind=str(body["kind"]), barred=listed)
    except (KeyError, ValueError):
        raise StatementError(
            "an entry of the ledger about a hold cannot be read", fix="guard audit verify"
        ) from None


def recorded_asks(record: Iterable[Received], target: str) -> tuple[BreakGlassAsk, ...]:
    """Everybody who ever asked for break-glass on the branch, in the order of receipt."""
    return tuple(
        BreakGlassAsk(one.statement.by, one.key, target, claim.commit, one.at, claim.reason, one.digest)
        for one in record
        if isinstance(claim := one.statement.claim, BreakGlassAsked) and claim.target == target
    )


def latest_proposals(record: Iterable[Received], target: str) -> dict[str, Received]:
    """Proposal id → the last statement about it, opened or closed."""
    return {
        claim.proposal: one
        for one in record
        if isinstance(claim := one.statement.claim, ProposalOpened | ProposalClosed)
        and claim.target == target
    }


def standing_waivers(record: Iterable[Received], *, target: str) -> tuple[Waiver, ...]:
    """The waivers asked for on this branch that were not taken back, each with who stands by it.

    Who asked takes the whole back, who approved only that yes. One key is one person, whatever names it may sign
    with: a yes by the requester's key, or a second one by another's, does not count.
    """
    asked: dict[str, Received] = {}
    given: dict[str, dict[str, Received]] = {}
    for one in record:
        claim = one.statement.claim
        if isinstance(claim, WaiverRequested) and claim.target == target:
            asked.setdefault(one.digest, one)
        elif isinstance(claim, WaiverApproved) and claim.target == target and claim.waiver in asked:
            given.setdefault(claim.waiver, {})[one.statement.by] = one
        elif isinstance(claim, WaiverWithdrawn) and claim.target == target and claim.waiver in asked:
            given.get(claim.waiver, {}).pop(one.statement.by, None)
            if asked[claim.waiver].statement.by == one.statement.by:
                asked.pop(claim.waiver)
    return tuple(
        _waiver(request, request.statement.claim, given.get(digest, {}))
        for digest, request in asked.items()
        if isinstance(request.statement.claim, WaiverRequested)
    )


def _waiver(request: Received, claim: WaiverRequested, given: Mapping[str, Received]) -> Waiver:
    holders = {request.key: request.statement.by}
    return Waiver(
        id=request.digest,
        target=claim.target,
        gate=claim.gate,
        finding=claim.finding,
        commit=claim.commit,
        reason=claim.reason,
        requester=request.statement.by,
        requested_at=request.at,
        expires_at=datetime.fromisoformat(claim.expires).astimezone(UTC),
        entry=claim.entry,
        consents=tuple(
            Consent(by, one.at, one.digest)
            for by, one in given.items()
            if holders.setdefault(one.key, by) == by
        ),
    )
