"""The commits that matter to one judgement: what the proposal brings, and what upstream has that the target has not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from guard.adapters.git_objects import Objects, parse_commit, parse_shape
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.changes import Pair
from guard.adapters.lineage.messages import Claims, read_claims
from guard.core.errors import GitError
from guard.core.model import Commit

MAX_NEW = 20_000
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


_SAYS = re.compile(rb"\n(?:encoding |.*(?i:revert))")
"""A commit whose message may speak of a revert, or has to be decoded before that can be said."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a commit that was read. `content` is the whole object where its message may matter."""

    tree: str
    parents: tuple[Commit, ...]
    ids: frozenset[bytes]
    content: bytes | None

    @property
    def may_revert(self) -> bool:
        return self.content is not None


class Book:
    """Commits read so far, each once. `trailers` are the keys whose values link commits, such as `Change-Id`.

    Upstream's side has thousands of commits, of which few messages matter: they are read closely when asked for.
    """

    def __init__(self, objects: Objects, trailers: tuple[str, ...] = ("Change-Id",)) -> None:
        self._objects = objects
        self._trailers = trailers
        self._known: dict[Commit, Known] = {}
        self._claims: dict[Commit, Claims] = {}
        self._changes: dict[Commit, Pair] = {}
        keys = b"|".join(re.escape(key.encode()) for key in trailers) or rb"(?!)"
        self._ids = re.compile(rb"^(?:" + keys + rb")[ \t]*:[ \t]*(\S+)[ \t\r]*$", re.MULTILINE)

    def load(self, names: Iterable[Commit]) -> None:
        """Read these commits. Raises GitError when one is missing."""
        new = [name for name in dict.fromkeys(names) if name not in self._known]
        for name, content in zip(new, self._objects.many(new, "commit"), strict=True):
            tree, parents = parse_shape(name, content)
            ids = frozenset(self._ids.findall(content))
            self._known[name] = Known(tree, parents, ids, content if _SAYS.search(content) else None)

    def load_claims(self, names: Iterable[Commit]) -> None:
        """Read these commits' messages closely, all at once. Raises GitError when one is missing."""
        new = [name for name in dict.fromkeys(names) if name not in self._claims]
        for name, content in zip(new, self._objects.many(new, "commit"), strict=True):
            self._claims[name] = read_claims(parse_commit(name, content).message, self._trailers)

    def __getitem__(self, name: Commit) -> Known:
        if name not in self._known:
            self.load([name])
        return self._known[name]

    def claims(self, name: Commit) -> Claims:
        """What the commit's message claims."""
        if name not in self._claims:
            content = self[name].content
            if content is None:
                self.load_claims([name])
            else:
                self._claims[name] = read_claims(parse_commit(name, content).message, self._trailers)
        return self._claims[name]

    def has_claims(self, name: Commit) -> bool:
        """Whether the commit's message was read closely already."""
        return name in self._claims

    def may_have(self, name: Commit, ids: frozenset[bytes]) -> bool:
        """Whether the commit's message may hold one of these trailer values."""
        known = self[name]
        return not known.ids.isdisjoint(ids) or (
            known.content is not None and b"\nencoding " in known.content
        )

    def tree(self, name: Commit) -> str:
        return self[name].tree

    def base(self, name: Commit) -> str:
        """The tree before the commit: its first parent's, or the empty one."""
        parents = self[name].parents
        return self.tree(parents[0]) if parents else self._objects.empty_tree

    def change(self, name: Commit) -> Pair:
        """The trees before and after the commit."""
        found = self._changes.get(name)
        if found is None:
            found = self._changes[name] = self.base(name), self.tree(name)
        return found


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
