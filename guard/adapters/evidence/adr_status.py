"""What one architecture decision record says of itself: its status, what took its place, its date.

Read are the forms that Nygard's template and adr-tools write (a section `Status`), and those of MADR (front matter, or
a list of fields under the title).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from guard.adapters.evidence.headings import fields_of, plain, sections_of

WORDS = frozenset({"proposed", "draft", "accepted", "rejected", "deprecated", "superseded", "superceded"})
"""First words that make a line of a section `Status` a status; the lines below the first say otherwise how the record
is related to others (adr-tools: `Amended by [5. …](0005-….md)`)."""

SUPERSEDED = re.compile(r"super[sc]eded\b(?:[ \t]+by\b)?[ \t:]*(.*)", re.IGNORECASE | re.DOTALL)
LINK = re.compile(r"\]\(<?([^()\s>]{1,300})>?[^()]{0,300}\)")
NUMBER = re.compile(r"(?:\badr[-_ #]*|#|\b)(\d{1,9})\b", re.IGNORECASE)
DATED = re.compile(r"(?:[ \t]*[,:(]?[ \t]*(?:on[ \t]+)?[0-9]{4}-[0-9]{2}-[0-9]{2}\)?)?\.?\Z")


LONGEST = 1000
"""How many characters of what took a record's place are looked at."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a record says took its place: a file's name, or a record's number."""

    file: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """`status` is in lower case, "" where none is stated; `problem` says why it cannot be one, "" for nothing.
    `targets` are what took its place, where it says that something did."""

    status: str
    problem: str = ""
    targets: tuple[Target, ...] = ()
    dates: tuple[str, ...] = ()


def read_status(text: str) -> Said:
    """The one status that the record states; statements that contradict each other are a problem."""
    fields = fields_of(text)
    dates = fields.get("date", ())
    stated = list(dict.fromkeys([*fields.get("status", ()), *_more(text)]))
    if not any(stated):
        return Said("", "states no status", dates=dates)
    kinds = {_kind(line) for line in stated}
    if len(kinds) > 1:
        said = " and ".join(sorted(kinds))
        return Said("", f"contradicts itself: its status is {said}", dates=dates)
    kind = kinds.pop()
    if kind != "superseded":
        return Said(kind, dates=dates)
    return Said(kind, targets=tuple(target for line in stated for target in _targets(line)), dates=dates)


def _more(text: str) -> list[str]:
    """The further lines of the sections `Status` that are a status by their first word."""
    lines = [line for section in sections_of(text, "status") for line in section]
    return [line for line in lines if plain(_bare(line)).split(" ")[0].strip(".,:;").casefold() in WORDS]


def _kind(line: str) -> str:
    """`superseded`, or the words themselves in lower case, without a date behind them."""
    words = plain(_bare(line))
    if SUPERSEDED.match(words):
        return "superseded"
    return DATED.sub("", words).casefold().strip() or words.casefold()


def _bare(line: str) -> str:
    """The line without the mark of a list or quote before it."""
    return re.sub(r"^[ \t]*[-+*>][ \t]+", "", line)


def _targets(line: str) -> list[Target]:
    match = SUPERSEDED.match(plain(_bare(line)))
    rest = match[1][:LONGEST] if match else ""
    links = [unquote(link.partition("#")[0]) for link in LINK.findall(rest)]
    if links:
        return [Target(file=PurePosixPath(link).name) for link in links]
    bare = re.search(r"[\w.-]+\.(?:md|markdown)\b", rest)
    if bare:
        return [Target(file=bare[0])]
    return [Target(number=int(number)) for number in NUMBER.findall(rest)[:1]]
