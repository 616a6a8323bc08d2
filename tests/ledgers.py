"""A ledger on each database, for tests that must hold on both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guard.adapters.ledger import SqlLedger
from guard.adapters.postgresql import make_tables
from tests.postgres import fresh_database

Place = Path | str

ON_POSTGRESQL = pytest.param(
    "postgresql", marks=pytest.mark.xdist_group("postgresql"), id="postgresql"
)  # one worker, one server
BOTH = [pytest.param("sqlite", id="sqlite"), ON_POSTGRESQL]


def new_place(kind: str, folder: Path) -> Place:
    """Where a fresh ledger of this kind lives: a file that is not there yet, or a prepared database's URL."""
    if kind == "sqlite":
        return folder / "ledger.sqlite3"
    database = fresh_database()
    make_tables(database.owner, role=database.role, patience=timedelta(seconds=10))
    return database.url


def open_place(place: Place, **options: Any) -> SqlLedger:
    return SqlLedger(place, **{"repository": "gpuaas/platform", **options})


Opener = Callable[..., SqlLedger]
