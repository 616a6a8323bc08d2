"""What a judgement may remember from earlier ones: facts that follow from object names alone, so they never change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from guard.core.lineage_facts import CommitFacts, LineageFacts, Link
from guard.core.model import Commit

ENGINE = "2"
"""Raise it whenever the same objects are judged otherwise: what an older engine found is not looked at then."""

Names = Mapping[str, tuple[str, str]]
"""A name as it is written in a message → what it stood for: (full name, kind)."""


class Memory(Protocol):
    """Kept facts: what kind (`range`, `pick`), a key of at most 64 characters, and a text.

    What is not there is worked out anew, so losing any of it is harmless.
    """

    def recall(self, kind: str, keys: Iterable[str]) -> Mapping[str, str]: ...

    def keep(self, kind: str, facts: Mapping[str, str]) -> None: ...


class Forgetful:
    """Remembers nothing."""

    def recall(self, kind: str, keys: Iterable[str]) -> Mapping[str, str]:
        return {}

    def keep(self, kind: str, facts: Mapping[str, str]) -> None:
        return None


class Remembered:
    """A memory whose keys also name the engine and the version of git that found the facts."""

    def __init__(self, memory: Memory, *, git: str) -> None:
        self._memory = memory
        self._by = f"{ENGINE}\0{git}"

    def recall(self, kind: str, keys: Iterable[str]) -> Mapping[str, str]:
        digests = {self._digest(kind, key): key for key in keys}
        return {digests[digest]: fact for digest, fact in self._memory.recall(kind, digests).items()}

    def keep(self, kind: str, facts: Mapping[str, str]) -> None:
        self._memory.keep(kind, {self._digest(kind, key): fact for key, fact in facts.items()})

    def _digest(self, kind: str, key: str) -> str:
        return hashlib.sha256(f"{self._by}\0{kind}\0{key}".encode()).hexdigest()


def written(facts: LineageFacts, names: Names) -> str:
    """The facts as a text, with the names that may come to stand for something else."""
    return json.dumps({"facts": asdict(facts), "names": names})


def read(text: str) -> tuple[LineageFacts, Names] | None:
    """What `written` wrote; None of anything else."""
    try:
        kept = json.loads(text)
        facts, names = kept["facts"], kept["names"]
        commits = tuple(_commit(one) for one in facts.pop("commits"))
        return LineageFacts(**facts, commits=commits), {name: (to[0], to[1]) for name, to in names.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _commit(kept: dict[str, Any]) -> CommitFacts:
    links = tuple(Link(**{**link, "origins": tuple(map(Commit, link["origins"]))}) for link in kept["links"])
    paths = None if kept["paths"] is None else tuple(kept["paths"])
    lists = {"parents": tuple(map(Commit, kept["parents"])), "notes": tuple(kept["notes"])}
    return CommitFacts(**{**kept, **lists, "links": links, "paths": paths})
