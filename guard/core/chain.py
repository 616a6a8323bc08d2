"""The ledger's hash chain: what an entry's hash covers, and whether a chain of entries adds up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from guard.core.errors import LedgerError

FIRST_PREV = "sha256:" + "0" * 64
"""What the first entry of a chain names as its predecessor."""

FIELDS = ("repository", "seq", "at", "kind", "body", "once", "prev", "hash")

Row: TypeAlias = Sequence[Any]
"""An entry's fields in the order of `FIELDS`, the body as its canonical JSON text."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The chain had `count` entries and its last one the hash `hash` (`sha256:…`).

    `repository` and `at` (RFC 3339, UTC) are "" where it was only noted down as COUNT:HASH.
    """

    count: int
    hash: str
    repository: str = ""
    at: str = ""

    @property
    def short(self) -> str:
        return f"{self.count}:{self.hash}"


def entry_hash(
    *, repository: str, seq: int, at: str, kind: str, body: str, once: str | None, prev: str
) -> str:
    """The hash of an entry whose body is `body`, a canonical JSON text.

    The canonical JSON of the whole is put together around that text, members in their sorted order, because
    encoding each body anew would make verifying a million entries slow.
    """
    parts = (
        f'{{"at":{_json(at)},"body":{body},"kind":{_json(kind)},"once":{_json(once)},'
        f'"prev":{_json(prev)},"repository":{_json(repository)},"seq":{seq:d}}}'
    )
    return "sha256:" + hashlib.sha256(parts.encode("utf-8")).hexdigest()


_text = json.encoder.encode_basestring


def _json(value: str | None) -> str:
    return "null" if value is None else _text(value)


def verify_chain(rows: Iterable[Row], *, checkpoints: Iterable[Checkpoint] = ()) -> tuple[int, str]:
    """How many entries were checked, and the last one's hash.

    Raises LedgerError `ledger.broken` naming the first that does not add up, or a checkpoint that does not fit.
    """
    marks = _marks(checkpoints)
    count, prev = 0, FIRST_PREV
    for row in rows:
        count += 1
        prev = _checked(row, seq=count, prev=prev)
        if marks and marks.pop(count, prev) != prev:
            raise broken(f"entry {count} is not the one that a checkpoint names")
    if marks:
        raise broken(f"a checkpoint names {max(marks)} entries, {count} are left: its end was cut off")
    return count, prev


def _marks(checkpoints: Iterable[Checkpoint]) -> dict[int, str]:
    """The hash at each place that a checkpoint names. Raises LedgerError where two contradict each other."""
    marks: dict[int, str] = {}
    for mark in checkpoints:
        if marks.setdefault(mark.count, mark.hash) != mark.hash:
            raise broken(
                f"two checkpoints name different entries {mark.count}: one chain took another's place"
            )
    return marks


def _checked(row: Row, *, seq: int, prev: str) -> str:
    """The hash of this row, a sound entry `seq` that follows the one with hash `prev`. Raises LedgerError."""
    repository, place, at, kind, body, once, before, claimed = row
    if place != seq:
        raise broken(f"entry {seq} is missing: entry {place!r} stands in its place")
    try:
        # Only a body that is one JSON object cannot run on into the members around it.
        made = entry_hash(
            repository=repository, seq=place, at=at, kind=kind, body=body, once=once, prev=before
        )
        sound = made == claimed and isinstance(json.loads(body), dict)
    except (ValueError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise broken(f"entry {seq} is not what was recorded: its hash does not fit its content")
    if before != prev:
        raise broken(f"entry {seq} does not follow entry {seq - 1}: one of them was put in or replaced")
    return str(claimed)


def broken(message: str) -> LedgerError:
    """The error for a ledger that does not add up."""
    return LedgerError(
        f"the ledger does not add up: {message}",
        fix="stop promotions, keep the file as evidence, and compare it with a backup",
        code="ledger.broken",
    )
