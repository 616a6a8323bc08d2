"""The service's inbox in the server side's database: deliveries kept once, and work that is claimed for a while.

The SQL is portable; only the engine (guard.adapters.database) knows which database it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from guard.adapters.database import reading, writing
from guard.adapters.ledger import rfc3339
from guard.core.forge_facts import Wake

KEEP_BODIES = timedelta(days=30)
"""How long a delivery's body is kept; its id stays, so that it is never taken twice."""

_metadata = MetaData()
deliveries_table = Table(
    "deliveries",
    _metadata,
    Column("forge", Text),
    Column("id", Text),
    Column("received_at", Text),
    Column("kind", Text),
    Column("repository", Text),
    Column("headers", Text),
    Column("body", LargeBinary),
    Column("wakes", Text),
)
jobs_table = Table(
    "jobs",
    _metadata,
    Column("repository", Text),
    Column("kind", Text),
    Column("subject", Text),
    Column("due_at", Text),
    Column("tries", Integer),
    Column("generation", Integer),
    Column("claim", Text),
    Column("lease_until", Text),
    Column("why", Text),
)
_D, _J = deliveries_table.c, jobs_table.c


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook call as it is kept. `headers` hold no secret."""

    forge: str
    id: str
    kind: str
    repository: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed piece of work. `tries` counts this one; `generation` is how often it was asked for when claimed."""

    wake: Wake
    tries: int
    generation: int
    claim: str


class DeliveryInbox:
    """One repository's deliveries and jobs. There is at most one job for each wake: asking again while it waits
    changes nothing but its time, asking while it is worked on makes it due once more.

    All methods raise LedgerError when the database fails; then nothing was changed.
    """

    def __init__(self, engine: Engine, *, repository: str) -> None:
        self._engine = engine
        self._repository = repository

    def take(self, delivery: Delivery, wakes: Sequence[Wake], *, now: datetime) -> bool:
        """Keep the delivery and ask for its work, both or neither, durable when this returns. False when a delivery
        of this id is there already; then nothing is asked for."""
        with writing(self._engine) as connection:
            same = and_(_D.forge == delivery.forge, _D.id == delivery.id)
            if connection.execute(select(_D.id).where(same)).first() is not None:
                return False
            connection.execute(insert(deliveries_table).values(_row(delivery, wakes, now)))
            self._ask(connection, wakes, now)
        return True

    def wake(self, wakes: Sequence[Wake], *, now: datetime) -> None:
        """Ask for work that no delivery asked for."""
        with writing(self._engine) as connection:
            self._ask(connection, wakes, now)

    def claim(self, *, now: datetime, lease: timedelta, token: str) -> Job | None:
        """The job that is due longest, for this long: a holder that dies loses it when its lease ends. `token` names
        the holder and is never used twice. None when nothing is due."""
        free = or_(_J.lease_until.is_(None), _J.lease_until < rfc3339(now))
        due = and_(_J.repository == self._repository, _J.due_at <= rfc3339(now), free)
        with writing(self._engine) as connection:
            row = connection.execute(select(jobs_table).where(due).order_by(_J.due_at).limit(1)).first()
            if row is None:
                return None
            taken = connection.execute(
                update(jobs_table)
                .where(self._is(row.kind, row.subject), free)
                .values(claim=token, lease_until=rfc3339(now + lease), tries=row.tries + 1)
            )
        return _job(row, token) if taken.rowcount == 1 else None

    def renew(self, job: Job, *, now: datetime, lease: timedelta) -> bool:
        """Hold the job for longer. False when it was lost: its lease ended and somebody else may have it."""
        with writing(self._engine) as connection:
            held = connection.execute(
                update(jobs_table).where(self._held(job)).values(lease_until=rfc3339(now + lease))
            )
        return held.rowcount == 1

    def done(self, job: Job, *, now: datetime) -> None:
        """The job is done; if it was asked for again meanwhile, it is due at once, with all its tries."""
        with writing(self._engine) as connection:
            gone = connection.execute(
                delete(jobs_table).where(self._held(job), _J.generation == job.generation)
            )
            if gone.rowcount == 0:
                self._release(connection, job, due_at=rfc3339(now), tries=0, why="")

    def retry(self, job: Job, *, at: datetime, why: str, counts: bool = True) -> None:
        """Try the job again at this time, or when it is asked for again; without `counts` this was no try."""
        tries = job.tries if counts else job.tries - 1
        with writing(self._engine) as connection:
            later = self._held(job) & (_J.generation == job.generation)
            values = {"claim": None, "lease_until": None, "tries": tries, "why": why[:1000]}
            put = connection.execute(update(jobs_table).where(later).values(due_at=rfc3339(at), **values))
            if put.rowcount == 0:
                connection.execute(update(jobs_table).where(self._held(job)).values(**values))

    def waiting(self) -> int:
        """How many jobs there are, claimed ones included."""
        query = select(func.count()).select_from(jobs_table).where(_J.repository == self._repository)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def deliveries(self) -> tuple[Delivery, ...]:
        """All deliveries that are kept, oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(deliveries_table).order_by(_D.received_at, _D.forge, _D.id)
            ).all()
        return tuple(
            Delivery(row.forge, row.id, row.kind, row.repository, json.loads(row.headers), row.body or b"")
            for row in rows
        )

    def forget(self, *, now: datetime) -> None:
        """Let go of old deliveries' bodies."""
        old = and_(_D.received_at < rfc3339(now - KEEP_BODIES), _D.body.is_not(None))
        with writing(self._engine) as connection:
            connection.execute(update(deliveries_table).where(old).values(body=None))

    def _ask(self, connection: Connection, wakes: Sequence[Wake], now: datetime) -> None:
        at = rfc3339(now)
        for wake in dict.fromkeys(wakes):
            this = self._is(wake.kind, wake.key)
            row = connection.execute(select(jobs_table).where(this)).first()
            if row is None:
                fresh = {"repository": self._repository, "kind": wake.kind, "subject": wake.key}
                zero = {"tries": 0, "generation": 1, "claim": None, "lease_until": None, "why": ""}
                connection.execute(insert(jobs_table).values(due_at=at, **fresh, **zero))
            else:
                again = {"generation": row.generation + 1, "due_at": min(row.due_at, at)}
                connection.execute(update(jobs_table).where(this).values(**again))

    def _release(self, connection: Connection, job: Job, **values: object) -> None:
        free = {"claim": None, "lease_until": None, **values}
        connection.execute(update(jobs_table).where(self._held(job)).values(**free))

    def _is(self, kind: str, subject: str) -> ColumnElement[bool]:
        return and_(_J.repository == self._repository, _J.kind == kind, _J.subject == subject)

    def _held(self, job: Job) -> ColumnElement[bool]:
        return and_(self._is(job.wake.kind, job.wake.key), _J.claim == job.claim)


def _row(delivery: Delivery, wakes: Sequence[Wake], now: datetime) -> dict[str, Any]:
    return {
        "forge": delivery.forge,
        "id": delivery.id,
        "received_at": rfc3339(now),
        "kind": delivery.kind,
        "repository": delivery.repository,
        "headers": json.dumps(dict(delivery.headers), sort_keys=True),
        "body": delivery.body,
        "wakes": json.dumps([[wake.kind, wake.key] for wake in wakes]),
    }


def _job(row: Row[Any], token: str) -> Job:
    kind = cast(Literal["proposal", "commit", "branch", "everything", "queue"], row.kind)
    return Job(Wake(kind, row.subject), row.tries + 1, row.generation, token)
