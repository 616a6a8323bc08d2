"""The server side's database as one SQLite file: opened, brought to the newest revision, its errors put into words."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from guard.adapters.revisions import REVISION, upgrade
from guard.core.errors import LedgerError

READ, WRITE = "BEGIN", "BEGIN IMMEDIATE"
"""How a transaction begins: a writer takes the one write lock at once."""

_PRAGMAS = ("PRAGMA synchronous = FULL", "PRAGMA recursive_triggers = ON", "PRAGMA foreign_keys = ON")

_SAID: tuple[tuple[str, str, str, str], ...] = (
    # the start of SQLite's error name, our code, what it means, what helps
    ("SQLITE_BUSY", "ledger.locked", "another process holds it", "try again; or find who has it open"),
    ("SQLITE_LOCKED", "ledger.locked", "another process holds it", "try again; or find who has it open"),
    ("SQLITE_FULL", "ledger.disk-full", "the disk is full", "free some space on the server side's disk"),
    # A file system that is full to the last block fails SQLite's shared memory before any write could say so.
    ("SQLITE_IOERR", "ledger.disk-error", "the disk is full or fails", "free some space there, or look at the disk"),
    ("SQLITE_READONLY", "ledger.read-only", "it cannot be written", "mend its permissions and its folder's"),
    ("SQLITE_CANTOPEN", "ledger.cannot-open", "it cannot be opened", "check the path and its permissions"),
    ("SQLITE_NOTADB", "ledger.not-a-database", "the file is no database", "restore the file from a backup"),
    ("SQLITE_CORRUPT", "ledger.not-a-database", "the file is damaged", "restore the file from a backup"),
    ("SQLITE_CONSTRAINT_TRIGGER", "ledger.append-only", "it only takes new entries", "add an entry instead"),
)  # fmt: skip


TRIGGERS = frozenset(
    {"entries_no_update", "entries_no_delete", "entries_in_order", "decision_inputs_no_update",
     "decision_inputs_no_delete", "decision_inputs_once"}
)  # fmt: skip
"""What keeps the ledger append-only; see the migrations."""


def open_file(path: Path, *, create: bool, patience: timedelta) -> Engine:
    """The engine for this file, its tables at the newest revision. Several processes may do this at once. Raises
    LedgerError."""
    if not create and not path.is_file():
        raise LedgerError(f"there is no ledger at {path}", fix="guard install --server BARE.git makes one")
    url = URL.create("sqlite", database=str(path))
    # No pool: nothing stays open between calls, so nothing is shared with a child process.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": patience.total_seconds()})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    with one_at_a_time(path):
        if _prepare_file(engine) != REVISION:
            with engine.connect() as connection:
                connection.execution_options(guard_begin=WRITE)
                with connection.begin():
                    upgrade(connection, str(path))
    return engine


def put(error: Exception, where: str) -> LedgerError:
    """This database's error in our words: what is wrong with which file, and what helps."""
    name = getattr(error, "sqlite_errorname", "") or ""
    for start, code, what, fix in _SAID:
        if name.startswith(start):
            return LedgerError(f"{where}: {what} ({error})", fix=fix, code=code)
    return LedgerError(f"{where}: {error}", fix="see the operator guide on the ledger")


def triggers(connection: Connection) -> frozenset[str]:
    """The names of the triggers that are there."""
    rows = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    return frozenset(str(name) for name in rows.scalars())


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself: `_begin` says which kind is wanted.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("guard_begin", READ))


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    # Changing the journal mode does not wait for other openers, so they wait here instead: on the folder, because
    # a lock file made by one user could shut another one out.
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be opened: {error.strerror}", fix="mend its folder", code="ledger.cannot-open"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prepare_file(engine: Engine) -> str | None:
    """Put the file into WAL mode; the revision it is at, or None of a new one."""
    with closing(engine.raw_connection()) as raw:
        cursor: Any = raw.cursor()
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            cursor.execute("PRAGMA journal_mode = WAL").fetchone()
        known = cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        row = cursor.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
        cursor.close()
    return str(row[0]) if row else None
