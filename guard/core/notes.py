"""Release notes and compatibility notes: what belongs into them, and what of it a text leaves out.

Breaking changes are known by a `!` in a conventional title, a `BREAKING CHANGE:` footer
(https://www.conventionalcommits.org/en/v1.0.0/), or the label `BREAKING:` before a title or a line of the message.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from guard.core.model import Commit

TODO = "TODO"
"""What a draft says where a person has to write: notes with this word in them are no notes yet."""

_TITLE = re.compile(
    r"(?P<type>[A-Za-z][A-Za-z-]*)(?:\((?P<scope>[^()\n]*)\))?(?P<breaks>!)?:\s+(?P<words>\S.*)"
)
_LABEL = re.compile(r"\[?BREAKING(?:[ -]CHANGES?)?\]?\s*:?\s+(?P<words>\S.*)")
_FOOTER = re.compile(r"BREAKING(?:[ -]CHANGES?)?\s*:\s*(?P<words>.*)")
_NEXT = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?:: | #)|\(cherry[- ]picked from ")
_NUMBERS = re.compile(r"(?:\s*\([#!](\d+)\))+\s*$")
_NUMBER = re.compile(r"\([#!](\d+)\)")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_KINDS = {
    "feat": "feature", "feature": "feature", "fix": "fix", "bugfix": "fix", "perf": "fix", "security": "security",
}  # fmt: skip


class Section(StrEnum):
    """Where a change stands in the notes, in their order."""

    SECURITY = "security"
    FEATURE = "feature"
    FIX = "fix"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Logged:
    """One commit of the log. `names` are the commits that its `-x` lines name, as they are written; `reverts` those
    that it says it takes back; `states` are each path that it changes against its first parent, with what stood there
    before and what stands there after, in any words that are equal for equal content."""

    commit: Commit
    subject: str
    body: str
    names: tuple[str, ...] = ()
    reverts: tuple[str, ...] = ()
    states: tuple[tuple[str, str, str], ...] = ()
    is_merge: bool = False


@dataclass(frozen=True, slots=True)
class Log:
    """The commits since another one, oldest first, and when that one was made."""

    since_at: datetime
    commits: tuple[Logged, ...]


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One piece of work that is done."""

    id: str
    title: str
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class Contracted:
    """A breaking change that a comparison of API contracts found."""

    rule: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Change:
    """One commit that the notes have to tell. `words` is its title without its type; `numbers` are those of the merge
    requests that its title ends with; `breaking` is what it says of what breaks, an empty text where it says only
    that something does; None where nothing breaks."""

    commit: Commit
    subject: str
    words: str
    section: Section
    scope: str = ""
    names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    breaking: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Notes:
    """What has to be told of `since..head`, oldest first."""

    since: Commit
    head: Commit
    changes: tuple[Change, ...]
    items: tuple[QueueItem, ...] = ()
    contracted: tuple[Contracted, ...] = ()

    @property
    def breaking(self) -> tuple[Change, ...]:
        return tuple(one for one in self.changes if one.breaking is not None)


@dataclass(frozen=True, slots=True)
class Left:
    """Something that a text leaves out: `what` it is, as a reader finds it, and a short stable name of the case."""

    case: str
    what: str


def collect(
    log: Sequence[Logged], *, since: Commit, head: Commit, items: Iterable[QueueItem] = (),
    contracted: Iterable[Contracted] = (), after: datetime | None = None, own: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> Notes:  # fmt: skip
    """What the notes of these commits have to tell.

    Left out is what was taken back within the log together with what took it back, what changes nothing but `own`
    (the notes and the queue themselves, by path or folder), merges, and titles that fit a glob of `ignore`; a
    breaking change never is for being a merge or for its title. Of the queue, what was finished on a day before
    `after` is left out.
    """
    taken = _taken_back(log)
    ours, globs = tuple(own), tuple(ignore)
    kept = [
        change
        for one in log
        if one.commit not in taken and not _only(one, ours)
        for change in [change_of(one)]
        if change.breaking is not None
        or not (one.is_merge or any(fnmatchcase(change.subject, glob) for glob in globs))
    ]
    done = (one for one in items if after is None or one.completed_at.date() >= after.date())
    return Notes(since, head, tuple(kept), tuple(done), tuple(dict.fromkeys(contracted)))


def change_of(logged: Logged) -> Change:
    """What a commit's message says it is."""
    subject = " ".join(logged.subject.split())
    numbers = tuple(_NUMBER.findall(found[0])) if (found := _NUMBERS.search(subject)) else ()
    bare = _NUMBERS.sub("", subject)
    title, label = _TITLE.fullmatch(bare), _LABEL.fullmatch(bare)
    told = list(_told(logged.body))
    if label is not None:
        told = told or [label["words"]]
        return Change(
            logged.commit, subject, label["words"], Section.OTHER, "", logged.names, numbers, tuple(told)
        )
    if title is None:
        breaking = tuple(told) if told else None
        return Change(logged.commit, subject, bare, Section.OTHER, "", logged.names, numbers, breaking)
    kind = title["type"].lower()
    breaks = bool(title["breaks"] or told)
    return Change(
        logged.commit, subject, title["words"], Section(_KINDS.get(kind, "other")), title["scope"] or "",
        logged.names, numbers, tuple(told) if breaks else None,
    )  # fmt: skip


def _told(body: str) -> Iterable[str]:
    """What each `BREAKING CHANGE:` line says, down to the next footer or blank line. In fenced blocks and quotations
    nobody says anything."""
    fenced, current = False, None
    for line in [*body.split("\n"), ""]:
        fenced ^= bool(_FENCE.match(line))
        found = _FOOTER.fullmatch(line) if not fenced else None
        ends = found or not line.strip() or (current is not None and _NEXT.match(line))
        if current is not None and ends and (current.strip() or found or not line.strip()):
            yield " ".join(current.split())
            current = None
        if found is not None:
            current = found["words"]
        elif current is not None:
            current += f" {line.strip()}"


def _taken_back(log: Sequence[Logged]) -> frozenset[Commit]:
    """The commits that a later one of the log takes back, with what takes them back; a revert that was itself taken
    back takes nothing back.

    The message only says where to look: every path has to go back to what stood there before.
    """
    taken: set[Commit] = set()
    for place in range(len(log) - 1, -1, -1):
        one = log[place]
        if one.commit in taken or len(one.reverts) != 1:
            continue
        back = {(path, after, before) for path, before, after in one.states}
        for other in log[:place]:
            if _is_named(other, one.reverts[0]) and back and back == set(other.states):
                taken |= {one.commit, other.commit}
    return frozenset(taken)


def _is_named(one: Logged, name: str) -> bool:
    return any(full.startswith(name) for full in (one.commit, *one.names))


def _only(one: Logged, own: Sequence[str]) -> bool:
    """Whether it changes something, and nothing but these files and what is in these folders."""
    paths = [path for path, _, _ in one.states]
    folders = [f"{name.rstrip('/')}/" for name in own]
    return bool(paths) and all(path in own or path.startswith(tuple(folders)) for path in paths)


# --- what a text leaves out --------------------------------------------------------------------------------------

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HEX = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{7,64}(?![0-9A-Za-z])")
_HASHED = re.compile(r"(?<![\w/])[#!](\d+)(?!\w)")
_MARKS = re.compile(r"[*_`\\]|\[(?=[^\]]*\]\()|\]\([^)]*\)")
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)]|#+|\|)?\s*")
_TAIL = re.compile(r"\s*(?:\((?:[^()]*)\)|\.)\s*$")
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(?P<words>.*)$", re.MULTILINE)
_COMPATIBILITY = re.compile(r"break|compatib|migrat|upgrad", re.IGNORECASE)
_JOINER = "\u2060"
_SHORT = 12
"""Characters of a title from which on it alone tells which change is meant."""


@dataclass(frozen=True, slots=True)
class Text:
    """Notes as they were written. `old` is what already stood there when the last release was made: words in it tell
    nothing of this one, while the name of a commit or of a piece of work is as good wherever it stands."""

    hexes: frozenset[str]
    numbers: frozenset[str]
    entries: frozenset[str]
    whole: str

    @classmethod
    def read(cls, text: str, *, old: str = "") -> Text:
        shown, before = _COMMENT.sub(" ", text), set(_COMMENT.sub(" ", old).split("\n"))
        fresh = (line for line in shown.split("\n") if line not in before)
        return cls(
            hexes=frozenset(_HEX.findall(shown)),
            numbers=frozenset(_HASHED.findall(shown)),
            entries=frozenset(entry for line in fresh for entry in _entries(line)),
            whole=shown,
        )

    def tells(self, change: Change) -> bool:
        """Whether the change is there by a name of its commit, of what it was picked from, by its merge request's
        number, or by its whole title as an entry of its own."""
        names = (change.commit, *change.names)
        if any(name.startswith(word) or word.startswith(name) for word in self.hexes for name in names):
            return True
        if not self.numbers.isdisjoint(change.numbers):
            return True
        titles = {_plain(one) for one in (change.subject, _NUMBERS.sub("", change.subject), change.words)}
        return any(len(title) >= _SHORT and title in self.entries for title in titles)

    def tells_item(self, item: QueueItem) -> bool:
        """Whether a piece of work is there by its id, or by its whole title. A mere number needs a `#`."""
        if item.id.isdigit():
            by_id = item.id in self.numbers
        else:
            by_id = bool(re.search(rf"(?<![\w-]){re.escape(item.id)}(?![\w-]|\.\w)", self.whole))
        title = _plain(item.title)
        return by_id or (len(title) >= _SHORT and title in self.entries)

    def tells_contracted(self, one: Contracted) -> bool:
        """Whether the place that breaks is named."""
        words = one.where or one.rule
        return bool(re.search(rf"(?<![\w/]){re.escape(words)}(?![\w/])", self.whole))


def left_of_release(notes: Notes, text: Text) -> tuple[Left, ...]:
    """What release notes leave out: commits, pieces of work, and words that were to be written yet."""
    return (
        *(_left_change("change", one) for one in notes.changes if not text.tells(one)),
        *(Left("item", f"{one.id} {one.title}".strip()) for one in notes.items if not text.tells_item(one)),
        *_unwritten(text),
    )


def left_of_compatibility(notes: Notes, texts: Iterable[str], *, old: str = "") -> tuple[Left, ...]:
    """What compatibility notes leave out. Of a text with headings that speak of breaking changes, compatibility,
    migrations or upgrades, only what stands below them counts."""
    read = Text.read("\n".join(map(part_on_compatibility, texts)), old=old)
    return (
        *(_left_change("breaking", one) for one in notes.breaking if not read.tells(one)),
        *(
            Left("contract", " ".join(filter(None, (one.where, one.rule, one.message))))
            for one in notes.contracted
            if not read.tells_contracted(one)
        ),
        *_unwritten(read),
    )


def part_on_compatibility(text: str) -> str:
    """The sections whose headings speak of compatibility, with those below them; the whole text where none does."""
    shown = _COMMENT.sub(" ", text)
    kept: list[str] = []
    headings = list(_HEADING.finditer(shown))
    for i, one in enumerate(headings):
        if _COMPATIBILITY.search(one["words"]):
            following = (other for other in headings[i + 1 :] if len(other[1]) <= len(one[1]))
            end = next(following, None)
            kept.append(shown[one.start() : end.start() if end else len(shown)])
    return "\n".join(kept) if kept else shown


def _left_change(case: str, one: Change) -> Left:
    return Left(case, f"{one.commit[:10]} {one.subject}")


def _unwritten(text: Text) -> tuple[Left, ...]:
    lines = (line.strip() for line in text.whole.split("\n") if re.search(rf"\b{TODO}\b", line))
    return tuple(Left("todo", line) for line in lines)


def _entries(line: str) -> Iterable[str]:
    """The texts that a line may be an entry for: itself and its cells, each also without what is in brackets behind."""
    bare = _BULLET.sub("", line, count=1)
    for cell in {bare, *bare.split("|")}:
        words = _plain(cell)
        yield words
        while (shorter := _TAIL.sub("", words)) != words:
            words = shorter
            yield words


def _plain(text: str) -> str:
    """Words as a reader sees them: without marks and what breaks mentions up, in one case."""
    seen = html.unescape(_MARKS.sub("", text)).replace(_JOINER, "")
    return " ".join(seen.split()).casefold().rstrip(".")


def sections(notes: Notes) -> Mapping[Section, tuple[Change, ...]]:
    """The changes by where they stand, in the order of the sections; empty sections are left out."""
    found = {section: tuple(one for one in notes.changes if one.section is section) for section in Section}
    return {section: some for section, some in found.items() if some}
