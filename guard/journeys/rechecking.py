"""A permit stands only as long as its GO does: whatever ended that takes the permit back, at an event and when it is
presented."""

from __future__ import annotations

from guard.core.errors import GuardError, Refused
from guard.core.model import Commit, Decision
from guard.core.permit import RESTORES
from guard.journeys.gather import gather_and_decide
from guard.journeys.judging import upstream_of
from guard.journeys.office import Office
from guard.journeys.permits import Question
from guard.journeys.reconcile import revoke, revoke_open
from guard.journeys.sources import Range


def revoke_no_go(decision: Decision, office: Office, *, last: bool) -> None:
    """Take back what was given for a head that is NO-GO now; for one that cannot be decided, only when it is given up.
    Raises LedgerError."""
    if decision.allowed or (decision.exit_status == 2 and not last):
        return
    candidate = decision.candidate
    why = f"it is NO-GO now: {_first(decision)}"
    revoke_open(office.ledger, why=why, now=office.clock.now(), ref=candidate.ref, new=candidate.new)


def revoke_unproposed(branch: str, head: Commit, office: Office, *, why: str) -> None:
    """Take back what was given for this head. Raises LedgerError."""
    revoke_open(office.ledger, why=why, now=office.clock.now(), ref=f"refs/heads/{branch}", new=head)


def check_still_go(permit: str, question: Question, office: Office) -> None:
    """Decide once more, for a server that was shown the permit: what an event would have ended may have lost its event.
    By the same rules as the permit was given, the operator's bootstrap policy among them. Raises Refused where it is
    not a GO at this moment, after which the permit is revoked where it surely is none."""
    issued = office.ledger.find(f"permit.issued:{permit}")
    if issued is not None and issued.body.get("kind") == RESTORES:
        return
    branch = question.ref.removeprefix("refs/heads/")
    try:
        office.refresh((branch,), ())
        upstream = upstream_of(office.sources, branch)
        if upstream is not None:
            office.refresh((upstream,), ())
        asked = Range(office.repository, branch, question.ref, Commit(question.new))
        decision = gather_and_decide(asked, office.sources)
    except GuardError as error:
        raise Refused(
            f"it cannot be decided at this moment whether it is still a GO: {error.message}",
            fix="try again",
            code="permit.undecided",
        ) from None
    if decision.candidate.old != question.old:
        raise Refused(
            f"{branch} stands at {decision.candidate.old} now, not where the push would take it from",
            fix='look at a new plan: "guard promote"',
            code="permit.other-old",
        )
    if decision.allowed:
        return
    why = f"it is NO-GO now: {_first(decision)}"
    if decision.exit_status == 2:
        raise Refused(
            f"it cannot be decided at this moment: {_first(decision)}",
            fix="try again",
            code="permit.undecided",
        )
    revoke(office.ledger, permit, why=why, now=office.clock.now())
    raise Refused(
        f"the permit was taken back: {why}", fix='ask for a new one: "guard promote"', code="permit.revoked"
    )


def _first(decision: Decision) -> str:
    for verdict in decision.blockers:
        for finding in verdict.findings:
            return finding.message
    return "nothing says why"
