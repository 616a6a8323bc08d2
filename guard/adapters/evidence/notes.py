"""Evidence kind `notes`: release notes or compatibility notes on upstream that leave nothing out.

They are held against the commits that the promotion brings, the work queue, and a report on the API contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath

from guard.adapters.evidence.contract_reports import report_of
from guard.adapters.evidence.rows import Row, rows_of
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, receive
from guard.adapters.evidence.untrusted import MAX_DOCUMENT, Unreadable, bounded, decode, digest_of, shown
from guard.adapters.evidence.work_items import finished_at, title_of
from guard.core.evidence import Absent, Observation, Reading
from guard.core.model import Commit, Finding, Known, Outcome, Unknown
from guard.core.notes import (
    Contracted,
    Left,
    Notes,
    QueueItem,
    Text,
    collect,
    left_of_compatibility,
    left_of_release,
)
from guard.core.report_kinds import Submitted
from guard.core.rules.readiness import SKEW
from guard.core.upstream_kinds import NotesKept
from guard.ports import Git

SUFFIXES = frozenset({".md", ".markdown", ".rst", ".adoc", ".txt"})
NAMED = 10
MAX_FILES = 1000

WORDS = {
    "change": ("notes.change", "do not tell of"),
    "item": ("notes.item", "do not tell of the finished work"),
    "breaking": ("notes.breaking", "do not tell of the breaking change"),
    "contract": ("notes.contract", "do not tell what breaks the contract:"),
    "todo": ("notes.todo", "are not written yet:"),
}
"""What is left out, by its case: the finding's code, and how it is told."""


def read_notes(gate_id: str, spec: NotesKept, sources: EvidenceSources) -> Reading:
    """Passes when the notes on upstream tell of everything that they have to."""
    del gate_id
    candidate, git = sources.candidate, sources.git
    contracted = _contracted(spec, sources)
    if isinstance(contracted, (Absent, Unknown)):
        return contracted
    items = _queue(spec, sources)
    if isinstance(items, Absent):
        return items
    log = git.log(candidate.old, candidate.new)
    if log.since_at > sources.now + SKEW:
        raise Unreadable(f"the commit {candidate.old[:10]} says that it was made in the future")
    own = (spec.path, *([spec.queue] if spec.queue else []))
    notes = collect(
        log.commits, since=candidate.old, head=candidate.new, items=items, contracted=contracted,
        after=log.since_at, own=own, ignore=spec.ignore,
    )  # fmt: skip
    texts = texts_of(git, sources.upstream, spec.path)
    if not texts and _asks(spec, notes):
        why = f"{spec.path} is not on upstream ({sources.upstream[:10]})"
        return Absent(why, fix=_fix(spec, notes), who=("author",))
    old = "\n".join(texts_of(git, candidate.old, spec.path).values())
    left = left_out(spec.part, notes, tuple(texts.values()), old=old)
    observation = Observation(
        summary=_summary(spec, notes),
        problems=tuple(_problems(spec, notes, left)),
        digest=digest_of("\0".join(f"{path}\0{text}" for path, text in texts.items()).encode()),
    )
    return Known(observation, f"{spec.path} at {sources.upstream}", sources.now)


def left_out(part: str, notes: Notes, texts: tuple[str, ...], *, old: str) -> tuple[Left, ...]:
    """What the texts leave out, as notes on this part."""
    if part == "compatibility":
        return left_of_compatibility(notes, texts, old=old)
    return left_of_release(notes, Text.read("\n".join(texts), old=old))


def texts_of(git: Git, commit: Commit, path: str) -> Mapping[str, str]:
    """The notes as they stand there: one file, or every document of a folder. Raises Unreadable."""
    data = git.read(commit, path)
    if data is not None:
        return {path: decode(bounded(data, path, limit=MAX_DOCUMENT), path)}
    blobs = git.blobs(commit, path.rstrip("/"))
    files = {name: blob for name, blob in blobs.items() if PurePosixPath(name).suffix.lower() in SUFFIXES}
    if len(files) > MAX_FILES:
        raise Unreadable(f"{shown(path)} has {len(files)} documents; at most {MAX_FILES} are read")
    contents = git.contents(list(files.values()), limit=MAX_DOCUMENT)
    return {name: decode(content, name) for name, content in zip(files, contents, strict=True)}


def queue_of(data: bytes, path: str, *, now: datetime) -> tuple[QueueItem, ...]:
    """The finished pieces of work of a queue, a Markdown table, YAML or JSON. Raises Unreadable."""
    return tuple(item for row in rows_of(data, path) if (item := _item(row, path, now)) is not None)


def _item(row: Row, path: str, now: datetime) -> QueueItem | None:
    moment = finished_at(row, path, now)
    return None if moment is None else QueueItem(row.id, title_of(row), moment)


def contracted_of(data: bytes, what: str) -> tuple[Contracted, ...]:
    """The breaking changes of a contract report, those included of which its tool cannot tell. Raises Unreadable."""
    return tuple(Contracted(one.rule, one.where, one.message) for one in report_of(data, what).changes)


def _queue(spec: NotesKept, sources: EvidenceSources) -> tuple[QueueItem, ...] | Absent:
    if spec.queue is None:
        return ()
    data = sources.git.read(sources.upstream, spec.queue)
    if data is None:
        why = f"the work queue {spec.queue} is not on upstream ({sources.upstream[:10]})"
        return Absent(why, fix=f"write {spec.queue} and land it on upstream", who=("author",))
    return queue_of(data, spec.queue, now=sources.now)


def _contracted(spec: NotesKept, sources: EvidenceSources) -> tuple[Contracted, ...] | Absent | Unknown:
    if spec.contract is None:
        return ()
    received = receive(Submitted(source=spec.contract), sources)
    if not isinstance(received, Received):
        return received
    return contracted_of(received.needed_report("contract report"), f"the report of {spec.contract}")


def _asks(spec: NotesKept, notes: Notes) -> bool:
    if spec.part == "compatibility":
        return bool(notes.breaking or notes.contracted)
    return bool(notes.changes or notes.items)


def _summary(spec: NotesKept, notes: Notes) -> str:
    if spec.part == "compatibility":
        number = len(notes.breaking) + len(notes.contracted)
        return f"{number} breaking, all told" if number else "nothing breaks"
    if not _asks(spec, notes):
        return "nothing to tell"
    finished = f", {len(notes.items)} pieces of work" if spec.queue else ""
    return f"{len(notes.changes)} changes{finished}, all told"


def _problems(spec: NotesKept, notes: Notes, left: tuple[Left, ...]) -> Iterator[Finding]:
    fix = _fix(spec, notes)
    for case, (code, words) in WORDS.items():
        found = [one for one in left if one.case == case]
        for one in found[:NAMED]:
            message = f"the {spec.part} notes {words} {shown(one.what, limit=200)}"
            yield Finding(code, message, spec.path, fix, ("author",), Outcome.FAIL)
        if len(found) > NAMED:
            message = f"the {spec.part} notes {words} {len(found) - NAMED} more"
            yield Finding(code, message, spec.path, fix, ("author",), Outcome.FAIL)


def _fix(spec: NotesKept, notes: Notes) -> str:
    return (
        f"guard notes --since {notes.since[:10]} --head {notes.head[:10]} drafts them; complete {spec.path} and land it"
        " on upstream"
    )
