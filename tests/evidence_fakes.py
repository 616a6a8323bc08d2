"""What readers of evidence are given in tests: a tree and records that hold what the test says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from guard.adapters.evidence import EvidenceSources, read_evidence
from guard.adapters.evidence.untrusted import digest_of
from guard.adapters.noforge import NoForge
from guard.core.errors import GitError
from guard.core.evidence import Evidence, Leaf, Observation, Reading
from guard.core.facts import Authorship, Job, Proposal, SignOff, Submission, Waiver
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Commit, Fact, Known, Unknown
from guard.core.notes import Log
from tests.builders import NEW, NOW, UPSTREAM, candidate

EVIDENCE: TypeAdapter[Any] = TypeAdapter(Evidence)


def asks(**spec: object) -> Any:
    """A piece of evidence as a policy writes it: `asks(kind="sarif", source="sast")`."""
    return EVIDENCE.validate_python(spec)


def submission(report: bytes | None = b"", **fields: object) -> Submission:
    """An envelope for these bytes; None is an exit record alone."""
    given: dict[str, object] = {
        "id": "s1",
        "source": "sast",
        "subject": NEW,
        "tool": "bandit",
        "tool_version": "1.9.4",
        "exit_code": 0,
        "digest": "" if report is None else digest_of(report),
        "submitter": "ci@example.com",
        "received_at": NOW - timedelta(hours=1),
        **fields,
    }
    return Submission(**given)  # type: ignore[arg-type]


NO_SUBMISSIONS: Fact[tuple[Submission, ...]] = Known((), "test", NOW)
NO_JOBS: Fact[tuple[Job, ...]] = Known((), "test", NOW)
NO_PROPOSALS: Fact[tuple[Proposal, ...]] = Known((), "test", NOW)
NO_SIGNOFFS: Fact[tuple[SignOff, ...]] = Known((), "test", NOW)


@dataclass(frozen=True)
class HeldRecords:
    """Records that hold these; `reports` are by submission id."""

    submitted: Fact[tuple[Submission, ...]] = NO_SUBMISSIONS
    signed: Fact[tuple[SignOff, ...]] = NO_SIGNOFFS
    reports: Mapping[str, bytes] = field(default_factory=dict)

    def signoffs(self, gate: str) -> Fact[tuple[SignOff, ...]]:
        return self.signed

    def submissions(self, source: str) -> Fact[tuple[Submission, ...]]:
        return self.submitted

    def waivers(self, target: str) -> Fact[tuple[Waiver, ...]]:
        return Unknown("no waivers are held here")

    def report(self, submission: Submission) -> Fact[bytes]:
        if submission.id not in self.reports:
            return Unknown("the report's object is gone")
        return Known(self.reports[submission.id], "test", NOW)


@dataclass(frozen=True)
class HeldTree:
    """A Git port of which only the upstream tree is asked, and what differs from it at the candidate's head."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    differs: tuple[str, ...] = ()

    def resolve(self, name: str) -> Commit | None:
        raise NotImplementedError

    def tree_of(self, commit: Commit) -> str:
        raise NotImplementedError

    def merge_base(self, one: Commit, other: Commit) -> Commit | None:
        raise NotImplementedError

    def descends(self, commit: Commit, ancestor: Commit) -> bool:
        raise NotImplementedError

    def read(self, commit: Commit, path: str) -> bytes | None:
        assert commit == UPSTREAM, "evidence in the tree counts as it stands on upstream"
        return self.files.get(path)

    def list(self, commit: Commit, folder: str) -> tuple[str, ...]:
        assert commit == UPSTREAM, "evidence in the tree counts as it stands on upstream"
        prefix = f"{folder.rstrip('/')}/" if folder else ""
        return tuple(sorted(path for path in self.files if path.startswith(prefix)))

    def blobs(self, commit: Commit, folder: str) -> Mapping[str, str]:
        return {path: hashlib.sha1(self.files[path]).hexdigest() for path in self.list(commit, folder)}

    def blob(self, commit: Commit, path: str) -> str | None:
        return hashlib.sha1(self.files[path]).hexdigest() if path in self.files else None

    def contents(self, names: Sequence[str], *, limit: int) -> tuple[bytes, ...]:
        held = {hashlib.sha1(data).hexdigest(): data for data in self.files.values()}
        if any(len(held[name]) > limit for name in names):
            raise GitError("a file is too large")
        return tuple(held[name] for name in names)

    def changed(self, old: Commit, new: Commit) -> tuple[str, ...]:
        assert {old, new} == {UPSTREAM, NEW}, "the candidate is compared with upstream"
        return self.differs

    def log(self, since: Commit, head: Commit) -> Log:
        raise NotImplementedError

    def written_by(self, commit: Commit, files: Mapping[str, str]) -> Mapping[str, bytes]:
        return {}

    def authorship(self, target: Commit, head: Commit, *, origins: Iterable[Commit] = ()) -> Authorship:
        raise NotImplementedError

    def kept(self, approved: Commit, head: Commit, *, target: Commit) -> str:
        raise NotImplementedError

    def lineage(
        self,
        upstream: Commit,
        target: Commit,
        head: Commit,
        *,
        upstream_name: str,
        trailers: tuple[str, ...] = (),
        details: bool = True,
    ) -> LineageFacts:
        raise NotImplementedError


@dataclass(frozen=True)
class HeldForge(NoForge):
    """A forge that knows the jobs of the candidate, its proposals, and who labelled them."""

    ran: Fact[tuple[Job, ...]] = NO_JOBS
    open: Fact[tuple[Proposal, ...]] = NO_PROPOSALS
    labels: Mapping[str, Fact[str | None]] = field(default_factory=dict)

    def jobs(self, commit: Commit) -> Fact[tuple[Job, ...]]:
        assert commit == NEW, "jobs of another commit prove nothing"
        return self.ran

    def proposals(self, target: str) -> Fact[tuple[Proposal, ...]]:
        return self.open

    def labeller(self, proposal: Proposal, label: str) -> Fact[str | None]:
        return self.labels.get(label, Known(None, "test", NOW))


def people(*names: str) -> Fact[frozenset[str]]:
    return Known(frozenset(names), "test", NOW)


def sources(*submissions: Submission, **fields: object) -> EvidenceSources:
    """Where to look; without reports, each submission's report is the one it was built for elsewhere."""
    reports = fields.pop("reports", {})
    signed = fields.pop("signed", ())
    files, differs = fields.pop("files", {}), fields.pop("differs", ())
    given: dict[str, object] = {
        "git": HeldTree(files, differs),  # type: ignore[arg-type]
        "upstream": UPSTREAM,
        "candidate": candidate(),
        "records": HeldRecords(Known(submissions, "test", NOW), Known(signed, "test", NOW), reports),  # type: ignore[arg-type]
        "forge": HeldForge(),
        "members": {"security": people("sue@example.com"), "platform": people("pam@example.com")},
        "submitters": people("ci@example.com"),
        "now": NOW,
        **fields,
    }
    return EvidenceSources(**given)  # type: ignore[arg-type]


def read(spec: Leaf, given: EvidenceSources, *, gate: str = "security.gate") -> Reading:
    return read_evidence(gate, spec, given)


def reading_of(spec: Leaf, report: bytes | None, **fields: object) -> Reading:
    """The reading of one submission of the spec's source with this report."""
    envelope = submission(report, **{"source": getattr(spec, "source", "sast"), **fields})
    return read(spec, sources(envelope, reports={envelope.id: report or b""}))


def seen(reading: Reading) -> Observation:
    """The observation, where there has to be one."""
    assert isinstance(reading, Known), reading
    return reading.value


def codes(reading: Reading) -> set[str]:
    return {finding.code for finding in seen(reading).problems}
