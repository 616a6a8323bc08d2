"""What the server's hook asks the ledger, read-only: was this permit issued for this move, and is it unspent?"""

from __future__ import annotations

import os
import sys

from hooks.config import Config
from hooks.permits import NoLeave
from hooks.refs import Update
from hooks.say import Stop
from hooks.values import TYPE_CHECKING, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = ("permit.issued", "permit.spent", "permit.revoked")
PATIENCE = 10
"""Seconds until a ledger that does not answer is given up on."""

Row = tuple[object, ...]


def check_standing(folder: str, config: Config, repository: str, *, permit: str, update: Update) -> None:
    """Raise NoLeave unless the ledger says that the permit was issued for this move and is neither spent nor
    revoked; Stop when the ledger cannot be read."""
    names = [f"{kind}:{permit}" for kind in KINDS]
    if config.database:
        rows = _from_postgresql(config, repository, names)
    else:
        rows = _from_file(f"{folder}/ledger.sqlite3", repository, names)
    found = _bodies(rows)
    issued = found.get("permit.issued")
    if issued is None:
        raise NoLeave("permit.not-issued", "the ledger knows no such permit", 'ask for one: "guard promote"')
    if tuple(issued.get(name) for name in ("ref", "old", "new")) != update:
        raise NoLeave("permit.not-issued", "the ledger has this permit for another move", '"guard audit log"')
    if "permit.spent" in found:
        raise NoLeave("permit.spent", "the permit was used already", 'ask for a new one: "guard promote"')
    if "permit.revoked" in found:
        why = str(found["permit.revoked"].get("why") or "no reason is given")
        raise NoLeave(
            "permit.revoked", f"the permit was taken back: {why}", 'ask for a new one: "guard promote"'
        )


def _bodies(rows: Iterable[Row]) -> dict[str, dict[str, object]]:
    """What each entry says, by its kind."""
    try:
        found = {str(kind): parse_json(str(body)) for kind, body in rows}
    except (ValueError, RecursionError) as error:
        raise _unreadable(str(error)) from None
    bodies = {kind: body for kind, body in found.items() if isinstance(body, dict)}
    if bodies.keys() != found.keys():
        raise _unreadable("it holds an entry that makes no sense")
    return bodies


def _from_file(file: str, repository: str, names: list[str]) -> list[Row]:
    import _sqlite3 as sqlite3  # without the module around it, which imports a calendar

    query = "SELECT kind, body FROM entries WHERE repository = ? AND once IN (?, ?, ?)"
    try:
        connection = sqlite3.connect(_read_only(file), uri=True, timeout=PATIENCE)
        try:
            return connection.execute(query, (repository, *names)).fetchall()
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise _unreadable(str(error)) from None


def _read_only(file: str) -> str:
    """The file as SQLite's URI (https://sqlite.org/uri.html), so that it is neither made nor changed."""
    safe = b"/-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    path = "".join(chr(b) if b in safe else f"%{b:02X}" for b in os.fsencode(os.path.realpath(file)))
    return f"file:{path}?mode=ro"


def _from_postgresql(config: Config, repository: str, names: list[str]) -> list[Row]:
    sys.path.extend(folder for folder in config.packages if folder not in sys.path)
    try:
        import psycopg  # only where the ledger is kept in PostgreSQL
    except ImportError as error:
        raise _unreadable(f"{error}; install release-guard[service] again") from None
    query = "SELECT kind, body FROM entries WHERE repository = %s AND once = ANY(%s)"
    try:
        with psycopg.connect(config.database, connect_timeout=PATIENCE) as connection:
            connection.execute(f"SET statement_timeout = {PATIENCE * 1000}".encode())
            return connection.execute(query, (repository, names)).fetchall()
    except psycopg.Error as error:
        raise _unreadable(" ".join(str(error).split())) from None


def _unreadable(why: str) -> Stop:
    return Stop("ledger.unreadable", f"the ledger cannot be read: {why}", "have the operator look at it")
