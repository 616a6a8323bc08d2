"""What a policy says of one protected branch: what lands on it, and how it is promoted."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from guard.core.durations import Duration, format_duration
from guard.core.policy_names import RULES, TRAILER_PATTERN, BranchName, RoleName, Rule, Table
from guard.core.policy_words import Name, Path

LONGEST_PERMIT = timedelta(hours=1)


def _short_lived(span: timedelta) -> timedelta:
    if span > LONGEST_PERMIT:
        raise ValueError(
            f"got {format_duration(span)!r}; expected at most {format_duration(LONGEST_PERMIT)!r}"
        )
    return span


PermitTtl = Annotated[Duration, AfterValidator(_short_lived)]
TrailerKey = Annotated[str, StringConstraints(pattern=TRAILER_PATTERN, max_length=50)]
Marker = Annotated[str, StringConstraints(min_length=3, max_length=100, strip_whitespace=True)]


class Exemption(Table):
    """Commits that need not be on upstream, such as those that only make sense on the release branch."""

    paths: tuple[Name, ...] = Field(
        default=(),
        description="globs (`*` within a folder, `**` across): every path that the commit changes must fit one",
    )
    markers: tuple[Marker, ...] = Field(
        default=(),
        description="texts such as `[stable-only]`: the commit's title must contain one, letter for letter",
    )
    approval: tuple[RoleName, ...] = Field(
        min_length=1, description="roles that must all have approved the head; without them it does not pass"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.paths or self.markers):
            raise ValueError(
                "it exempts nothing; expected paths or markers, or both, which must both hold then"
            )
        return self


class Lineage(Table):
    """How strict "master first" is."""

    adaptations: tuple[RoleName, ...] = Field(
        default=(), description="roles whose approval lets a pick pass that a person had to resolve by hand"
    )
    alterations: tuple[RoleName, ...] = Field(
        default=(),
        description="roles whose approval lets a pick pass that was changed although it picks cleanly; nobody's does,"
        " unless named here",
    )
    trailers: tuple[TrailerKey, ...] = Field(
        default=("Change-Id",),
        description="trailers whose value is the same on a change and its picks; they link, and prove nothing",
    )
    exemptions: tuple[Exemption, ...] = Field(
        default=(), description="tables of commits that need not be on upstream, and whose approval they need"
    )


class Branch(Table):
    """One protected release branch."""

    upstream: BranchName = Field(description="the branch that every fix lands on first, such as `master`")
    promote: Path | None = Field(
        default=None, description="the script that moves the branch; without one the guard does"
    )
    require: tuple[Rule, ...] = Field(
        default=RULES, min_length=1, description="the rules that a promotion must satisfy"
    )
    promoters: tuple[RoleName, ...] = Field(
        default=(),
        description="roles whose holders get permits from the service; unless named, those of `approvals.roles`",
    )
    permit_ttl: PermitTtl = Field(
        default=timedelta(minutes=15),
        description="how long a permit is valid, at most `1h`",
        json_schema_extra={"default": "15m"},
    )
    read_first: tuple[Path, ...] = Field(
        default=(), description="documents to read before any promotion work; every refusal names them"
    )
    lineage: Lineage = Field(default=Lineage(), description='how strict "master first" is')
    environments: tuple[Name, Name] = Field(
        default=("staging", "production"),
        description="the step that a promotion of this branch is: out of the first environment, into the second",
    )
    forks: bool = Field(
        default=False, strict=True, description="true admits proposals whose branch is in a fork"
    )
