"""The kinds of evidence that files give, as they stand on upstream."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from guard.core.policy_words import Age, Name, Path, Spec


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
