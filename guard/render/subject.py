"""What a comment and the page tell beside the decision itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guard.core.explain import Explanation
from guard.core.facts import Changes
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Fact
from guard.core.rules.lineage import CommitVerdict


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one command: who gave it, the line as it was written, `done`, `refused` or `unclear`, and a few
    words. `gate` is what is to be explained below it, "" for nothing."""

    by: str
    line: str
    outcome: str
    said: str
    gate: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """`record` is the digest of the decision on record, `url` the page of decisions on this head; `lineage` the commits
    of the range, and `changes` what they bring, where they are known; `roles` the members of each role, as the policy
    names them, which are mentioned where `mentions` says so; `warnings` what is wrong with the protection; `since` what
    is different from the last decision; `answers` those to the last commands, newest first; `strangers` who posted a
    status under the guard's name; `explained` what the answers are to explain."""

    record: str
    lineage: tuple[LineageFacts, Sequence[CommitVerdict]] | None = None
    roles: Mapping[str, tuple[str, ...]] | None = None
    warnings: tuple[str, ...] = ()
    url: str = ""
    changes: Fact[Changes] | None = None
    since: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    strangers: tuple[str, ...] = ()
    mentions: bool = False
    explained: Mapping[str, Explanation] = field(default_factory=dict)
