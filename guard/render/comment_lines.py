"""The lines of a comment: which are live, how the parts fit together, and the last look that nothing does anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from guard.render.safe import JOINER, REFERENCES

MARKER = "<!-- release-guard:promotion -->"
"""What the guard finds its own comment by; it is shown to nobody."""

LIMIT = 60_000
"""Characters of a comment. GitHub takes 65,536, GitLab a million; a comment that long helps nobody."""


class Live(str):
    """A line of the guard's own that may do what it says: mention, or link."""

    __slots__ = ()


def folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines that are shown at a click; `title` is put into HTML as it is."""
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def assemble(parts: Sequence[Sequence[str]], url: str = "") -> str:
    """The parts in order. A folded one that would make it too long is left out whole, so that nothing stays half
    open; any other is cut after a line."""
    cut = _too_long(url)
    kept: list[str] = []
    room = LIMIT - len(cut) * len(parts) - len(MARKER) - sum(len(line) + 1 for line in parts[-1])
    for part in parts:
        lines = [line if isinstance(line, Live) else _harmless(line) for line in _single_spaced(part)]
        fitting = lines if part is parts[-1] else _fitting(lines, room * 3 // 4)
        if len(fitting) < len(lines):
            fitting = [*([] if _is_folded(lines) else fitting), cut, ""]
        kept += fitting
        room -= sum(len(line) + 1 for line in fitting)
    return "\n".join(kept).rstrip()[:LIMIT] + "\n"


def _single_spaced(lines: Iterable[str]) -> Iterator[str]:
    before = "x"
    for line in lines:
        if line or before:
            yield line
        before = line


def _too_long(url: str) -> str:
    if url:
        return Live(f"The rest of this part is too long for a comment: [see the whole decision]({url}).")
    return "The rest of this part is too long for a comment: run guard check, or guard lineage."


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """The lines from the first that take no more than this many characters."""
    ends = accumulate(len(line) + 1 for line in lines)
    return [line for line, end in zip(lines, ends, strict=True) if end <= room]


def _is_folded(lines: Sequence[str]) -> bool:
    return any(line.startswith("<details>") for line in lines)


def _harmless(line: str) -> str:
    """The last look: what a forge could take for a command, a mention, a reference or a link is broken up with a word
    joiner."""
    line = re.sub(r"^([\s>*+\-\d.)\[\]xX|]*)/", rf"\1{JOINER}/", line)
    line = re.sub(r"(?i)\b(www)\.", rf"\1{JOINER}.", line)
    line = line.replace("![", f"!{JOINER}[").replace("://", f":{JOINER}//")
    # GitHub links `\#1` all the same, and tells issue 1 of it.
    return REFERENCES.sub(rf"\g<0>{JOINER}", line)
