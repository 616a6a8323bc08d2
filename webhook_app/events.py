"""What a webhook says, whichever forge sent it: an event only says "look again", and at what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guard.core.forge_facts import Wake

__all__ = ["BadPayload", "BadSignature", "Door", "Event", "Wake"]


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery, read: the event's name as the forge gives it, the repository's full name ("" where the event
    is about none), and what to look at again; an event that nobody here knows wakes nothing. `members`: somebody may
    have joined or left a group."""

    kind: str
    repository: str
    wakes: tuple[Wake, ...]
    members: bool = False


class BadSignature(Exception):
    """The delivery is not proven to come from the forge. The message never holds what was expected."""


class BadPayload(Exception):
    """The delivery is signed, and cannot be read all the same."""


class Door(Protocol):
    """What one forge's webhooks are read with, without I/O. Header names are in lower case."""

    def verify(
        self, headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now: datetime
    ) -> None:
        """Raise BadSignature unless one of the secrets (several while one is being replaced) signed the body."""
        ...

    def delivery_id(self, headers: Mapping[str, str]) -> str | None:
        """What the same delivery carries again when it is sent twice; None where there is no such thing."""
        ...

    def parse(self, headers: Mapping[str, str], body: bytes) -> Event:
        """Raise BadPayload for what is no JSON object or lacks what this kind of event must have."""
        ...
