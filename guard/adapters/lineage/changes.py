"""Which paths differ between two trees, and how: `git diff-tree --raw` of many pairs by one process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from guard.adapters.git_process import Scratch

PLAIN = ("--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
_RAW = ("diff-tree", "--stdin", "-r", "-z", "--raw", "--no-abbrev", *PLAIN)

Pair = tuple[str, str]
"""Two trees, the one before and the one after."""

Changed = Mapping[bytes, bytes]
"""path → `:old-mode new-mode old-object new-object status`, where the status is A, M, T or D."""


class Changes:
    """The differences between pairs of trees, each asked once."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._found: dict[Pair, Changed] = {}
        self._paths: dict[Pair, frozenset[bytes]] = {}

    def load(self, pairs: Iterable[Pair]) -> None:
        """Ask about all of these by one git process. Raises GitError."""
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._found]
        asked = "".join(f"{before} {after}\n" for before, after in new if before != after)
        found = _parse(self._scratch.run(*_RAW, stdin=asked.encode())) if asked else {}
        self._found.update({pair: found.get(pair, {}) for pair in new})

    def __getitem__(self, pair: Pair) -> Changed:
        if pair not in self._found:
            self.load([pair])
        return self._found[pair]

    def touched(self, pair: Pair) -> frozenset[bytes]:
        """The paths that differ."""
        if pair not in self._paths:
            self._paths[pair] = frozenset(self[pair])
        return self._paths[pair]


def _parse(out: bytes) -> dict[Pair, Changed]:
    """Each pair is a line of its own before the first of its differences, which are words that end in NUL."""
    found: dict[Pair, Changed] = {}
    current: dict[bytes, bytes] = {}
    words = iter(out.split(b"\0"))
    for word in words:
        *headers, meta = word.split(b"\n")
        for header in headers:
            old, new = header.decode("ascii").split()
            found[old, new] = current = {}
        if meta:
            current[next(words)] = meta
    return found


def additions(changed: Changed) -> list[bytes]:
    return [path for path, meta in changed.items() if meta.endswith(b"A")]


def has_deletions(changed: Changed) -> bool:
    return any(meta.endswith(b"D") for meta in changed.values())


def touched_by_all(run: Sequence[Changed]) -> frozenset[bytes]:
    """The paths that a run of changes, each on top of the one before, changes as a whole."""
    before: dict[bytes, bytes] = {}
    after: dict[bytes, bytes] = {}
    for changed in run:
        for path, meta in changed.items():
            old_mode, new_mode, old, new, _ = meta.split(b" ")
            before.setdefault(path, old_mode.lstrip(b":") + old)
            after[path] = new_mode + new
    return frozenset(path for path, state in after.items() if state != before[path])
