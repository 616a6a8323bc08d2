"""POST /api/v1/statements: a signed statement over HTTP, taken or refused exactly as a push of it would be."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guard.core.sshsig import MAX_ARMORED
from guard.core.statements import MAX_STATEMENT, StatementError
from guard.wiring_service import Service

MAX_REPORT = 16 * 1024 * 1024
"""Bytes of the largest report that comes this way, as it is held in memory; a larger one is pushed."""

MAX_BODY = (MAX_STATEMENT + MAX_ARMORED + MAX_REPORT) * 4 // 3 + 4096
"""Bytes of the largest request: everything at its largest, in base64."""


class Posting(BaseModel):
    """The request: base64 of the statement's canonical JSON, of its armored SSH signature, and of the report."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    statement: Annotated[str, Field(min_length=1)]
    sig: Annotated[str, Field(min_length=1)]
    report: str | None = None


def take_statement(body: bytes, service: Service) -> dict[str, str]:
    """Receive one statement; its name. Raises StatementError or Refused for what is not taken."""
    try:
        posting = Posting.model_validate(json.loads(body))
    except (ValueError, RecursionError, ValidationError):
        raise StatementError(
            "expected a JSON object with statement, sig and, for a report, report; all in base64",
            fix="see docs/service.md",
            code="statement.malformed",
        ) from None
    report = None if posting.report is None else _decoded("report", posting.report)
    name = service.receive(_decoded("statement", posting.statement), _decoded("sig", posting.sig), report)
    return {"statement": f"sha256:{name}"}


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise StatementError(f"{name} is not base64", code="statement.malformed") from None
