"""The policy: the validated `guard.toml`, always that of the target branch, never the proposal's."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from guard.core.durations import Duration, format_duration
from guard.core.evidence import Evidence
from guard.core.policy_branch import Branch
from guard.core.policy_names import BranchName, GateId, Group, RoleName, Table
from guard.core.policy_words import Name, Path, ServiceUrl


class Project(Table):
    """Which repository this is, and where it lives."""

    forge: Literal["gitlab", "github", "local"] = Field(
        description="`gitlab`, `github`, or `local` for a bare repository with no forge in front"
    )
    repository: Name = Field(description="the full path on the forge, such as `gpuaas/platform`")
    service: ServiceUrl | None = Field(
        default=None,
        description="the guard's service, such as `https://guard.example.com`; `guard promote` asks it",
    )


class Role(Table):
    """Who may approve and sign."""

    members: tuple[Name, ...] = Field(
        min_length=1,
        description="groups or teams of the forge (`@group/sub`) with all groups within them, or user names",
    )
    inherited: bool = Field(
        default=False,
        strict=True,
        description="true adds the members of the groups above, who belong to a group on GitLab as well",
    )


Author = Literal["proposer", "author", "committer", "co-author", "pusher", "original-author"]
AUTHORS: tuple[Author, ...] = ("proposer", "author", "committer", "co-author", "pusher", "original-author")
Keeping = Literal["re-pick", "target-merge"]


class ApprovalRule(Table):
    """Whose approvals a promotion needs, and who cannot give one."""

    roles: tuple[RoleName, ...] = Field(
        default=("platform", "security"),
        min_length=1,
        description="one holder of each of these roles, all of them different people, must approve the head commit",
    )
    not_by: tuple[Author, ...] = Field(
        default=AUTHORS,
        description="people with such a hand in the change cannot approve it; `pusher` is who pushed its branch,"
        " `original-author` who wrote what was picked",
    )
    keep: tuple[Keeping, ...] = Field(
        default=(),
        description="what a push may bring without making the approvals before it stale: `re-pick`, where every"
        " commit is an exact re-pick of an approved one, and `target-merge`, where it only merges the target cleanly",
    )
    addresses: dict[Name, str] = Field(
        default_factory=dict,
        description="whose an e-mail address in commits is, where the forge cannot tell: address = user name, or"
        ' `""` for nobody who could approve',
    )


class IncidentRegister(Table):
    """An incident register on upstream, with an id, a severity and a status for each incident."""

    path: Path = Field(description="the path of the register on upstream, Markdown or YAML")
    milder: tuple[Name, ...] = Field(
        default=("SEV-3", "SEV-4", "SEV-5"),
        description="the severities that stop nothing; any but these and `labels` is an error (`sev1` is `SEV-1`)",
    )
    open: tuple[Name, ...] = Field(
        default=("open", "active", "investigating", "identified", "mitigated", "monitoring"),
        min_length=1,
        description="the statuses of an incident that is not over",
    )
    closed: tuple[Name, ...] = Field(
        default=("closed", "resolved"),
        min_length=1,
        description="the statuses of one that is over; any other word is an error",
    )
    id_field: Name | None = Field(
        default=None,
        description="the column or key of the ids; `id`, or a Markdown table's first column, where none is named",
    )
    severity_field: Name | None = Field(
        default=None,
        description="the column or key of the severity; `severity`, `sev` or `label`, if none is named",
    )
    state_field: Name | None = Field(
        default=None, description="the column or key of the status; `status` or `state`, where none is named"
    )


class Incidents(Table):
    """Which open incidents stop every promotion."""

    labels: tuple[Name, ...] = Field(
        default=("SEV-1", "SEV-2"), min_length=1, description="labels of the incidents that stop a promotion"
    )
    close: tuple[RoleName, ...] = Field(
        default=("platform", "security"), description="roles that may close one"
    )
    tracker: bool = Field(
        default=True,
        strict=True,
        description="false: the forge's issues (without a forge, the ledger) are not asked; `registers` tell alone",
    )
    registers: tuple[IncidentRegister, ...] = Field(
        default=(),
        description="tables [[incidents.registers]]: registers on upstream; one that cannot be read stops everything",
    )

    @model_validator(mode="after")
    def _asks_somebody(self) -> Self:
        if not (self.tracker or self.registers):
            raise ValueError("nobody is asked for incidents; expected tracker = true, or registers")
        return self


class TechDebt(Table):
    """The tech debt register, whose entries waivers can rest on."""

    path: Path = Field(description="the path of the register on upstream, Markdown or YAML")
    states: tuple[Name, ...] = Field(
        min_length=1, description="the states in which an entry carries a waiver, such as `accepted`"
    )
    suffices: bool = Field(
        default=False,
        strict=True,
        description="true: an entry that names `gate`, `finding` and `expires` is a waiver by itself, because it was"
        " merged to upstream; false: a waiver may cite an entry, and people approve it all the same",
    )
    id_field: Name | None = Field(
        default=None,
        description="the column or key of the ids; `id`, or a Markdown table's first column, where none is named",
    )
    state_field: Name | None = Field(
        default=None,
        description="the column or key that holds the state; `status` or `state`, where none is named",
    )


class Waivers(Table):
    """Which findings can be waived, by whom, and for how long; without this table nothing can."""

    roles: tuple[RoleName, ...] = Field(
        default=("platform", "security"),
        min_length=1,
        description="one holder of each must approve, all different people and none the requester; where one role is"
        " named, two of its holders must",
    )
    gates: tuple[Name, ...] = Field(
        default=("*",), description="globs of the conditional gates whose findings can be waived"
    )
    mandatory: tuple[Name, ...] = Field(
        default=(), description="globs of the mandatory gates whose findings can be waived"
    )
    findings: tuple[Name, ...] = Field(
        default=("*",), description="globs of the findings' codes that can be waived, such as `sarif.result`"
    )
    incidents: bool = Field(
        default=False, strict=True, description="true: an open incident can be waived, too"
    )
    errors: bool = Field(
        default=False, strict=True, description="true: evidence that could not be read can be waived, too"
    )
    any_commit: bool = Field(
        default=False,
        strict=True,
        description="true: a waiver can be asked for whichever commit; false: each is about one commit",
    )
    longest: Duration = Field(
        default=timedelta(days=30),
        description="how long after its request a waiver may end at most (a register's entry ends when it says)",
        json_schema_extra={"default": "30d"},
    )
    tech_debt: TechDebt | None = Field(
        default=None, description="a table [waivers.tech_debt]: the register that waivers can rest on"
    )


LONGEST_BREAK_GLASS = timedelta(hours=4)


def _soon_over(span: timedelta) -> timedelta:
    if span > LONGEST_BREAK_GLASS:
        raise ValueError(
            f"got {format_duration(span)!r}; expected at most {format_duration(LONGEST_BREAK_GLASS)!r}"
        )
    return span


class BreakGlass(Table):
    """Who can let a head pass in an emergency; without this table nobody can."""

    roles: tuple[RoleName, ...] = Field(
        default=("platform", "security"),
        min_length=1,
        description="one holder of each, all of them different people, must ask within 30 minutes; where one role is"
        " named, two of its holders must",
    )
    lasts: Annotated[Duration, AfterValidator(_soon_over)] = Field(
        default=timedelta(hours=1),
        description="how long it stays open, at most `4h`",
        json_schema_extra={"default": "1h"},
    )


class Comments(Table):
    """What the guard's comment may do."""

    mention: bool = Field(
        default=False,
        strict=True,
        description="true: the owners who must act are mentioned by name, and so notified by the forge",
    )


class Submissions(Table):
    """Whose submitted reports count."""

    submitters: tuple[Name, ...] = Field(
        default=(), description="groups or user names, as in a role; nobody's reports count unless named here"
    )


class Queue(Table):
    """The work queue on upstream: an entry that is marked as gating the release stops every promotion while open."""

    path: Path = Field(description="the path of the queue on upstream, Markdown or YAML")
    gating_field: Name = Field(
        default="gates_release", description="the column or key that says whether an entry gates the release"
    )
    gating: tuple[Name, ...] = Field(
        default=("yes", "true"), min_length=1, description="the words that say that it does"
    )
    not_gating: tuple[Name, ...] = Field(
        default=("no", "false", "-", "–", "none"),
        description="the words that say that it does not, as saying nothing does; any other word is an error",
    )
    state_field: Name | None = Field(
        default=None,
        description="the column or key that holds the state; `status` or `state`, where none is named",
    )
    closed: tuple[Name, ...] = Field(
        default=("done", "completed", "closed", "cancelled"),
        min_length=1,
        description="the states in which an entry is no longer open; every other state is open",
    )


class When(Table):
    """The condition under which a conditional gate applies; what cannot be decided applies."""

    changed: tuple[Name, ...] = Field(
        default=(), description="globs of paths: it applies where the promotion changes one of them"
    )
    register_open: Name | None = Field(
        default=None,
        description="the id of a register's entry, such as `A-014`: it applies while that is open; needs"
        " `register_file` and `closed`",
    )
    register_file: Path | None = Field(
        default=None, description="the path of that register on upstream, Markdown or YAML"
    )
    closed: tuple[Name, ...] = Field(
        default=(), description="the states in which the entry is no longer open; every other state is open"
    )
    state_field: Name | None = Field(
        default=None,
        description="the column or key that holds the state; `status` or `state`, where none is named",
    )
    environment: Name | None = Field(
        default=None,
        description="an environment that some branch names in `environments`: it applies to promotions out of"
        " or into it",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.changed or self.register_open or self.environment):
            raise ValueError("no condition; expected at least one of changed, register_open, environment")
        if self.register_open and not (self.register_file and self.closed):
            raise ValueError(
                "register_open names an entry alone; expected its register, a path on upstream, and the states"
                ' in which it is closed beside it: register_file = "doc/Assumptions.md", closed = ["validated"]'
            )
        if not self.register_open and (self.register_file or self.closed or self.state_field):
            raise ValueError("a register without an entry; expected register_open, the entry's id, beside it")
        return self


class Gate(Table):
    """One readiness requirement with its group and its evidence."""

    id: GateId = Field(description="its stable name, such as `security.vulnerabilities`")
    group: Group = Field(
        description="`architecture`, `security`, `data`, `reliability` or `delivery`",
    )
    title: Name = Field(description="what the board shows")
    evidence: Evidence = Field(
        description="the evidence that it needs: a table with a `kind`, or `all`, or `any`"
    )
    mandatory: bool = Field(
        default=True,
        strict=True,
        description="false makes it conditional: it applies where `when` says so, and always without one",
    )
    when: When | None = Field(default=None, description="the condition of a gate that is not mandatory")
    help: str = Field(default="", max_length=1000, description="a sentence on what it means")

    @model_validator(mode="after")
    def _condition_only_where_conditional(self) -> Self:
        if self.mandatory and self.when is not None:
            raise ValueError("a mandatory gate takes no `when`; expected mandatory = false beside it")
        return self


class Policy(Table):
    """The whole of `guard.toml`."""

    version: Literal[1] = Field(description="1, the version of this format")
    mode: Literal["enforce", "observe"] = Field(
        default="enforce", description="`enforce`, or `observe`: decide and comment, and block nothing"
    )
    project: Project = Field(description="a table [project]")
    branches: dict[BranchName, Branch] = Field(
        min_length=1, description='a table for each protected branch, [branches."release/platform-control"]'
    )
    roles: dict[RoleName, Role] = Field(
        default_factory=dict, description="a table for each role, [roles.platform]"
    )
    approvals: ApprovalRule = Field(default=ApprovalRule(), description="whose approvals a promotion needs")
    incidents: Incidents = Field(default=Incidents(), description="which open incidents stop every promotion")
    evidence: Submissions = Field(default=Submissions(), description="whose submitted reports count")
    break_glass: BreakGlass | None = Field(
        default=None, description="who can let a head pass in an emergency; nobody can without this table"
    )
    comments: Comments = Field(default=Comments(), description="what the guard's comment may do")
    queue: Queue | None = Field(default=None, description="the work queue, if it can gate a release")
    waivers: Waivers | None = Field(
        default=None, description="which findings can be waived, by whom, and for how long"
    )
    gates: tuple[Gate, ...] = Field(
        default=(), description="the readiness gates, [[gates]], in the order of the board"
    )
