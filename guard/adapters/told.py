"""What the service told about which proposal, kept beside the ledger."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    delete,
    insert,
    select,
)

from guard.adapters.database import reading, writing
from guard.core.model import Commit
from guard.ports import Telling

told_table = Table(
    "told",
    MetaData(),
    Column("repository", Text),
    Column("branch", Text),
    Column("proposal", Text),
    Column("head", Text),
    Column("count", Integer),
)
_T = told_table.columns


class ToldMemory:
    """The port Memory for one repository."""

    def __init__(self, engine: Engine, *, repository: str) -> None:
        self._engine = engine
        self._repository = repository

    def told(self, branch: str) -> tuple[Telling, ...]:
        mine = and_(_T.repository == self._repository, _T.branch == branch)
        with reading(self._engine) as connection:
            rows = connection.execute(select(told_table).where(mine).order_by(_T.proposal)).mappings().all()
        return tuple(
            Telling(row["branch"], row["proposal"], Commit(row["head"]), row["count"]) for row in rows
        )

    def remember(self, telling: Telling) -> None:
        values = {
            "repository": self._repository, "branch": telling.branch, "proposal": telling.proposal,
            "head": telling.head, "count": telling.count,
        }  # fmt: skip
        with writing(self._engine) as connection:
            connection.execute(delete(told_table).where(self._this(telling)))
            connection.execute(insert(told_table).values(values))

    def forget(self, telling: Telling) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(told_table).where(self._this(telling)))

    def _this(self, telling: Telling) -> ColumnElement[bool]:
        same = (_T.branch == telling.branch, _T.proposal == telling.proposal)
        return and_(_T.repository == self._repository, *same)
