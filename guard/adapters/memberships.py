"""Who belongs to the roles' groups, remembered for a short while by every process of a service alike.

What is remembered has a bounded age, and an event about members ends it at once: it counts only if its reading began
after the last such event.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    and_,
    delete,
    insert,
    select,
)

from guard.adapters.database import reading, writing
from guard.adapters.ledger import rfc3339
from guard.core.model import Fact, Known, Unknown
from guard.ports import Clock, Forge

memberships_table = Table(
    "memberships",
    MetaData(),
    Column("repository", String(255), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("people", Text),
    Column("read_at", String(40)),
)
_T = memberships_table.columns
_ENDED = "ended"
"""The key of the row that says when the last event about members came."""


class Memberships:
    """The memory for one repository. Raises LedgerError when the database fails."""

    def __init__(self, engine: Engine, *, repository: str, longest: timedelta, clock: Clock) -> None:
        self._engine = engine
        self._repository = repository
        self._longest = longest
        self._clock = clock

    def read(self, forge: Forge, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
        """As `forge.members`. What could not be read is not remembered, so that a moment's failure lasts no longer."""
        key = hashlib.sha256(json.dumps([names, inherited]).encode()).hexdigest()
        begun = self._clock.now()
        found = self._recall(key, begun)
        if found is not None:
            return found
        fact = forge.members(names, inherited=inherited)
        if not isinstance(fact, Unknown) and any(name.startswith("@") for name in names):
            self._put(key, json.dumps(sorted(fact.value)), begun)
        return fact

    def end(self) -> None:
        """Members changed: what was read until now counts no more."""
        self._put(_ENDED, "", self._clock.now())

    def _recall(self, key: str, now: datetime) -> Known[frozenset[str]] | None:
        asked = and_(_T.repository == self._repository, _T.key.in_([key, _ENDED]))
        with reading(self._engine) as connection:
            rows = {row.key: row for row in connection.execute(select(memberships_table).where(asked))}
        if key not in rows:
            return None
        read_at = datetime.fromisoformat(rows[key].read_at)
        ended = rows.get(_ENDED)
        if now - read_at > self._longest or (ended and datetime.fromisoformat(ended.read_at) >= read_at):
            return None
        return Known(frozenset(json.loads(rows[key].people)), "remembered", read_at)

    def _put(self, key: str, people: str, at: datetime) -> None:
        this = {"repository": self._repository, "key": key}
        with writing(self._engine) as connection:
            connection.execute(delete(memberships_table).where(self._is(key)))
            connection.execute(insert(memberships_table).values(people=people, read_at=rfc3339(at), **this))

    def _is(self, key: str) -> ColumnElement[bool]:
        return and_(_T.repository == self._repository, _T.key == key)
