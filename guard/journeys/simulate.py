"""What would be decided, if: more approvals, another time, another policy. Nothing is recorded, nothing is posted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from guard.core.errors import UsageError
from guard.core.facts import Approval, Proposal
from guard.core.model import Decision, Fact, Known, Unknown
from guard.journeys.gather import gather_and_decide
from guard.journeys.sources import Range, Sources
from guard.ports import Forge


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is taken to be so: who approves the head too, the moment, and the policy with its name."""

    approvers: tuple[str, ...] = ()
    at: datetime | None = None
    policy: tuple[bytes, str] | None = None


class FixedClock:
    """Stands still."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


class _Approving:
    """A forge on which some people more have approved; everything else is asked of the forge itself."""

    def __init__(self, forge: Forge, approvers: Sequence[str], at: datetime) -> None:
        self._forge = forge
        self._approvers = approvers
        self._at = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._forge, name)

    def approvals(self, proposal: Proposal) -> Fact[tuple[Approval, ...]]:
        more = tuple(Approval(name, proposal.head, self._at, source="assumed") for name in self._approvers)
        given = self._forge.approvals(proposal)
        if isinstance(given, Unknown) or not more:
            return given
        return Known((*given.value, *more), given.source, given.observed_at)


def simulate(repository: str, proposal: Proposal, sources: Sources, assumed: Assumed) -> Decision:
    """The decision that would be made on the proposal. Raises UsageError for what cannot be assumed, GuardError."""
    at = assumed.at or sources.clock.now()
    if at.tzinfo is None:
        raise UsageError("--at needs a time with its zone", fix="such as 2026-05-01T12:00:00Z")
    forge = cast(Forge, _Approving(sources.forge, assumed.approvers, at))
    told = replace(sources, forge=forge, clock=FixedClock(at), policy=assumed.policy)
    remote = f"refs/remotes/origin/{proposal.target}"
    target = remote if sources.git.resolve(remote) else f"refs/heads/{proposal.target}"
    return gather_and_decide(Range(repository, proposal.target, target, proposal.head), told)
