"""What a promotion changes since the last one, as an approver wants to see it: commits, files, what breaks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from guard.core.facts import Bringing, Changes
from guard.core.rules.lineage import CommitVerdict
from guard.render.safe import code, markdown

COMMITS = 50
PATHS = 50


def changes_title(changes: Changes) -> str:
    """One line: how many commits and files, and how many of the commits say that they break something."""
    breaking = sum(one.breaking for one in changes.commits)
    return ", ".join(
        [
            f"What it changes since the last promotion: {_count(changes.count, 'commit')}",
            _count(len(changes.paths), "file"),
            *([f"{breaking} breaking"] if breaking else []),
        ]
    )


def changes_markdown(changes: Changes, judged: Sequence[CommitVerdict] = ()) -> Iterator[str]:
    """What breaks first; then the commits, newest first, with where each stands upstream; then the files."""
    upstream = {one.commit: one.upstream_commit for one in judged if one.upstream_commit}
    breaking = [one for one in changes.commits if one.breaking]
    if breaking:
        yield "Breaking changes:"
        yield ""
        yield from (f"- {_commit(one)}" for one in breaking[:COMMITS])
        yield from _more(len(breaking) - COMMITS)
        yield ""
    yield "Commits:"
    yield ""
    for one in changes.commits[:COMMITS]:
        # A bare object name is linked by both forges.
        origin = upstream.get(one.commit)
        yield f"- {_commit(one)}{f', upstream {origin}' if origin else ''}"
    yield from _more(changes.count - min(len(changes.commits), COMMITS))
    yield ""
    yield "Files:"
    yield ""
    yield from (f"- {code(shown_path(path), limit=300)}" for path in changes.paths[:PATHS])
    yield from _more(len(changes.paths) - PATHS)


def shown_path(path: str) -> str:
    """The path with bytes outside UTF-8 replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def _commit(one: Bringing) -> str:
    return f"{one.commit} {markdown(one.subject, limit=150)}"


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"- and {count} more"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
