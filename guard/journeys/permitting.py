"""Giving a permit: the request, the decision and the permit are on record before anything is signed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from guard.core.model import Decision
from guard.core.permit import Permit, check_form
from guard.journeys.keeping import recorded
from guard.journeys.reconcile import Attempt
from guard.ports import Ledger
from guard.render.decision_json import decision_document

OFFLINE_LIFE = timedelta(minutes=2)
"""How long a permit may live where verifiers are offline: nobody tells them that it was taken back."""


def issue(
    decision: Decision,
    ledger: Ledger,
    *,
    promotion: str,
    permit: str,
    by: str,
    life: timedelta,
    now: datetime,
    asked: Mapping[str, object] | None = None,
    mover: str = "",
) -> tuple[Attempt, Permit]:
    """Put a promotion that is a GO on record, in this order: request, decision, permit. `asked` goes into the request;
    `life` is how long the permit lives unless the evidence ends before; `mover` is `service` where nobody but the
    service moves the branch. Raises PermitError, LedgerError."""
    candidate, (told, parts) = decision.candidate, recorded(decision, decision_document(decision))
    move: dict[str, object] = {"ref": candidate.ref, "old": candidate.old, "new": candidate.new}
    made = Permit(
        id=permit,
        repository=candidate.repository,
        ref=candidate.ref,
        old=candidate.old,
        new=candidate.new,
        tree=candidate.tree,
        decision=str(told["digest"]),
        policy=decision.policy_digest,
        by=by,
        issued=int(now.timestamp()),
        expires=_end(now, life, decision),
    )
    check_form(made)
    body = {"promotion": promotion, **move, "by": by, **(asked or {})}
    requested = ledger.append("promotion.requested", body, at=now, once=f"promotion:{promotion}")
    ledger.append("decision.recorded", {"promotion": promotion, **told}, at=now, parts=parts)
    issued = _issued(made, promotion) | ({"mover": mover} if mover else {})
    ledger.append("permit.issued", issued, at=now, once=f"permit.issued:{permit}")
    attempt = Attempt(
        promotion, candidate.ref, candidate.old, candidate.new, requested.seq, permit=permit, started=False
    )
    return attempt, made


def _issued(permit: Permit, promotion: str) -> dict[str, object]:
    """Everything that the token says, so that the same one can be made again; the token itself is on no record."""
    return {
        "permit": permit.id,
        "promotion": promotion,
        "ref": permit.ref,
        "old": permit.old,
        "new": permit.new,
        "tree": permit.tree,
        "decision": permit.decision,
        "policy": permit.policy,
        "issued": _second(permit.issued),
        "expires": _second(permit.expires),
    }


def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _end(now: datetime, life: timedelta, decision: Decision) -> int:
    """When the permit ends, in seconds since 1970: with the evidence that its GO rests on, if that is sooner."""
    end = min(now + life, decision.next_change_at or now + life)
    return max(int(end.timestamp()), int(now.timestamp()) + 1)
