"""What the service gives permits and moves branches with, and the lock under which it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from guard.core.errors import Refused
from guard.core.facts import Proposal
from guard.core.model import Commit, Unknown
from guard.core.permit import Permit
from guard.journeys.sources import Sources
from guard.ports import Clock, History, Ledger

LOCK_PATIENCE = 15.0
"""Seconds that a request waits while another one for the branch is being decided."""


@dataclass(frozen=True, slots=True)
class Bureau:
    """What the service gives permits with.

    `hosted`: nothing on the forge can verify a permit, so the service itself moves the branch, with `push` (ref, old,
    new; compare-and-swap). `refresh` brings branches and proposals' heads to where `sources.git` reads; `offline`: some
    verifier asks nobody whether a permit was taken back.
    """

    repository: str
    ledger: Ledger
    clock: Clock
    sources: Sources
    history: History
    refresh: Callable[[Iterable[str], Sequence[Proposal]], None]
    sign: Callable[[Permit], str]
    new_id: Callable[[], str]
    push: Callable[[str, Commit, Commit], str]
    keys: Mapping[str, Mapping[str, object]]
    hosted: bool
    offline: bool

    def read_head(self, ref: str) -> Commit | None:
        """Where the branch stands on the forge at this moment. Raises GuardError."""
        self.refresh((ref.removeprefix("refs/heads/"),), ())
        return self.sources.git.resolve(ref)

    def fetch_proposals(self, branch: str, upstream: str) -> None:
        """Bring the upstream branch and the heads of all open proposals here. Raises GuardError."""
        proposals = self.sources.forge.proposals(branch)
        self.refresh((upstream,), () if isinstance(proposals, Unknown) else proposals.value)

    @contextmanager
    def lock(self, ref: str, *, patience: float = LOCK_PATIENCE) -> Iterator[None]:
        """The branch's lock; waits for whoever has it for at most `patience` seconds. Raises Refused."""
        until = time.monotonic() + patience
        while True:
            held = self.ledger.branch_lock(ref)
            try:
                held.__enter__()
                break
            except Refused as error:
                if error.code != "promotion.locked" or time.monotonic() > until:
                    raise
                time.sleep(0.1)
        try:
            yield
        finally:
            held.__exit__(None, None, None)
