"""The ledger told to outsiders: a signed in-toto statement for each decision, and for each place a branch came to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guard.core.dsse import Signer
from guard.journeys.records import seal
from guard.journeys.replaying import DECISION, Part, statement_of
from guard.ports import Entry, Ledger
from guard.render.move_statement import KINDS, move_statement


def attestations(ledger: Ledger, part: Part, signer: Signer, *, engine: str, whole: bool) -> Iterator[bytes]:
    """A line for each, in the ledger's order, the same each time: an in-toto bundle (JSON Lines of DSSE envelopes).

    `whole` puts into each decision what it was made of, where that was kept. Raises RecordError, SnapshotError,
    LedgerError.
    """
    for entry in ledger.entries(DECISION, *KINDS):
        yield seal(_statement(entry, ledger, part, engine=engine, whole=whole), signer) + b"\n"


def _statement(entry: Entry, ledger: Ledger, part: Part, *, engine: str, whole: bool) -> dict[str, Any]:
    if entry.kind == DECISION:
        return statement_of(entry, part, whole=whole and "inputs" in entry.body)
    permit = entry.body.get("permit")
    issued = ledger.find(f"permit.issued:{permit}") if permit else None
    requested = ledger.find(f"promotion:{issued.body.get('promotion')}") if issued else None
    by = str((requested or entry).body.get("by") or "")
    return move_statement(entry, issued.body if issued else None, by=by, engine=engine)
