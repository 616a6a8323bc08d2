"""One judgement under way: what is asked, and what was found so far."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

from guard.adapters.git_objects import Objects
from guard.adapters.git_process import Scratch
from guard.adapters.lineage.changes import Changes
from guard.adapters.lineage.history import Book, History
from guard.adapters.lineage.links import Claimed
from guard.adapters.lineage.replay import Outcome, Pick, Replay
from guard.adapters.lineage.reverts import Reverts
from guard.core.lineage_facts import Link
from guard.core.model import Commit


@dataclass
class Work:
    """One judgement under way: what was read so far, and each new commit's links and merge."""

    scratch: Scratch
    objects: Objects
    history: History
    book: Book
    replay: Replay
    changes: Changes
    claimed: Claimed
    reverts: Reverts
    links: dict[Commit, list[Link]] = field(default_factory=lambda: defaultdict(list))
    merges: dict[Commit, tuple[str, Outcome]] = field(default_factory=dict)
    details: dict[tuple[Commit, Link | None], str] = field(default_factory=dict)

    def is_proved(self, commit: Commit) -> bool:
        """Whether a merge or a link proves the commit, by something that upstream has not reverted since."""
        if commit in self.merges and self.merges[commit][0] in {"same", "upstream"}:
            return True
        return any(link.pick == "same" and link.reverted_by is None for link in self.links[commit])

    def pick(self, commit: Commit, origin: Commit) -> Pick:
        """What picking the origin onto the commit's parent is."""
        return Pick(self.book.base(origin), self.book.base(commit), self.book.tree(origin))

    @cached_property
    def upstream_singles(self) -> tuple[Commit, ...]:
        """The commits of upstream's side that are no merges, oldest first."""
        return tuple(one for one in self.history.upstream_side if len(self.book[one].parents) < 2)

    @property
    def tried(self) -> frozenset[tuple[Commit, Commit]]:
        """(origin, commit) of every link: what picking the one onto the other's parent shows is known."""
        return frozenset((link.origin, commit) for commit, links in self.links.items() for link in links)

    @property
    def new_commits(self) -> frozenset[Commit]:
        return frozenset(self.history.new)

    @property
    def unproved(self) -> tuple[Commit, ...]:
        return tuple(commit for commit in self.history.new if not self.is_proved(commit))
