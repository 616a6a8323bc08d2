"""Squashes: several upstream commits in one commit of the proposal, or one upstream commit in several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from guard.adapters.git_objects import Objects
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.changes import Changes, touched_by_all
from guard.adapters.lineage.history import Book
from guard.adapters.lineage.links import Claimed
from guard.adapters.lineage.patches import patch_ids
from guard.adapters.lineage.replay import Pick, Replay
from guard.adapters.lineage.twins import growth
from guard.core.lineage_facts import Link
from guard.core.model import Commit

_MAX_NAMED = 30
"""Upstream commits that a message names as the parts of one commit."""
_MAX_GUESSED = 4
"""The same where no message names them and the paths alone suggest them; each costs a git process."""
_MAX_ORIGINS = 20


@dataclass(frozen=True, slots=True)
class Squashes:
    """A search among upstream commits (`theirs`, oldest first, no merges, none that proves a commit already).

    `order` says where each commit of upstream's side stands, parents first; older ones are not in it.
    `children` says how many commits of the proposal stand on each.
    """

    scratch: Scratch
    objects: Objects
    book: Book
    replay: Replay
    changes: Changes
    claimed: Claimed
    theirs: tuple[Commit, ...]
    order: Mapping[Commit, int]
    children: Mapping[Commit, int]

    def find(self, unproved: Sequence[Commit]) -> Iterator[tuple[Commit, Link]]:
        """Proved squashes among commits that nothing else proves: (commit, its link). Raises GitError."""
        singles = [commit for commit in unproved if len(self.book[commit].parents) < 2]
        if not singles:
            return
        self.changes.load(self.book.change(commit) for commit in (*singles, *self.theirs))
        found = dict(self._several_in_one(singles))
        yield from found.items()
        yield from self._one_in_several([commit for commit in singles if commit not in found])

    def _several_in_one(self, singles: Sequence[Commit]) -> Iterator[tuple[Commit, Link]]:
        by_path: dict[bytes, list[Commit]] = {}
        for part in self.theirs:
            for path in self._touched(part):
                by_path.setdefault(path, []).append(part)
        named = [(commit, parts) for commit in singles for parts in self._named_parts(commit)]
        guessed = [(commit, parts) for commit in singles for parts in self._parts(commit, by_path)]
        tries = [*named, *self._as_long(guessed)]
        starts = [self.book.base(commit) for commit, _ in tries]
        changes = [[(self.book.base(part), self.book.tree(part)) for part in parts] for _, parts in tries]
        for (commit, parts), outcome in zip(tries, self.replay.sequences(starts, changes), strict=True):
            if outcome.against(self.book.tree(commit)) == "same":
                yield commit, Link("squash", parts[-1], "same", origins=parts)

    def _as_long(
        self, guesses: Sequence[tuple[Commit, tuple[Commit, ...]]]
    ) -> Iterator[tuple[Commit, tuple[Commit, ...]]]:
        """The guesses whose parts together make every file longer by as much as the commit does."""
        every = dict.fromkeys(name for commit, parts in guesses for name in (commit, *parts))
        grown = growth(every, book=self.book, changes=self.changes, objects=self.objects)
        for commit, parts in guesses:
            together: Counter[bytes] = Counter()
            for part in parts:
                together.update(grown[part])
            if all(together[path] == grown[commit].get(path, 0) for path in self._touched(commit)):
                yield commit, parts

    def _named_parts(self, commit: Commit) -> Iterator[tuple[Commit, ...]]:
        """The upstream commits that a message names as what makes the commit up."""
        named = {*self.claimed.trailers(commit), *self.claimed.squashed(commit)}
        if 1 < len(named) <= _MAX_NAMED:
            yield tuple(sorted(named, key=lambda part: (self.order.get(part, -1), part)))

    def _parts(
        self, commit: Commit, by_path: Mapping[bytes, Sequence[Commit]]
    ) -> Iterator[tuple[Commit, ...]]:
        """Sets of upstream commits that could make this one: those that touch its paths."""
        paths = self._touched(commit)
        near = {part for path in paths for part in by_path.get(path, ())}
        within = tuple(
            sorted((p for p in near if self._touched(p) <= paths), key=lambda part: self.order[part])
        )
        fixes = tuple(part for part in within if not self._takes_back(part))
        for parts in dict.fromkeys((within, fixes)):
            together = frozenset(path for part in parts for path in self._touched(part))
            if 1 < len(parts) <= _MAX_GUESSED and together == paths:
                yield parts

    def _takes_back(self, commit: Commit) -> bool:
        return self.book[commit].may_revert and bool(self.book.claims(commit).reverts)

    def _touched(self, commit: Commit) -> frozenset[bytes]:
        return self.changes.touched(self.book.change(commit))

    def _one_in_several(self, singles: Sequence[Commit]) -> Iterator[tuple[Commit, Link]]:
        """Each run of commits on top of each other, as if it were one commit."""
        runs = {self._as_one(run): run for run in self._runs(singles)}
        pairs = {name: (self.book.base(run[0]), self.book.tree(run[-1])) for name, run in runs.items()}
        claimed = {name: frozenset(self._claimed_by(run)) for name, run in runs.items()}
        origins_named = (self.book.change(origin) for some in claimed.values() for origin in some)
        self.changes.load(origins_named)
        touched = {name: self._touched_by(run) for name, run in runs.items()}
        wanted = set(touched.values()) - {frozenset()}
        candidates = [commit for commit in self.theirs if self._touched(commit) in wanted]
        ids = patch_ids(self.scratch, (*runs, *candidates)) if candidates else {}
        tries: dict[tuple[str, Commit], Pick] = {}
        for name in runs:
            # What the run changes and the origin does not can come from no pick of it.
            origins = {o for o in claimed[name] if touched[name] <= self._touched(o)}
            origins |= {commit for commit in candidates if name in ids and ids.get(commit) == ids[name]}
            for origin in sorted(origins)[:_MAX_ORIGINS]:
                tries[name, origin] = Pick(self.book.base(origin), pairs[name][0], self.book.tree(origin))
        outcomes = self.replay.picks(
            tries.values(), hoped={p: pairs[name][1] for (name, _), p in tries.items()}
        )
        done: set[str] = set()
        for (name, origin), pick in tries.items():
            run = runs[name]
            if name not in done and outcomes[pick].against(pairs[name][1]) == "same":
                done.add(name)
                how = f"{len(run)} commits together are exactly {origin[:10]}"
                yield from ((commit, Link("squash", origin, "same", how=how)) for commit in run)

    def _touched_by(self, run: Sequence[Commit]) -> frozenset[bytes]:
        return touched_by_all([self.changes[self.book.change(commit)] for commit in run])

    def _claimed_by(self, run: Sequence[Commit]) -> Iterator[Commit]:
        for commit in run:
            yield from self.claimed.trailers(commit)
            yield from self.claimed.change_ids(commit)

    def _as_one(self, run: Sequence[Commit]) -> str:
        return self.replay.commit(self.book.tree(run[-1]), self.replay.commit(self.book.base(run[0])))

    def _runs(self, singles: Sequence[Commit]) -> list[list[Commit]]:
        """Longest runs of at least two commits in which each is the only parent, and only child, of its neighbour: what
        lies within one must not get out by another way."""
        runs: list[list[Commit]] = []
        for commit in singles:
            run = next((run for run in runs if self._continues(run[-1], commit)), None)
            if run is None:
                runs.append([commit])
            else:
                run.append(commit)
        return [run for run in runs if len(run) > 1]

    def _continues(self, last: Commit, commit: Commit) -> bool:
        return self.book[commit].parents == (last,) and self.children.get(last) == 1
