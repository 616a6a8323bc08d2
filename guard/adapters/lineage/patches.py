"""Diffs by git, every option pinned: which paths a commit touches, its patch-id, and how two trees differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from guard.adapters.git_process import Scratch

_PLAIN = ("--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
_PATCH = (
    *_PLAIN, "--full-index", "--no-color", "--no-color-moved", "--diff-algorithm=myers", "-U3",
    "--inter-hunk-context=0", "--no-indent-heuristic", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short",
    "--no-relative", "-O/dev/null",
)  # fmt: skip
MAX_LINES = 200
"""Lines of a difference that are shown."""
_MAX_LINE = 400
_MAX_COMPARED = 2_000
"""Lines of a patch that are compared with another patch; comparing takes quadratic time at worst."""


class Touched:
    """The paths that commits change against their parent (a root: all of its paths), each asked once."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._found: dict[str, frozenset[bytes]] = {}

    def load(self, commits: Iterable[str]) -> None:
        """Ask about all of these by one git process. Raises GitError."""
        new = [commit for commit in dict.fromkeys(commits) if commit not in self._found]
        if new:
            self._found |= dict.fromkeys(new, frozenset()) | _touched(self._scratch, new)

    def __getitem__(self, commit: str) -> frozenset[bytes]:
        """Empty for a merge, and for a commit that changes nothing."""
        if commit not in self._found:
            self.load([commit])
        return self._found[commit]


def _touched(scratch: Scratch, commits: Iterable[str]) -> dict[str, frozenset[bytes]]:
    arguments = ("diff-tree", "--stdin", "-r", "-z", "--root", "--raw", "--no-abbrev", *_PLAIN)
    out = scratch.run(*arguments, stdin=_lines(commits))
    found: dict[str, set[bytes]] = {}
    current: set[bytes] = set()
    words = iter(out.split(b"\0")[:-1])
    for word in words:
        if word.startswith(b":"):
            current.add(next(words))
        else:
            current = found.setdefault(word.decode("ascii", "replace"), set())
    return {commit: frozenset(paths) for commit, paths in found.items()}


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
