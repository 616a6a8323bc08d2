"""What a document says about itself: fields in front matter, in heading lines, in a small table, in a section.

Only what a reader of the rendered page sees as the document's own statement counts: nothing in code blocks or
comments, and of the body only the part before the first second-level heading, and sections that bear a field's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
KEY_VALUE = re.compile(r"([A-Za-z][A-Za-z0-9 _-]{0,60}?)[ \t]*:(?:[ \t]+(.*))?$")
LINE = re.compile(
    r" {0,3}(?:[-*+>][ \t]+)?(?:\*\*|__)?([A-Za-z][A-Za-z0-9 _-]{0,60}?)(?:\*\*|__)?[ \t]*:(?:\*\*|__)?[ \t]+(\S.*)$"
)
SECTION = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)

NOT_PLAIN = "(a value that is not a plain word)"
"""Stands for a front matter value that only a YAML parser could read; it equals nothing that a policy asks for."""


def fields_of(text: str) -> dict[str, tuple[str, ...]]:
    """Each field's name (`name_of`) → the different values that the document gives it, in order of appearance.

    More than one value means that the document contradicts itself.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    front = FRONT_MATTER.match(text)
    found: dict[str, dict[str, str]] = {}
    pairs = list(_front_matter(front[1] or "")) if front else []
    pairs += _body(text[front.end() :] if front else text)
    for name, value in pairs:
        found.setdefault(name_of(name), {}).setdefault(value.casefold(), value)
    return {name: tuple(values.values()) for name, values in found.items()}


def sections_of(text: str, name: str) -> list[list[str]]:
    """The lines that say something of each section of this name (`name_of`), up to the next heading of any level."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    front = FRONT_MATTER.match(text)
    sections: list[list[str]] = []
    inside = False
    for line in _visible(text[front.end() :] if front else text):
        heading = SECTION.match(line)
        if heading:
            inside = len(heading[1]) > 1 and name_of(heading[2].rstrip("# \t")) == name
            sections += [[]] if inside else []
        elif inside and line.strip():
            sections[-1].append(line.strip())
    return sections


def body_of(text: str) -> str:
    """What is left of a document without front matter, comments and headings' marks; "" when it says nothing."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    front = FRONT_MATTER.match(text)
    rest = COMMENT.sub("", text[front.end() :] if front else text)
    lines = (line for line in rest.split("\n") if not SECTION.match(line))
    return "\n".join(line.strip() for line in lines if line.strip())


def name_of(field: str) -> str:
    """`Last Reviewed`, `last_reviewed` and `last-reviewed` are one field."""
    return " ".join(re.split(r"[\s_-]+", plain(field).casefold())).strip()


def plain(text: str) -> str:
    """A value without the marks that only dress it: emphasis, code marks, a line break at its end."""
    text = text.strip()
    for line_break in ("<br>", "<br/>", "<br />", "\\"):
        text = text.removesuffix(line_break)
    return text.strip().strip("*_`").strip()


def _front_matter(block: str) -> Iterator[tuple[str, str]]:
    """The plain `key: value` lines of the outermost level. Lists, nested tables and block texts are not plain."""
    lines = [line for line in block.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    for line, following in pairwise([*lines, ""]):
        match = KEY_VALUE.match(line)
        if match is None:
            continue
        goes_on = following[:1] in {" ", "\t", "-"}
        yield match[1], NOT_PLAIN if goes_on else _scalar(match[2] or "")


def _scalar(text: str) -> str:
    """A YAML scalar of the simple sort: bare, or in quotes without escapes; a comment after it is dropped."""
    text = text.strip()
    quoted = re.fullmatch(r"(?:\"([^\"\\]*)\"|'([^']*)')(?:[ \t]+#.*)?", text)
    if quoted:
        return (quoted[1] or quoted[2] or "").strip()
    bare = re.split(r"[ \t]#", text, maxsplit=1)[0].strip()
    return NOT_PLAIN if bare[:1] in set("\"'[]{}|>&*!%@`") else bare


def _body(text: str) -> Iterator[tuple[str, str]]:
    in_heading, section = True, ""
    for line in _visible(text):
        heading = SECTION.match(line)
        if heading:
            in_heading = in_heading and len(heading[1]) == 1
            section = heading[2].rstrip("# \t") if len(heading[1]) > 1 else ""
        elif section and line.strip():
            yield section, plain(line)  # as in an ADR: "## Status", then "Accepted"
            section = ""
        elif in_heading:
            yield from _field(line)


def _field(line: str) -> Iterator[tuple[str, str]]:
    if line.lstrip().startswith("|"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 2 and cells[0]:
            yield plain(cells[0]), plain(cells[1])
        return
    match = LINE.match(line)
    if match:
        yield match[1], plain(match[2])


def _visible(text: str) -> Iterator[str]:
    """The lines outside comments, fenced code and code by indentation."""
    fence = ""
    for line in COMMENT.sub("", text).split("\n"):
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            fence = mark[1]
        elif not line.startswith(("    ", "\t")):
            yield line
