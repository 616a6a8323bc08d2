"""The promotion API: a plan, a permit, how a promotion stands, the service's own push, and its end."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from guard.core.errors import Refused
from guard.core.promotion_api import Plan, Presented, Promotion, SignedRequest
from guard.core.statements import StatementError
from guard.journeys.promotion import NotGo
from guard.render.decision_json import decision_document
from guard.render.terminal import render_text
from guard.wiring_promotions import authenticate, open_bureau
from guard.wiring_service import Service

if TYPE_CHECKING:
    from guard.journeys.granting import Asked, Offer
    from guard.journeys.underway import Progress

M = TypeVar("M", bound=BaseModel)

MAX_BODY = 128 * 1024
"""Bytes of the largest request; a statement has at most half of it before base64."""


def plan(body: bytes, service: Service) -> dict[str, Any]:
    """The plan that a signed request asks for. Raises GuardError."""
    from guard.journeys.granting import offer

    asked = _asked(body, service)
    with open_bureau(service) as bureau:
        return _plan(offer(asked, bureau), service)


def request(body: bytes, service: Service) -> dict[str, Any]:
    """The promotion that a signed request asks for, with its permit. Raises NotGo and other GuardErrors."""
    from guard.journeys.granting import grant

    asked = _asked(body, service)
    with open_bureau(service) as bureau:
        given = grant(asked, bureau)
    return _promotion(given.progress, service, script=given.script, permit=given.token or None)


def state(promotion: str, service: Service) -> dict[str, Any]:
    """How the promotion stands; whoever was told its id may ask. Raises Refused where there is none."""
    from guard.journeys.underway import progress_of

    found = progress_of(service.ledger, promotion)
    if found is None or not found.request:
        raise Refused("there is no such promotion", code="promotion.unknown")
    return _promotion(found, service)


def push(promotion: str, body: bytes, service: Service) -> dict[str, Any]:
    """Move the branch with the permit that is presented. Raises GuardError."""
    from guard.journeys import moving

    token = _read(body, Presented).permit
    with open_bureau(service) as bureau:
        return _promotion(moving.push(promotion, token, bureau), service)


def end(promotion: str, body: bytes, service: Service) -> dict[str, Any]:
    """End the promotion by what is true. Raises GuardError."""
    from guard.journeys import moving

    token = _read(body, Presented).permit
    with open_bureau(service) as bureau:
        return _promotion(moving.end(promotion, token, bureau), service)


def refusal(error: NotGo) -> dict[str, Any]:
    """What a NO-GO says besides its code: the decision, which holds the plan that would unblock it, and the board."""
    return {
        "exit_status": error.exit_status,
        "board": render_text(error.decision),
        "decision": decision_document(error.decision),
    }


def _asked(body: bytes, service: Service) -> Asked:
    posted = _read(body, SignedRequest)
    try:
        statement, signature = (
            base64.b64decode(one, validate=True) for one in (posted.statement, posted.sig)
        )
    except (binascii.Error, ValueError):
        raise StatementError("statement and sig are base64", code="statement.malformed") from None
    return authenticate(service, statement, signature)


def _read(body: bytes, model: type[M]) -> M:
    try:
        return model.model_validate(json.loads(body), strict=True)
    except (ValueError, RecursionError, ValidationError):
        names = ", ".join(model.model_fields)
        raise StatementError(
            f"expected a JSON object with {names}", fix="see docs/service.md", code="promotion.malformed"
        ) from None


def _plan(found: Offer, service: Service) -> dict[str, Any]:
    decision, candidate = found.decision, found.decision.candidate
    document = {
        "repository": candidate.repository,
        "ref": candidate.ref,
        "old": candidate.old,
        "new": candidate.new,
        "upstream": candidate.upstream,
        "policy": decision.policy_digest,
        "allowed": decision.allowed,
        "exit_status": decision.exit_status,
        "board": render_text(decision),
        "decision": decision_document(decision),
        "commits": [{"commit": commit, "subject": subject[:1000]} for commit, subject in found.commits],
        "total": found.total,
        "environments": found.rules.environments,
        "read_first": found.rules.read_first,
        "promote": found.rules.promote,
        "moved_by": _mover(service),
    }
    return Plan.model_validate(document).model_dump(mode="json")


def _promotion(
    found: Progress,
    service: Service,
    *,
    script: Mapping[str, object] | None = None,
    permit: str | None = None,
) -> dict[str, Any]:
    attempt = found.attempt
    document = {
        "promotion": attempt.id,
        "repository": service.repository,
        "ref": attempt.ref,
        "old": attempt.old,
        "new": attempt.new,
        "state": found.stage,
        "by": found.by,
        "requested_at": found.requested_at,
        "expires": found.expires,
        "note": (found.note or found.revoked)[:4000],
        "moved_by": _mover(service),
        "script": script,
        "permit": permit,
    }
    return Promotion.model_validate(document).model_dump(mode="json")


def _mover(service: Service) -> str:
    return "service" if service.settings.hosted else "script"
