"""The promotion: the one way in which a protected branch moves. Every step is on record before it is done.

Stopped at any point, it can be run again: it finds out from the ledger and the branch where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from guard.core.canonical import digest_of_bytes
from guard.core.errors import GuardError, Refused
from guard.core.model import Commit, Decision
from guard.core.permit import Permit
from guard.journeys.permitting import issue
from guard.journeys.reconcile import Attempt, Ending, expected_head, settle, unfinished
from guard.journeys.underway import check_not_held
from guard.ports import Clock, Ledger
from guard.render.safe import plain


class NotGo(Refused):
    """The decision is not GO; it has its own exit status, and `decision` is there to be shown."""

    code = "promotion.no-go"

    def __init__(self, decision: Decision) -> None:
        super().__init__("the decision is NO-GO", fix="mend what blocks, then try again")
        self.decision = decision
        self.exit_status = decision.exit_status or 1


class PromotionFailed(GuardError):
    """The promotion was started and the branch did not move; its permit is revoked."""

    code = "promotion.failed"
    exit_status = 1


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for and, where a person saw a plan first, what it rested on.

    `ref` is full; `script` the path of the promote script or None; `permit_life` how long the permit lives.
    `seen_old` and `seen_policy` (a digest) are those of the plan that was agreed to; None: there was none.
    """

    ref: str
    new: Commit
    by: str
    script: str | None
    permit_life: timedelta
    arguments: tuple[str, ...] = ()
    seen_old: Commit | None = None
    seen_policy: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """The promote script as it stands on upstream."""

    path: str
    commit: Commit
    data: bytes


@dataclass(frozen=True, slots=True)
class Move:
    """The one effect of a promotion: bring `ref` from `old` to `new` with this permit (`token`, a secret until
    it is spent), by the script or, without one, by a push."""

    token: str = field(repr=False)
    ref: str
    old: Commit
    new: Commit
    script: Script | None
    arguments: tuple[str, ...]

    @property
    def branch(self) -> str:
        return self.ref.removeprefix("refs/heads/")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a promotion works with.

    `read_file` gives a file's bytes at a commit (None: there is none); `decide` gathers afresh and judges;
    `read_head` says where the branch stands on the server (None: it has none such); `move` does the move and
    returns its exit status; `sign` makes a permit's token; `new_id` gives ids that nobody can guess; `tell` shows
    a line of progress.
    """

    ledger: Ledger
    clock: Clock
    read_file: Callable[[Commit, str], bytes | None]
    decide: Callable[[], Decision]
    read_head: Callable[[str], Commit | None]
    move: Callable[[Move], int]
    sign: Callable[[Permit], str]
    new_id: Callable[[], str]
    tell: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Promoted:
    """The branch stands at `new`: moved just now (`old` says from where), or `already` there before."""

    ref: str
    old: str
    new: str
    already: bool = False
    note: str = ""


def promote(request: Request, tools: Tools) -> Promoted:
    """Decide afresh and, if it is GO, move the branch once.

    Raises NotGo; Refused for drift, a lock that is held, or a plan that no longer holds; PromotionFailed; and
    GuardError when the world fails, after which it can simply be run again.
    """
    with tools.ledger.branch_lock(request.ref):
        earlier = recover(tools.ledger, request.ref, read_head=tools.read_head, clock=tools.clock)
        head = check_head(tools.ledger, request.ref, tools.read_head(request.ref))
        if head == request.new:
            old = earlier.attempt.old if earlier and earlier.moved else head
            return Promoted(
                request.ref, old=old, new=head, already=True, note=earlier.note if earlier else ""
            )
        tools.tell("gathering facts and deciding")
        decision = _decide(request, tools, head)
        script = _read_script(request, tools, decision)
        attempt, permit = issue(
            decision,
            tools.ledger,
            promotion=tools.new_id(),
            permit=tools.new_id(),
            by=request.by,
            life=request.permit_life,
            now=tools.clock.now(),
        )
        return _conclude(attempt, tools, note=_move(attempt, permit, script, request, tools))


def recover(
    ledger: Ledger, ref: str, *, read_head: Callable[[str], Commit | None], clock: Clock
) -> Ending | None:
    """End a promotion of the branch that was cut off, if there is one; to be called under the branch's lock."""
    attempt = unfinished(ledger, ref)
    if attempt is None:
        return None
    check_not_held(ledger, attempt, now=clock.now())
    why = "it was cut off, and a later run found out what became of it"
    return settle(ledger, attempt, read_head=lambda: read_head(ref), clock=clock.now, why=why)


def check_head(ledger: Ledger, ref: str, head: Commit | None) -> Commit:
    """`head` (None: there is no such branch), which is where the ledger expects it. Raises Refused when not."""
    branch, expected = ref.removeprefix("refs/heads/"), expected_head(ledger, ref)
    if head is None:
        raise Refused(
            f"there is no branch {branch} on the server",
            fix=f"make it, or put it back, and record it: guard adopt --branch {branch}",
            code="promotion.no-branch",
        )
    if expected is None:
        raise Refused(
            f"the ledger has no baseline of {branch}, so nobody knows where it should stand",
            fix=f"look at what is on it, then record it: guard adopt --branch {branch}",
            code="promotion.no-baseline",
        )
    if head != expected:
        raise Refused(
            f"{branch} stands at {head}, but the ledger expects it at {expected}: it was moved without a permit",
            fix=f"put it back, or accept it for a reason: guard adopt --branch {branch} --force --because TEXT",
            code="promotion.drift",
        )
    return head


def _decide(request: Request, tools: Tools, head: Commit) -> Decision:
    """The decision of this moment, which is GO and about the move that was asked for."""
    decision = tools.decide()
    check_decision(
        decision,
        ref=request.ref,
        new=request.new,
        head=head,
        seen_old=request.seen_old,
        seen_policy=request.seen_policy,
    )
    return decision


def check_decision(
    decision: Decision,
    *,
    ref: str,
    new: Commit,
    head: Commit,
    seen_old: Commit | None,
    seen_policy: str | None,
) -> None:
    """Raise NotGo, Refused or GuardError unless the decision is a GO for bringing `ref` from `head` to `new`, by what
    was seen in the plan (None: there was none)."""
    candidate = decision.candidate
    if (candidate.ref, candidate.new) != (ref, new):
        raise GuardError(
            "the decision is about another move than the one asked for", code="promotion.other-candidate"
        )
    if candidate.old != head or seen_old not in {None, head}:
        raise Refused(
            f"{candidate.branch} has moved since this was planned: it stands at {head} now",
            fix="look at the new plan: guard promote",
            code="promotion.target-moved",
        )
    if not decision.allowed:
        raise NotGo(decision)
    if seen_policy not in {None, decision.policy_digest}:
        raise Refused(
            f"the policy of {candidate.branch} has changed since this was planned",
            fix="look at the new plan: guard promote",
            code="promotion.policy-changed",
        )


def _read_script(request: Request, tools: Tools, decision: Decision) -> Script | None:
    """The promote script as upstream has it: neither the proposal nor anybody's work tree can change it."""
    if request.script is None:
        return None
    upstream = decision.candidate.upstream
    data = tools.read_file(upstream, request.script)
    if data is None:
        raise Refused(
            f"the promote script {plain(request.script)} is not a file on upstream ({upstream[:10]})",
            fix="merge it to upstream first, or mend `promote` in guard.toml",
            code="promotion.no-script",
        )
    return Script(request.script, upstream, data)


def _move(attempt: Attempt, permit: Permit, script: Script | None, request: Request, tools: Tools) -> str:
    """Do the move; what is to be said of how that went, "" when it went well."""
    token = tools.sign(permit)
    named = script and {"path": script.path, "commit": script.commit, "digest": digest_of_bytes(script.data)}
    body = {"promotion": attempt.id, "permit": permit.id, "script": named}
    tools.ledger.append("promotion.started", body, at=tools.clock.now())
    what = plain(script.path) if script else "the push"
    tools.tell(f"running {what}")
    move = Move(token, permit.ref, Commit(permit.old), Commit(permit.new), script, request.arguments)
    try:
        status = tools.move(move)
    except GuardError as error:
        return f"{what} could not be run: {error.message}"
    return f"{what} ended with exit status {status}" if status else ""


def _conclude(attempt: Attempt, tools: Tools, *, note: str) -> Promoted:
    tools.tell("checking where the branch stands")
    started = replace(attempt, started=True)
    ending = settle(
        tools.ledger, started, read_head=lambda: tools.read_head(attempt.ref), clock=tools.clock.now, why=note
    )
    if ending.moved:
        return Promoted(attempt.ref, old=attempt.old, new=attempt.new, note=note)
    branch = attempt.ref.removeprefix("refs/heads/")
    raise PromotionFailed(
        f"{branch} did not move to {attempt.new[:10]}: {ending.note}",
        fix="the permit is revoked; mend the cause, then run guard promote again",
    )
