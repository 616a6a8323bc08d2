"""Merge two commits in a clone without touching its work tree, index, branches or configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from guard.adapters.promote_script import STEERING
from guard.core.errors import GitError
from guard.core.model import Commit

PATIENCE = 120
"""Seconds that one git process may take."""

_PINNED = (
    "core.bare=true", "core.attributesFile=/dev/null", "core.hooksPath=/dev/null",
    "merge.renames=true", "merge.renameLimit=7000", "merge.directoryRenames=conflict", "merge.renormalize=false",
    "merge.conflictStyle=merge", "diff.algorithm=histogram", "diff.renameLimit=1000",
)  # fmt: skip
"""The settings with which the lineage rule makes merges again, so that a merge made here is one that it accepts.
As a bare repository, git reads no attributes from the work tree."""


def merge_trees(clone: Path, ours: Commit, theirs: Commit) -> tuple[str, tuple[str, ...]]:
    """The tree that merging the two commits gives, and the paths that conflict in it. Raises GitError."""
    folder = (
        _git(clone, "rev-parse", "--absolute-git-dir").stdout.decode("utf-8", "surrogateescape").rstrip("\n")
    )
    pinned = [part for setting in _PINNED for part in ("-c", setting)]
    command = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
    done = _git(Path(folder), f"--git-dir={folder}", *pinned, *command, accept=(0, 1))
    tree, *paths = done.stdout.decode("utf-8", "replace").split("\0")
    return tree.strip(), tuple(dict.fromkeys(path for path in paths if path))


def commit_merge(clone: Path, tree: str, parents: tuple[Commit, Commit], message: str) -> Commit:
    """A commit of this tree by the clone's own user; no branch is moved to it. Raises GitError."""
    named = [part for parent in parents for part in ("-p", parent)]
    done = _git(clone, "commit-tree", tree, *named, stdin=message.encode())
    return Commit(done.stdout.decode("ascii", "replace").strip())


def _git(
    folder: Path, *arguments: str, stdin: bytes = b"", accept: Sequence[int] = (0,)
) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in STEERING}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env={**environment, "LC_ALL": "C"},
            input=stdin,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise GitError(
            f"git took longer than {PATIENCE} seconds", fix="try again", code="git.timeout"
        ) from None
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror}", fix="install git 2.39 or newer") from None
    if done.returncode not in accept:
        said = done.stderr.decode("utf-8", "replace").strip()[:500]
        raise GitError(f"git {arguments[0]}: {said}", fix="see what git says, mend it, and try again")
    return done
