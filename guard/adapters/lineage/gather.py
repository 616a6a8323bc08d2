"""Gathering the facts of lineage: links first, then the content proof of every link, in as few git processes as go."""

from __future__ import annotations

import json
from dataclasses import astuple

from guard.adapters.git_objects import Objects
from guard.adapters.git_process import Scratch, git_version
from guard.adapters.lineage.asked import Asked
from guard.adapters.lineage.history import read_history
from guard.adapters.lineage.memory import Forgetful, Memory, Names, Remembered, read, written
from guard.core.lineage_facts import LineageFacts


def gather_lineage(
    scratch: Scratch, objects: Objects, asked: Asked, *, memory: Memory | None = None
) -> LineageFacts:
    """Everything that "master first" judges. Raises GitError when git cannot answer or history is missing."""
    if memory is None or scratch.shallow:
        # How far a shallow history reaches is no part of any object's name, so nothing is remembered about it.
        return _gather(scratch, objects, asked, Forgetful())[0]
    kept = Remembered(memory, git=git_version())
    key = json.dumps(astuple(asked))
    found = kept.recall("range", [key]).get(key)
    known = read(found) if found is not None else None
    if known is not None and objects.kinds(known[1]) == known[1]:
        return known[0]
    facts, names = _gather(scratch, objects, asked, kept)
    if names is not None:
        kept.keep("range", {key: written(facts, names)})
    return facts


def _gather(
    scratch: Scratch, objects: Objects, asked: Asked, memory: Memory
) -> tuple[LineageFacts, Names | None]:
    """The facts, and the names on which they rest that may come to stand for something else; None where more than
    these may change."""
    upstream, target, head = asked.upstream, asked.target, asked.head
    history = read_history(scratch, upstream, target, head)
    if not history.new:
        at_once = head in history.parents
        unlisted = len(history.proposal)
        facts = LineageFacts(
            upstream, target, head, asked.upstream_name, (), head_on_upstream=at_once, unlisted=unlisted
        )
        return facts, {}
    from guard.adapters.lineage.linking import linked_facts  # what a fast-forward to upstream has no use for

    commits, names = linked_facts(scratch, objects, history, asked=asked, memory=memory)
    return LineageFacts(upstream, target, head, asked.upstream_name, commits), names
