"""Text from outside (titles, names, tool output) made harmless for a terminal or for markdown."""

from __future__ import annotations

import re
import unicodedata

_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~$])")
_LEADING = re.compile(r"^(\s*)([-+/=:]|\d+\s*[.)])")
"""What makes something of a line only at its beginning: lists, headings, and what a forge carries out."""
_REFERENCE = re.compile(r"""[@#!%~$&](?=["'\w])|(?i:\b(?:www(?=\.)|gh(?=-\d)))""")
"""A mention, the number of an issue, merge request, milestone, snippet or epic, a label, a bare host: linked by a
forge, and told there, even where the sign is escaped."""
REFERENCES = re.compile(r"[@#!](?=\w)")
"""Those of them that no line of the guard's own may hold either, escaped or in code."""
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
JOINER = "\u2060"
"""Breaks up what a forge would act on, and is not seen (U+2060, word joiner)."""
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: str, *, limit: int = 500) -> str:
    """One line without control, format (right-to-left marks, zero-width) or unassigned characters.

    What is dropped is shown as `\\xNN` or `\\uNNNN`, so that nothing is hidden; beyond `limit` characters it is cut.
    """
    shown = "".join(_visible(character) for character in text[: limit + 1])
    return shown if len(text) <= limit else f"{shown[:limit]}…"


def _visible(character: str) -> str:
    if character in "\n\t\r":
        return " "
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def markdown(text: str, *, limit: int = 500) -> str:
    """The same, escaped so that a forge renders it as text: no link, image, HTML, mention, command or list item."""
    broken = _REFERENCE.sub(lambda found: f"{found[0]}{JOINER}", plain(text, limit=limit))
    escaped = _MARKDOWN.sub(r"\\\1", broken).translate(_HTML)
    escaped = _LEADING.sub(rf"\1{JOINER}\2", escaped)
    return escaped.replace("://", f":{JOINER}//").strip()


def code(text: str, *, limit: int = 500) -> str:
    """An inline code span that its content cannot leave."""
    content = plain(text, limit=limit)
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if content.startswith("`") or content.endswith("`") or not content.strip() else ""
    return f"{fence}{pad}{content}{pad}{fence}"
