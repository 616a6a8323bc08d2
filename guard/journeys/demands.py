"""What somebody wants of a decision record before anything rests on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from guard.journeys.records import Record

SKEW = timedelta(minutes=5)
"""How far ahead of this clock the guard's may have been."""


@dataclass(frozen=True, slots=True)
class Demand:
    """About what it has to be, and whether it has to be a GO; None: they do not mind."""

    repository: str | None = None
    commit: str | None = None
    ref: str | None = None
    go: bool = False


def unmet(record: Record, demand: Demand, *, now: datetime) -> tuple[str, ...]:
    """What is demanded and is not so. A GO that has not begun at `now`, or that time alone has ended since, is none."""
    candidate, document = record.document["candidate"], record.document
    found = [
        f"it is about {candidate[member]}, not about {wanted}"
        for member, wanted in (
            ("repository", demand.repository),
            ("new", demand.commit and demand.commit.lower()),
            ("ref", demand.ref and f"refs/heads/{demand.ref.removeprefix('refs/heads/')}"),
        )
        if wanted and candidate[member] != wanted
    ]
    if demand.go and not record.allowed:
        found.append(f"it says {document['decision']}")
    elif demand.go:
        found += _untimely(document, now)
    return tuple(found)


def _untimely(document: Mapping[str, Any], now: datetime) -> list[str]:
    try:
        begins = datetime.fromisoformat(document["decided_at"])
        ends = document["next_change_at"] and datetime.fromisoformat(document["next_change_at"])
        if now < begins - SKEW:
            return [f"it was decided at {document['decided_at']}, which is to come"]
        return [f"it held until {document['next_change_at']}"] if ends and now >= ends else []
    except (TypeError, ValueError):
        return ["when it was decided, or how long it holds, cannot be read"]
