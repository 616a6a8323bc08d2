"""A decision found in the ledger, made again from what was kept of it, or written as a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from guard.core.canonical import digest_of
from guard.core.errors import UsageError
from guard.core.facts import Facts
from guard.core.replay import Packed, digests_in, unpack
from guard.core.snapshot import SnapshotError
from guard.journeys.records import RecordError, Replayed, replay
from guard.ports import Entry, Ledger
from guard.render.decision_record import decision_statement

DECISION = "decision.recorded"
_DIGEST = re.compile(r"(sha256:)?(?P<start>[0-9a-f]{8,64})")

Part = Callable[[str], bytes | None]
"""A digest → the bytes that were kept under it."""


def find_decision(ledger: Ledger, name: str) -> Entry:
    """The recorded decision that is meant: by its entry's number in the ledger, by the start of its digest (8 digits at
    least), or by the promotion or permit that rests on it. Raises UsageError where there is none, or more than one."""
    number = int(name) if name.isascii() and name.isdigit() and len(name) <= 15 else None
    digest = _DIGEST.fullmatch(name)
    issued = ledger.find(f"permit.issued:{name}")
    promotion = str(issued.body.get("promotion")) if issued else name
    found: dict[str, Entry] = {}
    for entry in ledger.entries(DECISION, newest_first=True):
        if entry.seq == number or entry.body.get("promotion") == promotion:
            return entry
        if digest and str(entry.body.get("digest")).startswith(f"sha256:{digest['start']}"):
            found.setdefault(str(entry.body["digest"]), entry)
    if len(found) == 1:
        return next(iter(found.values()))
    why = f"{len(found)} decisions begin like it" if found else "the ledger has no such decision"
    raise UsageError(
        f"{name[:80]!r}: {why}",
        fix="name its number, its digest, its promotion or its permit: guard audit log --kind decision.recorded",
        code="audit.no-decision",
    )


def replay_entry(entry: Entry, part: Part, *, engine: str) -> Replayed:
    """The decision of this entry made again by release-guard `engine`.

    Raises RecordError `record.no-inputs` for one of which nothing was kept, SnapshotError for what cannot be read.
    """
    document = _document(entry)
    if digest_of(document) != entry.body.get("digest"):
        raise RecordError(f"the decision of entry {entry.seq} has not the digest that it says")
    return replay(document, inputs_of(entry, part), then=engine_of(entry), engine=engine)


def statement_of(entry: Entry, part: Part, *, whole: bool) -> dict[str, Any]:
    """The statement about the decision of this entry, where it is on record in it; `whole`: with its inputs. Raises
    RecordError, SnapshotError."""
    place = {"seq": entry.seq, "hash": entry.hash, "at": entry.at}
    inputs = inputs_of(entry, part) if whole or "inputs" in entry.body else None
    return decision_statement(
        _document(entry),
        engine=engine_of(entry),
        facts=_facts(inputs),
        inputs=inputs if whole else None,
        inputs_digest=str(entry.body.get("inputs") or ""),
        ledger=place,
    )


def inputs_of(entry: Entry, part: Part) -> Packed:
    """What the decision of this entry was made of. Raises RecordError, SnapshotError."""
    digest = entry.body.get("inputs")
    document = part(str(digest)) if digest else None
    if document is None:
        why = "is gone" if digest else "was not kept"
        raise RecordError(
            f"what the decision of entry {entry.seq} was made of {why}",
            fix="take it from a backup"
            if digest
            else "only decisions made since it is kept can be made again",
            code="record.no-inputs",
            exit_status=2,
        )
    found = {name: part(name) for name in digests_in(document)}
    return Packed(document, {name: data for name, data in found.items() if data is not None})


def engine_of(entry: Entry) -> str:
    """The version of release-guard that decided, as far as that is on record."""
    return str(entry.body.get("engine") or "unknown")


def _facts(inputs: Packed | None) -> Facts | None:
    """The facts, where this version can read them; the digests of the evidence stand in the verdicts anyway."""
    try:
        return unpack(inputs.document, inputs.parts.get).facts if inputs else None
    except SnapshotError as error:
        if error.code in {"snapshot.part-missing", "snapshot.part-changed"}:
            raise
        return None


def _document(entry: Entry) -> Mapping[str, Any]:
    document = entry.body.get("decision")
    if not isinstance(document, Mapping):
        raise RecordError(f"entry {entry.seq} holds no decision")
    return document
