"""After a push: put each move of a protected branch on record, with the permit that allowed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from guard.core.errors import GuardError, UsageError
from guard.core.permit import Permit, PermitError, read
from guard.journeys.reconcile import record_move
from guard.ports import Ledger

OPTION = "guard-permit="


@dataclass(frozen=True, slots=True)
class Moved:
    """One ref that a push moved: all zeros stand for "not there"."""

    ref: str
    old: str
    new: str


def parse_moves(text: str) -> tuple[Moved, ...]:
    """post-receive's lines `<old oid> <new oid> <ref>`. Raises UsageError."""
    lines = [line.split(" ", 2) for line in text.splitlines() if line]
    if any(len(parts) != 3 for parts in lines):
        raise UsageError("expected lines of `<old oid> <new oid> <ref>`, as git gives them to post-receive")
    return tuple(Moved(ref, old, new) for old, new, ref in lines)


def push_options(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The permits among the push options that git hands to its hooks."""
    count = environment.get("GIT_PUSH_OPTION_COUNT", "0")
    total = min(int(count), 1000) if count.isascii() and count.isdigit() and len(count) < 10 else 0
    options = (environment.get(f"GIT_PUSH_OPTION_{index}", "") for index in range(total))
    return tuple(option.removeprefix(OPTION) for option in options if option.startswith(OPTION))


def record_moves(
    moves: Iterable[Moved],
    tokens: Iterable[str],
    *,
    keys: Mapping[str, Mapping[str, object]],
    ledger: Ledger,
    clock: Callable[[], datetime],
) -> list[str]:
    """Record every move, and the permit that it spends where one was issued for it; what went wrong, by move."""
    permits = [permit for token in tokens if (permit := _permit(token, keys))]
    failures = []
    for move in moves:
        spent = next((p.id for p in permits if _covers(p, move) and _issued(ledger, p, move)), None)
        try:
            record_move(ledger, move.ref, old=move.old, new=move.new, permit=spent, now=clock())
        except GuardError as error:
            failures.append(
                f"{move.ref} moved from {move.old[:10]} to {move.new[:10]} and is not on record: {error}"
            )
    return failures


def _permit(token: str, keys: Mapping[str, Mapping[str, object]]) -> Permit | None:
    """The permit whose signature is good. Its time does not matter any more: pre-receive looked at that."""
    try:
        return read(token, keys)
    except PermitError:
        return None


def _covers(permit: Permit, move: Moved) -> bool:
    return (permit.ref, permit.old, permit.new) == (move.ref, move.old, move.new)


def _issued(ledger: Ledger, permit: Permit, move: Moved) -> bool:
    try:
        entry = ledger.find(f"permit.issued:{permit.id}")
    except GuardError:
        return False
    return entry is not None and entry.body.get("ref") == move.ref
