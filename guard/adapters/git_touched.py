"""Which commit last touched a file, for many files with one walk through the history."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from guard.adapters.git_objects import OBJECT_NAME, Objects
from guard.adapters.git_process import Scratch
from guard.core.model import Commit

MAX_CHANGES = 500
"""How many other versions of one file are looked at; a file with more has no last commit that could be told."""

_LOG = ("log", "--topo-order", "--full-history", "-c", "--raw", "-z", "--no-abbrev", "--no-renames", "--root")


def written_by(
    scratch: Scratch, objects: Objects, commit: Commit, files: Mapping[str, str]
) -> dict[str, bytes]:
    """path → the bytes of the commit that last touched it in the history of `commit`.

    A commit counts only if it left the path as the object that `files` names: of parallel lines of history it is the
    one whose version was kept. A merge counts where it differs from all of its parents, so that what somebody wrote
    into a merge is theirs. Where the path was changed after that commit, and a merge brought its version back, it is
    nobody's. What no commit is found for is not in the answer.
    """
    if not files:
        return {}
    wanted = {os.fsencode(path): name for path, name in files.items()}
    found: dict[bytes, Commit] = {}
    folders = [os.fsdecode(path) for path in _folders(wanted)]
    out = scratch.run(*_LOG, "--format=%H", commit, "--", *folders)
    changed: dict[bytes, list[Commit]] = {}
    for touching, path, name in _touches(out):
        if path in wanted and path not in found:
            if wanted[path] == name:
                found[path] = touching
            else:
                changed.setdefault(path, []).append(touching)
    found = {
        path: touching
        for path, touching in found.items()
        if not _came_back(scratch, touching, changed.get(path, []))
    }
    names = list(dict.fromkeys(found.values()))
    bytes_of = dict(zip(names, objects.many(names, "commit"), strict=True))
    return {os.fsdecode(path): bytes_of[touching] for path, touching in found.items()}


def _came_back(scratch: Scratch, commit: Commit, changes: list[Commit]) -> bool:
    """Whether one of the changes was made on top of the commit, so that its version was gone for a while."""
    if not changes:
        return False
    later = scratch.run("rev-list", "--ancestry-path", *changes[:MAX_CHANGES], f"^{commit}", "--")
    return len(changes) > MAX_CHANGES or bool(set(later.decode("ascii").split()) & set(changes))


def _folders(paths: Mapping[bytes, str]) -> list[bytes]:
    """The paths themselves where they are few, else the folders around them: an argument list has its limits."""
    if len(paths) <= 50:
        return sorted(paths)
    folders = {path.rpartition(b"/")[0] for path in paths}
    return [] if b"" in folders or len(folders) > 50 else sorted(folders)


def _touches(out: bytes) -> Iterator[tuple[Commit, bytes, str]]:
    """The commit, the path and the object that it became, for each line of `git log --raw -z`.

    A merge's line begins with one colon for each parent, and has that many modes and names before the result's.
    """
    commit = Commit("")
    fields = iter(out.split(b"\0"))
    for part in fields:
        words = part.strip(b"\n")
        if words.startswith(b":"):
            parents = len(words) - len(words.lstrip(b":"))
            name = words.split(b" ")[2 * parents + 1].decode("ascii", "replace")
            path = next(fields, b"")
            yield commit, path, name
        elif OBJECT_NAME.fullmatch(text := words.decode("ascii", "replace")):
            commit = Commit(text)
