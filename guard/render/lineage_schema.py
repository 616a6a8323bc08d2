"""The schema of lineage as JSON: what `guard.render.lineage_json` makes, as pydantic models.

They stand apart because importing pydantic takes longer than judging a short range.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from guard.core.rules.lineage import Standing

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


def lineage_schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **LineageReport.model_json_schema()}
