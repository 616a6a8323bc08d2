"""What people tell the guard in a comment: `/guard` and a word, read from the text without carrying any of it out.

Only a line that surely is the writer's own plain text counts: it begins with `/guard` in the first column, stands at
the beginning of the comment or after an empty line (or another command), and nothing before it opens code or HTML.
So quoted text, list items, code blocks and whatever hides in HTML are never carried out, in whichever dialect of
markdown the forge shows them; what was perhaps meant gets a hint instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from guard.core.policy_names import GATE_PATTERN, HOLD_PATTERN

WORD = "/guard"
MOST = 5
"""Commands of one comment."""
LONGEST_LINE = 2000
LONGEST_TEXT = 500
"""Characters of a reason or a note."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command as it was written (`line`). `gate` is a gate's or rule's id; `text` a note or a reason; `until` the
    moment at which what is asked for ends; `hold` the kind of a hold to place, or the id of one to lift."""

    name: str
    line: str
    gate: str = ""
    text: str = ""
    until: datetime | None = None
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Misread:
    """A line that looks like a command and is none; `hint` says what would be one."""

    line: str
    hint: str


Read = Command | Misread


def read_commands(body: str) -> tuple[Read, ...]:
    """The commands of a comment in their order, at most five; more are not carried out, and that is said."""
    found: list[Read] = []
    for line, hidden in _lines(body):
        if len(found) == MOST:
            found.append(Misread(_shown(line), f"one comment holds at most {MOST} commands; write another"))
            break
        found.append(Misread(_shown(line), hidden) if hidden else _read(line))
    return tuple(found)


def _lines(body: str) -> Iterator[tuple[str, str]]:
    """Each line that is meant as a command, with the reason why it is not read as one ("" when it is)."""
    fresh, fence, suspect = True, "", False
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", body)):
        line = raw.rstrip(" \t")
        is_command = re.match(rf"{WORD}(?:\s|$)", line) is not None
        if is_command and not fence:
            if not fresh:
                yield line, "a command stands at the beginning of a comment, or after an empty line"
            else:
                yield line, _BEHIND if suspect else ""
            continue
        opened = _fence(line, first=number == 0)
        if opened and (not fence or _closes(line, fence)):
            fence = "" if fence else opened
        suspect = suspect or bool(opened) or "<" in line
        fresh = not line.strip()


_BEHIND = (
    "it follows code or HTML, where it may be part of that; write it at the beginning of a comment of its own"
)
_BLOCKS = re.compile(r"[\s>*+\d.)-]*?(?P<fence>`{3,}|~{3,}|\${2,}|>{3,}|:{3,})")
_MATTER = re.compile(r"(?P<fence>-{3}|\+{3}|;{3})$")


def _fence(line: str, *, first: bool) -> str:
    """What opens or closes a block in GitHub's or GitLab's markdown (code, formulas, long quotes, front matter)."""
    found = _BLOCKS.match(line) or (_MATTER.match(line) if first else None)
    return found["fence"] if found else ""


def _closes(line: str, fence: str) -> bool:
    return line.strip().startswith(fence) and not line.strip().strip(fence[0])


def _shown(line: str) -> str:
    return line[:200]


def _read(line: str) -> Read:
    if len(line) > LONGEST_LINE or not line.isprintable():
        return Misread(_shown(line), "a command is one line without invisible characters; type it anew")
    words = line.split()[1:]
    name = words[0].lower() if words else ""
    if name not in FORMS:
        return Misread(_shown(line), f"the commands are {', '.join(FORMS)}")
    usage, parse = FORMS[name]
    rest = line.split(maxsplit=2)[2].strip() if len(words) > 1 else ""
    try:
        return parse(Command(name, _shown(line)), rest)
    except ValueError as error:
        return Misread(_shown(line), f"{error}; it is written: {WORD} {usage}")


def _alone(command: Command, rest: str) -> Command:
    if rest:
        raise ValueError(f"{command.name} takes nothing more")
    return command


def _with_gate(command: Command, rest: str) -> Command:
    gate, _, more = rest.partition(" ")
    if more.strip():
        raise ValueError(f"{command.name} takes one gate")
    return _gated(command, gate)


def _signing(command: Command, rest: str) -> Command:
    gate, _, note = rest.partition(" ")
    return _worded(_gated(command, gate), note.strip())


def _waiving(command: Command, rest: str) -> Command:
    found = re.fullmatch(r"(\S+)\s+until\s+(\S+)\s+because\s+(\S.*)", rest)
    if not found:
        raise ValueError("a waiver names a gate, an end and a reason")
    return _worded(_gated(command, found[1], until=_moment(found[2])), found[3].strip())


def _because(command: Command, rest: str) -> Command:
    found = re.fullmatch(r"because\s+(\S.*)", rest)
    if not found:
        raise ValueError("a reason is missing")
    return _worded(command, found[1].strip())


def _holding(command: Command, rest: str) -> Command:
    word, _, more = rest.partition(" ")
    if word != "maintenance":
        return _because(command, rest)
    return replace(_because(command, more.strip()), hold=word)


def _unholding(command: Command, rest: str) -> Command:
    word, _, more = rest.partition(" ")
    if not re.fullmatch(HOLD_PATTERN, word):
        return _because(command, rest) if rest else command
    named = replace(command, hold=word)
    return _because(named, more.strip()) if more.strip() else named


def _restoring(command: Command, rest: str) -> Command:
    found = _unholding(command, rest)
    if not found.hold:
        raise ValueError("the alarm's hold is missing")
    return found


def _gated(command: Command, gate: str, *, until: datetime | None = None) -> Command:
    name, _, finding = gate.partition(":")
    if not re.fullmatch(GATE_PATTERN, name) or not re.fullmatch(r"[a-z0-9.:_-]*", finding) or len(gate) > 300:
        raise ValueError("expected the id of a gate, such as security.threat-model")
    return Command(command.name, command.line, gate=gate, until=until)


def _worded(command: Command, text: str) -> Command:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"at most {LONGEST_TEXT} characters")
    return replace(command, text=text)


def _moment(text: str) -> datetime:
    """A day (`2026-05-01`: until its end, UTC) or an RFC 3339 time."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError("expected a day such as 2026-05-01") from None
    if found.tzinfo is None:
        raise ValueError("expected a time with its zone, such as 2026-05-01T12:00:00Z")
    return found.astimezone(UTC)


FORMS: Mapping[str, tuple[str, Callable[[Command, str], Command]]] = {
    "recheck": ("recheck", _alone),
    "explain": ("explain GATE", _with_gate),
    "signoff": ("signoff GATE [note]", _signing),
    "waive": ("waive GATE until DATE because …", _waiving),
    "hold": ("hold [maintenance] because …", _holding),
    "unhold": ("unhold [HOLD] [because …]", _unholding),
    "restore": ("restore HOLD [because …]", _restoring),
    "break-glass": ("break-glass because …", _because),
}
"""Every command: how it is written, and how what follows its name is read (ValueError says what was expected)."""
