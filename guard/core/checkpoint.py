"""Checkpoints: what a ledger's chain was at some moment, signed, to be kept where the ledger's host cannot reach.

Whoever owns the database can cut entries off the end or write the whole chain anew; only somebody who still knows how
long it was, and which hash stood there, can tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from guard.core.canonical import canonical_bytes
from guard.core.chain import Checkpoint
from guard.core.dsse import DsseError, PublicKey, Signer, parse_envelope, sealed, verified
from guard.core.errors import GuardError

PAYLOAD_TYPE = "application/vnd.release-guard.checkpoint+json"
MAX_LINE = 8192
"""Characters of a checkpoint's envelope; a real one has about 600."""

_SHORT = re.compile(r"([1-9][0-9]{0,15}):(sha256:[0-9a-f]{64})")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_FIELDS = {"repository", "count", "head", "at"}


class CheckpointError(GuardError):
    """What was given is no checkpoint, or none that the known keys have signed."""

    code = "checkpoint.malformed"
    exit_status = 1


def seal(mark: Checkpoint, signer: Signer) -> str:
    """One line of text: a DSSE envelope over the checkpoint's canonical JSON."""
    payload = {"repository": mark.repository, "count": mark.count, "head": mark.hash, "at": mark.at}
    return sealed(PAYLOAD_TYPE, canonical_bytes(payload), [signer]).decode("ascii")


def parse_short(text: str) -> Checkpoint | None:
    """The checkpoint in `COUNT:HASH`; None for any other text."""
    match = _SHORT.fullmatch(text)
    return Checkpoint(int(match[1]), match[2]) if match else None


def unseal(line: str, keys: Mapping[str, PublicKey]) -> Checkpoint:
    """The checkpoint in one sealed line, signed by one of `keys`. Raises CheckpointError."""
    if len(line) > MAX_LINE:
        raise CheckpointError(f"it is longer than {MAX_LINE} characters")
    try:
        envelope = parse_envelope(line.encode("utf-8", "surrogatepass"))
        verified(envelope, keys, payload_type=PAYLOAD_TYPE)
    except DsseError as error:
        raise CheckpointError(
            error.message,
            fix="verify it with the keys of the guard that made it: --jwks FILE",
            code=_code(error),
        ) from None
    return _parsed(envelope.payload)


def unseal_all(
    lines: Iterable[str], keys: Mapping[str, PublicKey], *, repository: str
) -> tuple[Checkpoint, ...]:
    """The checkpoints of this repository among the lines of a file, every line checked. A line may begin with what a
    log daemon put before it. Raises CheckpointError naming the line, also where none is about the repository."""
    found = []
    for number, line in enumerate(lines, 1):
        start = line.find("{")
        if not line.strip():
            continue
        try:
            mark = unseal(line[max(start, 0) :].strip(), keys)
        except CheckpointError as error:
            raise CheckpointError(f"line {number}: {error.message}", fix=error.fix, code=error.code) from None
        if mark.repository == repository:
            found.append(mark)
    if not found:
        raise CheckpointError(
            f"no checkpoint of {repository} is among them",
            fix="name the file that this ledger's checkpoints went to",
        )
    return tuple(found)


def _parsed(payload: bytes) -> Checkpoint:
    try:
        table = json.loads(payload)
        exact = isinstance(table, dict) and table.keys() == _FIELDS and canonical_bytes(table) == payload
    except (ValueError, RecursionError, GuardError):
        exact = False
    if not exact:
        raise CheckpointError("its payload is not the canonical JSON of a checkpoint")
    count, head, repository, at = (table[name] for name in ("count", "head", "repository", "at"))
    sound = type(count) is int and count > 0 and isinstance(repository, str) and 0 < len(repository) <= 200
    if not (sound and _matches(_HASH, head) and _matches(_AT, at)):
        raise CheckpointError("a field of it has not the form that it must have")
    return Checkpoint(count, head, repository, at)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _code(error: DsseError) -> str:
    return "checkpoint.unsigned" if error.code == "dsse.unsigned" else CheckpointError.code


def moment(at: datetime) -> str:
    """An aware moment as a checkpoint says it, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
