"""The log between two commits as notes are made of it: messages, what they name, and what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from guard.adapters.git_objects import Objects, RawCommit
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.changes import Changed, Changes
from guard.adapters.lineage.messages import read_claims
from guard.core.errors import GitError
from guard.core.model import Commit
from guard.core.notes import Log, Logged

MAX_COMMITS = 20_000
"""Commits of one release; what has more is compared with something that it did not come from."""


def read_log(scratch: Scratch, objects: Objects, since: Commit, commits: Sequence[Commit]) -> Log:
    """The log of these commits, oldest first. Raises GitError when one is missing, or where there are too many."""
    if len(commits) > MAX_COMMITS:
        raise GitError(
            f"{len(commits)} commits lie between the two, and at most {MAX_COMMITS} are read",
            code="notes.too-many",
            fix="name the commit of the last promotion: --since COMMIT",
        )
    start, *found = objects.commits([since, *commits])
    parents = {one.parents[0] for one in found if one.parents}
    trees = {one.name: one.tree for one in objects.commits(sorted(parents))}
    changes = Changes(scratch)
    pairs = {
        one.name: (trees[one.parents[0]] if one.parents else objects.empty_tree, one.tree) for one in found
    }
    changes.load(pairs.values())
    return Log(_committed(start), tuple(_logged(one, changes[pairs[one.name]]) for one in found))


def _logged(raw: RawCommit, changed: Changed) -> Logged:
    claims = read_claims(raw.message)
    _, _, body = raw.message.lstrip("\n").partition("\n")
    return Logged(
        commit=raw.name,
        subject=raw.subject,
        body=body,
        names=claims.picked_from,
        reverts=claims.reverts,
        states=tuple(_states(changed)),
        is_merge=len(raw.parents) > 1,
    )


def _states(changed: Changed) -> Iterator[tuple[str, str, str]]:
    for path, meta in sorted(changed.items()):
        old_mode, new_mode, old, new, _ = meta.decode("ascii").removeprefix(":").split(" ")
        yield path.decode("utf-8", "replace"), f"{old_mode} {old}", f"{new_mode} {new}"


def _committed(raw: RawCommit) -> datetime:
    """When the commit was made, by its own word."""
    words = raw.committer.split()
    try:
        return datetime.fromtimestamp(int(words[-2]), tz=UTC)
    except (ValueError, IndexError, OverflowError, OSError):
        raise GitError(f"commit {raw.name} says no time that can be read", code="git.object") from None
