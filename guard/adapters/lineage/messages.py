"""What a commit message claims: where it was picked from, its Change-Id, what it reverts. Claims prove nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PICKED = re.compile(r"\(cherry[- ]picked from (?:commit )?([0-9a-f]{7,64})\)", re.IGNORECASE)
_ID = re.compile(r"([A-Za-z0-9-]+)[ \t]*:[ \t]*(\S+)")
_GERRIT_ID = re.compile(r"I[0-9a-f]{40}")
_SHORTEST_ID, _LONGEST_ID = 8, 200
_REVERTS = re.compile(
    r"^\s*(?:This )?reverts? commits?:?\s+((?:[0-9a-f]{7,64}\b(?:\s*\([^)\n]*\))?(?:,|\s|and|&)*)+)",
    re.MULTILINE | re.IGNORECASE,
)
_NAME = re.compile(r"\b[0-9a-f]{7,64}\b")
_REVERT_SUBJECT = re.compile(r'Revert "(.+)"(?: \(#\d+\))?')
_SQUASHED = re.compile(r"^commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)$", re.MULTILINE)
_SQUASH_TITLE = "Squashed commit of the following:"
_TRAILER = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9-]*\s*:(?: .*|)"  # Key: value (git interpret-trailers)
    r"|\(cherry[- ]picked from .*\)"  # git cherry-pick -x
    r"|# ?Conflicts:|#\t.*|#  .*"  # what git leaves of a conflict
    r"|[ \t]+\S.*",  # a continuation of the line before, or a file under Conflicts:
    re.IGNORECASE,
)
_MAX_MESSAGE = 64 * 1024
_MAX_CLAIMS = 50


@dataclass(frozen=True, slots=True)
class Claims:
    """What one message claims; the hexadecimal names are as written, so they may be short.

    `picked_from` keeps the order of the lines. `reverts_subject` is the title a revert quotes, or "".
    `misplaced` look like `-x` lines and stand where none counts.
    """

    subject: str
    picked_from: tuple[str, ...] = ()
    change_ids: tuple[str, ...] = ()
    reverts: tuple[str, ...] = ()
    reverts_subject: str = ""
    squashes: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.picked_from, *self.reverts, *self.squashes)


def read_claims(message: str, id_trailers: tuple[str, ...] = ("Change-Id",)) -> Claims:
    """The claims of a message. `id_trailers` are the keys that give a change its name.

    Trailers count only at the very end of the message: a whole line each, with nothing but further trailers, blank
    lines and notes on conflicts after it, and never in the title.
    """
    text = message[:_MAX_MESSAGE].strip("\n")
    subject, _, body = text.partition("\n")
    trailers = tuple(_trailers(body)) if len(message) <= _MAX_MESSAGE else ()
    picked = [match[1].lower() for line in trailers if (match := _PICKED.fullmatch(line))]
    ids = [found for line in trailers if (found := _change_id(line, id_trailers))]
    quoted = _REVERT_SUBJECT.fullmatch(subject.strip())
    return Claims(
        subject=subject.strip(),
        picked_from=_few(picked),
        change_ids=_few(ids),
        reverts=_few(list(_reverted(body))),
        reverts_subject=quoted[1] if quoted else "",
        squashes=_few(_SQUASHED.findall(body)) if _SQUASH_TITLE in text else (),
        misplaced=_few([name.lower() for name in _PICKED.findall(text) if name.lower() not in picked]),
    )


def _reverted(body: str) -> Iterator[str]:
    """The commits after each "This reverts commit"; what stands in brackets behind one is its title and date."""
    for names in _REVERTS.findall(body):
        yield from _NAME.findall(re.sub(r"\([^)\n]*\)", " ", names).lower())


def _change_id(line: str, keys: tuple[str, ...]) -> str | None:
    """The value of one of these trailers, if it can name a change: of a `Change-Id` as Gerrit makes it, of others a
    word that is long enough."""
    match = _ID.fullmatch(line)
    if match is None or match[1] not in keys or not _SHORTEST_ID <= len(match[2]) <= _LONGEST_ID:
        return None
    return match[2] if match[1] != "Change-Id" or _GERRIT_ID.fullmatch(match[2]) else None


def _few(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))[:_MAX_CLAIMS]


def _trailers(body: str) -> Iterator[str]:
    """The trailer lines at the end of the body, in order."""
    lines = [line.rstrip() for line in body.split("\n")]
    start = len(lines)
    while start and (not lines[start - 1] or _TRAILER.fullmatch(lines[start - 1])):
        start -= 1
    return iter(lines[start:])
