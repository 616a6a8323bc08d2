"""Signed statements: who says what about which repository and when, as canonical JSON.

    {"at": "2026-05-01T12:00:00Z", "by": "ann@example.com", "commit": "…", "nonce": "…",
     "repository": "gpuaas/platform", "target": "release/platform-control", "type": "approval"}

The digest of these bytes is the statement's name everywhere. `at` is the signer's own clock; what counts is the
server's time of receipt, which the ledger holds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from guard.core.canonical import canonical_bytes
from guard.core.claim_forms import Form, nonce, principal, repository_name
from guard.core.claims import CLAIMS, TYPE_OF, Claim, claim_of
from guard.core.durations import format_duration
from guard.core.errors import GuardError

MAX_STATEMENT = 64 * 1024
"""Bytes of a statement."""
MAX_REPORT = 200 * 1024 * 1024
"""Bytes of a report."""

EARLIEST = timedelta(days=1)
"""How old a statement may be when it is received: one that was signed and kept back must not come up later."""
CLOCK_SKEW = timedelta(minutes=5)

STATEMENT_REFS = "refs/guard/statements/"
PROPOSAL_REFS = "refs/proposals/"
KINDS = tuple(f"statement.{name}" for name in CLAIMS)
"""The ledger's entry kinds."""

_ENVELOPE = ("type", "repository", "by", "at", "nonce")
_FORMS = {"by": principal, "repository": repository_name, "nonce": nonce}
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


class StatementError(GuardError):
    """A statement that cannot be read or is not accepted. `code` says why and is stable."""

    code = "statement.malformed"
    exit_status = 1


@dataclass(frozen=True, slots=True)
class Statement:
    """`by` is a principal of allowed_signers, `at` (aware, UTC) the signer's clock, `nonce` random hex digits."""

    repository: str
    by: str
    at: datetime
    nonce: str
    claim: Claim

    @property
    def type(self) -> str:
        return TYPE_OF[type(self.claim)]


def statement_fields(statement: Statement) -> dict[str, object]:
    """The statement as a JSON object."""
    claim = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(statement.claim).items()}
    at = statement.at.astimezone(UTC).isoformat(timespec="auto").replace("+00:00", "Z")
    return {
        "type": statement.type, "repository": statement.repository, "by": statement.by, "at": at,
        "nonce": statement.nonce, **claim,
    }  # fmt: skip


def encode_statement(statement: Statement) -> bytes:
    """The bytes that are signed. Raises StatementError for one that no server would take."""
    fields = statement_fields(statement)
    statement_of(fields)
    data = canonical_bytes(fields)
    if len(data) > MAX_STATEMENT:
        raise StatementError(
            f"the statement would have {len(data)} bytes; at most {MAX_STATEMENT} are taken",
            fix="shorten its note or command",
        )
    return data


def parse_statement(data: bytes) -> Statement:
    """Read a statement's bytes, which must be its canonical JSON. Raises StatementError."""
    if len(data) > MAX_STATEMENT:
        raise StatementError(f"a statement has at most {MAX_STATEMENT} bytes, this one {len(data)}")
    try:
        fields = json.loads(data)
        exact = isinstance(fields, dict) and canonical_bytes(fields) == data
    except (ValueError, RecursionError, GuardError):
        exact = False
    if not exact:
        # Comparing with the canonical form refuses repeated keys and other spellings in one step.
        raise StatementError("a statement is a JSON object in canonical form (RFC 8785), and this is not")
    return statement_of(fields)


def statement_of(fields: Mapping[str, object]) -> Statement:
    """The statement in a JSON object. Raises StatementError naming the field and what was expected."""
    try:
        absent = [name for name in _ENVELOPE if not isinstance(fields.get(name), str)]
        if absent:
            raise ValueError(f"{absent[0]}: expected text")
        envelope = {name: str(fields[name]) for name in _ENVELOPE}
        for name, form in _FORMS.items():
            _check(name, form, envelope[name])
        rest = {name: value for name, value in fields.items() if name not in _ENVELOPE}
        claim = claim_of(envelope["type"], rest)
        return Statement(
            envelope["repository"], envelope["by"], _moment(envelope["at"]), envelope["nonce"], claim
        )
    except ValueError as error:
        raise StatementError(
            f"the statement cannot be read: {error}", fix="make it with this version of guard"
        ) from None


def _check(name: str, form: Form, value: object) -> None:
    try:
        form.check(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _moment(text: str) -> datetime:
    if not _AT.fullmatch(text):
        raise ValueError("at: expected a time like 2026-05-01T12:00:00Z")
    return datetime.fromisoformat(text)


def check_received(
    statement: Statement, *, repository: str, now: datetime, longest: timedelta = EARLIEST
) -> None:
    """Raise StatementError unless the statement is about this repository and was signed at most `longest` ago."""
    if statement.repository != repository:
        raise StatementError(
            f"the statement is about {statement.repository}, and this is {repository}",
            fix=f"sign it for this repository: --repository {repository}",
            code="statement.other-repository",
        )
    if statement.at > now + CLOCK_SKEW:
        raise StatementError(
            "the statement was signed in the future of this server's clock",
            fix="set both clocks (NTP)",
            code="statement.future",
        )
    if statement.at < now - longest:
        span = "a day" if longest == EARLIEST else format_duration(longest)
        raise StatementError(
            f"the statement was signed on {statement.at:%Y-%m-%d %H:%M} UTC; more than {span} old, it is not taken",
            fix="sign it anew; are both clocks set?",
            code="statement.old",
        )


def statement_schema() -> dict[str, object]:
    """The JSON Schema of a statement, from the same table that it is parsed by."""
    envelope = {
        "by": {**principal.schema, "description": "the signer's name in allowed_signers"},
        "repository": {**repository_name.schema, "description": "as the policy's project.repository says"},
        "nonce": dict(nonce.schema),
        "at": {"type": "string", "format": "date-time", "description": "the signer's clock, UTC with Z"},
    }
    variants = []
    for type_name, (made, forms) in CLAIMS.items():
        properties = {
            "type": {"const": type_name},
            **envelope,
            **{n: dict(f.schema) for n, f in forms.items()},
        }
        variants.append({
            "title": type_name, "description": " ".join((made.__doc__ or "").split()), "type": "object",
            "properties": properties, "required": list(properties), "additionalProperties": False,
        })  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A signed statement (statement.json)",
        "oneOf": variants,
    }


def name_of(data: bytes) -> str:
    """The 64 hex digits that name the statement with these bytes."""
    return hashlib.sha256(data).hexdigest()


def proposal_ref(target: str, proposal: str) -> str:
    return f"{PROPOSAL_REFS}{target}/{proposal}"
