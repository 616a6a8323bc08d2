"""The forge of a repository that has none at hand: whatever only a forge knows is unknown, and says so."""

from __future__ import annotations

from collections.abc import Mapping

from guard.core.facts import Approval, Hand, Incident, Job, Objection, Proposal, SignOff, Submission, Waiver
from guard.core.model import Commit, Fact, Unknown

FIX = (
    "decide where the forge can be asked: name the guarded repository with --server, or run it on the service"
)


class NoForge:
    """Implements the ports Forge and Records by knowing nothing."""

    def __init__(self, why: str = "this check was given no forge and no server side to ask") -> None:
        self._why = why

    def _unknown(self, what: str) -> Unknown:
        return Unknown(f"{what} cannot be known here: {self._why}", fix=FIX, who=("release-owner",))

    def head(self, branch: str) -> Fact[Commit | None]:
        return self._unknown(f"where {branch} stands on the forge")

    def proposals(self, target: str) -> Fact[tuple[Proposal, ...]]:
        return self._unknown(f"which proposals into {target} are open")

    def approvals(self, proposal: Proposal) -> Fact[tuple[Approval, ...]]:
        return self._unknown(f"who approved {proposal.id}")

    def objections(self, proposal: Proposal) -> Fact[tuple[Objection, ...]]:
        return self._unknown(f"who asked for changes to {proposal.id}")

    def accounts(self, proposal: Proposal, hands: tuple[Hand, ...]) -> Fact[Mapping[Hand, frozenset[str]]]:
        del hands
        return self._unknown(f"whose hands were in {proposal.id}")

    def pushers(self, proposal: Proposal, commits: tuple[Commit, ...]) -> Fact[frozenset[str]]:
        del commits
        return self._unknown(f"who pushed {proposal.id}")

    def movers(self, branch: str, head: Commit) -> Fact[frozenset[str]]:
        del head
        return self._unknown(f"who moved {branch}")

    def members(self, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
        del inherited
        return self._unknown(f"who belongs to {', '.join(names) or 'nobody'}")

    def incidents(
        self, labels: tuple[str, ...], *, closers: Fact[frozenset[str]]
    ) -> Fact[tuple[Incident, ...]]:
        del closers
        return self._unknown(f"whether an incident with {' or '.join(labels)} is open")

    def jobs(self, commit: Commit) -> Fact[tuple[Job, ...]]:
        return self._unknown(f"which CI jobs ran on {commit[:10]}")

    def labeller(self, proposal: Proposal, label: str) -> Fact[str | None]:
        return self._unknown(f"who put {label} on {proposal.id}")

    def signoffs(self, gate: str) -> Fact[tuple[SignOff, ...]]:
        return self._unknown(f"who signed off {gate}")

    def submissions(self, source: str) -> Fact[tuple[Submission, ...]]:
        return self._unknown(f"which reports of {source} were submitted")

    def waivers(self, target: str) -> Fact[tuple[Waiver, ...]]:
        return self._unknown(f"which waivers were asked for on {target}")

    def report(self, submission: Submission) -> Fact[bytes]:
        return self._unknown(f"the report {submission.id}")
