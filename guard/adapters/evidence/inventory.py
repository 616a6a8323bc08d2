"""Evidence kind `inventory`: a folder of documents on upstream, as many as there have to be and none of them a stub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from guard.adapters.evidence.document import REVIEW_FIELDS, review_date
from guard.adapters.evidence.headings import body_of, fields_of
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import MAX_DOCUMENT, Unreadable, decode, digest_of, shown
from guard.core.evidence import Absent, Observation, Reading
from guard.core.model import Finding, Known, Outcome
from guard.core.rules.readiness import SKEW
from guard.core.upstream_kinds import Inventory

SUFFIXES = frozenset({".md", ".markdown", ".rst", ".adoc", ".txt"})
"""What counts as a document."""

INDEXES = frozenset({"readme", "index", "_index", "template"})
"""Names, without suffix, of files that are about the folder and are not counted."""

STUB_WORDS = 10
"""A document with fewer words than this, not counting titles and marks of work to do, is a stub."""

UNWRITTEN = frozenset({"todo", "tbd", "tba", "wip", "fixme", "xxx", "..."})
MAX_DOCUMENTS = 2000
NAMED = 10
"""How many documents are named of each fault; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Item:
    """One document of the folder. `reviewed` is None where no age is asked or none is stated."""

    path: str
    digest: str
    is_stub: bool
    reviewed: datetime | None
    undated: str


def read_inventory(gate_id: str, spec: Inventory, sources: EvidenceSources) -> Reading:
    """Passes when the folder has enough documents, each required one is there, none is a stub, and (where the policy
    gives an age) each states when it was reviewed; the inventory is as old as its oldest document."""
    del gate_id
    folder = spec.path.rstrip("/")
    listed = sources.git.blobs(sources.upstream, folder)
    files = {path: name for path, name in listed.items() if _is_document(path)}
    if not files:
        why = f"{shown(folder)} has no documents on upstream ({sources.upstream[:10]})"
        return Absent(why, fix=f"write them and land them on upstream, under {folder}", who=("author",))
    if len(files) > MAX_DOCUMENTS:
        raise Unreadable(f"{shown(folder)} has {len(files)} documents; at most {MAX_DOCUMENTS} are read")
    texts = sources.git.contents(list(files.values()), limit=MAX_DOCUMENT)
    items = [_item(path, data, spec) for path, data in zip(files, texts, strict=True)]
    dated = [item for item in items if item.reviewed]
    oldest = min(dated, key=lambda item: (item.reviewed or sources.now, item.path), default=None)
    digests = "\n".join(f"{item.digest} {item.path}" for item in items)
    observation = Observation(
        summary=f"{len(items)} documents in {PurePosixPath(folder).name}",
        problems=(*_problems(spec, folder, items), *_future(items, sources.now)),
        dated=oldest.reviewed if oldest else None,
        digest=digest_of(digests.encode("utf-8", "surrogateescape")),
    )
    return Known(observation, f"{oldest.path if oldest else folder} at {sources.upstream}", sources.now)


def _is_document(path: str) -> bool:
    name = PurePosixPath(path)
    return name.suffix.lower() in SUFFIXES and name.stem.lower() not in INDEXES


def _item(path: str, data: bytes, spec: Inventory) -> Item:
    text = decode(data, shown(path))
    fields = fields_of(text)
    reviewed, undated = review_date(REVIEW_FIELDS, fields) if spec.max_age else (None, "")
    return Item(path, digest_of(data), is_stub(text), reviewed, undated)


def is_stub(text: str) -> bool:
    """Whether it says next to nothing besides titles, comments and marks of work to do."""
    words = (word.strip("-*_`#>|:.,;()[]") for word in body_of(text).split())
    return sum(bool(word) and word.casefold() not in UNWRITTEN for word in words) < STUB_WORDS


def _problems(spec: Inventory, folder: str, items: list[Item]) -> Iterator[Finding]:
    if len(items) < spec.minimum:
        message = f"{folder} has {len(items)} documents; at least {spec.minimum} are wanted"
        yield _finding(
            "inventory.too-few", message, folder, "write the ones that are missing", Outcome.MISSING
        )
    names = {name for item in items for name in _names(item.path)}
    lacking = [name for name in spec.required if name not in names]
    yield from _each("inventory.required", "is not there", "write it", folder, lacking, Outcome.MISSING)
    stubs = [item.path for item in items if item.is_stub]
    yield from _each("inventory.stub", "is empty or a stub", "write it out", folder, stubs, Outcome.FAIL)
    for item in [item for item in items if item.undated][:NAMED]:
        fix = f"review it and write `{REVIEW_FIELDS[0]}: YYYY-MM-DD` in its heading"
        yield _finding(
            "inventory.undated", f"{shown(item.path)} {item.undated}", item.path, fix, Outcome.FAIL
        )


def _future(items: list[Item], now: datetime) -> Iterator[Finding]:
    """A review that nobody can have done yet; the oldest document's date would hide it."""
    for item in [item for item in items if item.reviewed and item.reviewed - now > SKEW][:NAMED]:
        message = f"{shown(item.path)} says that it was reviewed on {item.reviewed:%Y-%m-%d}, which is in the future"
        yield _finding("inventory.future", message, item.path, "correct its date", Outcome.ERROR)


def _names(path: str) -> tuple[str, str]:
    """A required document is named with or without its suffix."""
    name = PurePosixPath(path)
    return name.name, name.stem


def _each(
    code: str, what: str, fix: str, folder: str, names: list[str], outcome: Outcome
) -> Iterator[Finding]:
    for name in names[:NAMED]:
        yield _finding(
            code, f"{shown(name)} {what}", name if "/" in name else f"{folder}/{name}", fix, outcome
        )
    if len(names) > NAMED:
        yield _finding(code, f"{len(names) - NAMED} more documents: each {what}", folder, fix, outcome)


def _finding(code: str, message: str, where: str, fix: str, outcome: Outcome) -> Finding:
    return Finding(code, message, shown(where), f"{fix}, and land it on upstream", ("author",), outcome)
