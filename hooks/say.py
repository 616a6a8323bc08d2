"""How a hook speaks: calm lines on stderr, a stable code first, and nothing that could steer a terminal."""

from __future__ import annotations

import os
import sys

REFUSED = 1
UNDECIDED = 2


class Stop(Exception):
    """The hook cannot decide, and so refuses. `code` is stable, `fix` says what would help."""

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix


def stop(reason: Stop) -> int:
    """Say why it could not be decided; the exit status that goes with it."""
    say(reason.code, reason.message, fix=reason.fix)
    return UNDECIDED


def say(code: str, message: str, *, fix: str = "", notes: tuple[str, ...] = ()) -> None:
    """`code: message`, then the fix and any notes, each on a line of its own."""
    lines = [f"{_red(code)}: {clean(message)}", *([f"fix: {clean(fix)}"] if fix else ()), *map(clean, notes)]
    tell(lines)


def tell(lines: list[str]) -> None:
    """Write the lines; behind the word that makes GitLab show them in its interface, where GitLab runs the hook
    (https://docs.gitlab.com/administration/server_hooks/)."""
    marked = "GL-HOOK-ERR: " if "GL_ID" in os.environ else ""
    sys.stderr.write("".join(f"{marked}{line}\n" for line in lines))
    sys.stderr.flush()


def clean(text: str) -> str:
    """The text with every character that a terminal would act on, or hide, shown as an escape."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii") for c in text[:2000]
    )


def _red(code: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty()
    return code if plain else f"\033[1;31m{code}\033[0m"
