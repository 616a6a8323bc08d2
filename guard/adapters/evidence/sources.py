"""What every reader of evidence is given: the tree, the records, the people and the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from guard.adapters.evidence.operator import NO_OPERATOR, Operator
from guard.core.model import Candidate, Commit, Fact
from guard.ports import Forge, Git, Records


@dataclass(frozen=True, slots=True)
class EvidenceSources:
    """`members` are the people of each role now, `submitters` those whose reports count; `now` is aware, UTC;
    `operator` is what whoever runs the server side knows and allows."""

    git: Git
    upstream: Commit
    candidate: Candidate
    records: Records
    forge: Forge
    members: Mapping[str, Fact[frozenset[str]]]
    submitters: Fact[frozenset[str]]
    now: datetime
    operator: Operator = NO_OPERATOR
