"""The server side's SQLite file: opened, brought to the newest revision, and its errors put into words."""

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
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from guard.core.errors import LedgerError

REVISION = "0003"
"""The newest revision under `migrations/versions`; a file that is there already is opened without Alembic."""

PATIENCE = timedelta(seconds=30)
"""How long a writer waits for another one before it gives up."""

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


def open_database(path: Path, *, create: bool = True, patience: timedelta = PATIENCE) -> Engine:
    """The engine for this file, its tables at the newest revision. Several processes may do this at once.

    `create` makes a file that is not there. Raises LedgerError.
    """
    if not create and not path.is_file():
        raise LedgerError(f"there is no ledger at {path}", fix="guard install --server BARE.git makes one")
    url = URL.create("sqlite", database=str(path))
    # No pool: nothing stays open between calls, so nothing is shared with a child process.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": patience.total_seconds()})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    with said_well(path), _one_at_a_time(path):
        if _prepare_file(engine) != REVISION:
            _migrate(engine)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection inside a read transaction. Raises LedgerError."""
    with said_well(_path(engine)), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection that holds the one write lock from the start and commits, durably, at the end. Raises
    LedgerError; then nothing was written."""
    with said_well(_path(engine)), engine.connect() as connection:
        connection.execution_options(guard_begin="BEGIN IMMEDIATE")
        with connection.begin():
            yield connection


@contextmanager
def said_well(path: Path | str) -> Iterator[None]:
    """Turn the database's errors into LedgerError: what is wrong with which file, and what helps."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        origin = error.orig if isinstance(error, DBAPIError) else error
        name = getattr(origin, "sqlite_errorname", "") or ""
        for start, code, what, fix in _SAID:
            if name.startswith(start):
                raise LedgerError(f"{path}: {what} ({origin})", fix=fix, code=code) from None
        raise LedgerError(f"{path}: {origin}", fix="see the operator guide on the ledger") from None


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself: `_begin` says which kind is wanted.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("guard_begin", "BEGIN"))


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
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


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "guard.adapters:migrations")
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise LedgerError(
                f"{_path(engine)} was made by another version of the guard: {error}",
                fix="install the version of release-guard that this server side uses",
                code="ledger.other-version",
            ) from None


def _path(engine: Engine) -> str:
    return engine.url.database or ""
