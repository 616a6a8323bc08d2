"""A server that cannot read the ledger asks whether a permit is good for a move, at this very moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from guard.core.errors import Refused
from guard.core.permit import CLOCK_SKEW, MAX_LIFE, PermitError, verify
from guard.core.permit_check import unchecked_claims
from guard.journeys.moves import Moved
from guard.ports import Entry, Ledger

_ASK = 'ask for one: "guard promote"'


@dataclass(frozen=True, slots=True)
class Question:
    """A move, and the token of the permit that was presented for it; None where none could be (a merge button)."""

    repository: str
    ref: str
    old: str
    new: str
    permit: str | None = None

    @property
    def move(self) -> dict[str, str]:
        return {"ref": self.ref, "old": self.old, "new": self.new}


def permit_for(
    question: Question,
    *,
    repository: str,
    ledger: Ledger,
    keys: Mapping[str, Mapping[str, object]],
    now: datetime,
) -> str:
    """The id of the permit that covers the move now: good by itself, issued for it, neither spent nor revoked.

    Without a token, the newest one that the ledger has for exactly this move. Raises Refused with a code of its own for
    every reason; asking changes nothing.
    """
    if question.repository != repository:
        raise Refused(f"this is the guard of {repository}", code="permit.other-repository")
    if question.permit is None:
        return _on_record(question, ledger, now)
    try:
        permit = verify(
            question.permit,
            keys,
            now=now,
            repository=repository,
            ref=question.ref,
            old=question.old,
            new=question.new,
        )
    except PermitError as error:
        raise Refused(error.message, fix=error.fix, code=error.code) from None
    entry = ledger.find(f"permit.issued:{permit.id}")
    if entry is None or not _is_for(entry, question):
        raise Refused("the ledger knows no such permit", fix=_ASK, code="permit.not-issued")
    _check_standing(permit.id, ledger)
    return permit.id


def spend_here(folder: Path, moves: Iterable[Moved], tokens: Iterable[str]) -> list[str]:
    """Where the ledger is elsewhere: note which permits have moved their branch here, so that none does twice, whatever
    becomes of the branch; what went wrong, in words. `hooks/verifying.py` reads it.

    Their signatures are not looked at any more: pre-receive did, and a forged one names no real permit.
    """
    made = {(move.ref, move.old, move.new) for move in moves}
    ids = [
        claims["jti"]
        for claims in map(unchecked_claims, tokens)
        if (claims.get("ref"), claims.get("old"), claims.get("new")) in made
    ]
    try:
        with (folder / "permits.spent").open("a", encoding="ascii") as file:
            file.write("".join(f"{permit}\n" for permit in ids))
    except OSError as error:
        return [f"{len(ids)} permits are not marked as used: {error}"]
    return []


def _on_record(question: Question, ledger: Ledger, now: datetime) -> str:
    oldest = f"{now - MAX_LIFE - CLOCK_SKEW:%Y-%m-%dT%H:%M:%S}"
    for entry in ledger.entries("permit.issued", newest_first=True):
        if entry.at < oldest:
            break  # what was issued before is over
        if _is_for(entry, question):
            _check_time(entry, now)
            _check_standing(str(entry.body["permit"]), ledger)
            return str(entry.body["permit"])
    raise Refused("no permit was issued for this move", fix=_ASK, code="permit.not-issued")


def _is_for(entry: Entry, question: Question) -> bool:
    return {name: entry.body.get(name) for name in ("ref", "old", "new")} == question.move


def _check_time(entry: Entry, now: datetime) -> None:
    """An entry that does not say when its permit ends gives no leave."""
    try:
        over = now >= datetime.fromisoformat(str(entry.body["expires"]))
    except (KeyError, ValueError, TypeError):
        over = True
    if over:
        raise Refused("the permit for this move ran out", fix=_ASK, code="permit.expired")


def _check_standing(permit: str, ledger: Ledger) -> None:
    if ledger.find(f"permit.spent:{permit}") is not None:
        raise Refused("the permit was used already", fix=_ASK, code="permit.spent")
    revoked = ledger.find(f"permit.revoked:{permit}")
    if revoked is not None:
        why = str(revoked.body.get("why") or "no reason is given")
        raise Refused(f"the permit was taken back: {why}", fix=_ASK, code="permit.revoked")
