"""Doing again what a commit claims to be, without a hand: picks and merges by `git merge-tree`, many at a time.

A pick is a three-way merge with the origin's parent as the base. git 2.39 takes no explicit base, so each pick is
written as three synthetic commits (base, and ours and theirs on top of it), which live in the scratch repository.
They have no history, so no merge walks any.

Renames cost most and matter seldom, so git looks for them only where they could matter (`_Answer.gone`), and where
they cannot, it merges nothing but the files that both sides changed (`guard.adapters.lineage.narrow`). The outcome is
always the one that a merge with renames gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from guard.adapters.git_objects import Objects
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.aside import Aside
from guard.adapters.lineage.changes import Changes, additions, has_deletions
from guard.adapters.lineage.memory import Memory
from guard.adapters.lineage.narrow import Entry, Versions, file_name, narrow, small_tree
from guard.core.errors import GitError

_MERGE_TREE = ("merge-tree", "--write-tree", "--stdin", "--no-messages", "--allow-unrelated-histories")
_NO_RENAMES = ("-c", "merge.renames=false")
_PERSON = "guard <guard@localhost> 4102444800 +0000"
"""Dated 2100: a merge with a commit newer than both sides stops walking early."""
_SHARED = 16
"""Merges from which on two processes share them."""
_MAX_PATH = 200
"""Bytes of a folder's path that is looked up; a longer one is not known to be there."""


@dataclass(frozen=True, slots=True)
class Pick:
    """Applying the change from `base` to `theirs` onto `ours`; all are trees."""

    base: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the tree, and whether it merged without conflict (else the tree says nothing)."""

    tree: str
    clean: bool

    def against(self, tree: str) -> str:
        """`same`, `different` or `conflict`, compared with the tree that a person committed."""
        if not self.clean:
            return "conflict"
        return "same" if self.tree == tree else "different"


@dataclass(frozen=True, slots=True)
class _Answer:
    """git's answer to one merge; `gone` says whether a conflict is about a path that ours does not have."""

    outcome: Outcome
    gone: bool
    conflicted: frozenset[bytes]


class Replay:
    """Replays picks and merges in one scratch repository, each once."""

    def __init__(self, scratch: Scratch, objects: Objects, changes: Changes, memory: Memory) -> None:
        self._scratch = scratch
        self._objects = objects
        self._changes = changes
        self._memory = memory
        self._picks: dict[Pick, Outcome] = {}
        self._recalled: set[Pick] = set()
        self._folders: dict[tuple[str, str], bool] = {}

    def picks(
        self, wanted: Iterable[Pick], *, hoped: Mapping[Pick, str] | None = None
    ) -> dict[Pick, Outcome]:
        """The outcome of every pick. `hoped` is the tree that a pick is compared with: where that is seen to be the
        outcome without merging, it is not merged. Raises GitError."""
        asked = tuple(dict.fromkeys(wanted))
        self._picks |= {p: known for p in asked if p not in self._picks and (known := _without_git(p))}
        new = [pick for pick in asked if pick not in self._picks]
        if new:
            recalled = self._remembered(new)
            self._picks |= recalled
            self._recalled |= recalled.keys()
            hard = [pick for pick in new if pick not in self._picks]
            self._settle(hard, hoped or {})
            self._memory.keep("pick", {_key(p): _text(self._picks[p]) for p in hard})
        return {pick: self._picks[pick] for pick in asked}

    def trees(self, wanted: Iterable[Pick]) -> dict[Pick, str]:
        """The trees of clean picks, which stand in the scratch repository then. Raises GitError."""
        asked = {pick: outcome.tree for pick, outcome in self.picks(wanted).items()}
        unmade = [pick for pick in asked if pick in self._recalled and self._picks[pick].clean]
        self._merge_trees([self._sides(pick) for pick in unmade])
        self._recalled -= set(unmade)
        return asked

    def merges(self, merges: Sequence[tuple[str, ...]]) -> list[Outcome]:
        """The outcome of merging each list of commits from left to right, one git process for each round."""
        state: list[Outcome | None] = [None] * len(merges)
        current = [parents[0] for parents in merges]
        for step in range(1, max(map(len, merges), default=1)):
            going = [i for i, parents in enumerate(merges) if step < len(parents) and _goes_on(state[i])]
            answers = self._merge_trees([(current[i], merges[i][step]) for i in going])
            for i, answer in zip(going, answers, strict=True):
                state[i] = answer.outcome
                if step + 1 < len(merges[i]):
                    current[i] = self.commit(answer.outcome.tree, current[i], merges[i][step])
        return [outcome or Outcome("", clean=False) for outcome in state]

    def sequences(self, starts: Sequence[str], changes: Sequence[Sequence[tuple[str, str]]]) -> list[Outcome]:
        """The outcome of picking each list of (base, theirs) onto its start, one git process for each round."""
        state = [Outcome(tree, clean=True) for tree in starts]
        for step in range(max(map(len, changes), default=0)):
            going = [i for i, steps in enumerate(changes) if step < len(steps) and state[i].clean]
            picks = {i: Pick(changes[i][step][0], state[i].tree, changes[i][step][1]) for i in going}
            more = [pick for i, pick in picks.items() if step + 1 < len(changes[i])]
            outcomes = self.picks(picks.values())
            self.trees(pick for pick in more if outcomes[pick].clean)
            for i in going:
                state[i] = outcomes[picks[i]]
        return state

    def commit(self, tree: str, *parents: str) -> str:
        """A synthetic commit in the scratch repository; its name."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {_PERSON}"]
        return self._scratch.add(
            "commit", "\n".join([*lines, f"committer {_PERSON}", "", "guard", ""]).encode()
        )

    def _remembered(self, picks: Sequence[Pick]) -> dict[Pick, Outcome]:
        found = self._memory.recall("pick", [_key(pick) for pick in picks])
        return {pick: _outcome(found[_key(pick)]) for pick in picks if _key(pick) in found}

    def _settle(self, picks: Sequence[Pick], hoped: Mapping[Pick, str]) -> None:
        """Three ways, cheapest first: merging what both sides changed, without renames, and with them."""
        results = ((pick.ours, hoped[pick]) for pick in picks if pick in hoped)
        self._changes.load([*((pick.base, pick.theirs) for pick in picks), *results])
        unmoved = self._unmoved(picks)
        self._picks |= self._narrowly(
            {pick: hoped[pick] for pick in picks if pick in unmoved and pick in hoped}
        )
        hard = [pick for pick in picks if pick not in self._picks]
        answers = self._merge_trees([self._sides(pick) for pick in hard], _NO_RENAMES)
        for pick, answer in zip(hard, answers, strict=True):
            if pick in unmoved and not answer.gone:
                self._picks[pick] = answer.outcome
        last = [pick for pick in hard if pick not in self._picks]
        for pick, answer in zip(last, self._merge_trees([self._sides(pick) for pick in last]), strict=True):
            self._picks[pick] = answer.outcome

    def _narrowly(self, hoped: Mapping[Pick, str]) -> dict[Pick, Outcome]:
        """The outcome of the picks that conflict or give the hoped tree; of others the tree has to be made."""
        told = {
            pick: found
            for pick, tree in hoped.items()
            if (found := narrow(self._changes[pick.base, pick.theirs], self._changes[pick.ours, tree]))
        }
        merged = self._merge_files(tuple({one: None for found in told.values() for one, _ in found.open}))
        outcomes = {}
        for pick, found in told.items():
            if any(merged[one] is None for one, _ in found.open):
                outcomes[pick] = Outcome("", clean=False)
            elif found.same and all(merged[one] == committed for one, committed in found.open):
                outcomes[pick] = Outcome(hoped[pick], clean=True)
        return outcomes

    def _merge_files(self, files: Sequence[Versions]) -> dict[Versions, Entry | None]:
        """What each file comes to when both its sides are merged; None where they conflict."""
        half = len(files) // 2 if len(files) >= _SHARED else len(files)
        parts = [part for part in (files[:half], files[half:]) if part]
        answers = self._merge_trees(
            [self._small_sides(part) for part in parts], _NO_RENAMES, shared=len(parts)
        )
        merged: dict[Versions, Entry | None] = {}
        for part, answer in zip(parts, answers, strict=True):
            rows = {row.path: row for row in self._objects.tree(answer.outcome.tree)}
            for number, one in enumerate(part):
                row = rows[file_name(number)] if file_name(number) not in answer.conflicted else None
                merged[one] = (row.mode, row.name.encode()) if row else None
        return merged

    def _small_sides(self, files: Sequence[Versions]) -> tuple[str, str]:
        """Two commits of small trees, on a common one, that hold the two sides of each file under its number."""
        sides = ([one.base for one in files], [one.ours for one in files], [one.theirs for one in files])
        return self._sides(Pick(*(self._scratch.add("tree", small_tree(dict(enumerate(s)))) for s in sides)))

    def _unmoved(self, picks: Sequence[Pick]) -> frozenset[Pick]:
        """The picks whose origin deletes nothing, and adds only into folders that ours has: no rename, on either
        side, matters to them, unless something that the origin changes is not in ours (`_Answer.gone`).

        A rename takes a deletion on its side. One on the origin's side is so excluded. One on ours matters where
        the origin changes the path that went away, and that conflicts; or where the origin adds into a folder of
        which everything went away.
        """
        folders: dict[Pick, set[str] | None] = {}
        for pick in picks:
            changed = self._changes[pick.base, pick.theirs]
            folders[pick] = None if has_deletions(changed) else _folders(additions(changed))
        asked = {(pick.ours, name) for pick, names in folders.items() for name in names or ()}
        self._look_up(asked)
        return frozenset(
            pick
            for pick, names in folders.items()
            if names is not None and all(self._folders[pick.ours, name] for name in names)
        )

    def _look_up(self, asked: set[tuple[str, str]]) -> None:
        new = {pair for pair in asked if pair not in self._folders}
        good = {pair for pair in new if _is_plain(pair[1])}
        kinds = self._objects.kinds(f"{tree}:{folder}" for tree, folder in sorted(good))
        for pair in new:
            self._folders[pair] = pair in good and kinds[f"{pair[0]}:{pair[1]}"][1] == "tree"

    def _sides(self, pick: Pick) -> tuple[str, str]:
        base = self.commit(pick.base)
        return self.commit(pick.ours, base), self.commit(pick.theirs, base)

    def _merge_trees(
        self, pairs: Sequence[tuple[str, str]], options: tuple[str, ...] = (), *, shared: int = _SHARED
    ) -> list[_Answer]:
        """Merge each pair of commits, from `shared` of them on in two processes side by side."""
        if len(pairs) < max(shared, 2):
            return self._ask(pairs, options)
        # Neighbours touch the same files, which git keeps unpacked for a while: each half stays together.
        half = len(pairs) // 2
        with Aside(partial(self._ask, pairs[half:], options)) as later:
            return self._ask(pairs[:half], options) + later.result()

    def _ask(self, pairs: Sequence[tuple[str, str]], options: tuple[str, ...]) -> list[_Answer]:
        if not pairs:
            return []
        asked = "".join(f"{ours} {theirs}\n" for ours, theirs in pairs).encode()
        answers = list(_parse(self._scratch.run(*options, *_MERGE_TREE, stdin=asked)))
        if len(answers) != len(pairs):
            raise GitError(f"git merge-tree gave {len(answers)} answers to {len(pairs)} questions")
        return answers


def _goes_on(outcome: Outcome | None) -> bool:
    return outcome is None or outcome.clean


def _without_git(pick: Pick) -> Outcome | None:
    """The merges that need no merging: a side that changed nothing, or both having come to the same."""
    if pick.base == pick.ours or pick.ours == pick.theirs:
        return Outcome(pick.theirs, clean=True)
    return Outcome(pick.ours, clean=True) if pick.base == pick.theirs else None


def _folders(paths: Iterable[bytes]) -> set[str]:
    """The folders that paths stand in; "" for the top."""
    return {path.rpartition(b"/")[0].decode("utf-8", "surrogateescape") for path in paths}


def _is_plain(folder: str) -> bool:
    """Whether a folder can be asked for in one line. The top cannot: files there are rare enough to look closely."""
    return 0 < len(folder) <= _MAX_PATH and folder.isascii() and folder.isprintable() and " " not in folder


def _key(pick: Pick) -> str:
    return f"{pick.base} {pick.ours} {pick.theirs}"


def _text(outcome: Outcome) -> str:
    return f"{'clean' if outcome.clean else 'conflict'} {outcome.tree}"


def _outcome(text: str) -> Outcome:
    clean, _, tree = text.partition(" ")
    return Outcome(tree, clean=clean == "clean")


def _parse(out: bytes) -> Iterator[_Answer]:
    """Each answer is `1` (clean) or `0`, the tree, `mode object stage<TAB>path` of each conflicted file's versions,
    and an empty word."""
    words = iter(out.split(b"\0")[:-1])
    for status in words:
        tree = next(words, b"")
        if status not in {b"0", b"1"} or not tree:
            raise GitError(f"git merge-tree answered {status[:40]!r}")
        stages: dict[bytes, set[bytes]] = {}
        while word := next(words, b""):
            version, _, path = word.partition(b"\t")
            stages.setdefault(path, set()).add(version[-1:])
        gone = any(b"2" not in found for found in stages.values())
        clean = status == b"1"
        outcome = Outcome(tree.decode("ascii", "replace"), clean)
        yield _Answer(outcome, gone or (not clean and not stages), frozenset(stages))
