"""What one hook leaves for a later one, in the repository's git directory: which commit was checked, which pushes were,
and which were not."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hooks.git import ask
from hooks.say import Stop

KEPT = 200
"""Pushes remembered, checked and unchecked each; older ones are forgotten."""

CHECKED = "pushes.checked"
UNVERIFIED = "pushes.unverified"
SEEN = "tracking.seen"


def stamp_commit() -> int:
    """Say that all checks ran of a commit of what is in the index, onto HEAD."""
    file = _commit_stamp()
    try:
        file.write_text(_commit_about_to_be(), encoding="utf-8")
    except OSError as error:
        raise Stop("hooks.stamp", f"{file}: {error}", "mend the folder's permissions") from None
    return 0


def take_commit_stamp() -> bool:
    """Whether the checks ran of exactly this commit. The stamp is good for once."""
    file = _commit_stamp()
    try:
        found = file.read_text(encoding="utf-8")
        file.unlink()
    except (OSError, ValueError):
        return False
    return found == _commit_about_to_be()


def note_push(folder: Path, ref: str, new: str) -> None:
    """Remember that pre-push let this through."""
    _append(folder / CHECKED, {"ref": ref, "new": new})


def was_checked(folder: Path, ref: str, new: str) -> bool:
    return any((entry.get("ref"), entry.get("new")) == (ref, new) for entry in read_notes(folder / CHECKED))


def record_unverified(folder: Path, entry: dict[str, object]) -> bool:
    """Put an unchecked push on record; False when it is there already."""
    known = ((e.get("ref"), e.get("new")) for e in read_notes(folder / UNVERIFIED))
    if (entry["ref"], entry["new"]) in known:
        return False
    _append(folder / UNVERIFIED, entry)
    return True


def moved_since(folder: Path, ref: str, value: str) -> bool:
    """Whether a remote-tracking ref has another value than when this was asked last. git also writes a value down
    that is there already: a push of what is up to date, or packing."""
    known = {str(entry.get("ref")): entry.get("value") for entry in read_notes(folder / SEEN)}
    if known.get(ref) == value:
        return False
    _append(folder / SEEN, {"ref": ref, "value": value})
    return True


def read_notes(file: Path) -> list[dict[str, object]]:
    """The entries of one of these files; a line that makes no sense is left out."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [entry for line in lines if (entry := _entry(line)) is not None]


def _entry(line: str) -> dict[str, object] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _append(file: Path, entry: dict[str, object]) -> None:
    """One line more, the oldest left out; whole or not at all. Where it cannot be written an allowed push goes on."""
    lines = [json.dumps(known) for known in read_notes(file)[-KEPT + 1 :]] + [json.dumps(entry)]
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
        beside.replace(file)
    except OSError:
        beside.unlink(missing_ok=True)


def _commit_stamp() -> Path:
    return Path(ask("rev-parse", "--git-path", "guard-commit-checked")[1])


def _commit_about_to_be() -> str:
    _, head = ask("rev-parse", "--verify", "-q", "HEAD^{commit}", accept=(0, 1))
    return f"{head} {ask('write-tree')[1]}\n"
