"""One piece of work in a work queue: what it is called and when it was finished, for whoever asks.

The rule that holds a release back and the notes that tell what is finished read the same columns.
"""

from __future__ import annotations

from datetime import datetime

from guard.adapters.evidence.document import parse_date
from guard.adapters.evidence.headings import name_of
from guard.adapters.evidence.rows import Row
from guard.adapters.evidence.untrusted import Unreadable, shown
from guard.core.rules.readiness import SKEW

TITLES = ("title", "summary", "name", "task", "item", "work")
"""Where a piece of work says what it is."""

DONE = "completed_at"


def title_of(row: Row) -> str:
    return next((row.fields[name] for name in TITLES if row.fields.get(name)), "")


def finished_at(row: Row, path: str, now: datetime) -> datetime | None:
    """The day on which it was finished, None while it goes on. Raises Unreadable for a day that is none, or to come."""
    said = row.fields.get(name_of(DONE), "")
    if said.strip("-–—").casefold() in {"", "null", "none", "~", "n/a"}:
        return None
    moment = parse_date(said)
    if moment is None or moment > now + SKEW:
        wrong = "is not YYYY-MM-DD" if moment is None else "is in the future"
        raise Unreadable(
            f"{path}: {DONE} of {shown(row.id, limit=80)} is {shown(said, limit=40)}, which {wrong}",
            fix=f"write it as YYYY-MM-DD, or nothing while the work goes on; then land {path} on upstream",
        )
    return moment
