"""The words a policy can ask evidence in: one model for each evidence kind, and what a reading of one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import Discriminator, Field, Tag, model_validator

from guard.core.model import Commit, Finding, Known, Unknown
from guard.core.policy_words import Age, Name, Path, Scalar, Spec
from guard.core.report_kinds import (
    EXPECT_PATTERN,
    Attestation,
    Contract,
    Junit,
    Sarif,
    Script,
    Secrets,
    Vulnerabilities,
)
from guard.core.upstream_kinds import Adrs, Document, Inventory, NotesKept, Register


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
