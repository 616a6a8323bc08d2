"""The ledger in the server side's database: append-only, hash-chained, one chain for each repository."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Select, Table, Text, insert, select
from sqlalchemy import Row as SqlRow

from guard.adapters.database import PATIENCE, missing_triggers, open_database, reading, writing
from guard.adapters.decision_inputs import DecisionInputs
from guard.adapters.locks import advisory_lock, file_lock
from guard.core.canonical import canonical_bytes, parse_canonical
from guard.core.chain import FIELDS, FIRST_PREV, Checkpoint, Row, broken, entry_hash, verify_chain
from guard.core.errors import LedgerError
from guard.ports import Entry

_PAGE = 500
"""Entries read in one go; a page's bodies are all that a walk over the ledger keeps in memory."""

_STREAMED = 200
"""Entries in memory at once while a chain is verified."""

_PAGE_BACK = 50
"""The same for walks backwards, which mostly end soon."""

entries_table = Table(
    "entries",
    MetaData(),
    Column("repository", Text),
    Column("seq", Integer),
    Column("at", Text),
    Column("kind", Text),
    Column("body", Text),
    Column("once", Text),
    Column("prev", Text),
    Column("hash", Text),
)
_T = entries_table.c


class SqlLedger:
    """The port Ledger for one repository's chain in a SQLite file or on PostgreSQL. Opens nothing for longer than a
    call, but for the lock of a branch."""

    def __init__(
        self, where: Path | str, *, repository: str, create: bool = True, patience: timedelta = PATIENCE
    ) -> None:
        """Opens a file and brings its tables up to date (`create` makes one that is not there), or a prepared
        database by its URL. Raises LedgerError."""
        self.repository = repository
        self._engine = open_database(where, create=create, patience=patience)
        self.inputs = DecisionInputs(self._engine, repository=repository)
        self._locks = where.with_name("locks") if isinstance(where, Path) else None

    def append(
        self,
        kind: str,
        body: Mapping[str, object],
        *,
        at: datetime,
        once: str | None = None,
        parts: Iterable[bytes] = (),
    ) -> Entry:
        """See the port. Also raises CanonicalError for a body that is not JSON."""
        text = canonical_bytes(body).decode("utf-8")
        with writing(self._engine) as connection:
            there = self._row_once(connection, once) if once is not None else None
            if there is not None:
                return _same(there, kind, text)
            last = connection.execute(self._rows().order_by(_T.seq.desc()).limit(1)).first()
            entry: dict[str, Any] = {
                "repository": self.repository,
                "seq": last.seq + 1 if last else 1,
                "at": rfc3339(at),
                "kind": kind,
                "body": text,
                "once": once,
                "prev": last.hash if last else FIRST_PREV,
            }
            entry["hash"] = entry_hash(**entry)
            connection.execute(insert(entries_table).values(entry))
            self.inputs.keep(connection, parts)
        return _entry(entry)

    def part(self, digest: str) -> bytes | None:
        return self.inputs.part(digest)

    def restore(self, rows: Iterable[Row], *, end: Checkpoint, parts: Iterable[bytes] = ()) -> None:
        """Put a whole chain, verified before, and the parts that it names, into an empty ledger, all of it or nothing;
        `end` is where it ends. The same chain once more changes nothing.

        Raises LedgerError `ledger.not-empty` where other entries are there already.
        """
        with writing(self._engine) as connection:
            last = connection.execute(self._rows().order_by(_T.seq.desc()).limit(1)).first()
            if last is not None and (last.seq, last.hash) == (end.count, end.hash):
                return
            if last is not None:
                raise LedgerError(
                    f"the ledger of {self.repository} has {last.seq} entries already, not those of the backup",
                    fix="restore into an empty database",
                    code="ledger.not-empty",
                )
            pending = iter(rows)
            while page := list(islice(pending, _PAGE)):
                connection.execute(
                    insert(entries_table), [dict(zip(FIELDS, row, strict=True)) for row in page]
                )
            for part in parts:
                self.inputs.keep(connection, [part])

    def find(self, once: str) -> Entry | None:
        with reading(self._engine) as connection:
            row = self._row_once(connection, once)
        return _entry(row._mapping) if row is not None else None

    def head(self) -> Entry | None:
        """The newest entry, or None of an empty chain."""
        with reading(self._engine) as connection:
            row = connection.execute(self._rows().order_by(_T.seq.desc()).limit(1)).first()
        return _entry(row._mapping) if row is not None else None

    def entries(self, *kinds: str, newest_first: bool = False) -> Iterator[Entry]:
        return (_entry(row._mapping) for row in self._walk(kinds, newest_first=newest_first))

    def verify(self) -> int:
        return self.verify_to_head()[0]

    def verify_to_head(self, *, checkpoints: Iterable[Checkpoint] = ()) -> tuple[int, str]:
        """How many entries were checked, and the last one's hash; what decisions were made of is checked as well.
        Raises LedgerError `ledger.broken` naming the first that does not add up.

        Entries cut off the end leave a good, shorter chain: only checkpoints, kept elsewhere, show that.
        """
        self._check_triggers()
        rows = self._rows().order_by(_T.seq).execution_options(yield_per=_STREAMED)
        with reading(self._engine) as connection, connection.execute(rows) as found:
            verified = verify_chain(self.inputs.verify(found), checkpoints=checkpoints)
        self.inputs.verify_parts()
        return verified

    @contextmanager
    def branch_lock(self, ref: str) -> Iterator[None]:
        """See the port."""
        name = hashlib.sha256(f"{self.repository}\0{ref}".encode()).hexdigest()
        held = (
            advisory_lock(self._engine, name, ref=ref)
            if self._locks is None
            else file_lock(self._locks, name, ref=ref)
        )
        with held:
            yield

    def _rows(self) -> Select[Any]:
        return select(entries_table).where(_T.repository == self.repository)

    def _row_once(self, connection: Connection, once: str) -> SqlRow[Any] | None:
        return connection.execute(self._rows().where(_T.once == once)).first()

    def _walk(self, kinds: tuple[str, ...], *, newest_first: bool = False) -> Iterator[SqlRow[Any]]:
        """The rows page by page: nothing is open while a row is being looked at, and what was appended
        meanwhile is seen too."""
        rows = self._rows().where(_T.kind.in_(kinds)) if kinds else self._rows()
        rows = rows.order_by(_T.seq.desc() if newest_first else _T.seq).limit(
            _PAGE_BACK if newest_first else _PAGE
        )
        page_query = rows
        while True:
            with reading(self._engine) as connection:
                page = connection.execute(page_query).all()
            yield from page
            if not page:
                return
            last = page[-1].seq
            page_query = rows.where(_T.seq < last if newest_first else _T.seq > last)

    def _check_triggers(self) -> None:
        if missing := missing_triggers(self._engine):
            raise broken(f"the triggers that keep it append-only are gone: {', '.join(missing)}")


def rfc3339(at: datetime) -> str:
    """An aware moment as RFC 3339 in UTC with microseconds and `Z`."""
    if at.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _same(row: SqlRow[Any], kind: str, text: str) -> Entry:
    if (row.kind, row.body) != (kind, text):
        raise LedgerError(
            f'"{row.once}" is on record already and says something else (entry {row.seq}, {row.kind})',
            fix='look at it: "guard audit log"',
            code="ledger.once-differs",
        )
    return _entry(row._mapping)


def _entry(fields: Mapping[Any, Any]) -> Entry:
    try:
        body = parse_canonical(fields["body"])
    except (ValueError, TypeError, RecursionError):
        raise broken(f"entry {fields['seq']} cannot be read") from None
    return Entry(**{**fields, "body": body})
