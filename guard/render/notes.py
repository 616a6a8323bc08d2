"""Release notes as a draft in markdown, and as JSON with its schema; what notes leave out, likewise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from guard.core.notes import TODO, Change, Contracted, Left, Notes, Section, sections
from guard.render.lineage_schema import OBJECT_NAME
from guard.render.safe import code, markdown, plain

HEADINGS = {
    Section.SECURITY: "Security", Section.FEATURE: "New", Section.FIX: "Fixed", Section.OTHER: "Other changes",
}  # fmt: skip
UNWRITTEN = f"{TODO}: say whom this breaks, and what they have to do"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChangeRow(_Model):
    """One commit that the notes have to tell."""

    commit: str = Field(pattern=OBJECT_NAME)
    subject: str
    section: Section
    scope: str
    picked_from: tuple[str, ...] = Field(description="what its -x lines name")
    breaking: tuple[str, ...] | None = Field(
        description="what it says of what breaks; null where nothing does, empty where it does not say"
    )


class ItemRow(_Model):
    """One finished piece of work."""

    id: str
    title: str
    completed_at: datetime


class ContractRow(_Model):
    """One breaking change that a contract report found."""

    rule: str
    where: str
    message: str


class LeftRow(_Model):
    """Something that the notes leave out."""

    case: Literal["change", "item", "breaking", "contract", "todo"]
    what: str


class NotesReport(_Model):
    """What release and compatibility notes of `since..head` have to tell, oldest first."""

    since: str = Field(pattern=OBJECT_NAME)
    head: str = Field(pattern=OBJECT_NAME)
    changes: tuple[ChangeRow, ...]
    items: tuple[ItemRow, ...]
    contract: tuple[ContractRow, ...]
    left: tuple[LeftRow, ...] | None = Field(
        description="what the checked notes leave out; null where none were checked"
    )


def notes_report(notes: Notes, left: Sequence[Left] | None = None) -> dict[str, Any]:
    """The report as plain JSON values."""
    report = {
        "since": notes.since,
        "head": notes.head,
        "changes": [_row(one) for one in notes.changes],
        "items": [
            {"id": one.id, "title": one.title, "completed_at": one.completed_at} for one in notes.items
        ],
        "contract": [
            {"rule": one.rule, "where": one.where, "message": one.message} for one in notes.contracted
        ],
        "left": None if left is None else [{"case": one.case, "what": one.what} for one in left],
    }
    return NotesReport.model_validate(report).model_dump(mode="json")


def notes_schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **NotesReport.model_json_schema()}


def notes_markdown(notes: Notes) -> str:
    """A draft. Where a person has to write, it says TODO, and it is no complete notes before that is gone."""
    lines = ["# Release notes", "", f"{code(notes.since[:10])} to {code(notes.head[:10])}", ""]
    lines += ["## Breaking changes and compatibility", ""]
    breaking = [*(_breaking(one) for one in notes.breaking), *map(_contracted, notes.contracted)]
    lines += [*(breaking or ["Nothing breaks."]), ""]
    for section, changes in sections(notes).items():
        lines += [f"## {HEADINGS[section]}", "", *map(_entry, changes), ""]
    if notes.items:
        lines += ["## Finished work", ""]
        lines += [
            f"- {code(one.id)} {markdown(one.title)} ({one.completed_at:%Y-%m-%d})".replace("  ", " ")
            for one in notes.items
        ]
        lines += [""]
    return "\n".join(lines)


def left_text(left: Sequence[Left], names: Sequence[str]) -> str:
    """What the notes leave out, a line each."""
    where = plain(", ".join(names))
    if not left:
        return f"{where}: complete\n"
    return "\n".join([f"{where}: {len(left)} missing", *_rows(left)]) + "\n"


def _rows(left: Sequence[Left]) -> Iterator[str]:
    return (f"  {one.case:<8} {plain(one.what, limit=300)}" for one in left)


def _row(one: Change) -> dict[str, Any]:
    return {
        "commit": one.commit, "subject": one.subject, "section": one.section, "scope": one.scope,
        "picked_from": one.names, "breaking": one.breaking,
    }  # fmt: skip


def _entry(one: Change) -> str:
    scope = f"{markdown(one.scope)}: " if one.scope else ""
    return f"- {scope}{markdown(one.words)} ({code(one.commit[:10])})"


def _breaking(one: Change) -> str:
    told = " ".join(markdown(words, limit=2000) for words in one.breaking or () if words != one.words)
    return f"{_entry(one)}: {told or UNWRITTEN}"


def _contracted(one: Contracted) -> str:
    where = f"{code(one.where)} " if one.where else ""
    said = markdown(": ".join(filter(None, (one.rule, one.message))))
    return f"- {where}{said}. {UNWRITTEN}"
