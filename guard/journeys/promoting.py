"""The promoter's part of a promotion that the service permits: asked for, carried out, looked at, ended.

What is asked for is noted in the clone first. Cut off anywhere, the next run finds out from the service what became of
it, and ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guard.core.canonical import digest_of_bytes
from guard.core.claims import Claim, PromotionRequested
from guard.core.errors import GuardError
from guard.core.model import Commit
from guard.core.promotion_api import Plan, Promotion
from guard.core.promotion_id import promotion_id
from guard.core.statements import Statement, encode_statement
from guard.journeys.promotion import Move, PromotionFailed, Script
from guard.ports import Signer
from guard.render.safe import plain

ENDED = ("finished", "failed")


class Service(Protocol):
    """The guard's service. Raises Refused with its own words, ForgeError where it cannot be asked."""

    def plan(self, statement: bytes, signature: bytes) -> Plan: ...
    def request(self, statement: bytes, signature: bytes) -> Promotion: ...
    def state(self, promotion: str) -> Promotion | None: ...
    def push(self, promotion: str, permit: str) -> Promotion: ...
    def end(self, promotion: str, permit: str) -> Promotion: ...


class Noted(Protocol):
    """A promotion that was asked for and not seen to its end."""

    @property
    def branch(self) -> str: ...
    @property
    def old(self) -> str: ...
    @property
    def new(self) -> str: ...
    @property
    def policy(self) -> str: ...
    @property
    def request(self) -> str: ...
    @property
    def read(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Promoter:
    """Who promotes, with what. `read_note`, `write_note` and `forget` keep what is under way; `read_script` gives the
    promote script's bytes at a commit; `move` carries a move out by the script or a push, `remote_head` says where the
    branch stands on the remote; `nonce` gives random hex digits."""

    repository: str
    by: str
    signer: Signer
    service: Service
    read_note: Callable[[], Noted | None]
    write_note: Callable[[PromotionRequested], None]
    forget: Callable[[], None]
    read_script: Callable[[Commit, str], bytes | None]
    move: Callable[[Move, Promotion], int]
    remote_head: Callable[[str], str | None]
    now: Callable[[], datetime]
    nonce: Callable[[], str]
    tell: Callable[[str], None]

    def signed(self, claim: Claim) -> tuple[bytes, bytes]:
        data = encode_statement(Statement(self.repository, self.by, self.now(), self.nonce(), claim))
        return data, self.signer.sign(data)


def finish_earlier(promoter: Promoter) -> Promotion | None:
    """End a promotion that an earlier run of this clone was cut off in; how it ended, None where there was none. Raises
    GuardError, after which the next run tries again."""
    noted = promoter.read_note()
    if noted is None:
        return None
    found = promoter.service.state(promotion_id(noted.request))
    if found is not None and found.state not in ENDED:
        found = promoter.service.request(*promoter.signed(_claim(noted)))
        if found.permit and found.state not in ENDED:
            found = promoter.service.end(found.promotion, found.permit)
    promoter.forget()
    return found


def carry_out(claim: PromotionRequested, arguments: tuple[str, ...], promoter: Promoter) -> Promotion:
    """Ask for the permit, run the script or push with it, and end the promotion by what is true.

    Raises NoGo and other Refused where no permit is given, PromotionFailed where the branch did not move, GuardError
    where that is not known; then it can simply be run again.
    """
    promoter.tell("asking the guard for a permit")
    promoter.write_note(claim)
    try:
        given = promoter.service.request(*promoter.signed(claim))
    except GuardError as error:
        if error.exit_status == 1:
            promoter.forget()
        raise
    if not given.permit:
        promoter.forget()
        raise PromotionFailed(f"the guard gave no permit: the promotion is {given.state}", fix="try again")
    try:
        note = _move(given, arguments, promoter)
        promoter.tell("checking where the branch stands")
        ended = promoter.service.end(given.promotion, given.permit)
    except KeyboardInterrupt:
        promoter.tell("interrupted: ending the promotion")
        note, ended = "it was interrupted", promoter.service.end(given.promotion, given.permit)
    promoter.forget()
    return _checked(ended, note, promoter)


def _move(given: Promotion, arguments: tuple[str, ...], promoter: Promoter) -> str:
    """Carry the move out; what is to be said of how that went."""
    what = plain(given.script.path) if given.script else "the push"
    try:
        script = _script(given, promoter)
        promoter.tell(f"running {what}; the permit ends at {given.expires}")
        move = Move(given.permit or "", given.ref, Commit(given.old), Commit(given.new), script, arguments)
        status = promoter.move(move, given)
    except GuardError as error:
        return f"{what} could not be run: {error.message}"
    return f"{what} ended with exit status {status}" if status else ""


def _script(given: Promotion, promoter: Promoter) -> Script | None:
    """The script that the guard judged, byte for byte."""
    wanted = given.script
    if wanted is None:
        return None
    data = promoter.read_script(Commit(wanted.commit), wanted.path)
    if data is None or digest_of_bytes(data) != wanted.digest:
        raise GuardError(
            f"this clone has not {plain(wanted.path)} as the guard has it at {wanted.commit[:10]}",
            fix="git fetch, then try again",
            code="promotion.no-script",
        )
    return Script(wanted.path, Commit(wanted.commit), data)


def _checked(ended: Promotion, note: str, promoter: Promoter) -> Promotion:
    """What the guard says, and what the remote shows: both have to agree that the branch moved exactly so."""
    branch = ended.ref.removeprefix("refs/heads/")
    if ended.state != "finished":
        why = "; ".join(dict.fromkeys(filter(None, (note, ended.note))))
        raise PromotionFailed(
            f"{branch} did not move to {ended.new[:10]}: {why or 'no reason is known'}",
            fix="the permit is revoked; mend the cause, then run guard promote again",
        )
    head = promoter.remote_head(ended.ref)
    if head != ended.new:
        raise GuardError(
            f"the guard has {branch} on record at {ended.new[:10]}, and the remote shows {head or 'no such branch'}",
            fix=f"look at it before anything else: guard audit log --ref {branch}",
            code="promotion.unverified",
        )
    return ended.model_copy(update={"note": ended.note or note})


def _claim(noted: Noted) -> PromotionRequested:
    return PromotionRequested(
        noted.branch, Commit(noted.old), Commit(noted.new), noted.policy, noted.request, noted.read
    )
