"""Keys are made, replaced, retired and revoked: on record first, and no key is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guard.core.errors import Refused, UsageError
from guard.core.permit import CLOCK_SKEW, MAX_LIFE
from guard.journeys.reconcile import revoke as revoke_permit
from guard.ports import Ledger


class Ring(Protocol):
    """The keys of one server side. Raises SettingsError."""

    def listed(self) -> tuple[str, ...]: ...
    def signing(self) -> str: ...
    def made_at(self, kid: str) -> datetime | None: ...
    def make(self) -> str: ...
    def take_out(self, kid: str, *, state: str, why: str, now: datetime) -> None: ...
    def archived_state(self, kid: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Locksmith:
    """What keys are changed with; `publish` tells the repository's readers the public keys anew."""

    ring: Ring
    ledger: Ledger
    publish: Callable[[], None]
    now: datetime


def rotate(smith: Locksmith) -> str:
    """A new key signs from now on, also where the private half of the old one was lost; the old one still verifies."""
    before = smith.ring.signing() or next(iter(smith.ring.listed()), "")
    made = smith.ring.make()
    smith.ledger.append(
        "key.made", {"kid": made, "instead_of": before}, at=smith.now, once=f"key.made:{made}"
    )
    smith.publish()
    return made


def retire(kid: str, smith: Locksmith) -> None:
    """A key that was replaced verifies no permits any more. Raises Refused while it signs, or while a permit that it
    has signed may live; UsageError for one that is not known."""
    ring, now = smith.ring, smith.now
    if ring.archived_state(kid):
        return
    if kid not in ring.listed():
        raise _unknown(kid, ring)
    if kid == ring.signing() or len(ring.listed()) == 1:
        raise Refused(
            f"{kid} is the key that signs", fix="make another one first: guard keys rotate", code="keys.signs"
        )
    end = _replaced_at(kid, smith) + MAX_LIFE + CLOCK_SKEW
    if now < end:
        raise Refused(
            f"permits that {kid} has signed may live until {end:%Y-%m-%d %H:%M:%S} UTC",
            fix="retire it then; a key that was stolen is revoked: guard keys revoke",
            code="keys.permits-live",
        )
    smith.ledger.append("key.retired", {"kid": kid}, at=now, once=f"key.retired:{kid}")
    ring.take_out(kid, state="retired", why="", now=now)
    smith.publish()


def revoke(kid: str, smith: Locksmith, *, because: str) -> str:
    """A key that somebody else may have signs and verifies nothing from now on, and every permit that is out is taken
    back, whoever signed it; the key that signs now. Raises UsageError for one that is not known."""
    ring, now = smith.ring, smith.now
    if kid not in ring.listed() and not ring.archived_state(kid):
        raise _unknown(kid, ring)
    body = {"kid": kid, "because": because}
    if smith.ledger.find(f"key.revoked:{kid}") is None:
        smith.ledger.append("key.revoked", body, at=now, once=f"key.revoked:{kid}")
    if ring.signing() in {kid, ""}:
        rotate(smith)
    ring.take_out(kid, state="revoked", why=because, now=now)
    smith.publish()
    for entry in smith.ledger.entries("permit.issued", newest_first=True):
        if datetime.fromisoformat(entry.at) < now - MAX_LIFE - CLOCK_SKEW:
            break
        permit = str(entry.body.get("permit"))
        if smith.ledger.find(f"permit.spent:{permit}") is None:
            revoke_permit(smith.ledger, permit, why=f"the key {kid} was revoked: {because}", now=now)
    return ring.signing()


def _replaced_at(kid: str, smith: Locksmith) -> datetime:
    """When another key took its place: by the ledger, else when the one that signs now was made."""
    for entry in smith.ledger.entries("key.made", newest_first=True):
        if entry.body.get("instead_of") == kid:
            return datetime.fromisoformat(entry.at)
    return smith.ring.made_at(smith.ring.signing()) or smith.now


def _unknown(kid: str, ring: Ring) -> UsageError:
    return UsageError(
        f"there is no key {kid}", fix=f"these are listed: {', '.join(ring.listed())}", code="keys.unknown"
    )
