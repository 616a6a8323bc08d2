"""What a judgement may remember from earlier ones: facts that follow from object names alone, so they never change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class Memory(Protocol):
    """Kept facts: what kind, a key that names everything the fact depends on, and a text.

    What is not there is computed anew, so losing any of it is harmless.
    """

    def recall(self, kind: str, keys: Iterable[str]) -> Mapping[str, str]: ...

    def keep(self, kind: str, facts: Mapping[str, str]) -> None: ...


class Forgetful:
    """Remembers nothing."""

    def recall(self, kind: str, keys: Iterable[str]) -> Mapping[str, str]:
        return {}

    def keep(self, kind: str, facts: Mapping[str, str]) -> None:
        return None
