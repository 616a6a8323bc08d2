"""The server side's database, a SQLite file or PostgreSQL: opened, read from and written to the same way."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from guard.adapters import postgresql, sqlite
from guard.adapters.revisions import REVISION

__all__ = ["PATIENCE", "REVISION", "missing_triggers", "open_database", "reading", "said_well", "writing"]

PATIENCE = timedelta(seconds=30)
"""How long a writer waits for another one before it gives up."""


def open_database(where: Path | str, *, create: bool = True, patience: timedelta = PATIENCE) -> Engine:
    """The engine for a SQLite file (its tables brought to the newest revision; `create` makes one that is not
    there) or for a `postgresql://` URL (whose tables the owner has made). Raises LedgerError."""
    with said_well(where):
        if isinstance(where, Path):
            return sqlite.open_file(where, create=create, patience=patience)
        return postgresql.open_url(where, patience=patience)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection inside a read transaction. Raises LedgerError."""
    with said_well(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection that holds the one write lock from the start and commits, durably, at the end. Raises
    LedgerError; then nothing was written."""
    with said_well(engine), engine.connect() as connection:
        connection.execution_options(guard_begin=sqlite.WRITE)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                postgresql.take_write_lock(connection)
            yield connection


@contextmanager
def said_well(where: Engine | Path | str) -> Iterator[None]:
    """Turn the database's errors into LedgerError: what is wrong with which database, and what helps."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        name = _named(where)
        put = sqlite.put if isinstance(origin, sqlite3.Error) else postgresql.put
        raise put(origin, name) from None


def missing_triggers(engine: Engine) -> tuple[str, ...]:
    """Which of the triggers that keep the ledger append-only are gone or switched off. Raises LedgerError."""
    kind = postgresql if engine.dialect.name == "postgresql" else sqlite
    with reading(engine) as connection:
        return tuple(sorted(kind.TRIGGERS - kind.triggers(connection)))


def _named(where: Engine | Path | str) -> str:
    """The database as messages call it; a password is never part of that."""
    if isinstance(where, Engine):
        return postgresql.shown(where.url) if where.dialect.name == "postgresql" else str(where.url.database)
    return postgresql.shown(where) if isinstance(where, str) else str(where)
