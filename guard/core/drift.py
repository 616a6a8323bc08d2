"""What a release branch has and upstream has not, as somebody found it."""

from __future__ import annotations

from dataclasses import dataclass

from guard.core.lineage_facts import LineageFacts
from guard.core.rules.lineage import CommitVerdict, Standing

_PAID = frozenset({Standing.ON_UPSTREAM, Standing.CLEAN_MERGE, Standing.EQUIVALENT, Standing.REVERTED})
"""What is on upstream too, by itself or by its content."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What was looked at (`facts`; `since` says what its start is) and what of it is not on upstream, oldest first."""

    branch: str
    since: str
    facts: LineageFacts
    judged: tuple[CommitVerdict, ...]

    @property
    def debt(self) -> tuple[CommitVerdict, ...]:
        return tuple(one for one in self.judged if one.standing not in _PAID)

    @property
    def undecided(self) -> bool:
        """Whether errors are all that is listed."""
        return bool(self.debt) and all(one.standing is Standing.ERROR for one in self.debt)
