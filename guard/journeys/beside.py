"""What goes on record beside a decision, so that its page can tell it later as it was then."""

from __future__ import annotations

from typing import Any

from guard.core.facts import Bringing, Changes
from guard.core.model import Fact, Unknown
from guard.journeys.judging import Judged
from guard.render.changes import changes_title, shown_path
from guard.render.lineage import worst_first

ROWS = 100
"""Commits and paths that are kept one by one."""


def beside(judged: Judged, changes: Fact[Changes] | None) -> dict[str, Any]:
    """The commits with their verdicts, worst first, and what they change; bounded."""
    rows = worst_first(judged.lineage[1])[:ROWS] if judged.lineage is not None else ()
    found: dict[str, Any] = {
        "lineage": [
            {
                "commit": one.commit, "subject": one.subject[:200], "standing": str(one.standing),
                "outcome": str(one.outcome), "upstream": one.upstream_commit, "why": one.why[:300],
            }
            for one in rows
        ]
    }  # fmt: skip
    if changes is not None and not isinstance(changes, Unknown):
        found["changes"] = _changes(changes.value)
    return found


def _changes(changes: Changes) -> dict[str, Any]:
    commits, breaking = changes.commits[:ROWS], [one for one in changes.commits if one.breaking]
    return {
        "title": changes_title(changes),
        "commits": [_commit(one) for one in commits],
        "breaking": [_commit(one) for one in breaking[:ROWS]],
        "paths": [shown_path(path)[:300] for path in changes.paths[:ROWS]],
    }


def _commit(one: Bringing) -> dict[str, str]:
    return {"commit": one.commit, "subject": one.subject[:200]}
