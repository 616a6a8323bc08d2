"""Merging only what both sides changed: the files of many picks, by one merge of small trees.

Without renames a three-way merge decides path by path. What one side alone changed is taken as it is; only a file
that both changed needs merging, and that takes three versions of it and nothing of the trees it stands in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from guard.adapters.lineage.changes import Changed

REGULAR = frozenset({b"100644", b"100755"})
_NOTHING = b"000000"

Entry = tuple[bytes, bytes]
"""The mode and the object name of what stands at a path."""


@dataclass(frozen=True, slots=True)
class Versions:
    """One file that both sides changed; without a base both added it."""

    base: Entry | None
    ours: Entry
    theirs: Entry


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A merge as far as it is told without merging: `same` while every path that one side alone changed is as the
    commit has it; `open` are the files that both changed, with what the commit has of each."""

    same: bool
    open: tuple[tuple[Versions, Entry | None], ...]


def narrow(theirs: Changed, result: Changed) -> Narrowed | None:
    """What is left to merge of a pick that changes `theirs`, where the commit on top of ours changes `result`.

    None where that cannot be told: a path that the pick changes and ours does not have, one that the commit leaves
    as it is, a file in a folder's place, or a symlink or submodule that both sides changed.
    """
    parents = _folders(result)
    same, found = result.keys() <= theirs.keys(), []
    for path, meta in theirs.items():
        if path not in result or path in parents:
            return None
        base, new = _entries(meta)
        ours, committed = _entries(result[path])
        if ours in {base, new}:
            same = same and committed == new
        elif ours is None or new is None or not _is_regular(base, ours, new):
            return None
        else:
            found.append((Versions(base, ours, new), committed))
    return Narrowed(same, tuple(found))


def _is_regular(base: Entry | None, *others: Entry) -> bool:
    return all(mode in REGULAR for mode, _ in (*others, *([base] if base else ())))


def _entries(meta: bytes) -> tuple[Entry | None, Entry | None]:
    old_mode, new_mode, old, new, _ = meta.lstrip(b":").split(b" ")
    return (
        (old_mode, old) if old_mode != _NOTHING else None,
        (new_mode, new) if new_mode != _NOTHING else None,
    )


def _folders(paths: Iterable[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for path in paths:
        while path := path.rpartition(b"/")[0]:
            if path in found:
                break
            found.add(path)
    return found


def small_tree(entries: Mapping[int, Entry | None]) -> bytes:
    """A tree object that holds the entries under their numbers."""
    rows = sorted((file_name(number), entry) for number, entry in entries.items() if entry)
    return b"".join(b"%s %s\0%s" % (mode, name, bytes.fromhex(oid.decode())) for name, (mode, oid) in rows)


def file_name(number: int) -> bytes:
    return b"%d" % number
