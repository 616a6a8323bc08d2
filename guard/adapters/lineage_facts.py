"""Facts of lineage kept in the server side's database. Losing any is harmless: they are worked out anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, Text, and_, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from guard.adapters.database import reading, writing
from guard.core.errors import LedgerError

lineage_facts_table = Table(
    "lineage_facts",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("kind", String(20)),
    Column("key", String(64)),
    Column("fact", Text),
)
_T = lineage_facts_table.columns

KEEP = {
    "sqlite": sqlite.insert(lineage_facts_table).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(lineage_facts_table).on_conflict_do_nothing(),
}
"""The same statement in each database's words: a row that is there already stays."""

MOST = {"range": 200, "pick": 100_000}
"""How many facts of each kind are kept; the oldest go first. A range's is some 100 KB, a pick's 100 bytes."""

_WINDOW = 500
"""Keys of one question; SQLite takes 999 at least."""


class KeptFacts:
    """The memory of `guard.adapters.lineage`, for every repository alike: the keys name objects by their content.

    A database that cannot be asked just now (another process holds it) is as good as an empty one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def recall(self, kind: str, keys: Iterable[str]) -> Mapping[str, str]:
        pending, found = iter(dict.fromkeys(keys)), {}
        try:
            with reading(self._engine) as connection:
                while window := list(islice(pending, _WINDOW)):
                    asked = select(_T.key, _T.fact).where(and_(_T.kind == kind, _T.key.in_(window)))
                    found.update({row.key: row.fact for row in connection.execute(asked)})
        except LedgerError:
            return {}
        return found

    def keep(self, kind: str, facts: Mapping[str, str]) -> None:
        rows = [{"kind": kind, "key": key, "fact": fact} for key, fact in facts.items()]
        if not rows:
            return
        try:
            with writing(self._engine) as connection:
                connection.execute(KEEP[connection.dialect.name], rows)
                of_kind = select(_T.id).where(_T.kind == kind)
                oldest = of_kind.order_by(_T.id.desc()).offset(MOST[kind]).limit(1).scalar_subquery()
                connection.execute(delete(lineage_facts_table).where(_T.kind == kind, _T.id <= oldest))
        except LedgerError:
            return

    def count(self, kind: str) -> int:
        """How many facts of this kind are kept. Raises LedgerError."""
        with reading(self._engine) as connection:
            asked = select(func.count()).select_from(lineage_facts_table).where(_T.kind == kind)
            return int(connection.execute(asked).scalar_one())
