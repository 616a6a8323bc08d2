"""The words a policy can ask evidence in: one model for each evidence kind, and what a reading of one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from guard.core.durations import Duration
from guard.core.model import Commit, Finding, Known, Unknown

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^/\x00][^\x00]*$")]
Severity = Literal["low", "medium", "high", "critical"]


class Spec(BaseModel):
    """What every kind has in common; a key nobody knows is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Submitted(Spec):
    """A tool's report under a submission envelope, known by the name of its source.

    It counts only when its envelope names the candidate's own commit; `max_age` is counted from the server's
    time of receipt.
    """

    source: Name
    max_age: Duration | None = None


class Ci(Spec):
    """Real CI jobs of the candidate's commit."""

    kind: Literal["ci"]
    jobs: tuple[Name, ...] = Field(min_length=1)
    minimum: int = Field(default=1, ge=1)
    workflow: Name | None = None
    app_id: int | None = None
    pipeline_source: Name | None = None
    max_age: Duration | None = None


class Sarif(Submitted):
    """A SARIF 2.1.0 report without an unsuppressed result at or above `fail_at`."""

    kind: Literal["sarif"]
    fail_at: Severity = "high"
    tools: tuple[Name, ...] = ()


class Vulnerabilities(Submitted):
    """The native JSON of a dependency scanner."""

    kind: Literal["vulnerabilities"]
    fail_at: Severity = "high"
    ignore: tuple[Name, ...] = ()


class Secrets(Submitted):
    """A gitleaks or detect-secrets report with nothing new or unverified."""

    kind: Literal["secrets"]
    baseline: Path | None = None


class Junit(Submitted):
    """A JUnit XML report in which every named test is present and passed; globs are allowed in names."""

    kind: Literal["junit"]
    tests: tuple[Name, ...] = Field(min_length=1)


class Script(Submitted):
    """The exit record of a named script and, where asked, fields of its JSON report."""

    kind: Literal["script"]
    script: Name
    exit_code: int = 0
    fields: dict[Name, str | int | bool] = Field(default_factory=dict)


class Contract(Submitted):
    """A contract report: clean, or its breaking changes are documented."""

    kind: Literal["contract"]
    breaking_label: Name | None = None
    migration_guide: Path | None = None


class Document(Spec):
    """A file as it stands on upstream, with a wanted status and a review date in its front matter or heading."""

    kind: Literal["document"]
    path: Path
    status: tuple[Name, ...] = ()
    status_field: Name = "status"
    reviewed_field: Name | None = None
    max_age: Duration | None = None


class Adrs(Spec):
    """A folder of architecture decision records, every active one accepted and signed off."""

    kind: Literal["adrs"]
    path: Path
    role: Name | None = None
    accepted: tuple[Name, ...] = ("accepted",)


class Inventory(Spec):
    """A folder of documents: how many, which must be there, none a stub."""

    kind: Literal["inventory"]
    path: Path
    minimum: int = Field(default=1, ge=1)
    required: tuple[Name, ...] = ()
    max_age: Duration | None = None


class Register(Spec):
    """One entry of a Markdown table or YAML register on upstream, by its id."""

    kind: Literal["register"]
    path: Path
    entry: Name
    state: tuple[Name, ...] = Field(min_length=1)


class Signoff(Spec):
    """A person holding the role signed for this gate, for this commit or within `max_age`."""

    kind: Literal["signoff"]
    role: Name
    max_age: Duration | None = None


class Probe(Spec):
    """A condition asked of a running system that the operator allows."""

    kind: Literal["probe"]
    probe: Literal["http", "prometheus", "alertmanager", "grafana"]
    target: Name
    query: str | None = None
    expect: str | None = None
    silenced: Literal["counts", "does-not-count"] = "counts"
    max_age: Duration | None = None


class Attestation(Submitted):
    """An in-toto statement in a DSSE envelope, signed by a configured key."""

    kind: Literal["attestation"]
    predicate_type: Name
    key: Name
    fields: dict[Name, str | int | bool] = Field(default_factory=dict)


class Approvals(Spec):
    """The approval rule's own verdict, so that a gate can cite it."""

    kind: Literal["approvals"]


class All(Spec):
    """Every one of these; written `{ all = [...] }`."""

    all: tuple[Evidence, ...] = Field(min_length=1)


class AnyOf(Spec):
    """At least one of these; written `{ any = [...] }`."""

    any: tuple[Evidence, ...] = Field(min_length=1)


Leaf: TypeAlias = (
    Ci
    | Sarif
    | Vulnerabilities
    | Secrets
    | Junit
    | Script
    | Contract
    | Document
    | Adrs
    | Inventory
    | Register
    | Signoff
    | Probe
    | Attestation
    | Approvals
)


def _tag(value: object) -> str | None:
    """Which model reads this table: `all`, `any` or its kind, so that an error speaks of one kind only."""
    if isinstance(value, (All, AnyOf)):
        return "all" if isinstance(value, All) else "any"
    if isinstance(value, dict):
        composed = [key for key in ("all", "any") if key in value]
        return composed[0] if composed else str(value.get("kind"))
    return getattr(value, "kind", None)


Evidence: TypeAlias = Annotated[
    Annotated[Ci, Tag("ci")]
    | Annotated[Sarif, Tag("sarif")]
    | Annotated[Vulnerabilities, Tag("vulnerabilities")]
    | Annotated[Secrets, Tag("secrets")]
    | Annotated[Junit, Tag("junit")]
    | Annotated[Script, Tag("script")]
    | Annotated[Contract, Tag("contract")]
    | Annotated[Document, Tag("document")]
    | Annotated[Adrs, Tag("adrs")]
    | Annotated[Inventory, Tag("inventory")]
    | Annotated[Register, Tag("register")]
    | Annotated[Signoff, Tag("signoff")]
    | Annotated[Probe, Tag("probe")]
    | Annotated[Attestation, Tag("attestation")]
    | Annotated[Approvals, Tag("approvals")]
    | Annotated[All, Tag("all")]
    | Annotated[AnyOf, Tag("any")],
    Discriminator(_tag),
]

All.model_rebuild()
AnyOf.model_rebuild()


def leaves(evidence: Evidence, *, prefix: str) -> Iterator[tuple[str, Leaf]]:
    """Each elementary piece of evidence with its key: `security.vulnerabilities/1` is the gate's second one."""
    if isinstance(evidence, (All, AnyOf)):
        parts = evidence.all if isinstance(evidence, All) else evidence.any
        for index, part in enumerate(parts):
            yield from leaves(part, prefix=f"{prefix}/{index}")
    else:
        yield prefix, evidence


@dataclass(frozen=True, slots=True)
class Observation:
    """What a piece of evidence was seen to say, the same for every kind.

    `problems` are empty when it says what the policy wants; `subject` is the commit it is about, None for what
    stands on upstream or is about no commit; `dated` is when its age starts (the server's time of receipt for a
    submission, the stated review date for a document), None where it has no age; `digest` (`sha256:…`) is that
    of the bytes that were read.
    """

    summary: str
    problems: tuple[Finding, ...] = ()
    subject: Commit | None = None
    dated: datetime | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """Looked for where it should be and surely not there: missing, which is neither unknown nor bad."""

    why: str
    fix: str = ""
    who: tuple[str, ...] = ()


Reading: TypeAlias = Known[Observation] | Absent | Unknown
"""What became of looking for one piece of evidence."""
