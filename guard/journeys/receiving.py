"""Receiving statements and proposals in the server's pre-receive: all of a push is checked before any is recorded.

The hook calls this when nothing else refuses the push, while git still holds the new objects in quarantine. What is
recorded here and then not taken by git after all does no harm: an approval stands by its signature, a proposal is
open only while its ref is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guard.core.allowed_signers import AllowedSigners
from guard.core.claims import (
    REQUESTS,
    ApprovalWithdrawn,
    EvidenceSubmitted,
    HoldPlaced,
    IncidentOpened,
    ProposalClosed,
    ProposalOpened,
    WaiverWithdrawn,
)
from guard.core.errors import GuardError, Refused
from guard.core.model import Finding
from guard.core.sshsig import verify
from guard.core.standing import latest_proposals, received_of
from guard.core.statements import (
    PROPOSAL_REFS,
    STATEMENT_REFS,
    Statement,
    StatementError,
    check_received,
    name_of,
    parse_statement,
    proposal_ref,
    statement_fields,
)
from guard.journeys.reconcile import revoke_open
from guard.ports import Inbox, Ledger

MAX_STATEMENTS = 100
"""Statements in one push; each is a signature to check while the branch waits."""

_OWN = ("refs/guard", "refs/proposals")
"""In whatever case they are written, because some file systems take the two for one."""
_STATEMENT_REF = re.compile(re.escape(STATEMENT_REFS) + r"([0-9a-f]{64})")


class Update(Protocol):
    """One ref that a push would move: all zeros stand for "not there"."""

    @property
    def ref(self) -> str: ...
    @property
    def old(self) -> str: ...
    @property
    def new(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Counter:
    """What statements are checked with."""

    repository: str
    signers: AllowedSigners
    inbox: Inbox
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Checked:
    """A statement that was found good, the name of its bytes and the fingerprint of the key that signed it."""

    statement: Statement
    name: str
    key: str


def receive(updates: Sequence[Update], counter: Counter, *, now: datetime) -> tuple[Finding, ...]:
    """Check every update of the guard's own refs (`refs/guard/**`, `refs/proposals/**`; others are passed over) and,
    when there is nothing to complain about, record the statements with `now` as their time of receipt. What is
    wrong, else nothing.

    Raises LedgerError when they cannot be recorded; then the push must be refused too.
    """
    own = [update for update in updates if update.ref.casefold().startswith(_OWN)]
    statements = [update for update in own if _STATEMENT_REF.fullmatch(update.ref)]
    proposals = [update for update in own if update.ref.startswith(PROPOSAL_REFS)]
    problems = [_foreign(update) for update in own if update not in statements and update not in proposals]
    if len(statements) > MAX_STATEMENTS:
        problems.append(Finding("statement.too-many", f"one push brings at most {MAX_STATEMENTS} statements"))
    if problems:
        return tuple(problems)
    checked: list[Checked] = []
    for update in statements:
        try:
            checked.append(_check(update, counter, now))
        except GuardError as error:
            problems.append(Finding(error.code, error.message, where=update.ref, fix=error.fix))
    problems += _proposal_problems(proposals, checked, counter)
    if not problems:
        _record(checked, counter.ledger, now)
        for one in checked:
            take_back(one.statement, counter.ledger, now)
    return tuple(problems)


def refusal(problems: Iterable[Finding]) -> Refused | None:
    """All problems as one refusal, or None when there are none."""
    listed = list(problems)
    if not listed:
        return None
    first, *rest = listed
    message = "\n".join([first.message, *(f"{problem.code}: {problem.message}" for problem in rest)])
    return Refused(message, fix=next((p.fix for p in listed if p.fix), ""), code=first.code)


def _foreign(update: Update) -> Finding:
    return Finding(
        "refs.guard",
        f"{_shown(update.ref)} is the guard's own and takes no push",
        where=update.ref,
        fix="push to a branch; statements are sent with guard approve, signoff, incident, evidence and propose",
    )


def _check(update: Update, counter: Counter, now: datetime) -> Checked:
    """Everything about one statement that does not depend on the others. Raises GuardError saying what is wrong."""
    if update.old.strip("0") or not update.new.strip("0"):
        raise StatementError(
            "a statement on record can be neither changed nor deleted",
            fix="state the opposite: guard withdraw, guard incident close, guard propose --close",
            code="statement.append-only",
        )
    parcel = counter.inbox.parcel(update.new)
    name = name_of(parcel.statement)
    if update.ref != f"{STATEMENT_REFS}{name}":
        raise StatementError(
            "the ref is not named after the statement's digest", code="statement.other-digest"
        )
    statement = parse_statement(parcel.statement)
    if isinstance(statement.claim, REQUESTS):
        raise StatementError(
            f"a {statement.type} is asked of the guard's service, and no statement for the record",
            fix="guard promote asks it",
            code="statement.request",
        )
    key = verify(parcel.signature, parcel.statement)
    counter.signers.find(statement.by, key, now=now)
    check_received(statement, repository=counter.repository, now=now)
    wanted = statement.claim.digest if isinstance(statement.claim, EvidenceSubmitted) else ""
    if parcel.report != wanted:
        raise StatementError(
            "the report beside the statement is not the one that it speaks of",
            fix="submit it again: guard evidence add",
            code="statement.other-report",
        )
    return Checked(statement, name, key.fingerprint)


def _record(checked: Iterable[Checked], ledger: Ledger, now: datetime) -> None:
    for one in checked:
        once = f"statement:sha256:{one.name}"
        if ledger.find(once) is None:
            body = {
                "statement": statement_fields(one.statement), "digest": f"sha256:{one.name}", "key": one.key
            }  # fmt: skip
            ledger.append(f"statement.{one.statement.type}", body, at=now, once=once)


def take_back(statement: Statement, ledger: Ledger, now: datetime) -> None:
    """Revoke the permits under way that rest on what the statement ends: a new incident ends any, a withdrawn
    approval or waiver, a hold or a closed proposal those of its branch, a tool that failed those of its commit. One too
    many is the safe error: promoting decides afresh."""
    claim = statement.claim
    if not isinstance(
        claim,
        IncidentOpened
        | ApprovalWithdrawn
        | ProposalClosed
        | HoldPlaced
        | WaiverWithdrawn
        | EvidenceSubmitted,
    ) or (isinstance(claim, EvidenceSubmitted) and claim.exit_code == 0):
        return
    ref = None if isinstance(claim, IncidentOpened | EvidenceSubmitted) else f"refs/heads/{claim.target}"
    new = claim.commit if isinstance(claim, ApprovalWithdrawn | EvidenceSubmitted) else None
    revoke_open(ledger, why=f"{statement.by} stated {statement.type} since", now=now, ref=ref, new=new)


def _proposal_problems(
    updates: Sequence[Update], checked: Sequence[Checked], counter: Counter
) -> list[Finding]:
    """A proposal's ref moves only together with its proposer's statement, and such a statement only with the ref."""
    stated: dict[str, Statement] = {}
    problems = []
    for one in checked:
        claim = one.statement.claim
        if isinstance(claim, ProposalOpened | ProposalClosed):
            ref = proposal_ref(claim.target, claim.proposal)
            if ref in stated:
                problems.append(
                    Finding("proposal.twice", f"the push states two things about {ref}", where=ref)
                )
            stated[ref] = one.statement
    moved = {update.ref: update for update in updates}
    for ref in {**moved, **stated}:
        try:
            _check_proposal(ref, moved.get(ref), stated, counter)
        except GuardError as error:
            problems.append(Finding(error.code, error.message, where=ref, fix=error.fix))
    return problems


def _check_proposal(
    ref: str, update: Update | None, stated: Mapping[str, Statement], counter: Counter
) -> None:
    statement = stated.get(ref)
    if statement is None:
        raise StatementError(
            f"{_shown(ref)} moves only with its proposer's signed statement",
            fix="guard propose, or guard propose --close ID",
            code="proposal.unsigned",
        )
    before = counter.inbox.ref(ref)
    after = (update.new if update.new.strip("0") else None) if update else before
    claim = statement.claim
    head = claim.head if isinstance(claim, ProposalOpened) else None
    if after != head:
        raise StatementError(
            f"the statement says that {_shown(ref)} is {head or 'closed'}, and the push makes it"
            f" {after or 'closed'}",
            fix="guard propose pushes both together",
            code="proposal.other-head",
        )
    if head is not None and not counter.inbox.is_commit(head):
        raise StatementError(f"{head} is no commit", fix="propose a commit", code="proposal.no-commit")
    _check_owner(ref, statement, before, counter)


def _check_owner(ref: str, statement: Statement, before: str | None, counter: Counter) -> None:
    """An open proposal belongs to its proposer, or somebody else could take it over to free them for approving."""
    target, _, proposal = ref.removeprefix(PROPOSAL_REFS).rpartition("/")
    entries = counter.ledger.entries("statement.proposal-opened", "statement.proposal-closed")
    latest = latest_proposals((received_of(entry.at, entry.body) for entry in entries), target)
    standing = latest[proposal].statement if before is not None and proposal in latest else None
    if standing is None or not isinstance(standing.claim, ProposalOpened):
        return
    if standing.by != statement.by:
        raise StatementError(
            f"the proposal {proposal} is {standing.by}'s",
            fix="propose under another id: guard propose --id ID",
            code="proposal.other-proposer",
        )


def _shown(ref: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in ref[:200])
