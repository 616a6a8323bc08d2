"""Backport debt as people and programs read it: text, markdown, and JSON with its schema."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from guard.core.drift import Drift
from guard.core.rules.lineage import count
from guard.render.lineage_json import commit_row
from guard.render.lineage_schema import OBJECT_NAME, CommitRow
from guard.render.safe import code, markdown, plain


class DriftReport(BaseModel):
    """What stands on a release branch and is not on its upstream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    branch: str = Field(description="the release branch")
    upstream: str = Field(description="the name of the branch that every fix lands on first")
    head: str = Field(pattern=OBJECT_NAME, description="where the release branch stands")
    since: str = Field(pattern=OBJECT_NAME, description="the commit from which on was looked")
    since_what: str = Field(
        description="what that is: the last promotion, the merge base, or what was asked for"
    )
    looked_at: int = Field(ge=0, description="how many commits stand on the branch since then")
    commits: tuple[CommitRow, ...] = Field(description="those that are not on upstream, oldest first")


def drift_report(found: Drift) -> dict[str, Any]:
    """The report as plain JSON values."""
    report = DriftReport(
        branch=found.branch,
        upstream=found.facts.upstream_name,
        head=found.facts.head,
        since=found.facts.target,
        since_what=found.since,
        looked_at=sum(count(found.facts, found.judged).values()),
        commits=tuple(CommitRow.model_validate(commit_row(one)) for one in found.debt),
    )
    return report.model_dump(mode="json")


def drift_schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **DriftReport.model_json_schema()}


def drift_text(found: Drift) -> str:
    """A line for each commit of the debt with its reason, and how many there are."""
    lines = [
        f"{plain(found.branch)} {found.facts.head[:10]}, since {plain(found.since)} {found.facts.target[:10]}"
    ]
    for one in found.debt:
        lines += [f"{one.standing:<17} {one.commit[:10]} {plain(one.subject, limit=100)}"]
        lines += [f"    {plain(one.why, limit=1000)}"]
    return "\n".join([*lines, _total(found)]) + "\n"


def drift_markdown(found: Drift) -> str:
    """A table of the debt, and how much it is of what."""
    lines = [f"{code(found.branch)} since {markdown(found.since)} {code(found.facts.target[:10])}: "]
    lines[0] += markdown(_total(found))
    if found.debt:
        lines += ["", "| commit | verdict | why |", "|---|---|---|"]
    for one in found.debt:
        commit = f"{code(one.commit[:10])} {markdown(one.subject, limit=100)}"
        lines.append(f"| {commit} | {one.standing} | {markdown(one.why, limit=500)} |")
    return "\n".join(lines) + "\n"


def _total(found: Drift) -> str:
    looked_at = sum(count(found.facts, found.judged).values())
    if not found.debt:
        return f"nothing of {looked_at} commits is missing on {plain(found.facts.upstream_name)}"
    return f"{len(found.debt)} of {looked_at} commits are not on {plain(found.facts.upstream_name)} as they stand here"
