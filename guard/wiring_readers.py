"""How each kind of fact is read, bound to one repository."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from guard.core.errors import SettingsError
from guard.core.evidence import Leaf, Reading
from guard.core.model import Candidate, Commit, Fact
from guard.journeys.sources import DebtReader, EvidenceReader, IncidentReader, QueueReader, RegisterReader
from guard.ports import Clock, Forge, Git, Records

if TYPE_CHECKING:
    from guard.adapters.evidence.operator import Operator
    from guard.core.allowed_signers import AllowedSigners
    from guard.core.facts import DebtEntry, Incident
    from guard.core.policy import IncidentRegister, TechDebt
    from guard.settings import ServerHome


def operator_of(home: ServerHome, *, now: datetime) -> Operator:
    """What the operator of a server side knows and allows as of `now`, for the kinds of evidence that need it."""
    from guard.adapters.evidence.fetching import Target
    from guard.adapters.evidence.operator import Operator
    from guard.adapters.signers import read_allowed_signers
    from guard.core.model import Known, Unknown

    try:
        signers: Fact[AllowedSigners] = Known(
            read_allowed_signers(home.allowed_signers), "allowed_signers", now
        )
    except SettingsError as error:
        signers = Unknown(error.message, fix=error.fix, who=("operator",))
    targets = {
        name: Target(one.url, one.addresses, one.token, home.path / one.ca if one.ca else None, one.timeout)
        for name, one in home.settings.probes.items()
    }
    return Operator(keys=home.attestation_keys, targets=targets, signers=signers)


def queue_reader(git: Git, clock: Clock) -> QueueReader:
    """How the work queue is read."""
    from guard.adapters.evidence.queue import read_queue

    return lambda queue, candidate: read_queue(queue, git, candidate.upstream, now=clock.now())


def incident_reader(git: Git, clock: Clock) -> IncidentReader:
    """How an incident register is read."""

    def read(
        register: IncidentRegister, labels: tuple[str, ...], upstream: Commit
    ) -> Fact[tuple[Incident, ...]]:
        from guard.adapters.evidence.incidents import read_incident_register

        return read_incident_register(register, labels, git, upstream, now=clock.now())

    return read


def register_reader(git: Git, clock: Clock) -> RegisterReader:
    """How the state of a register's entry is read, for the conditions of gates."""
    from guard.adapters.evidence.register import read_condition

    return lambda when, candidate: read_condition(when, git, candidate.upstream, now=clock.now())


def debt_reader(git: Git, clock: Clock) -> DebtReader:
    """How the tech debt register is read, for waivers that rest on its entries."""

    def read(table: TechDebt, upstream: Commit) -> Fact[tuple[DebtEntry, ...]]:
        from guard.adapters.evidence.debts import read_debts

        return read_debts(table, git, upstream, now=clock.now())

    return read


def evidence_reader(
    git: Git, records: Records, forge: Forge, clock: Clock, *, operator: Operator | None = None
) -> EvidenceReader:
    """How each piece of evidence is read, bound to one repository and its records."""
    from guard.adapters.evidence import EvidenceSources, read_evidence
    from guard.adapters.evidence.operator import NO_OPERATOR

    def read(
        gate: str,
        leaf: Leaf,
        candidate: Candidate,
        members: Mapping[str, Fact[frozenset[str]]],
        submitters: Fact[frozenset[str]],
    ) -> Reading:
        sources = EvidenceSources(
            git=git,
            upstream=candidate.upstream,
            candidate=candidate,
            records=records,
            forge=forge,
            members=members,
            submitters=submitters,
            now=clock.now(),
            operator=operator or NO_OPERATOR,
        )
        return read_evidence(gate, leaf, sources)

    return read
