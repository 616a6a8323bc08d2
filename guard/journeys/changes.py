"""What a promotion would change since the last one, read from the repository for those who are to approve it."""

from __future__ import annotations

from datetime import datetime

from guard.core.errors import GuardError
from guard.core.facts import Changes
from guard.core.model import Candidate, Fact, Known, Unknown
from guard.ports import History

COMMITS = 200
"""How many commits are told one by one."""


def read_changes(git: History, candidate: Candidate, *, now: datetime) -> Fact[Changes]:
    """The branch only moves by promotions, so what it has not got yet is what has changed since the last."""
    try:
        commits, count = git.bringing(candidate.old, candidate.new, limit=COMMITS)
        paths = git.changed(candidate.old, candidate.new)
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    return Known(Changes(commits, count, paths), "git", now)
