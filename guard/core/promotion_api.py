"""What the service's promotion API takes and answers; the service writes and the client reads it by the same models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

COMMIT_PATTERN = r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$"
Commit = Annotated[str, StringConstraints(pattern=COMMIT_PATTERN)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(max_length=4000)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignedRequest(Document):
    """What `POST /api/v1/promotions` and `/api/v1/promotions/plan` take, in base64."""

    statement: str = Field(
        min_length=1, description="the canonical JSON of a promotion-request or promotion-plan"
    )
    sig: str = Field(min_length=1, description="its armored SSH signature")


class Presented(Document):
    """What `POST /api/v1/promotions/{id}/push` and `/end` take."""

    permit: str = Field(min_length=1, max_length=4096, description="the promotion's permit")


class CommitRow(Document):
    commit: Commit
    subject: Text


class Script(Document):
    """The promote script as it stands on upstream."""

    path: Text
    commit: Commit
    digest: Digest


class Plan(Document):
    """What a promotion would do, judged a moment ago: `POST /api/v1/promotions/plan`."""

    repository: Text
    ref: Text
    old: Commit
    new: Commit
    upstream: Commit
    policy: Digest | Literal[""] = Field(description="the digest of the policy that it was judged by")
    allowed: bool
    exit_status: int = Field(ge=0, le=255, description="0 GO, 1 NO-GO, 2 could not decide")
    board: str = Field(max_length=1_000_000, description="the Go/No-Go board as text")
    decision: dict[str, Any] = Field(description="the decision, as decision.schema.json describes it")
    commits: tuple[CommitRow, ...] = Field(description="the newest of what would move, oldest first")
    total: int = Field(ge=0, description="how many commits would move")
    environments: tuple[Text, Text] = Field(description="the step that this promotion is")
    read_first: tuple[Text, ...]
    promote: Text | None = Field(description="the path of the promote script")
    moved_by: Literal["script", "service"] = Field(
        description="`script`: its push is verified by the server. `service`: the service moves the branch itself"
    )


class Promotion(Document):
    """How a promotion stands: `POST /api/v1/promotions`, `GET /api/v1/promotions/{id}`."""

    promotion: Id
    repository: Text
    ref: Text
    old: Commit
    new: Commit
    state: Literal["permitted", "pushing", "finished", "failed"]
    by: Text
    requested_at: Text
    expires: Text = Field(description="when the permit ends, RFC 3339")
    note: Text = Field(description="what is worth telling of how it ended, or why its permit was taken back")
    moved_by: Literal["script", "service"]
    script: Script | None = None
    permit: str | None = Field(
        default=None, max_length=4096, repr=False, description="given to who asked, while it is good"
    )


class Refusal(BaseModel):
    """Why nothing was given or done; with a decision and its board where it is a NO-GO."""

    model_config = ConfigDict(frozen=True)

    code: Text
    message: str = Field(max_length=20_000)
    fix: str = Field(default="", max_length=20_000)
    exit_status: int | None = None
    board: str | None = None
    decision: dict[str, Any] | None = None


def promotion_api_schema() -> dict[str, object]:
    """The JSON Schema of every document, by name."""
    models = (SignedRequest, Presented, Plan, Promotion, Refusal)
    found: dict[str, Any] = {}
    for model in models:
        schema = TypeAdapter(model).json_schema(ref_template="#/$defs/{model}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The promotion API of the guard's service",
        "anyOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in models],
        "$defs": found,
    }
