"""The compiled policy on disk: `hooks.json`, the fronts' patterns, and what the hooks leave beside them."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from guard.core.errors import GuardError


def compiled_branches(folder: Path, remote: str = "") -> tuple[str, ...]:
    """The branches that were protected so far for this remote; () where nothing was compiled, or for another."""
    table = read_compiled(folder)
    named = table.get("branches") if table.get("remote") == remote else None
    return tuple(str(ref).removeprefix("refs/heads/") for ref in named) if isinstance(named, dict) else ()


def read_compiled(folder: Path) -> dict[str, object]:
    """What was compiled last; {} where that is nothing, or makes no sense."""
    try:
        table = json.loads((folder / "hooks.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}


def write_compiled(folder: Path, content: Mapping[str, object], lists: Mapping[str, tuple[str, ...]]) -> None:
    """Write `hooks.json`, and the fronts' lists of patterns as a text for the shell: `guard_NAME=…` for each. Each
    file is written whole or not at all. Raises GuardError."""
    write_text(folder, "hooks.json", json.dumps(content, indent=2) + "\n")
    write_text(folder, "patterns", patterns_text(lists))


def patterns_text(lists: Mapping[str, tuple[str, ...]]) -> str:
    """What the fronts read: an assignment for each list, its patterns on lines of their own."""
    return "".join(f"guard_{name}={shlex.quote(chr(10).join(listed))}\n" for name, listed in lists.items())


def are_patterns(folder: Path, lists: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the fronts read just these."""
    try:
        text = (folder / "patterns").read_bytes()
    except OSError:
        return False
    return text == patterns_text(lists).encode("utf-8", "surrogateescape")


def write_text(folder: Path, name: str, text: str) -> None:
    """Write one file whole or not at all. Raises GuardError."""
    beside = folder / f".{name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(text.encode("utf-8", "surrogateescape"))
        beside.replace(folder / name)
    except OSError as error:
        raise GuardError(
            f"the compiled policy could not be written: {error}", fix="mend the folder's permissions"
        ) from None


def forget_compiled(folder: Path) -> None:
    """Remove what `write_compiled` wrote, and the folder when nothing else is in it."""
    names = ("patterns", "hooks.json", "hooks.lock")
    for name in (*names, "pushes.checked", "tracking.seen", "no-mirrors"):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
