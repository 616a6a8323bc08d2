"""Bring the ledger in line with where a branch stands: moves recorded, permits spent, promotions ended.

Everything here may be done twice: after a crash, by the server's hook and by `guard promote` at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from guard.core.model import Commit
from guard.core.permit import CLOCK_SKEW, MAX_LIFE
from guard.ports import Entry, Ledger


@dataclass(frozen=True, slots=True)
class Attempt:
    """A promotion as far as the ledger knows it. `permit` is None until one was issued; `started` says that the
    permit may have left this process."""

    id: str
    ref: str
    old: str
    new: str
    seq: int
    permit: str | None
    started: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended: whether the branch moved by it, and what is worth telling."""

    attempt: Attempt
    moved: bool
    note: str


def expected_head(ledger: Ledger, ref: str) -> str | None:
    """Where the branch should stand: its newest adopted baseline or move with a permit; None before any.

    A move without a permit changes nothing here, so that it shows as drift until somebody adopts it.
    """
    for entry in ledger.entries("baseline.adopted", "branch.moved", newest_first=True):
        if entry.body.get("ref") != ref:
            continue
        if entry.kind == "baseline.adopted":
            return str(entry.body.get("head"))
        if entry.body.get("permit") is not None:
            return str(entry.body.get("new"))
    return None


def record_move(ledger: Ledger, ref: str, *, old: str, new: str, permit: str | None, now: datetime) -> None:
    """Put on record that the branch moved, and that the permit (None: there was none) is spent by it.

    The permit is spent first: should the machine stop in between, it cannot be used again.
    """
    if permit is None:
        ledger.append("branch.moved", {"ref": ref, "old": old, "new": new, "permit": None}, at=now)
        return
    spent = {"permit": permit, "ref": ref, "old": old, "new": new}
    ledger.append("permit.spent", spent, at=now, once=f"permit.spent:{permit}")
    ledger.append("branch.moved", spent, at=now, once=f"branch.moved:{permit}")


def revoke(ledger: Ledger, permit: str, *, why: str, now: datetime) -> None:
    """Take a permit back, unless it was taken back already."""
    if ledger.find(f"permit.revoked:{permit}") is None:
        ledger.append(
            "permit.revoked", {"permit": permit, "why": why}, at=now, once=f"permit.revoked:{permit}"
        )


def revoke_open(
    ledger: Ledger, *, why: str, now: datetime, ref: str | None = None, new: str | None = None
) -> int:
    """Take back every permit that may still be used, of this branch and for this commit where they are named; how many
    were. One too many is the safe error: promoting decides afresh."""
    oldest, count = now - MAX_LIFE - CLOCK_SKEW, 0
    for entry in ledger.entries("permit.issued", newest_first=True):
        if datetime.fromisoformat(entry.at) < oldest:
            break
        permit = str(entry.body.get("permit"))
        if ref not in {None, entry.body.get("ref")} or new not in {None, entry.body.get("new")}:
            continue
        if ledger.find(f"permit.spent:{permit}") is None and ledger.find(f"permit.revoked:{permit}") is None:
            revoke(ledger, permit, why=why, now=now)
            count += 1
    return count


def unfinished(ledger: Ledger, ref: str) -> Attempt | None:
    """The branch's newest promotion, if the ledger does not say how it ended."""
    ended = set()
    kinds = ("promotion.requested", "promotion.finished", "promotion.failed")
    for entry in ledger.entries(*kinds, newest_first=True):
        if entry.kind != "promotion.requested":
            ended.add(entry.body.get("promotion"))
        elif entry.body.get("ref") == ref:
            return None if entry.body.get("promotion") in ended else _attempt(ledger, entry)
    return None


def settle(
    ledger: Ledger,
    attempt: Attempt,
    *,
    read_head: Callable[[], Commit | None],
    clock: Callable[[], datetime],
    why: str,
) -> Ending:
    """End a promotion by what really happened: the branch moved by it, or its permit is taken back.

    `why` is what is known of how it went, "" when it seemed to go well. Raises LedgerError and what `read_head`
    raises; then it can be settled again.
    """
    why_not = why or "nothing went wrong, and yet the branch did not move"
    if attempt.permit and (before := _taken_back(ledger, attempt, attempt.permit)):
        return _end_taken_back(ledger, attempt, why=why or before, now=clock())
    moved = _moved_by(ledger, attempt, read_head())
    if not moved and attempt.permit:
        # A push that is still under way is refused from here on, or has landed by the second look.
        revoke(ledger, attempt.permit, why=why_not, now=clock())
        moved = _moved_by(ledger, attempt, read_head())
    if moved:
        record_move(ledger, attempt.ref, old=attempt.old, new=attempt.new, permit=attempt.permit, now=clock())
        body = {"promotion": attempt.id, "ref": attempt.ref, "new": attempt.new, "note": why}
        ledger.append("promotion.finished", body, at=clock())
    else:
        ledger.append("promotion.failed", {"promotion": attempt.id, "why": why_not}, at=clock())
    return Ending(attempt, moved=moved, note=why if moved else why_not)


def _taken_back(ledger: Ledger, attempt: Attempt, permit: str) -> str:
    """Why the permit was taken back before the service began a push with it or a move was recorded, so that whatever
    moved the branch was not this attempt; "" where it was not."""
    revoked = ledger.find(f"permit.revoked:{permit}")
    if revoked is None or ledger.find(f"permit.spent:{permit}") is not None:
        return ""
    for entry in ledger.entries("promotion.pushing", newest_first=True):
        if entry.seq <= attempt.seq:
            break
        if entry.body.get("promotion") == attempt.id and entry.seq < revoked.seq:
            return ""
    return str(revoked.body.get("why") or "its permit was taken back")


def _end_taken_back(ledger: Ledger, attempt: Attempt, *, why: str, now: datetime) -> Ending:
    ledger.append("promotion.failed", {"promotion": attempt.id, "why": why}, at=now)
    return Ending(attempt, moved=False, note=why)


def _moved_by(ledger: Ledger, attempt: Attempt, head: Commit | None) -> bool:
    """Whether this attempt moved the branch: its permit is spent, or the branch stands at `new` and nobody else
    is on record for having brought it there."""
    if not attempt.started or attempt.permit is None:
        return False
    if ledger.find(f"permit.spent:{attempt.permit}"):
        return True
    return head == attempt.new and _mover_since(ledger, attempt) in {None, attempt.permit}


def _mover_since(ledger: Ledger, attempt: Attempt) -> str | None:
    """The permit of the newest recorded move of the branch since the attempt began; "" for one without."""
    for entry in ledger.entries("branch.moved", newest_first=True):
        if entry.seq <= attempt.seq:
            return None
        if entry.body.get("ref") == attempt.ref:
            return str(entry.body.get("permit") or "")
    return None


def _attempt(ledger: Ledger, requested: Entry) -> Attempt:
    body, permit, started = requested.body, None, False
    for entry in ledger.entries("permit.issued", "promotion.started", newest_first=True):
        if entry.seq <= requested.seq:
            break
        if entry.body.get("promotion") == body.get("promotion"):
            permit = str(entry.body.get("permit"))
            started = started or entry.kind == "promotion.started"
    texts = {name: str(body.get(name)) for name in ("ref", "old", "new")}
    return Attempt(id=str(body.get("promotion")), seq=requested.seq, permit=permit, started=started, **texts)
