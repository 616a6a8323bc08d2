"""Lineage as JSON: the stable form that `guard lineage --format json` prints, and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from guard.core.facts import LineageFacts
from guard.core.rules.lineage import CommitVerdict, NoPolicy, Standing, count, judge_commits

if TYPE_CHECKING:
    from guard.core.policy import Lineage

OBJECT_NAME = r"^[0-9a-f]{40}([0-9a-f]{24})?$"


class CommitRow(BaseModel):
    """One commit of `target..head`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    commit: str = Field(pattern=OBJECT_NAME)
    subject: str
    verdict: Standing = Field(description="the first that matches; see docs/lineage.md")
    via: (
        Literal["ancestor", "merge", "trailer", "change-id", "patch-id", "squash", "revert", "exemption"]
        | None
    )
    upstream_commit: str | None = Field(pattern=OBJECT_NAME)
    why: str
    fix: str | None = Field(description="the commands that mend it; null where nothing is to be mended")


class LineageReport(BaseModel):
    """Whether every commit of `target..head` is on upstream first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    upstream: str = Field(description="the name of the branch that every fix lands on first")
    target: str = Field(pattern=OBJECT_NAME)
    head: str = Field(pattern=OBJECT_NAME)
    allowed: bool = Field(description="every commit may pass")
    counts: dict[Standing, int] = Field(
        description="every verdict is there; commits that need no row are on-upstream"
    )
    commits: tuple[CommitRow, ...] = Field(description="oldest first; empty when head itself is on upstream")


def lineage_report(
    facts: LineageFacts, policy: Lineage | NoPolicy, *, approved: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The report as plain JSON values. `approved` are the roles whose approval the head has."""
    judged = judge_commits(facts, policy, approved=approved)
    report = LineageReport(
        upstream=facts.upstream_name,
        target=facts.target,
        head=facts.head,
        allowed=all(one.outcome.allows for one in judged),
        counts={Standing(name): number for name, number in count(facts, judged).items()},
        commits=tuple(map(commit_row, judged)),
    )
    return report.model_dump(mode="json")


def lineage_schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **LineageReport.model_json_schema()}


def commit_row(one: CommitVerdict) -> CommitRow:
    """One verdict as a row of the report."""
    return CommitRow.model_validate(
        {
            "commit": one.commit, "subject": one.subject, "verdict": one.standing, "via": one.via,
            "upstream_commit": one.upstream_commit, "why": one.why, "fix": one.fix,
        }
    )  # fmt: skip
