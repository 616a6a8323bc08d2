"""What a decision is asked about, and where its facts come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from guard.core.evidence import Leaf, Reading
from guard.core.facts import (
    NOT_GATHERED,
    DebtEntry,
    HoldMark,
    Incident,
    QueueEntry,
    Waiver,
)
from guard.core.model import Candidate, Commit, Fact, Unknown
from guard.core.policy import IncidentRegister, Queue, TechDebt, When
from guard.journeys.emergencies import Asks
from guard.ports import Clock, Forge, Git

Members = Mapping[str, Fact[frozenset[str]]]


EvidenceReader = Callable[[str, Leaf, Candidate, Members, Fact[frozenset[str]]], Reading]
"""gate id, what is asked, candidate, members by role, allowed submitters → what was found."""


DebtReader = Callable[[TechDebt, Commit], Fact[tuple[DebtEntry, ...]]]
"""The policy's tech debt register, upstream's head → its entries."""


WaiverReader = Callable[[str], Fact[tuple[Waiver, ...]]]
"""A branch → the waivers asked for on it."""


RegisterReader = Callable[[When, Candidate], Fact[str | None]]
"""A condition on a register's entry → the entry's state, None where the register surely has no such entry."""


IncidentReader = Callable[[IncidentRegister, tuple[str, ...], Commit], Fact[tuple[Incident, ...]]]
"""A register of the policy, the severities that stop a promotion, upstream's head → the open incidents in it."""


def no_incidents(
    _register: IncidentRegister, _labels: tuple[str, ...], _upstream: Commit
) -> Fact[tuple[Incident, ...]]:
    return Unknown("incident registers are not read here")


QueueReader = Callable[[Queue, Candidate], Fact[tuple[QueueEntry, ...]]]
"""The policy's work queue → its entries as they stand on upstream."""


def no_queue(_queue: Queue, _candidate: Candidate) -> Fact[tuple[QueueEntry, ...]]:
    return Unknown("the work queue is not read here")


def no_registers(_when: When, _candidate: Candidate) -> Fact[str | None]:
    return Unknown("registers are not read here")


MembersReader = Callable[[tuple[str, ...], bool], Fact[frozenset[str]]]
"""names, whether those of the groups above count → the people, now or a bounded moment ago."""


HoldsReader = Callable[[str], Fact[tuple[HoldMark, ...]]]
"""A branch → what held its promotions, and what lifted it."""


@dataclass(frozen=True, slots=True)
class Range:
    """The names that a decision is asked about, as given: upstream None means the policy's. Without `details` it is
    not gathered how commits differ from what they were picked from."""

    repository: str
    branch: str
    target: str
    head: str
    upstream: str | None = None
    only: tuple[str, ...] = ()
    details: bool = True


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the facts come from. `bootstrap` is the operator's policy for a target without a valid one; without
    `read_members` the forge is asked each time; `policy` stands in for the target's own where it is only asked what
    would be."""

    git: Git
    forge: Forge
    read_evidence: EvidenceReader
    clock: Clock
    bootstrap: tuple[bytes, str] | None = None
    read_register: RegisterReader = no_registers
    read_members: MembersReader | None = None
    read_asks: Asks | None = None
    read_holds: HoldsReader | None = None
    policy: tuple[bytes, str] | None = None
    read_queue: QueueReader = no_queue
    read_incidents: IncidentReader = no_incidents
    read_waivers: WaiverReader = lambda _branch: NOT_GATHERED
    read_debts: DebtReader = lambda _table, _upstream: NOT_GATHERED
    expected_head: Callable[[str], str | None] = lambda _ref: None
    """Where the ledger expects the branch of this full name; None where it cannot tell."""

    def members(self, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
        if self.read_members is not None:
            return self.read_members(names, inherited)
        return self.forge.members(names, inherited=inherited)
