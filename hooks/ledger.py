"""What the server's hook asks the ledger, read-only and with the standard library: was this permit issued for this
move, and is it unspent?"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from hooks.permits import NoLeave
from hooks.refs import Update
from hooks.say import Stop

_QUERY = "SELECT kind, body FROM entries WHERE repository = ? AND once IN (?, ?, ?)"


def check_standing(file: Path, repository: str, permit: str, update: Update) -> None:
    """Raise NoLeave unless the ledger says that the permit was issued for this move and is neither spent nor
    revoked; Stop when the ledger cannot be read."""
    found = _entries(file, repository, permit)
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


def _entries(file: Path, repository: str, permit: str) -> dict[str, dict[str, object]]:
    kinds = ("permit.issued", "permit.spent", "permit.revoked")
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro", uri=True, timeout=10)
        ) as connection:
            rows = connection.execute(
                _QUERY, (repository, *(f"{kind}:{permit}" for kind in kinds))
            ).fetchall()
        found = {str(kind): json.loads(body) for kind, body in rows}
    except (sqlite3.Error, OSError, ValueError, TypeError, RecursionError) as error:
        raise Stop(
            "ledger.unreadable", f"the ledger cannot be read: {error}", "have the operator look at it"
        ) from None
    if not all(isinstance(body, dict) for body in found.values()):
        raise Stop(
            "ledger.unreadable", "the ledger holds an entry that makes no sense", '"guard audit verify"'
        )
    return found
