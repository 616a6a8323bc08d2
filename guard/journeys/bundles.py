"""Bundles of statements, as `guard audit export --format in-toto` writes them, read back and checked line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from guard.core.dsse import IN_TOTO, MAX_ENVELOPE, DsseError, PublicKey, parse_envelope, verified
from guard.core.replay import parsed
from guard.core.snapshot import SnapshotError
from guard.journeys.records import RecordError, open_record
from guard.render.move_statement import NOWHERE, PREDICATE


@dataclass(frozen=True, slots=True)
class Attested:
    """One line: what it says of which commit, in a word: `GO`, `NO-GO`, `promotion`, `move`, `baseline`."""

    line: int
    said: str
    ref: str
    commit: str
    at: str
    entry: int | None
    signers: tuple[str, ...]


def open_bundle(lines: Iterable[bytes], keys: Mapping[str, PublicKey]) -> Iterator[Attested]:
    """Each statement of the bundle. Raises RecordError naming the line that no key signed, or that is none."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _opened(line, keys, number)
        except RecordError as error:
            raise RecordError(f"line {number}: {error.message}", fix=error.fix, code=error.code) from None


def _opened(line: bytes, keys: Mapping[str, PublicKey], number: int) -> Attested:
    if len(line) > MAX_ENVELOPE:
        raise RecordError(f"it has more than {MAX_ENVELOPE} bytes")
    move = _move(line, keys)
    if move is not None:
        signers, statement = move
        return _attested_move(statement, signers, number)
    record = open_record(line, keys)
    candidate, place = record.document["candidate"], record.predicate["ledger"]
    return Attested(
        number,
        str(record.document["decision"]),
        str(candidate["ref"]),
        str(candidate["new"]),
        str(record.predicate["timeVerified"]),
        place["seq"] if place else None,
        record.signers,
    )


def _move(line: bytes, keys: Mapping[str, PublicKey]) -> tuple[tuple[str, ...], Mapping[str, Any]] | None:
    """A signed statement about a move; None for whatever else it is, which `open_record` names."""
    try:
        envelope = parse_envelope(line)
        if envelope.payload_type != IN_TOTO:
            return None
        statement = parsed(envelope.payload, what="statement")
        if not isinstance(statement, dict) or statement.get("predicateType") != PREDICATE:
            return None
        return verified(envelope, keys), statement
    except DsseError as error:
        if error.code == "dsse.unsigned":
            raise RecordError(error.message, code="record.unsigned") from None
        return None
    except SnapshotError:
        return None


def _attested_move(statement: Mapping[str, Any], signers: tuple[str, ...], number: int) -> Attested:
    try:
        said, (subject,) = statement["predicate"], statement["subject"]
        commit = subject["digest"]["gitCommit"]
        if commit != (said["old"] if said["new"] in NOWHERE else said["new"]):
            raise RecordError(
                "its subject is not the commit that the branch came to", code="record.inconsistent"
            )
        kind, ref, at = (str(said[name]) for name in ("kind", "ref", "recordedAt"))
        return Attested(number, kind, ref, str(commit), at, int(said["ledger"]["seq"]), signers)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"it is not the statement of a move: {str(error)[:100]}") from None
