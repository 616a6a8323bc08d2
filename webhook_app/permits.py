"""POST /api/v1/permits/verify: whether a permit is good for a move now. It tells nobody what a token does not say."""

from __future__ import annotations

import hmac
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guard.core.errors import Refused
from guard.journeys.permits import Question
from guard.wiring_service import Service

MAX_BODY = 16384
"""Bytes of the largest question."""

_Word = Annotated[str, Field(min_length=1, max_length=4096)]


class Asked(BaseModel):
    """The request. Without `permit`: is there an unspent one on record for exactly this move?"""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    repository: _Word
    ref: _Word
    old: _Word
    new: _Word
    permit: _Word | None = None


class Unproven(Refused):
    """The caller did not say the secret of this guard's servers."""

    code = "permit.caller-unknown"


def check_caller(authorization: str, service: Service) -> None:
    """Raise Unproven unless `Authorization: Bearer SECRET` names a secret of ours, or the operator lets anyone ask."""
    if service.settings.verify_callers == "anyone":
        return
    scheme, _, given = authorization.partition(" ")
    # All are compared, each in constant time.
    good = [hmac.compare_digest(given.encode(), one.encode()) for one in service.secrets.verify]
    if scheme.lower() != "bearer" or not any(good):
        raise Unproven(
            "who asks whether a permit is good has to say the guard's secret",
            fix="give the server's hook the secret that the service has in GUARD_VERIFY_SECRET; see docs/hooks.md",
        )


def verify_permit(body: bytes, service: Service) -> dict[str, str]:
    """The move and the permit that covers it. Raises Refused with the reason when none does."""
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError:
        raise Refused(
            "expected a JSON object with repository, ref, old, new and, where there is one, permit",
            code="permit.question",
        ) from None
    question = Question(**asked.model_dump())
    permit = service.permit_for(question)
    return {"repository": asked.repository, **question.move, "permit": permit}
