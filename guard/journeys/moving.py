"""Ending a promotion that the service gave a permit to: the service's own push, what its promoter says, and what time
or an event shows. Every step can be done twice."""

from __future__ import annotations

from guard.core.errors import GuardError, Refused
from guard.core.model import Commit
from guard.core.permit import PermitError, read
from guard.journeys.bureau import Bureau
from guard.journeys.gather import gather_and_decide
from guard.journeys.permits import Question, permit_for
from guard.journeys.plan import branch_rules
from guard.journeys.promotion import NotGo, check_decision, check_head
from guard.journeys.reconcile import revoke, settle
from guard.journeys.sources import Range
from guard.journeys.underway import Conflict, Progress, latest, progress_of

ENDED = ("finished", "failed")


def push(promotion: str, token: str, bureau: Bureau) -> Progress:
    """Move the branch under the guard's own identity, if the permit is good, nothing has taken it back, it is a GO at
    this moment and the branch stands where the permit says; how the promotion stands then.

    Raises Refused and NotGo, after which nothing was moved and the permit is revoked where it can never be good again;
    GuardError where the forge could not be asked, after which it can be tried again.
    """
    known = _known(promotion, bureau)
    with bureau.lock(known.attempt.ref):
        known = _known(promotion, bureau)
        if known.stage == "finished":
            return known
        if not bureau.hosted:
            raise Refused(
                "this server verifies permits itself: the promote script pushes with its permit",
                fix='git push "$GUARD_REMOTE" "$GUARD_NEW:refs/heads/$GUARD_BRANCH"',
                code="promotion.not-hosted",
            )
        began = known.attempt.started and known.stage not in ENDED
        if began and bureau.read_head(known.attempt.ref) == known.attempt.new:
            return settled(known, bureau, why="")  # an earlier push landed, and was not recorded
        _check_permit(known, token, bureau)
        _check_now(known, bureau)
        # Deciding took its time: the permit may have ended or been taken back meanwhile.
        _check_permit(known, token, bureau)
        _record_intent(known, bureau)
        said = bureau.push(known.attempt.ref, Commit(known.attempt.old), Commit(known.attempt.new))
        return settled(known, bureau, why=said)


def end(promotion: str, token: str, bureau: Bureau) -> Progress:
    """The promoter is done, or gives up: the promotion ends by what is true. Raises Conflict while a push of the
    service's is under way, GuardError where the branch cannot be read."""
    known = _known(promotion, bureau)
    _check_owner(known, token, bureau)
    with bureau.lock(known.attempt.ref):
        known = _known(promotion, bureau)
        if known.stage in ENDED:
            return known
        _check_no_push(known, bureau)
        return settled(known, bureau, why="")


def look(ref: str, bureau: Bureau) -> Progress | None:
    """End the branch's promotion if the branch has moved by it, or can no longer; how it ended, None where there is
    nothing to end. For the start, for a push event, and every now and then. Raises Refused while somebody else has the
    branch's lock, GuardError."""
    if latest(bureau.ledger, ref) is None:
        return None
    with bureau.lock(ref, patience=0.0):
        known = latest(bureau.ledger, ref)
        if known is None:
            return None
        moved = known.attempt.started and bureau.read_head(ref) == known.attempt.new
        if not moved and known.live(bureau.clock.now()):
            return None
        why = "" if moved else "its permit ended, and nobody had moved the branch"
        return settled(known, bureau, why=known.revoked or why)


def _check_permit(known: Progress, token: str, bureau: Bureau) -> None:
    attempt = known.attempt
    question = Question(bureau.repository, attempt.ref, attempt.old, attempt.new, token)
    now = bureau.clock.now()
    permit = permit_for(
        question, repository=bureau.repository, ledger=bureau.ledger, keys=bureau.keys, now=now
    )
    if permit != attempt.permit:
        raise Refused("the permit is another promotion's", code="permit.other-promotion")
    if known.stage == "failed":
        raise Refused(f"the promotion has ended: {known.note}", code="promotion.failed")


def _check_owner(known: Progress, token: str, bureau: Bureau) -> None:
    """Whoever holds the promotion's permit may end it, also when its time is over."""
    try:
        permit = read(token, bureau.keys)
    except PermitError as error:
        raise Refused(error.message, fix=error.fix, code=error.code) from None
    if permit.id != known.attempt.permit:
        raise Refused("the permit is another promotion's", code="permit.other-promotion")


def _check_now(known: Progress, bureau: Bureau) -> None:
    """Decide once more: what an event would have revoked may have lost its event."""
    attempt = known.attempt
    branch = attempt.ref.removeprefix("refs/heads/")
    try:
        head = check_head(bureau.ledger, attempt.ref, bureau.read_head(attempt.ref))
        if head != attempt.old:
            raise Conflict(
                f"{branch} has moved since this was decided: it stands at {head} now",
                fix="look at a new plan: guard promote",
                code="promotion.target-moved",
            )
        bureau.fetch_proposals(branch, branch_rules(bureau.sources, branch).upstream)
        decision = gather_and_decide(
            Range(bureau.repository, branch, attempt.ref, attempt.new), bureau.sources
        )
        check_decision(
            decision, ref=attempt.ref, new=Commit(attempt.new), head=head, seen_old=head, seen_policy=None
        )
    except Refused as error:
        if not isinstance(error, NotGo) or error.exit_status == 1:
            _give_up(known, error, bureau)
        raise


def _give_up(known: Progress, error: GuardError, bureau: Bureau) -> None:
    attempt, now = known.attempt, bureau.clock.now()
    if attempt.permit:
        revoke(bureau.ledger, attempt.permit, why=error.message, now=now)
    body = {"promotion": attempt.id, "why": f"{error.code}: {error.message}"}
    bureau.ledger.append("promotion.failed", body, at=now)


def _record_intent(known: Progress, bureau: Bureau) -> None:
    """What is about to be done stands in the ledger first: whoever finds the branch moved knows by what."""
    attempt = known.attempt
    requested = bureau.ledger.find(f"promotion:{attempt.id}")
    script = requested.body.get("script") if requested else None
    body = {"promotion": attempt.id, "permit": attempt.permit, "script": script}
    once = f"promotion.started:{attempt.id}"
    bureau.ledger.append("promotion.started", body, at=bureau.clock.now(), once=once)
    pushing = {"promotion": attempt.id, "permit": attempt.permit, "ref": attempt.ref,
               "old": attempt.old, "new": attempt.new}  # fmt: skip
    bureau.ledger.append("promotion.pushing", pushing, at=bureau.clock.now())


def _check_no_push(known: Progress, bureau: Bureau) -> None:
    """Nobody pushes while the lock is ours, but for a git that outlived its service."""
    if known.stage != "pushing" or not known.live(bureau.clock.now()):
        return
    if bureau.read_head(known.attempt.ref) != known.attempt.new:
        raise Conflict(
            "a push of this promotion is not known to have ended", fix="ask again", code="promotion.pushing"
        )


def settled(known: Progress, bureau: Bureau, *, why: str) -> Progress:
    """End it by what is true."""
    fresh = _known(known.attempt.id, bureau)
    settle(
        bureau.ledger,
        fresh.attempt,
        read_head=lambda: bureau.read_head(fresh.attempt.ref),
        clock=bureau.clock.now,
        why=why,
    )
    return _known(known.attempt.id, bureau)


def _known(promotion: str, bureau: Bureau) -> Progress:
    found = progress_of(bureau.ledger, promotion)
    if found is None or not found.request:
        raise Refused("there is no such promotion", code="promotion.unknown")
    return found
