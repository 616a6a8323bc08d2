"""Commits that could have the same patch: found by what they change, before any patch is made.

Everything compared here is equal wherever a pick is clean and gives exactly the commit's tree, so that nothing that
could be proved is lost.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from guard.adapters.git_objects import Objects
from guard.adapters.lineage.changes import Changed, Changes
from guard.adapters.lineage.history import Book
from guard.core.model import Commit

_SUBMODULE = b"160000"


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
    blobs = {
        commit: _blobs(changes[book.change(commit)])
        for both in pairs.items()
        for commit in (both[0], *both[1])
    }
    sizes = objects.sizes(name for found in blobs.values() for both in found.values() for name in both)

    def growth(commit: Commit) -> dict[bytes, int]:
        return {path: sizes.get(new, 0) - sizes.get(old, 0) for path, (old, new) in blobs[commit].items()}

    return {
        commit: [one for one in others if growth(one) == growth(commit)] for commit, others in pairs.items()
    }


def _blobs(changed: Changed) -> dict[bytes, tuple[str, str]]:
    """path → the file before and after, of each file that is in both."""
    rows = ((path, meta.split(b" ")) for path, meta in changed.items())
    return {
        path: (words[2].decode("ascii"), words[3].decode("ascii"))
        for path, words in rows
        if words[4] not in {b"A", b"D"} and words[1] != _SUBMODULE
    }
