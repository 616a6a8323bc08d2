"""The words a policy can ask evidence in: one model for each evidence kind, and what a reading of one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from guard.core.model import Commit, Finding, Known, Unknown
from guard.core.policy_words import Age, Name, Path, Scalar, Severity

EXPECT_PATTERN = r"^(empty|(==|!=|<=|>=|<|>)\s*-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)$"


class Spec(BaseModel):
    """What every kind has in common; a key nobody knows is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Submitted(Spec):
    """A tool's report under a submission envelope, known by the name of its source.

    It counts only when its envelope names the candidate's own commit; `max_age` is counted from the server's
    time of receipt.
    """

    source: Name = Field(description="the name that the report is submitted under, such as `sast`")
    max_age: Age = None


class Ci(Spec):
    """Real CI jobs of the candidate's commit, run by upstream's CI configuration."""

    kind: Literal["ci"]
    jobs: tuple[Name, ...] = Field(min_length=1, description="the jobs that must be green; globs are allowed")
    minimum: int = Field(
        default=1, ge=1, strict=True, description="how many green jobs each of `jobs` must match at least"
    )
    workflow: Name | None = Field(
        default=None, description="only jobs of this workflow's file count, such as `ci.yml` (GitHub)"
    )
    app_id: int | None = Field(
        default=None, strict=True, description="only checks reported by this app count (GitHub)"
    )
    pipeline_source: Name | None = Field(
        default=None,
        description="only pipelines and workflows started this way count; unless set, `push`, `merge_request_event`"
        " and `merge_group` do",
    )
    protected_ref: bool = Field(
        default=False, strict=True, description="only jobs on a protected branch count (GitLab)"
    )
    config: tuple[Path, ...] = Field(
        default=(),
        description="further files and folders that must be upstream's, besides the CI configuration",
    )
    max_age: Age = None


class Sarif(Submitted):
    """A SARIF 2.1.0 report without an unsuppressed result at or above `fail_at`."""

    kind: Literal["sarif"]
    fail_at: Severity = Field(
        default="high", description="the least severity that blocks: `low`, `medium`, `high` or `critical`"
    )
    tools: tuple[Name, ...] = Field(
        default=(), description="the tools that the report must hold a run of; any, where none is named"
    )


class Ignored(Spec):
    """One advisory that does not block, until a day that is the last one."""

    id: Name = Field(
        description="the advisory, by any of its names such as `CVE-2026-0001`; or a package that the scanner could"
        " not look at"
    )
    until: date = Field(description="the last day on which it is ignored, such as `2026-12-31` (UTC)")
    reason: Name = Field(description="why it does not matter here")


class Vulnerabilities(Submitted):
    """The native JSON of pip-audit, npm audit, osv-scanner, trivy or grype, without anything at or above `fail_at`."""

    kind: Literal["vulnerabilities"]
    fail_at: Severity = Field(
        default="high", description="the least severity that blocks: `low`, `medium`, `high` or `critical`"
    )
    ignore: tuple[Ignored, ...] = Field(
        default=(), description="what does not block for a while: tables with `id`, `until` and `reason`"
    )


class Secrets(Submitted):
    """A gitleaks or detect-secrets report with nothing that upstream's baseline does not hold as looked into."""

    kind: Literal["secrets"]
    baseline: Path | None = Field(
        default=None, description="a file on upstream with the findings that are known and accepted"
    )


class Junit(Submitted):
    """A JUnit XML report in which every named test is present and passed; globs are allowed in names."""

    kind: Literal["junit"]
    tests: tuple[Name, ...] = Field(
        min_length=1,
        description="names or globs of tests; each must match one test, and all it matches must pass",
    )


class Script(Submitted):
    """The exit record of a named script and, where asked, fields of its JSON report."""

    kind: Literal["script"]
    script: Name = Field(
        description="the script or command that must have run, such as `scripts/ci/check.sh`"
    )
    exit_code: int = Field(default=0, strict=True, description="the exit status that it must have ended with")
    fields: dict[Name, Scalar] = Field(
        default_factory=dict, description="dotted keys of its JSON report, and the value that each must have"
    )


class Contract(Submitted):
    """A report of spectral, redocly, asyncapi, oasdiff or openapi-diff: clean, or its breaking changes documented."""

    kind: Literal["contract"]
    fail_at: Literal["error", "warning", "information", "hint"] = Field(
        default="warning", description="the least level of a linter's complaint that blocks"
    )
    unclassified: Literal["counts", "does-not-count"] = Field(
        default="counts", description="whether a change counts as breaking of which the tool cannot tell"
    )
    breaking_label: Name | None = Field(
        default=None, description="the label that marks a breaking change as documented, such as `BREAKING:`"
    )
    labelled_by: tuple[Name, ...] = Field(
        default=(), description="the roles whose members may set the label; the forge tells who set it"
    )
    migration_guide: Path | None = Field(
        default=None,
        description="the file on upstream that tells users how to migrate; needed beside the label",
    )


class Document(Spec):
    """A file as it stands on upstream, with a wanted status and a review date in its front matter or heading."""

    kind: Literal["document"]
    path: Path = Field(description="the path of the file on upstream")
    status: tuple[Name, ...] = Field(
        default=(), description="the statuses that it may state; any, where none is named"
    )
    status_field: Name = Field(default="status", description="the field that states the status")
    reviewed_field: Name | None = Field(
        default=None, description="the field that states the day of the last review, as YYYY-MM-DD"
    )
    role: Name | None = Field(
        default=None,
        description="the role of whose holders one must have signed this very text, by a sign-off or a commit",
    )
    max_age: Age = None


class Adrs(Spec):
    """A folder of architecture decision records, every active one accepted and signed off."""

    kind: Literal["adrs"]
    path: Path = Field(description="the folder of the records on upstream")
    role: Name | None = Field(
        default=None,
        description="the role of whose holders one must have signed every active record, by a sign-off or a commit",
    )
    accepted: tuple[Name, ...] = Field(
        default=("accepted",), description="the statuses of an active record that count as finished"
    )
    retired: tuple[Name, ...] = Field(
        default=("rejected", "deprecated"),
        description="the statuses of a record that is not in force; a superseded one names what took its place",
    )


class Inventory(Spec):
    """A folder of documents: how many, which must be there, none a stub."""

    kind: Literal["inventory"]
    path: Path = Field(description="the folder on upstream")
    minimum: int = Field(
        default=1, ge=1, strict=True, description="how many documents there must be at least"
    )
    required: tuple[Name, ...] = Field(default=(), description="file names that must be among them")
    max_age: Age = None


class Register(Spec):
    """One entry of a Markdown table or YAML register on upstream, by its id."""

    kind: Literal["register"]
    path: Path = Field(description="the path of the register on upstream, Markdown or YAML")
    entry: Name = Field(description="the id of the entry, such as `A-014`")
    state: tuple[Name, ...] = Field(min_length=1, description="the states in which the entry may be")
    id_field: Name | None = Field(
        default=None,
        description="the column or key of the ids; `id`, or a Markdown table's first column, where none is named",
    )
    state_field: Name | None = Field(
        default=None,
        description="the column or key that holds the state; `status` or `state`, where none is named",
    )
    date_field: Name | None = Field(
        default=None, description="the column or key that holds the day of the state, as YYYY-MM-DD"
    )
    max_age: Age = None

    @model_validator(mode="after")
    def _has_a_date(self) -> Self:
        if self.max_age is not None and self.date_field is None:
            raise ValueError(
                "max_age has no date to count from; expected date_field, the column that holds it"
            )
        return self


class NotesKept(Spec):
    """Release or compatibility notes on upstream that leave nothing out of what the promotion brings."""

    kind: Literal["notes"]
    part: Literal["release", "compatibility"] = Field(
        description="what they have to tell: every change and finished work, or every breaking change"
    )
    path: Path = Field(description="the file on upstream, or a folder of them")
    queue: Path | None = Field(
        default=None,
        description="the work queue on upstream whose finished entries (`completed_at`) have to be told",
    )
    contract: Name | None = Field(
        default=None, description="the source of a contract report whose breaking changes have to be told"
    )
    ignore: tuple[Name, ...] = Field(
        default=(),
        description="globs of the titles that need no note, such as `ci:*`; a breaking change always does",
    )


class Signoff(Spec):
    """A person holding the role signed for this gate, for this commit or within `max_age`."""

    kind: Literal["signoff"]
    role: Name = Field(description="the role that the signing person must hold")
    max_age: Age = None


class Probe(Spec):
    """A condition asked of a running system that the operator allows."""

    kind: Literal["probe"]
    probe: Literal["http", "prometheus", "alertmanager", "grafana"] = Field(
        description="what is asked: `http`, `prometheus`, `alertmanager` or `grafana`"
    )
    target: Name = Field(
        description="the name that the operator's settings give the system; never an address"
    )
    fields: dict[Name, Scalar] = Field(
        default_factory=dict,
        description="`http`: dotted keys of its JSON answer, and the value that each must have",
    )
    query: str | None = Field(
        default=None, min_length=1, max_length=2000, description="`prometheus`: what to ask it, in PromQL"
    )
    expect: str | None = Field(
        default=None,
        pattern=EXPECT_PATTERN,
        description="`prometheus`: what every value of the answer must be, such as `>= 0.99`, or `empty`",
    )
    rules: tuple[Name, ...] = Field(
        default=(),
        description="`prometheus`: alert rules that must be there and evaluated, with no severe alert firing",
    )
    alertmanager: Name | None = Field(
        default=None,
        description="`prometheus`: the operator's name of the Alertmanager that must lead `rules` to a receiver",
    )
    receivers: tuple[Name, ...] = Field(
        default=(),
        description="`alertmanager`, `prometheus`: the receivers that alerts must reach; any, if none is named",
    )
    severities: tuple[Name, ...] = Field(
        default=("critical",), description="the values of the label `severity` of alerts that must not fire"
    )
    dashboards: tuple[Name, ...] = Field(
        default=(), description="`grafana`: the uids of dashboards that must be there and show something"
    )
    silenced: Literal["counts", "does-not-count"] = Field(
        default="counts", description="`alertmanager`: whether a silenced alert still counts as firing"
    )
    max_age: Age = None

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.probe == "http" and not self.fields:
            raise ValueError(
                "an http probe asks nothing; expected fields, the keys of the answer and their values"
            )
        if self.probe == "prometheus" and not (self.query or self.rules):
            raise ValueError("a prometheus probe asks nothing; expected query and expect, or rules")
        if (self.query is None) != (self.expect is None):
            raise ValueError("query and expect belong together; expected both, or neither")
        asked = {
            "fields": "http", "query": "prometheus", "rules": "prometheus", "alertmanager": "prometheus",
            "dashboards": "grafana",
        }  # fmt: skip
        wrong = next(
            (key for key, probe in asked.items() if getattr(self, key) and probe != self.probe), None
        )
        if wrong:
            raise ValueError(f"{wrong} belongs to the {asked[wrong]} probe; this one is {self.probe}")
        return self


class Attestation(Submitted):
    """An in-toto statement in a DSSE envelope, signed by a configured key."""

    kind: Literal["attestation"]
    predicate_type: Name = Field(description="the statement's predicate type, a URI")
    key: Name = Field(description="the name that the operator's settings give the signing key")
    fields: dict[Name, Scalar] = Field(
        default_factory=dict, description="dotted keys of the predicate, and the value that each must have"
    )


class Approvals(Spec):
    """The approval rule's own verdict, so that a gate can cite it."""

    kind: Literal["approvals"]


class All(Spec):
    """Every one of these; written `{ all = [...] }`."""

    all: tuple[Evidence, ...] = Field(
        min_length=1, description="pieces of evidence; the gate is as bad as the worst of them"
    )


class AnyOf(Spec):
    """At least one of these; written `{ any = [...] }`."""

    any: tuple[Evidence, ...] = Field(
        min_length=1, description="pieces of evidence; the gate is as good as the best of them"
    )


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
    | NotesKept
    | Signoff
    | Probe
    | Attestation
    | Approvals
)

KINDS: dict[str, type[Spec]] = {
    get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(Leaf)
}
"""Every elementary kind by its name, in the order of `Leaf`."""


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
    | Annotated[NotesKept, Tag("notes")]
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
    of the bytes that were read; `holds_until` is when time alone would change what it says, age aside.
    """

    summary: str
    problems: tuple[Finding, ...] = ()
    subject: Commit | None = None
    dated: datetime | None = None
    digest: str = ""
    holds_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """Looked for where it should be and surely not there: missing, which is neither unknown nor bad."""

    why: str
    fix: str = ""
    who: tuple[str, ...] = ()


Reading: TypeAlias = Known[Observation] | Absent | Unknown
"""What became of looking for one piece of evidence."""
