"""Following the claims of commit messages to commits that are on upstream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from guard.adapters.git_objects import Objects
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.history import Book, History
from guard.core.errors import GitError
from guard.core.model import Commit

_MAX_DEPTH = 8
"""How long a chain of picks and reverts is followed."""
_MAX_CHAIN = 50
"""Commits that one commit's chain of picks or reverts is followed through."""
_MAX_NAMED = 5_000
"""Commits named by messages that are looked at."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a hexadecimal name in a message stands for: `commit`, or None and why not (`missing`, `ambiguous` ...);
    `full` is the whole name of what it is, or the name again."""

    commit: Commit | None
    kind: str
    full: str = ""


class Claimed:
    """What the messages of the proposal's commits lead to.

    Everything named, and named by what is named, is read first (`follow`); then all questions are answered
    without git.
    """

    def __init__(self, scratch: Scratch, objects: Objects, history: History, book: Book) -> None:
        self._scratch = scratch
        self._objects = objects
        self._history = history
        self._book = book
        self._named: dict[str, Named] = {}
        self._upstream_side = frozenset(history.upstream_side)
        self._placed: set[Commit] = set()
        self._not_upstream: set[Commit] = set()
        self._unreadable: set[Commit] = set()
        self._by_change_id: dict[str, list[Commit]] = {}

    def follow(self) -> None:
        """Read what the messages name, chains included. Raises GitError."""
        self._book.load_claims(self._history.proposal)
        waiting = {name for commit in self._history.new for name in self._book.claims(commit).names}
        self.resolve(
            name
            for commit in self._history.upstream_side
            if self._book[commit].may_revert
            for name in self._book.claims(commit).reverts
        )
        reached = set(self._history.new)
        for _ in range(_MAX_DEPTH):
            self.resolve(waiting)
            found = [named.commit for name in waiting if (named := self._named[name]).commit]
            self._book.load(commit for commit in found if commit not in self._upstream_side)
            self._book.load_claims(found)
            reached.update(found)
            waiting = {name for commit in found for name in self._book.claims(commit).names}
            waiting -= self._named.keys()
            if not waiting or len(self._named) > _MAX_NAMED:
                break
        self._index(reached)

    def _index(self, commits: Iterable[Commit]) -> None:
        """Find the upstream commits that share a Change-Id with any of these."""
        ids = {one for commit in commits for one in self._book.claims(commit).change_ids}
        asked = frozenset(one.encode() for one in ids)
        having = [commit for commit in self._history.upstream_side if self._book.may_have(commit, asked)]
        self._book.load_claims(having)
        for commit in having:
            for one in self._book.claims(commit).change_ids:
                self._by_change_id.setdefault(one, []).append(commit)

    def resolve(self, names: Iterable[str]) -> None:
        new = {name for name in names if name not in self._named}
        for name, (full, kind) in self._objects.kinds(sorted(new)).items():
            self._named[name] = Named(Commit(full) if kind == "commit" else None, kind, full)

    def named(self, name: str) -> Named:
        return self._named.get(name, Named(None, "missing"))

    def on_upstream(self, commit: Commit) -> bool:
        """Whether a commit that a message names is on upstream, for certain. Of commits that did not come to upstream
        since the branches parted it is said only once `place` was asked about a message that leads to them."""
        if commit in self._upstream_side:
            return True
        return commit in self._placed and commit not in self._not_upstream

    @property
    def unsettled(self) -> dict[str, tuple[str, str]] | None:
        """The names that another fetch may give another meaning: short ones, and those that nothing has yet. None
        where a history with holes was met, which may be filled."""
        if self._unreadable:
            return None
        return {
            name: (named.commit or named.full, named.kind)
            for name, named in self._named.items()
            if named.kind != "commit" or named.commit != name
        }

    def is_unreadable(self, commit: Commit) -> bool:
        return commit in self._unreadable

    def trailers(self, commit: Commit) -> tuple[Commit, ...]:
        """The upstream commits that the `-x` lines lead to, through picks on other branches where need be."""
        found: dict[Commit, None] = {}
        seen: set[Commit] = {commit}
        waiting = [commit]
        while waiting and len(seen) <= _MAX_CHAIN:
            for name in self._book.claims(waiting.pop(0)).picked_from:
                origin = self.named(name).commit
                if origin is None or origin in seen:
                    continue
                seen.add(origin)
                if self.on_upstream(origin):
                    found[origin] = None
                else:
                    waiting.append(origin)
        return tuple(found)

    def squashed(self, commit: Commit) -> tuple[Commit, ...]:
        """The upstream commits that a message lists as squashed into it."""
        names = self._book.claims(commit).squashes
        commits = (named for name in names if (named := self.named(name).commit))
        return tuple(named for named in commits if self.on_upstream(named))

    def change_ids(self, commit: Commit) -> tuple[Commit, ...]:
        ids = self._book.claims(commit).change_ids
        return tuple(dict.fromkeys(origin for one in ids for origin in self._by_change_id.get(one, ())[-5:]))

    def origins(self, commit: Commit) -> tuple[Commit, ...]:
        """The upstream commits that a commit anywhere may stand for: itself, or by its trailers or Change-Id."""
        if self.on_upstream(commit):
            return (commit,)
        return tuple(dict.fromkeys((*self.trailers(commit), *self.change_ids(commit))))

    def reverted_chain(self, commit: Commit) -> Iterator[tuple[Commit, int]]:
        """What a commit reverts, what that reverts, and so on, each with how many steps away it is, nearest first."""
        seen: set[Commit] = {commit}
        waiting = [(commit, 0)]
        while waiting and len(seen) <= _MAX_CHAIN:
            current, steps = waiting.pop(0)
            for reverted in self.reverts(current):
                if reverted not in seen:
                    seen.add(reverted)
                    waiting.append((reverted, steps + 1))
                    yield reverted, steps + 1

    def reverts(self, commit: Commit) -> tuple[Commit, ...]:
        """The commits that its message says it reverts, wherever they are."""
        found = (self.named(name).commit for name in self._book.claims(commit).reverts)
        return tuple(reverted for reverted in found if reverted and reverted != commit)

    def notes(self, commit: Commit, upstream_name: str) -> Iterator[str]:
        """Why the `-x` lines of a message lead nowhere."""
        claims = self._book.claims(commit)
        for name in claims.picked_from:
            named = self.named(name)
            if named.commit is None:
                wrong = {"missing": "names no commit here", "ambiguous": "is ambiguous"}.get(
                    named.kind, "is no commit"
                )
                yield f"its trailer's {name[:12]} {wrong}"
            elif not self.on_upstream(named.commit):
                yield f"its trailer names {name[:12]}, which is not on {upstream_name}"
        for name in claims.misplaced:
            yield f"{name[:12]} is named inside the text, not by a trailer at the message's end, so it does not count"

    def unknown(self, commit: Commit) -> tuple[str, str]:
        """What could not be decided about the `-x` lines and what would help, or two empty texts."""
        for name in self._book.claims(commit).picked_from:
            named = self.named(name)
            if named.kind == "ambiguous":
                return (
                    f"the abbreviated {name} in its trailer fits several objects",
                    "write the whole name: git rev-parse",
                )
            if named.commit is not None and self.is_unreadable(named.commit):
                return f"the history of {name[:12]}, which its trailer names, is incomplete here", "git fetch"
            lost = named.commit is None or not self.on_upstream(named.commit)
            if lost and self._scratch.shallow:
                return f"{name[:12]}, which its trailer names, may be in the part a shallow clone lacks", (
                    "git fetch --unshallow"
                )
        return "", ""

    def place(self, commits: Iterable[Commit]) -> Callable[[], None]:
        """Find out which commits that these messages lead to are on upstream: all by one walk, one by one where the
        history has holes. It counts from when the result is called. Raises GitError."""
        reached = {one for one in self._led_to(commits) if one not in self._history.parents}
        asked = sorted(reached - self._placed)
        unreadable: set[Commit] = set()
        try:
            outside = self._outside(asked) if asked else set()
        except GitError:
            outside, unreadable = self._outside_singly(asked)

        def settle() -> None:
            self._placed.update(asked)
            self._not_upstream |= outside
            self._unreadable |= unreadable

        return settle

    def _led_to(self, commits: Iterable[Commit]) -> set[Commit]:
        """Every commit that these messages name, or that what they name does, and so on."""
        seen: set[Commit] = set()
        waiting = list(commits)
        while waiting:
            for name in self._book.claims(waiting.pop()).names:
                commit = self.named(name).commit
                if commit is not None and commit not in seen:
                    seen.add(commit)
                    # What the following stopped at was not read.
                    waiting.extend([commit] if self._book.has_claims(commit) else [])
        return seen

    def _outside(self, commits: Iterable[Commit]) -> set[Commit]:
        lines = "".join(f"{commit}\n" for commit in (*commits, f"^{self._history.upstream}"))
        out = self._scratch.run("rev-list", "--stdin", stdin=lines.encode())
        return {Commit(line) for line in out.decode("ascii").split()}

    def _outside_singly(self, commits: Iterable[Commit]) -> tuple[set[Commit], set[Commit]]:
        """Those that are not on upstream, or may not be, and of them those whose history has holes."""
        outside, unreadable = set(), set()
        for commit in commits:
            try:
                found = self._scratch.run(
                    "rev-list", "--max-count=1", commit, f"^{self._history.upstream}", "--"
                )
            except GitError:
                unreadable.add(commit)
                outside.add(commit)
            else:
                if found.strip():
                    outside.add(commit)
        return outside, unreadable
