"""The service's part of a promotion: a signed request is proven, everything is gathered afresh, and a permit is given.

A request is for this moment: it is minutes old at most, its bytes count once, and the same promotion asked for again
(by its request id) gets the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from guard.core.allowed_signers import AllowedSigners
from guard.core.canonical import digest_of_bytes
from guard.core.claims import PromotionPlanned, PromotionRequested
from guard.core.errors import ForgeError, GuardError, PolicyError, Refused
from guard.core.model import Commit, Decision, Unknown
from guard.core.policy import Policy
from guard.core.policy_branch import Branch
from guard.core.promotion_id import promotion_id
from guard.core.sshsig import verify
from guard.core.statements import (
    Statement,
    StatementError,
    check_received,
    name_of,
    parse_statement,
    statement_fields,
)
from guard.journeys.asking import read_policy
from guard.journeys.bureau import Bureau
from guard.journeys.gather import gather_and_decide
from guard.journeys.moving import ENDED, settled
from guard.journeys.permitting import OFFLINE_LIFE, issue
from guard.journeys.plan import branch_head, branch_rules, proposed_head
from guard.journeys.promotion import NotGo, check_decision, check_head, recover
from guard.journeys.sources import Range, Sources
from guard.journeys.underway import Conflict, Progress, permit_of, progress_of

LONGEST_AGO = timedelta(minutes=5)
"""How old a request may be; clocks may differ by as much in the other direction."""

SHOWN_COMMITS = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose signature was found good: who asks, with the key of which fingerprint, and its bytes' name."""

    statement: Statement
    name: str
    key: str

    @property
    def by(self) -> str:
        return self.statement.by


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan: what would move, judged at this moment, by these rules."""

    decision: Decision
    rules: Branch
    commits: tuple[tuple[Commit, str], ...]
    total: int
    hosted: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """A promotion as it stands; `token` is its permit where that may be used, else ""."""

    progress: Progress
    token: str
    script: Mapping[str, object] | None
    hosted: bool


def authenticate(
    data: bytes, signature: bytes, *, signers: AllowedSigners, repository: str, now: datetime
) -> Asked:
    """Who asks for what. Raises StatementError for what is no request or too old, SignatureError where nobody whom the
    operator knows has signed it."""
    statement = parse_statement(data)
    key = verify(signature, data)
    signers.find(statement.by, key, now=now)
    check_received(statement, repository=repository, now=now, longest=LONGEST_AGO)
    if not isinstance(statement.claim, PromotionPlanned | PromotionRequested):
        raise StatementError(
            f"a {statement.type} is for the record: it goes to /api/v1/statements",
            code="promotion.not-a-request",
        )
    return Asked(statement, name_of(data), key.fingerprint)


def offer(asked: Asked, bureau: Bureau) -> Offer:
    """The plan that is asked for. Nothing is done or recorded. Raises Refused for who may not promote, GuardError."""
    claim = asked.statement.claim
    if not isinstance(claim, PromotionPlanned):
        raise _other_request()
    rules = _entered(asked, claim.target, bureau)
    new = claim.commit or proposed_head(bureau.sources, claim.target)
    if new is None:
        raise Refused(
            f"there is no open proposal into {claim.target}",
            fix="propose what is to be promoted: guard promote --prepare",
            code="promotion.nothing-proposed",
        )
    head = _head(claim.target, bureau)
    if new == head:
        raise Conflict(f"{claim.target} stands at {head[:10]} already", code="promotion.nothing-to-promote")
    decision = _decided(claim.target, new, bureau)
    brought, total = bureau.history.bringing(
        decision.candidate.old, decision.candidate.new, limit=SHOWN_COMMITS
    )
    commits = tuple((one.commit, one.subject) for one in reversed(brought))
    return Offer(decision, rules, commits, total, bureau.hosted)


def grant(asked: Asked, bureau: Bureau) -> Granted:
    """A permit for the move that is asked for, if it is GO at this moment; for a promotion that was asked for before,
    how it stands. Raises NotGo; Conflict for a replay or another promotion under way; Refused, also for a plan that no
    longer holds; GuardError when it cannot be decided."""
    claim = asked.statement.claim
    if not isinstance(claim, PromotionRequested):
        raise _other_request()
    ref, promotion = f"refs/heads/{claim.target}", promotion_id(claim.request)
    with bureau.lock(ref):
        if bureau.ledger.find(f"statement:sha256:{asked.name}") is not None:
            raise Conflict(
                "this very request was used already", fix="sign a new one", code="statement.replayed"
            )
        rules = _entered(asked, claim.target, bureau)
        _put_on_record(asked, promotion, bureau)
        known = progress_of(bureau.ledger, promotion)
        if known is not None:
            return _again(known, asked, claim, bureau)
        try:
            return _given(asked, claim, rules, bureau)
        except GuardError as error:
            _record_refusal(promotion, error, asked, bureau)
            raise


def _given(asked: Asked, claim: PromotionRequested, rules: Branch, bureau: Bureau) -> Granted:
    """The permit of a promotion that is new; the branch's lock is held."""
    ref, promotion = f"refs/heads/{claim.target}", promotion_id(claim.request)
    recover(bureau.ledger, ref, read_head=bureau.read_head, clock=bureau.clock)
    head = check_head(bureau.ledger, ref, bureau.read_head(ref))
    if head == claim.commit:
        raise Conflict(f"{claim.target} stands at {head[:10]} already", code="promotion.nothing-to-promote")
    _check_read(rules, claim)
    decision = _decided(claim.target, claim.commit, bureau)
    check_decision(
        decision, ref=ref, new=claim.commit, head=head, seen_old=claim.old, seen_policy=claim.policy
    )
    script = _script(rules, decision, bureau)
    attempt, permit = issue(
        decision,
        bureau.ledger,
        promotion=promotion,
        permit=bureau.new_id(),
        by=asked.by,
        life=min(rules.permit_ttl, OFFLINE_LIFE) if bureau.offline else rules.permit_ttl,
        now=bureau.clock.now(),
        mover="service" if bureau.hosted else "",
        asked={
            "request": claim.request,
            "asked": f"sha256:{asked.name}",
            "read": list(claim.read),
            "script": dict(script) if script else None,
        },
    )
    if not bureau.hosted:
        # Where the service moves the branch, a permit that nobody has brought back has moved nothing.
        started = {"promotion": promotion, "permit": permit.id, "script": dict(script) if script else None}
        bureau.ledger.append("promotion.started", started, at=bureau.clock.now())
    progress = progress_of(bureau.ledger, attempt.id)
    if progress is None:
        raise GuardError("the promotion is not on record", code="ledger.unreadable")
    return Granted(progress, bureau.sign(permit), script, bureau.hosted)


def _again(known: Progress, asked: Asked, claim: PromotionRequested, bureau: Bureau) -> Granted:
    """The same promotion asked for once more: by the same person, for the same move."""
    attempt = known.attempt
    same = (asked.by, f"refs/heads/{claim.target}", claim.old, claim.commit)
    if same != (known.by, attempt.ref, attempt.old, attempt.new):
        raise Conflict(
            "another promotion was asked for under this request id",
            fix="choose another one",
            code="promotion.other-request",
        )
    if known.stage not in ENDED and not known.live(bureau.clock.now()):
        known = settled(known, bureau, why=known.revoked)
    requested = bureau.ledger.find(f"promotion:{attempt.id}")
    script = requested.body.get("script") if requested else None
    usable = known.live(bureau.clock.now())
    token = bureau.sign(permit_of(bureau.ledger, bureau.repository, known)) if usable else ""
    return Granted(known, token, script if isinstance(script, Mapping) else None, bureau.hosted)


def _entered(asked: Asked, branch: str, bureau: Bureau) -> Branch:
    """The branch's rules, everything being fresh, for somebody who may promote it. Raises Refused, GuardError."""
    bureau.refresh((branch,), ())
    rules = branch_rules(bureau.sources, branch)
    policy = read_policy(bureau.sources, branch_head(bureau.sources, branch), branch)
    if isinstance(policy, Unknown):
        raise PolicyError(policy.why, fix=policy.fix)
    check_promoter(asked.by, rules, policy.value.policy, bureau.sources)
    bureau.fetch_proposals(branch, rules.upstream)
    return rules


def check_promoter(by: str, rules: Branch, policy: Policy, sources: Sources) -> None:
    """Raise Refused unless this person holds one of the roles that may promote the branch, asked now; ForgeError where
    that could not be read."""
    names = rules.promoters or policy.approvals.roles
    unread = []
    for role in (policy.roles[name] for name in names if name in policy.roles):
        members = sources.forge.members(role.members, inherited=role.inherited)
        if isinstance(members, Unknown):
            unread.append(members)
        elif by.strip().casefold() in {one.strip().casefold() for one in members.value}:
            return
    if unread:
        raise ForgeError(f"who may promote could not be read: {unread[0].why}", fix=unread[0].fix)
    raise Refused(
        f"{by} holds none of the roles that may promote: {', '.join(names)}",
        fix="have one of their holders promote, or name the roles in the policy: `promoters` of the branch",
        code="promotion.not-a-promoter",
    )


def _put_on_record(asked: Asked, promotion: str, bureau: Bureau) -> None:
    body = {
        "promotion": promotion,
        "statement": statement_fields(asked.statement),
        "digest": f"sha256:{asked.name}",
        "key": asked.key,
    }
    bureau.ledger.append(
        "promotion.asked", body, at=bureau.clock.now(), once=f"statement:sha256:{asked.name}"
    )


def _record_refusal(promotion: str, error: GuardError, asked: Asked, bureau: Bureau) -> None:
    body = {
        "promotion": promotion,
        "asked": f"sha256:{asked.name}",
        "by": asked.by,
        "code": error.code,
        "why": error.message,
    }
    bureau.ledger.append("promotion.refused", body, at=bureau.clock.now())


def _check_read(rules: Branch, claim: PromotionRequested) -> None:
    if missing := [path for path in rules.read_first if path not in claim.read]:
        raise Refused(
            f"these documents have to be read first: {', '.join(missing)}",
            fix="read them, and say so: guard promote asks",
            code="promotion.unread",
        )


def _head(branch: str, bureau: Bureau) -> Commit:
    ref = f"refs/heads/{branch}"
    return check_head(bureau.ledger, ref, bureau.sources.git.resolve(ref))


def _decided(branch: str, new: Commit, bureau: Bureau) -> Decision:
    if bureau.sources.git.resolve(new) is None:
        raise Refused(
            f"the guard does not have {new}, so it cannot be judged",
            fix="propose it first",
            code="promotion.not-proposed",
        )
    return gather_and_decide(Range(bureau.repository, branch, f"refs/heads/{branch}", new), bureau.sources)


def _script(rules: Branch, decision: Decision, bureau: Bureau) -> Mapping[str, object] | None:
    """The promote script as upstream has it: its path, commit and digest."""
    if rules.promote is None:
        return None
    upstream = decision.candidate.upstream
    data = bureau.sources.git.read(upstream, rules.promote)
    if data is None:
        raise Refused(
            f"the promote script {rules.promote} is not a file on upstream ({upstream[:10]})",
            fix="merge it to upstream first, or mend `promote` in guard.toml",
            code="promotion.no-script",
        )
    return {"path": rules.promote, "commit": upstream, "digest": digest_of_bytes(data)}


def _other_request() -> StatementError:
    return StatementError("this address takes another request", code="promotion.not-a-request")


__all__ = ["Asked", "Bureau", "Granted", "NotGo", "Offer", "authenticate", "check_promoter", "grant", "offer"]
