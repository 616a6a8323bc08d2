"""The work queue as it stands on upstream: its entries with their marks, for the rule that judges them."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePosixPath

from guard.adapters.evidence.headings import name_of
from guard.adapters.evidence.rows import YAML_SUFFIXES, rows_of, state_of
from guard.adapters.evidence.untrusted import shown
from guard.adapters.evidence.work_items import finished_at, title_of
from guard.core.errors import GuardError
from guard.core.facts import QueueEntry
from guard.core.model import Commit, Fact, Known, Unknown
from guard.core.policy import Queue
from guard.ports import Git


def read_queue(queue: Queue, git: Git, upstream: Commit, *, now: datetime) -> Fact[tuple[QueueEntry, ...]]:
    """Every entry of the queue. Unknown where it is not there, cannot be read, or marks nothing at all: a column by
    another name must not look like a queue that gates nothing."""
    at = f"{queue.path} at {upstream}"
    try:
        data = git.read(upstream, queue.path)
        if data is None:
            why = f"the work queue {queue.path} is not on upstream ({upstream[:10]})"
            return Unknown(why, fix=f"land {queue.path} on upstream", who=("author",))
        rows = rows_of(data, queue.path)
        field = name_of(queue.gating_field)
        entries = tuple(
            QueueEntry(
                id=shown(row.id, limit=60),
                title=shown(title_of(row), limit=100),
                mark=shown(row.fields.get(field, ""), limit=60),
                state=shown(state_of(row, queue.state_field) or "", limit=60),
                completed_at=finished_at(row, queue.path, now),
            )
            for row in rows
        )
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    empty_is_fine = PurePosixPath(queue.path).suffix.lower() in YAML_SUFFIXES
    if not any(field in row.fields for row in rows) and (rows or not empty_is_fine):
        why = f"no entry of {queue.path} has a {queue.gating_field}, so that nothing shows which of them gate"
        return Unknown(why, fix="name the column that does: gating_field in [queue]", who=("release-owner",))
    return Known(entries, at, now)
