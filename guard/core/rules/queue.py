"""Work in flight that gates the release: an open entry so marked stops every promotion. Source: "Active work queue"."""

from __future__ import annotations

from collections.abc import Iterator

from guard.core.facts import QueueEntry
from guard.core.model import Fact, Finding, Outcome, Unknown, Verdict, blocked, undecided
from guard.core.policy import Queue

ID = "queue"
TITLE = "Work queue"


def judge_queue(queue: Queue, entries: Fact[tuple[QueueEntry, ...]]) -> Verdict:
    """Pass when the queue was read and no open entry of it is marked as gating.

    A mark that is no word of the policy's is an error, because nobody knows what it meant.
    """
    if isinstance(entries, Unknown):
        return undecided(ID, TITLE, entries, code="queue.unknown")
    findings = tuple(finding for entry in entries.value for finding in _findings(queue, entry))
    if findings:
        return blocked(ID, TITLE, *findings)
    return Verdict(ID, TITLE, Outcome.PASS, summary="nothing in it gates the release")


def _findings(queue: Queue, entry: QueueEntry) -> Iterator[Finding]:
    mark = entry.mark.casefold()
    if entry.completed_at is not None and not entry.state:
        return  # a queue without a column for states tells by this that the work is done
    if not mark or mark in _folded(queue.not_gating) or entry.state.casefold() in _folded(queue.closed):
        return
    name = f"{entry.id}: {entry.title}" if entry.title else entry.id
    if mark in _folded(queue.gating):
        fix = f"finish it and set it to {' or '.join(queue.closed)} in {queue.path}, or let it gate nothing"
        also = f", although {entry.completed_at:%Y-%m-%d} is its completed_at" if entry.completed_at else ""
        message = f"{name} gates the release and is {entry.state or 'without a state'}{also}"
        yield Finding("queue.open", message, queue.path, fix, ("author", "release-owner"))
        return
    message = f"{name} says {queue.gating_field} {entry.mark}, and nobody knows what that means"
    fix = f"write one of {', '.join((*queue.gating, *queue.not_gating))}"
    yield Finding("queue.mark", message, queue.path, fix, ("author",), Outcome.ERROR)


def _folded(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word.casefold() for word in words)
