"""What one hook leaves for a later one, in the repository's git directory: which commit was checked, which pushes were,
and which were not."""

from __future__ import annotations

import os

from hooks.git import ask
from hooks.say import Stop
from hooks.values import parse_json

KEPT = 200
"""Pushes remembered, checked and unchecked each; older ones are forgotten."""

CHECKED = "pushes.checked"
UNVERIFIED = "pushes.unverified"
SEEN = "tracking.seen"


def stamp_commit() -> int:
    """Say that all checks ran of a commit of what is in the index, onto HEAD."""
    file = _commit_stamp()
    try:
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(_commit_about_to_be())
    except OSError as error:
        raise Stop("hooks.stamp", f"{file}: {error}", "mend the folder's permissions") from None
    return 0


def take_commit_stamp() -> bool:
    """Whether the checks ran of exactly this commit. The stamp is good for once."""
    file = _commit_stamp()
    try:
        with open(file, encoding="utf-8") as stream:
            found = stream.read()
        os.unlink(file)
    except (OSError, ValueError):
        return False
    return found == _commit_about_to_be()


def note_push(folder: str, ref: str, new: str) -> None:
    """Remember that pre-push let this through."""
    _append(f"{folder}/{CHECKED}", {"ref": ref, "new": new})


def was_checked(folder: str, ref: str, new: str) -> bool:
    return any(
        (entry.get("ref"), entry.get("new")) == (ref, new) for entry in read_notes(f"{folder}/{CHECKED}")
    )


def record_unverified(folder: str, entry: dict[str, object]) -> bool:
    """Put an unchecked push on record; False when it is there already."""
    known = ((e.get("ref"), e.get("new")) for e in read_notes(f"{folder}/{UNVERIFIED}"))
    if (entry["ref"], entry["new"]) in known:
        return False
    _append(f"{folder}/{UNVERIFIED}", entry)
    return True


def moved_since(folder: str, ref: str, value: str) -> bool:
    """Whether a remote-tracking ref has another value than when this was asked last. git also writes a value down
    that is there already: a push of what is up to date, or packing."""
    known = {str(entry.get("ref")): entry.get("value") for entry in read_notes(f"{folder}/{SEEN}")}
    if known.get(ref) == value:
        return False
    _append(f"{folder}/{SEEN}", {"ref": ref, "value": value})
    return True


def read_notes(file: str) -> list[dict[str, object]]:
    """The entries of one of these files; a line that makes no sense is left out."""
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return []
    return [entry for line in lines if (entry := _entry(line)) is not None]


def _entry(line: str) -> dict[str, object] | None:
    try:
        entry = parse_json(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _append(file: str, entry: dict[str, object]) -> None:
    """One line more, the oldest left out; whole or not at all. Where it cannot be written an allowed push goes on."""
    import json

    lines = [json.dumps(known) for known in read_notes(file)[-KEPT + 1 :]] + [json.dumps(entry)]
    beside = f"{file}.{os.getpid()}"
    try:
        with open(beside, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
        os.replace(beside, file)
    except OSError:
        if os.path.exists(beside):
            os.unlink(beside)


def _commit_stamp() -> str:
    return ask("rev-parse", "--git-path", "guard-commit-checked")[1]


def _commit_about_to_be() -> str:
    _, head = ask("rev-parse", "--verify", "-q", "HEAD^{commit}", accept=(0, 1))
    return f"{head} {ask('write-tree')[1]}\n"
