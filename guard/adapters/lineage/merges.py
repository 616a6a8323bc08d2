"""The base of a merge, where the commits that are known already show that there is only one."""

from __future__ import annotations

from guard.adapters.lineage.history import Parents
from guard.core.model import Commit

_MAX_CHAIN = 500
"""Commits of the second side that are walked; a longer one is left to git."""
_MAX_WALK = 5_000


def single_base(ours: Commit, theirs: Commit, known: Parents) -> Commit | None:
    """The only merge base of two commits, or None where it is not certain.

    `known` holds every commit of `target..` that is reachable from either. The second side has to be a chain of
    commits with one parent each, down to the first that ours has too: what else they share is behind that one.
    """
    chain = _chain(theirs, known)
    if not chain:
        return None
    shared = _with_parents(ours, known)
    return next((commit for commit in chain if commit in shared), None)


def _chain(start: Commit, known: Parents) -> list[Commit]:
    """The commits from `start` down as long as each has one parent, and the one after the last."""
    chain = [start]
    while len(chain) <= _MAX_CHAIN:
        parents = known.get(chain[-1], ())
        if len(parents) != 1:
            break
        chain.append(parents[0])
    return chain


def _with_parents(start: Commit, known: Parents) -> set[Commit]:
    """The commits that can be reached from `start` among the known ones, and the first unknown ones behind them."""
    seen: set[Commit] = set()
    waiting = [start]
    while waiting and len(seen) <= _MAX_WALK:
        commit = waiting.pop()
        if commit not in seen:
            seen.add(commit)
            waiting.extend(known.get(commit, ()))
    return seen if not waiting else set()
