"""The only place that builds adapters, and owns the clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from guard.core.evidence import Leaf, Reading
from guard.core.model import Candidate, Fact
from guard.journeys.gather import EvidenceReader, Sources
from guard.ports import Clock, Git, Ledger, Records
from guard.settings import ServerHome

if TYPE_CHECKING:
    from guard.adapters.local import LocalForge


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def system_clock() -> Clock:
    return SystemClock()


def clone_sources(repo: Path, *, bootstrap: Path | None = None) -> Sources:
    """The facts of any local repository, with no forge: what only a forge knows is unknown."""
    from guard.adapters.git import GitRepo
    from guard.adapters.noforge import NoForge

    git, forge, clock = GitRepo(repo), NoForge(), system_clock()
    return Sources(git, forge, evidence_reader(git, forge, clock), clock, _bootstrap(bootstrap))


def server_sources(home: ServerHome, ledger: Ledger) -> Sources:
    """The facts of a guarded bare repository: its refs, its ledger's statements, its submitted reports."""
    from guard.adapters.git import GitRepo

    git, forge, clock = GitRepo(home.settings.git_dir), local_forge(home, ledger), system_clock()
    bootstrap = home.bootstrap_policy if home.bootstrap_policy.exists() else None
    return Sources(git, forge, evidence_reader(git, forge, clock), clock, _bootstrap(bootstrap))


def local_forge(home: ServerHome, ledger: Ledger) -> LocalForge:
    from guard.adapters.local import LocalForge

    return LocalForge(home.settings.git_dir, ledger=ledger, groups=home.settings.groups, clock=system_clock())


def open_ledger(home: ServerHome) -> Ledger:
    """The home's ledger, its schema brought up to date. Raises LedgerError."""
    from guard.adapters.ledger import SqliteLedger

    return SqliteLedger(home.ledger, repository=home.settings.repository)


def evidence_reader(git: Git, records: Records, clock: Clock) -> EvidenceReader:
    """How each piece of evidence is read, bound to one repository and its records."""
    from guard.adapters.evidence import EvidenceSources, read_evidence

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
            members=members,
            submitters=submitters,
            now=clock.now(),
        )
        return read_evidence(gate, leaf, sources)

    return read


def _bootstrap(path: Path | None) -> tuple[bytes, str] | None:
    return (path.read_bytes(), path.name) if path else None
