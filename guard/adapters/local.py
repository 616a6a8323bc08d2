"""The forge of a self-hosted bare repository: proposals are refs, people and tools speak in signed statements.

Every statement was checked when it was received and stands in the ledger; the reports are blobs beside the
statements in the repository.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from guard.adapters.parcels import BareRepo
from guard.core.canonical import digest_of_bytes
from guard.core.claims import ProposalOpened
from guard.core.errors import GuardError
from guard.core.facts import (
    Approval,
    BreakGlassAsk,
    Hand,
    HoldMark,
    Incident,
    Job,
    Objection,
    Proposal,
    SignOff,
    Submission,
    Waiver,
)
from guard.core.model import Commit, Fact, Known, Unknown
from guard.core.standing import (
    Received,
    latest_proposals,
    open_incidents,
    own_mark,
    received_of,
    recorded_asks,
    recorded_holds,
    recorded_signoffs,
    recorded_submissions,
    standing_approvals,
    standing_waivers,
)
from guard.core.statements import PROPOSAL_REFS, STATEMENT_REFS
from guard.ports import Clock, Ledger

T = TypeVar("T")

_SMALL = 1 << 20
"""Bytes of a report that is kept until the next one is read."""

APPROVALS = ("statement.approval", "statement.approval-withdrawn")
INCIDENTS = ("statement.incident-opened", "statement.incident-closed")
HOLDS = ("statement.hold-placed", "statement.hold-lifted")
OWN_HOLDS = ("hold.placed", "hold.ended")
WAIVERS = ("statement.waiver-requested", "statement.waiver-approved", "statement.waiver-withdrawn")
PROPOSALS = ("statement.proposal-opened", "statement.proposal-closed")


class LocalForge:
    """The ports Forge and Records on a bare repository and its ledger.

    `groups` are the operator's: `@group` → the principals that belong to it.
    """

    def __init__(
        self, git_dir: Path, *, ledger: Ledger, groups: Mapping[str, tuple[str, ...]], clock: Clock
    ) -> None:
        self._repo = BareRepo(git_dir)
        self._ledger = ledger
        self._groups = groups
        self._clock = clock
        self._kept = ("", b"")

    def head(self, branch: str) -> Fact[Commit | None]:
        def read() -> Commit | None:
            name = self._repo.ref(f"refs/heads/{branch}")
            return Commit(name) if name is not None else None

        return self._fact(f"where {branch} stands", "repository", read)

    def proposals(self, target: str) -> Fact[tuple[Proposal, ...]]:
        return self._fact(
            f"which proposals into {target} are open", "repository", lambda: tuple(self._proposals(target))
        )

    def approvals(self, proposal: Proposal) -> Fact[tuple[Approval, ...]]:
        def read() -> tuple[Approval, ...]:
            proposed = latest_proposals(self._record(*PROPOSALS), proposal.target).get(proposal.id)
            given = self._record(*APPROVALS)
            return standing_approvals(given, target=proposal.target, commit=proposal.head, proposed=proposed)

        return self._fact(f"who approved {proposal.id}", "ledger", read)

    def objections(self, proposal: Proposal) -> Fact[tuple[Objection, ...]]:
        """Nobody asks for changes here: who does not agree does not approve."""
        del proposal
        return Known((), "ledger", self._clock.now())

    def accounts(self, proposal: Proposal, hands: tuple[Hand, ...]) -> Fact[Mapping[Hand, frozenset[str]]]:
        """People are known by their addresses."""
        del proposal
        return Known({hand: frozenset({hand.address}) for hand in hands}, "git", self._clock.now())

    def pushers(self, proposal: Proposal, commits: tuple[Commit, ...]) -> Fact[frozenset[str]]:
        """Whose key signed the proposal of this head brought it; git says nothing of who pushed."""
        del commits
        if proposal.proposer is None:
            return Unknown(
                f"nobody knows who pushed {proposal.id}", fix="open it with: guard propose", who=("author",)
            )
        return Known(frozenset({proposal.proposer}), "ledger", self._clock.now())

    def movers(self, branch: str, head: Commit) -> Fact[frozenset[str]]:
        """Git says nothing of who pushed; post-receive notes whom the server told it."""

        def read() -> frozenset[str]:
            moves = self._ledger.entries("branch.moved", newest_first=True)
            mine = (one.body for one in moves if one.body.get("ref") == f"refs/heads/{branch}")
            latest = next((body for body in mine if body.get("new") == head), {})
            return frozenset(str(name) for name in [latest.get("by")] if name)

        return self._fact(f"who moved {branch}", "ledger", read)

    def members(self, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
        """A name without @ is a person. A group that the operator has not named is unknown, and so is a group
        within a group, because groups do not nest."""
        del inherited
        people: set[str] = set()
        for name in names:
            belonging = self._groups.get(name) if name.startswith("@") else (name,)
            if belonging is None:
                return Unknown(
                    f"the server side's settings name no group {name}",
                    fix=f'add it to [groups] in settings.toml: "{name}" = ["ann@example.com"]',
                    who=("operator",),
                )
            nested = [member for member in belonging if member.startswith("@")]
            if nested:
                return Unknown(
                    f"the group {name} names the group {nested[0]}, and groups do not nest",
                    fix=f"name the people of {nested[0]} in settings.toml",
                    who=("operator",),
                )
            people.update(belonging)
        return Known(frozenset(people), "settings", self._clock.now())

    def incidents(
        self, labels: tuple[str, ...], *, closers: Fact[frozenset[str]]
    ) -> Fact[tuple[Incident, ...]]:
        """Where nobody knows who may close one, no closing counts."""
        able = closers.value if isinstance(closers, Known) else frozenset[str]()

        def read() -> tuple[Incident, ...]:
            return open_incidents(self._record(*INCIDENTS), labels=labels, closers=able)

        return self._fact(f"whether an incident with {' or '.join(labels)} is open", "ledger", read)

    def jobs(self, commit: Commit) -> Fact[tuple[Job, ...]]:
        """A bare repository runs no CI."""
        return Unknown(
            f"which CI jobs ran on {commit[:10]} cannot be known: a repository without a forge runs none",
            fix="let CI submit how its script ended (guard evidence run), and let the gate ask for kind = 'script'",
            who=("release-owner", "ci"),
        )

    def labeller(self, proposal: Proposal, label: str) -> Fact[str | None]:
        """Proposals bear no labels here."""
        return Unknown(
            f"whether {proposal.id} bears the label {label} cannot be known: there are no labels without a forge",
            fix="let a role sign the breaking changes off (guard signoff), and let the gate ask for kind = 'signoff'",
            who=("release-owner",),
        )

    def signoffs(self, gate: str) -> Fact[tuple[SignOff, ...]]:
        return self._fact(
            f"who signed off {gate}",
            "ledger",
            lambda: recorded_signoffs(self._record("statement.signoff"), gate),
        )

    def waivers(self, target: str) -> Fact[tuple[Waiver, ...]]:
        return self._fact(
            f"which waivers were asked for on {target}",
            "ledger",
            lambda: standing_waivers(self._record(*WAIVERS), target=target),
        )

    def submissions(self, source: str) -> Fact[tuple[Submission, ...]]:
        return self._fact(
            f"which reports of {source} were submitted",
            "ledger",
            lambda: recorded_submissions(self._record("statement.evidence"), source),
        )

    def holds(self, target: str) -> Fact[tuple[HoldMark, ...]]:
        def marks() -> Iterator[Received | HoldMark]:
            for entry in self._ledger.entries(*HOLDS, *OWN_HOLDS):
                if entry.kind in HOLDS:
                    yield received_of(entry.at, entry.body)
                elif entry.body.get("ref") == f"refs/heads/{target}":
                    yield own_mark(entry.at, entry.kind, entry.body)

        return self._fact(
            f"whether promotions of {target} are held", "ledger", lambda: recorded_holds(marks(), target)
        )

    def break_glass(self, target: str) -> Fact[tuple[BreakGlassAsk, ...]]:
        return self._fact(
            f"who asked for break-glass on {target}",
            "ledger",
            lambda: recorded_asks(self._record("statement.break-glass"), target),
        )

    def report(self, submission: Submission) -> Fact[bytes]:
        """Unknown when the report is not there any more, or is not the one that was submitted."""
        fix, who = "submit it again: guard evidence add", ("ci", "operator")
        if not submission.digest:
            return Unknown(f"submission {submission.id} came without a report", fix=fix, who=who)
        try:
            data = self._report(f"{STATEMENT_REFS}{submission.id.removeprefix('sha256:')}")
        except GuardError as error:
            return Unknown(
                f"the report {submission.id} cannot be read: {error.message}", fix=error.fix or fix, who=who
            )
        if data is None:
            return Unknown(f"the report {submission.id} is not in the repository any more", fix=fix, who=who)
        if digest_of_bytes(data) != submission.digest:
            return Unknown(f"the report {submission.id} is not the one that was submitted", fix=fix, who=who)
        return Known(data, "repository", self._clock.now())

    def _report(self, ref: str) -> bytes | None:
        """The report beside a statement. The last one is kept if it is small: gates that cite one follow each other,
        and the caller compares the digest each time."""
        if self._kept[0] == ref:
            return self._kept[1]
        file = self._repo.file(ref, "report")
        if file is None:
            return None
        data = self._repo.read(file)
        self._kept = (ref, data) if len(data) <= _SMALL else ("", b"")
        return data

    def _proposals(self, target: str) -> Iterator[Proposal]:
        """The proposal refs of exactly this branch; an id has no slash, so a deeper ref is another branch's."""
        latest = latest_proposals(self._record(*PROPOSALS), target)
        prefix = f"{PROPOSAL_REFS}{target}/"
        for ref, head in self._repo.refs(prefix).items():
            name = ref.removeprefix(prefix)
            if ref.startswith(prefix) and "/" not in name:
                yield _proposal(name, target, Commit(head), latest.get(name))

    def _record(self, *kinds: str) -> Iterator[Received]:
        return (received_of(entry.at, entry.body) for entry in self._ledger.entries(*kinds))

    def _fact(self, what: str, source: str, read: Callable[[], T]) -> Fact[T]:
        try:
            return Known(read(), source, self._clock.now())
        except GuardError as error:
            return Unknown(f"{what} cannot be read: {error.message}", fix=error.fix, who=("operator",))


def _proposal(id: str, target: str, head: Commit, latest: Received | None) -> Proposal:
    """A ref that its last statement does not account for has no proposer that anybody knows."""
    claim = latest.statement.claim if latest else None
    if latest is None or not isinstance(claim, ProposalOpened) or claim.head != head:
        return Proposal(id, target, head, title="", proposer=None)
    return Proposal(id, target, head, title=claim.title, proposer=latest.statement.by)
