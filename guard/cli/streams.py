"""Output on a terminal, pipe or file that is not UTF-8: signs become plain ones, and nothing crashes.

A character that the stream cannot show is written as JSON writes it, `\\u2713`, so that JSON stays the same document.
"""

from __future__ import annotations

import codecs
import os
import sys

PLAIN = {
    "✓": "+", "✗": "x", "–": "-", "—": "-", "→": "->", "…": "...", "⚠": "!", "’": "'", "“": '"', "”": '"', "×": "x",
    "\u2060": "",
}  # fmt: skip
"""What stands for the signs of the board where they cannot be shown."""


def fill_closed() -> None:
    """Have /dev/null stand where standard input, output or error was closed. Otherwise the next file that is opened,
    such as the ledger, would get its number, and what is printed."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def tolerate() -> None:
    """Have standard output and error write what their encoding lacks as escapes. UTF-8 stays as it is."""
    codecs.register_error("guard.escape", _escape)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and not _is_utf8(stream.encoding):
            reconfigure(errors="guard.escape")


def fitting(text: str, encoding: str | None) -> str:
    """The text with the board's signs as plain ones where the encoding lacks them."""
    if _is_utf8(encoding):
        return text
    lacking = {
        sign: plain for sign, plain in PLAIN.items() if sign in text and not _can(sign, encoding or "ascii")
    }
    return text.translate({ord(sign): plain for sign, plain in lacking.items()})


def _can(sign: str, encoding: str) -> bool:
    try:
        sign.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _is_utf8(encoding: str | None) -> bool:
    try:
        return codecs.lookup(encoding or "ascii").name == "utf-8"
    except LookupError:
        return False


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end
