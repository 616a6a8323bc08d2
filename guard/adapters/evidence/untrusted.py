"""Bytes and words from outside, on their way in: decoded, bounded, and refused with a reason when they are wrong."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import NoReturn

from guard.core.errors import GuardError

MAX_REPORT = 32 * 1024 * 1024
"""The largest report that is parsed, in bytes; a parsed report takes a multiple of it in memory."""

MAX_DOCUMENT = 4 * 1024 * 1024
"""The largest document that is read, in bytes."""

MAX_TABLES, MAX_VALUES = 1_000_000, 4_000_000
"""How many opening marks and how many commas a report may hold: small values take many times their size once parsed."""

SHOWN = 200
"""How many characters of a word from outside are repeated in a message."""


class Unreadable(GuardError):
    """The evidence is there, and what it says cannot be known."""

    code = "evidence.unreadable"


def digest_of(data: bytes) -> str:
    """`sha256:` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def bounded(data: bytes, what: str, *, limit: int = MAX_REPORT) -> bytes:
    """The same bytes. Raises Unreadable when there are more than `limit`."""
    if len(data) > limit:
        raise Unreadable(
            f"{what} has {len(data)} bytes; at most {limit} are read",
            fix="submit a smaller report: one tool, one part of the tree, no embedded sources",
        )
    return data


def countable(data: bytes, what: str, *marks: bytes) -> bytes:
    """The same bytes. Raises Unreadable when the marks that open a value, or commas, are more than can be kept."""
    if sum(data.count(mark) for mark in marks) > MAX_TABLES or data.count(b",") > MAX_VALUES:
        raise Unreadable(f"{what} holds too many values to be read", fix="submit a smaller report")
    return data


def decode(data: bytes, what: str) -> str:
    """UTF-8 text, a byte order mark dropped. Raises Unreadable for any other encoding and for NUL."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"{what} is not UTF-8: {error.reason} at byte {error.start}", fix="write it as UTF-8"
        ) from None
    if "\x00" in text:
        raise Unreadable(f"{what} holds NUL characters, so it is not UTF-8 text", fix="write it as UTF-8")
    return text


def load_json(data: bytes, what: str) -> object:
    """A JSON value by the letter of RFC 8259. Raises Unreadable, for a repeated key too: which one would count?"""
    text = decode(countable(bounded(data, what), what, b"{", b"["), what)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise Unreadable(f"{what} is nested too deeply to be read") from None
    except ValueError as error:
        raise Unreadable(
            f"{what} is not JSON: {shown(str(error))}", fix="submit the file that the tool wrote"
        ) from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        once: set[str] = set()
        twice = next(key for key, _ in pairs if key in once or once.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} is there twice")
    return table


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def table_of(value: object, what: str) -> dict[str, object]:
    """A JSON object; an absent one (None) is empty. Raises Unreadable for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is not an object but {type(value).__name__}")
    return value


def list_of(value: object, what: str) -> list[object]:
    """A JSON array; an absent one (None) is empty. Raises Unreadable for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable(f"{what} is not an array but {type(value).__name__}")
    return value


def text_of(value: object) -> str:
    """A JSON string as it is, and "" for anything else."""
    return value if isinstance(value, str) else ""


def shown(text: str, *, limit: int = SHOWN) -> str:
    """One line of printable characters, safe to store and to repeat; renderers escape it for their own medium."""
    head = text[: limit * 4]
    clean = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in head)
    line = " ".join(clean.split())
    return line if len(line) <= limit and len(head) == len(text) else f"{line[:limit]}…"
