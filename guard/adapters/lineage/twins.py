"""Commits that could have the same patch: found by what they change, before any patch is made.

Everything compared here is equal wherever a pick is clean and gives exactly the commit's tree, so that nothing that
could be proved is lost.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from guard.adapters.git_objects import Objects
from guard.adapters.lineage.changes import Changed, Changes
from guard.adapters.lineage.history import Book
from guard.core.model import Commit


def twins(
    mine: Sequence[Commit], theirs: Sequence[Commit], *, book: Book, changes: Changes, objects: Objects
) -> dict[Commit, list[Commit]]:
    """For each of `mine` those of `theirs`, in their order, that change the same paths in the same way and by the
    same number of bytes. Raises GitError."""
    changes.load(book.change(commit) for commit in (*mine, *theirs))
    wanted = {commit: _shape(changes[book.change(commit)]) for commit in mine}
    shapes = {shape for shape in wanted.values() if shape}
    by_shape: dict[Hashable, list[Commit]] = {}
    for commit in theirs:
        # What no commit of mine changes needs no closer look.
        shape = _shape(changes[book.change(commit)])
        if shape in shapes:
            by_shape.setdefault(shape, []).append(commit)
    pairs = {commit: by_shape[shape] for commit, shape in wanted.items() if shape in by_shape}
    return _same_growth(pairs, book=book, changes=changes, objects=objects)


def _shape(changed: Changed) -> frozenset[tuple[bytes, ...]]:
    """Each path with its modes, how it changed, and the content of what is there only before or only after."""
    return frozenset((path, *_kind(meta.split(b" "))) for path, meta in changed.items())


def _kind(words: list[bytes]) -> tuple[bytes, ...]:
    before, after, old, new, status = words
    contents = {b"A": (new,), b"D": (old,)}.get(status, ())
    return (before, after, status, *contents)


def _same_growth(
    pairs: Mapping[Commit, Sequence[Commit]], *, book: Book, changes: Changes, objects: Objects
) -> dict[Commit, list[Commit]]:
    every = dict.fromkeys(commit for both in pairs.items() for commit in (both[0], *both[1]))
    grown = growth(every, book=book, changes=changes, objects=objects)
    return {
        commit: [one for one in others if grown[one] == grown[commit]] for commit, others in pairs.items()
    }


def growth(
    commits: Iterable[Commit], *, book: Book, changes: Changes, objects: Objects
) -> dict[Commit, dict[bytes, int]]:
    """path → by how many bytes each of the commits makes it longer. Raises GitError."""
    blobs = {commit: _blobs(changes[book.change(commit)]) for commit in commits}
    sizes = objects.sizes(name for found in blobs.values() for both in found.values() for name in both)
    return {
        commit: {path: sizes.get(new, 0) - sizes.get(old, 0) for path, (old, new) in found.items()}
        for commit, found in blobs.items()
    }


def _blobs(changed: Changed) -> dict[bytes, tuple[str, str]]:
    """path → the file before and after (a name of zeros where there is none)."""
    rows = ((path, meta.split(b" ")) for path, meta in changed.items())
    return {path: (words[2].decode("ascii"), words[3].decode("ascii")) for path, words in rows}
