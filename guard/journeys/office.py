"""What a delivery is worked on with, and what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from guard.core.facts import Proposal
from guard.core.model import Commit
from guard.journeys.restoring import Means
from guard.journeys.sources import Sources
from guard.ports import Chat, Clock, Forge, History, Ledger, Memory, Voice


@dataclass(frozen=True, slots=True)
class Office:
    """What a delivery is worked on with.

    `branches` are the protected ones; `voice` is None where there is no forge to speak on; `refresh` brings branches
    and proposals' heads into the repository that `sources.git` reads; `url` is the page that statuses link to;
    `check` raises when somebody else may have taken this work over; `tell` takes a line for the log; `chat` is where
    the owners who must act are told as well; `history` tells what a promotion changes; `means` is what a
    branch is put back with; `keeps` has
    the guard put back a protection that was loosened.
    """

    repository: str
    branches: tuple[str, ...]
    forge: Forge
    voice: Voice | None
    sources: Sources
    ledger: Ledger
    memory: Memory
    clock: Clock
    refresh: Callable[[Iterable[str], Sequence[Proposal]], None]
    check: Callable[[], None]
    tell: Callable[[str], None]
    url: str = ""
    chat: Chat | None = None
    history: History | None = None
    means: Callable[[str], Means] | None = None
    keeps: bool = False

    def page(self, branch: str, head: Commit) -> str:
        """The address of the page of decisions on this head, "" where nobody can reach one. The same for all of them,
        so that no status has to be posted anew for a new address."""
        return f"{self.url.rstrip('/')}/decisions/{quote(branch, safe='')}/{head}" if self.url else ""


@dataclass(frozen=True, slots=True)
class Matter:
    """One head of one branch, with the open proposals that it is the head of; none, when it no longer is any's, or
    when a merge queue made it on the branch `queue`."""

    branch: str
    head: Commit
    proposals: tuple[Proposal, ...]
    queue: str = ""
