"""The policy: the validated `guard.toml`, always that of the target branch, never the proposal's."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from guard.core.durations import Duration
from guard.core.evidence import Evidence, Name, Path, leaves

GROUPS: dict[str, str] = {
    "architecture": "Architecture & Contracts",
    "security": "Security",
    "data": "Data & Billing Integrity",
    "reliability": "Reliability & Operations",
    "delivery": "Delivery",
}
"""The five mandatory gate groups and their titles, in the order of the release readiness page."""

Group = Literal["architecture", "security", "data", "reliability", "delivery"]
Rule = Literal["lineage", "approvals", "readiness", "incidents"]
RULES: tuple[Rule, ...] = ("lineage", "approvals", "readiness", "incidents")

GateId = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$", max_length=100)
]


def _branch_name(name: str) -> str:
    """Refuse what git would not take as a branch (git-check-ref-format) and full ref names."""
    parts = name.split("/")
    bad = name.startswith(("refs/", "-")) or ".." in name or "@{" in name or name == "@"
    if bad or any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts):
        raise ValueError(f"expected a branch name such as 'release/platform-control', got {name!r}")
    return name


BranchName = Annotated[
    str,
    StringConstraints(pattern=r"^[^\s~^:?*\[\\\x00-\x1f\x7f]+$", max_length=200),
    AfterValidator(_branch_name),
]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=50)]


class Table(BaseModel):
    """A table of the policy; a key nobody knows is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Project(Table):
    """Which repository this is, and where it lives."""

    forge: Literal["gitlab", "github", "local"]
    repository: Name = Field(description="the full path on the forge, such as `gpuaas/platform`")


class Lineage(Table):
    """How strict "master first" is."""

    adaptations: tuple[RoleName, ...] = Field(
        default=(), description="roles whose approval lets a pick pass that a person had to resolve by hand"
    )


class Branch(Table):
    """One protected release branch."""

    upstream: BranchName = Field(description="the branch that every fix lands on first")
    promote: Path | None = Field(
        default=None, description="the script that moves the branch; without one the guard does"
    )
    require: tuple[Rule, ...] = Field(default=RULES, min_length=1)
    permit_ttl: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(hours=1))] = timedelta(minutes=15)
    read_first: tuple[Path, ...] = Field(
        default=(), description="documents to read before any promotion work"
    )
    lineage: Lineage = Lineage()


class Role(Table):
    """Who may approve and sign: groups or teams of the forge (`@group/sub`), or user names."""

    members: tuple[Name, ...] = Field(min_length=1)


Author = Literal["proposer", "author", "committer", "co-author"]


class ApprovalRule(Table):
    """Whose approvals a promotion needs, and who cannot give one."""

    roles: tuple[RoleName, ...] = Field(default=("platform", "security"), min_length=1)
    not_by: tuple[Author, ...] = Field(default=("proposer", "author", "committer", "co-author"))


class Incidents(Table):
    """Which open incidents stop every promotion."""

    labels: tuple[Name, ...] = Field(default=("SEV-1", "SEV-2"), min_length=1)
    close: tuple[RoleName, ...] = Field(
        default=("platform", "security"), description="roles that may close one"
    )


class Submissions(Table):
    """Whose submitted reports count; nobody's, unless named here."""

    submitters: tuple[Name, ...] = ()


class When(Table):
    """The condition under which a conditional gate applies; what cannot be decided applies."""

    changed: tuple[Name, ...] = ()
    register_open: Name | None = None
    environment: Name | None = None


class Gate(Table):
    """One readiness requirement with its group and its evidence."""

    id: GateId
    group: Group
    title: Name
    evidence: Evidence
    mandatory: bool = True
    when: When | None = None
    help: str = ""

    @model_validator(mode="after")
    def _condition_only_where_conditional(self) -> Self:
        if self.mandatory and self.when is not None:
            raise ValueError("a mandatory gate takes no `when`; set mandatory = false to make it conditional")
        return self


class Policy(Table):
    """The whole of `guard.toml`."""

    version: Literal[1]
    mode: Literal["enforce", "observe"] = "enforce"
    project: Project
    branches: dict[BranchName, Branch] = Field(min_length=1)
    roles: dict[RoleName, Role] = Field(default_factory=dict)
    approvals: ApprovalRule = ApprovalRule()
    incidents: Incidents = Incidents()
    evidence: Submissions = Submissions()
    gates: tuple[Gate, ...] = ()
