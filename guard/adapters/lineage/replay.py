"""Doing again what a commit claims to be, without a hand: picks and merges by `git merge-tree`, many at a time.

A pick is a three-way merge with the origin's parent as the base. git 2.39 takes no explicit base, so each pick is
written as three synthetic commits (base, and ours and theirs on top of it), which live in the scratch repository.
They have no history, so no merge walks any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from guard.adapters.git_objects import Objects
from guard.adapters.git_process import Scratch
from guard.core.errors import GitError

_MERGE_TREE = (
    "merge-tree",
    "--write-tree",
    "--stdin",
    "--name-only",
    "--no-messages",
    "--allow-unrelated-histories",
)
_PERSON = "guard <guard@localhost> 4102444800 +0000"
"""Dated 2100: a merge with a commit newer than both sides stops walking early."""


@dataclass(frozen=True, slots=True)
class Pick:
    """Applying the change from `base` to `theirs` onto `ours`; all are trees."""

    base: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the tree, and whether it merged without conflict (else the tree holds conflict markers)."""

    tree: str
    clean: bool

    def against(self, tree: str) -> str:
        """`same`, `different` or `conflict`, compared with the tree that a person committed."""
        if not self.clean:
            return "conflict"
        return "same" if self.tree == tree else "different"


class Replay:
    """Replays picks and merges in one scratch repository, each once."""

    def __init__(self, scratch: Scratch, objects: Objects) -> None:
        self._scratch = scratch
        self._objects = objects
        self._picks: dict[Pick, Outcome] = {}

    def picks(self, wanted: Iterable[Pick]) -> dict[Pick, Outcome]:
        """The outcome of every pick, all new ones by one git process. Raises GitError."""
        asked = tuple(dict.fromkeys(wanted))
        new = [pick for pick in asked if pick not in self._picks]
        for pick in new:
            if (known := _without_git(pick)) is not None:
                self._picks[pick] = known
        hard = [pick for pick in new if pick not in self._picks]
        outcomes = self._merge_trees([self._sides(pick) for pick in hard])
        self._picks.update(zip(hard, outcomes, strict=True))
        return {pick: self._picks[pick] for pick in asked}

    def merges(self, merges: Sequence[tuple[str, ...]]) -> list[Outcome]:
        """The outcome of merging each list of commits from left to right, one git process for each round."""
        state: list[Outcome | None] = [None] * len(merges)
        current = [parents[0] for parents in merges]
        for step in range(1, max(map(len, merges), default=1)):
            going = [i for i, parents in enumerate(merges) if step < len(parents) and _goes_on(state[i])]
            outcomes = self._merge_trees([(current[i], merges[i][step]) for i in going])
            for i, outcome in zip(going, outcomes, strict=True):
                state[i] = outcome
                if step + 1 < len(merges[i]):
                    current[i] = self.commit(outcome.tree, current[i], merges[i][step])
        return [outcome or Outcome("", clean=False) for outcome in state]

    def sequences(self, starts: Sequence[str], changes: Sequence[Sequence[tuple[str, str]]]) -> list[Outcome]:
        """The outcome of picking each list of (base, theirs) onto its start, one git process for each round."""
        state = [Outcome(tree, clean=True) for tree in starts]
        for step in range(max(map(len, changes), default=0)):
            going = [i for i, steps in enumerate(changes) if step < len(steps) and state[i].clean]
            picks = {i: Pick(changes[i][step][0], state[i].tree, changes[i][step][1]) for i in going}
            outcomes = self.picks(picks.values())
            for i in going:
                state[i] = outcomes[picks[i]]
        return state

    def commit(self, tree: str, *parents: str) -> str:
        """A synthetic commit in the scratch repository; its name."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {_PERSON}"]
        return self._objects.add(
            "commit", "\n".join([*lines, f"committer {_PERSON}", "", "guard", ""]).encode()
        )

    def _sides(self, pick: Pick) -> tuple[str, str]:
        base = self.commit(pick.base)
        return self.commit(pick.ours, base), self.commit(pick.theirs, base)

    def _merge_trees(self, pairs: Sequence[tuple[str, str]]) -> list[Outcome]:
        if not pairs:
            return []
        asked = "".join(f"{ours} {theirs}\n" for ours, theirs in pairs).encode()
        outcomes = list(_parse(self._scratch.run(*_MERGE_TREE, stdin=asked)))
        if len(outcomes) != len(pairs):
            raise GitError(f"git merge-tree gave {len(outcomes)} answers to {len(pairs)} questions")
        return outcomes


def _goes_on(outcome: Outcome | None) -> bool:
    return outcome is None or outcome.clean


def _without_git(pick: Pick) -> Outcome | None:
    """The merges that need no merging: a side that changed nothing, or both having come to the same."""
    if pick.base == pick.ours or pick.ours == pick.theirs:
        return Outcome(pick.theirs, clean=True)
    return Outcome(pick.ours, clean=True) if pick.base == pick.theirs else None


def _parse(out: bytes) -> Iterator[Outcome]:
    """Each answer is `1` (clean) or `0`, the tree, the names of conflicted files, and an empty word."""
    words = iter(out.split(b"\0")[:-1])
    for status in words:
        tree = next(words, b"")
        if status not in {b"0", b"1"} or not tree:
            raise GitError(f"git merge-tree answered {status[:40]!r}")
        yield Outcome(tree.decode("ascii", "replace"), clean=status == b"1")
        while next(words, b""):
            pass
