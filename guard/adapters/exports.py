"""The ledger as JSON lines: each the canonical JSON of one entry, in the chain's order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from guard.core.canonical import CanonicalError, canonical_bytes, parse_canonical
from guard.core.chain import FIELDS, Row, broken
from guard.ports import Entry
from guard.render.safe import plain


def lines_of(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Each entry as a line, its end included."""
    return (canonical_bytes(asdict(entry)) + b"\n" for entry in entries)


def rows_of(lines: Iterable[bytes], *, where: str) -> Iterator[Row]:
    """The entries of an export as `guard.core.chain.verify_chain` takes them, their bodies canonical text again.

    Raises LedgerError `ledger.broken` naming the line for what is no entry, and for one of another repository than
    the first: an export is one chain.
    """
    repository = None
    for number, line in enumerate(lines, 1):
        try:
            table = parse_canonical(line)
            if not isinstance(table, dict) or table.keys() != set(FIELDS):
                raise ValueError("it is not an entry with all its fields")
            table["body"] = canonical_bytes(table["body"]).decode()
        except (ValueError, RecursionError, CanonicalError) as error:
            raise broken(f"{plain(where)}, line {number}: {plain(str(error))}") from None
        if repository not in {None, table["repository"]}:
            raise broken(f"{plain(where)}, line {number}: it is of another repository than the lines before")
        repository = table["repository"]
        yield tuple(table[name] for name in FIELDS)
