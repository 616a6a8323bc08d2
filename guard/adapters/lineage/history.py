"""The commits that matter to one judgement: what the proposal brings, and what upstream has that the target has not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from guard.adapters.git_objects import Objects
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.messages import Claims, read_claims
from guard.core.errors import GitError
from guard.core.model import Commit

MAX_NEW = 5_000
"""Commits of a proposal that are not on upstream; more than that is no proposal but another project."""

Parents = Mapping[Commit, tuple[Commit, ...]]


@dataclass(frozen=True, slots=True)
class History:
    """`target..head` (`proposal`) and `target..upstream` (`upstream_side`), each parents first.

    `parents` knows every commit of the two. `new` are those of the proposal that are not on upstream.
    """

    upstream: Commit
    target: Commit
    head: Commit
    parents: Parents
    proposal: tuple[Commit, ...]
    upstream_side: tuple[Commit, ...]
    new: tuple[Commit, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a commit that was read."""

    tree: str
    parents: tuple[Commit, ...]
    claims: Claims


class Book:
    """Commits read so far, each once."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[Commit, Known] = {}

    def load(self, names: Iterable[Commit]) -> None:
        """Read these commits. Raises GitError when one is missing."""
        new = [name for name in dict.fromkeys(names) if name not in self._known]
        for raw in self._objects.commits(new):
            self._known[raw.name] = Known(raw.tree, raw.parents, read_claims(raw.message))

    def __getitem__(self, name: Commit) -> Known:
        if name not in self._known:
            self.load([name])
        return self._known[name]

    def tree(self, name: Commit) -> str:
        return self[name].tree

    def base(self, name: Commit) -> str:
        """The tree before the commit: its first parent's, or the empty one."""
        parents = self[name].parents
        return self.tree(parents[0]) if parents else self._objects.empty_tree


def read_history(scratch: Scratch, upstream: Commit, target: Commit, head: Commit) -> History:
    """Read the shape of both sides by one git process. Raises GitError when a shallow history hides some of it."""
    if scratch.shallow:
        _demand_complete(scratch, upstream, target, head)
    out = scratch.run(
        "rev-list", "--topo-order", "--reverse", "--parents", head, upstream, f"^{target}", "--"
    )
    parents: dict[Commit, tuple[Commit, ...]] = {}
    for line in out.decode("ascii").splitlines():
        commit, *others = map(Commit, line.split())
        parents[commit] = tuple(others)
    from_head = reachable([head], parents)
    from_upstream = reachable([upstream], parents)
    new = tuple(commit for commit in parents if commit in from_head and commit not in from_upstream)
    if len(new) > MAX_NEW:
        raise GitError(
            f"{len(new)} commits are not on upstream, and at most {MAX_NEW} are judged",
            code="lineage.too-many",
            fix="check that target and upstream are the branches that you mean",
        )
    return History(
        upstream=upstream,
        target=target,
        head=head,
        parents=parents,
        proposal=tuple(commit for commit in parents if commit in from_head),
        upstream_side=tuple(commit for commit in parents if commit in from_upstream),
        new=new,
    )


def reachable(starts: Iterable[Commit], parents: Parents) -> set[Commit]:
    """The commits among `parents` that can be reached from any of `starts`, themselves included."""
    seen: set[Commit] = set()
    waiting = [start for start in starts if start in parents]
    while waiting:
        commit = waiting.pop()
        if commit not in seen:
            seen.add(commit)
            waiting.extend(parent for parent in parents[commit] if parent in parents)
    return seen


def _demand_complete(scratch: Scratch, *heads: Commit) -> None:
    """In a shallow clone: everything that is not behind a common ancestor of all three has to be there."""
    out = scratch.run("merge-base", "--octopus", *heads, accept=(0, 1)).decode("ascii").split()
    if out:
        listed = scratch.run("rev-list", *heads, *(f"^{base}" for base in out), "--").decode("ascii").split()
    if not out or not scratch.shallow.isdisjoint(listed):
        raise GitError(
            "the history is shallow: it ends before everything that lineage needs was seen",
            code="git.shallow",
            fix="git fetch --unshallow",
        )
