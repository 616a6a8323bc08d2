"""Patches by git, every option pinned: the patch-ids of commits, and how two trees differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from guard.adapters.git_process import Scratch
from guard.adapters.lineage.changes import PLAIN

_PATCH = (
    *PLAIN, "--full-index", "--no-color", "--no-color-moved", "--diff-algorithm=myers", "-U3",
    "--inter-hunk-context=0", "--no-indent-heuristic", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short",
    "--no-relative", "-O/dev/null",
)  # fmt: skip
MAX_LINES = 200
"""Lines of a difference that are shown."""
_MAX_LINE = 400
_MAX_COMPARED = 2_000
"""Lines of a patch that are compared with another patch; comparing takes quadratic time at worst."""


def patch_ids(scratch: Scratch, commits: Iterable[str]) -> dict[str, str]:
    """Commit → `git patch-id --verbatim`, which heeds whitespace. A commit without a change has none."""
    asked = _lines(commits)
    if not asked:
        return {}
    patches = scratch.run("diff-tree", "--stdin", "-r", "-p", "--root", *_PATCH, stdin=asked)
    rows = scratch.run("patch-id", "--verbatim", stdin=patches).decode("ascii").splitlines()
    return {commit: patch_id for patch_id, commit in (row.split() for row in rows)}


def tree_diffs(scratch: Scratch, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(old tree, new tree) → the whole patch between them, by one git process."""
    wanted = list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))
    if not wanted:
        return dict.fromkeys(pairs, "")
    asked = "".join(f"{old} {new}\n" for old, new in wanted).encode()
    out = scratch.run("diff-tree", "--stdin", "-r", "-p", *_PATCH, stdin=asked)
    headers = {f"{old} {new}": (old, new) for old, new in wanted}
    found: dict[tuple[str, str], list[str]] = {pair: [] for pair in pairs}
    current: list[str] = []
    for line in out.decode("utf-8", "replace").split("\n"):
        pair = headers.get(line)
        if pair is not None:
            current = found[pair]
        else:
            current.append(line)
    return {pair: "\n".join(lines).strip("\n") for pair, lines in found.items()}


def bounded(text: str) -> str:
    """At most MAX_LINES lines, and a last one that says how many more there are."""
    lines = [line[:_MAX_LINE] for line in text.split("\n")]
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"... {len(lines) - MAX_LINES} more lines"]
    return "\n".join(lines)


def compare_patches(origin: str, adapted: str) -> str:
    """How a patch resolved by hand differs from the one it came from, line by line (as `git range-diff` shows)."""
    one, other = _comparable(origin), _comparable(adapted)
    if len(one) > _MAX_COMPARED or len(other) > _MAX_COMPARED:
        return "(the patches are too long to compare here)"
    return "\n".join(
        difflib.unified_diff(one, other, "upstream's patch", "this commit's patch", lineterm="", n=3)
    )


def _comparable(patch: str) -> list[str]:
    """A patch without what differs between any two places: object names and line numbers."""
    lines = (line for line in patch.split("\n") if not line.startswith("index "))
    return ["@@" if line.startswith("@@ ") else line for line in lines]


def _lines(commits: Iterable[str]) -> bytes:
    return "".join(f"{commit}\n" for commit in dict.fromkeys(commits)).encode()
