"""What decisions were made of, beside the ledger that names it: each part once, under its digest, compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from sqlalchemy import Column, Connection, Engine, LargeBinary, MetaData, String, Table, insert, select

from guard.adapters.database import reading
from guard.core.canonical import digest_of_bytes
from guard.core.chain import FIELDS, Row, broken
from guard.core.errors import LedgerError
from guard.core.replay import MOST, digests_in
from guard.core.snapshot import SnapshotError

DECISION = "decision.recorded"
"""The kind of the ledger's entries that name inputs, in their body's `inputs`."""

decision_inputs_table = Table(
    "decision_inputs",
    MetaData(),
    Column("repository", String(300)),
    Column("digest", String(71)),
    Column("data", LargeBinary),
)
_T = decision_inputs_table.c

_SEQ, _KIND, _BODY = (FIELDS.index(name) for name in ("seq", "kind", "body"))
_MEMBER = '"inputs":"sha256:'
_WINDOW = 200
"""Digests of one question."""


class DecisionInputs:
    """The parts of one repository's decisions."""

    def __init__(self, engine: Engine, *, repository: str) -> None:
        self._engine = engine
        self._mine = _T.repository == repository
        self._repository = repository

    def keep(self, connection: Connection, parts: Iterable[bytes]) -> None:
        """Add those that are not there yet, within the transaction of the entry that names them."""
        named = {digest_of_bytes(part): part for part in parts}
        there = self._there(connection, named)
        rows = [
            {"repository": self._repository, "digest": digest, "data": zlib.compress(part, 6)}
            for digest, part in named.items()
            if digest not in there
        ]
        if rows:
            connection.execute(insert(decision_inputs_table), rows)

    def part(self, digest: str) -> bytes | None:
        """The bytes behind a digest, None where they are not there. Raises LedgerError `ledger.broken` where they are
        not what was recorded."""
        with reading(self._engine) as connection:
            data = connection.execute(select(_T.data).where(self._mine, _T.digest == digest)).scalar()
        return None if data is None else _sound(digest, data)

    def parts(self) -> Iterator[bytes]:
        """All of them, by their digests, one by one. Raises LedgerError `ledger.broken` for one that was changed."""
        rows = select(_T.digest, _T.data).where(self._mine).order_by(_T.digest)
        with (
            reading(self._engine) as connection,
            connection.execute(rows.execution_options(yield_per=16)) as found,
        ):
            for row in found:
                yield _sound(row.digest, row.data)

    def verify(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass the ledger's rows on; what the decisions among them name has to be there. In constant memory."""
        pending: dict[str, int] = {}
        for row in rows:
            digest = _named_in(row)
            if digest:
                pending.setdefault(digest, row[_SEQ])
            if len(pending) >= _WINDOW:
                self._check(pending)
                pending = {}
            yield row
        self._check(pending)

    def verify_parts(self) -> int:
        """How many there are, each what its digest says. Raises LedgerError `ledger.broken`."""
        return sum(1 for _ in self.parts())

    def _check(self, named: Mapping[str, int]) -> None:
        """`named` is digest → the entry that names it."""
        if not named:
            return
        with reading(self._engine) as connection:
            asked = select(_T.digest, _T.data).where(self._mine, _T.digest.in_(list(named)))
            documents = {row.digest: _sound(row.digest, row.data) for row in connection.execute(asked)}
            within = {part: named[digest] for digest, data in documents.items() for part in _parts_of(data)}
            there = documents.keys() | self._there(connection, within)
        for digest, seq in (*named.items(), *within.items()):
            if digest not in there:
                raise broken(f"what the decision of entry {seq} was made of is gone: {digest}")

    def _there(self, connection: Connection, digests: Iterable[str]) -> set[str]:
        pending, found = iter(digests), set[str]()
        while window := list(islice(pending, _WINDOW)):
            asked = select(_T.digest).where(self._mine, _T.digest.in_(window))
            found.update(str(one) for one in connection.execute(asked).scalars())
        return found


def _named_in(row: Row) -> str:
    """The digest of the inputs that an entry names, or ""."""
    kind, body = row[_KIND], row[_BODY]
    if kind != DECISION or not isinstance(body, str):
        return ""
    # Parsing a decision for it would double the time. Canonical JSON sorts members, and those that come after it have
    # none of that name within.
    at = body.rfind(_MEMBER)
    return body[at + len(_MEMBER) - 7 :][:71] if at >= 0 else ""


def _parts_of(document: bytes) -> tuple[str, ...]:
    try:
        return digests_in(document)
    except SnapshotError as error:
        raise broken(f"what a decision was made of cannot be read: {error.message}") from None


def _sound(digest: str, data: bytes) -> bytes:
    """The part, inflated within its limit. Raises LedgerError `ledger.broken`."""
    try:
        inflater = zlib.decompressobj()
        part = inflater.decompress(data, MOST + 1)
    except zlib.error:
        raise _changed(digest) from None
    if not inflater.eof or inflater.unused_data or digest_of_bytes(part) != digest:
        raise _changed(digest)
    return part


def _changed(digest: str) -> LedgerError:
    return broken(f"what a decision was made of was changed: {digest} is not what it was")
