"""Evidence kind `adrs`: a folder of architecture decision records, every active one accepted and signed off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from guard.adapters.evidence.adr_status import Said, Target, read_status
from guard.adapters.evidence.document import parse_date
from guard.adapters.evidence.inventory import is_stub
from guard.adapters.evidence.proof import Proof, prove
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import MAX_DOCUMENT, Unreadable, decode, digest_of, shown
from guard.core.evidence import Absent, Observation, Reading
from guard.core.model import Finding, Known, Outcome, Unknown
from guard.core.rules.readiness import SKEW
from guard.core.upstream_kinds import Adrs

MARKDOWN = frozenset({".md", ".markdown"})
UNREAD = frozenset({".rst", ".adoc", ".asciidoc", ".txt", ".mdx", ".org"})
"""Texts that a record could be written in and that are not read: one of these by a record's name does not pass."""

NUMBERED = re.compile(r"(?:adr[-_ ]?)?0*([0-9]{1,9})(?=[-_. ]|\Z)", re.IGNORECASE)
OWN_NUMBER = re.compile(r"(?:adr[-_ ]?)?0*([0-9]{1,9})(?:[-_ ](?![0-9])|\Z)", re.IGNORECASE)
"""A number that is the record's alone: neither the year of a date nor the first part of `1.2`."""

NO_RECORDS = frozenset({"readme", "index", "_index", "template", "changelog", "summary"})
TEMPLATE = re.compile(
    r"(?:0+[-_])?(?:adr[-_])?template(?:[-_](?:minimal|bare|bare[-_]minimal|full|short|long|madr))?"
)
MAX_RECORDS = 2000
NAMED = 10
"""How many records are named of each fault; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `name` is its object on upstream; `said` is what it states of itself."""

    path: str
    name: str
    said: Said
    is_stub: bool

    @property
    def file(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def number(self) -> int | None:
        return number_of(self.path)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one record."""

    code: str
    what: str
    path: str
    fix: str
    who: tuple[str, ...] = ("author",)
    outcome: Outcome = Outcome.FAIL


def read_adrs(gate_id: str, spec: Adrs, sources: EvidenceSources) -> Reading:
    """Passes when the folder has at least one active record, and every active one has an accepted status and (where
    the policy names a role) a holder of the role behind it, by a sign-off or a signed commit."""
    listed = sources.git.blobs(sources.upstream, spec.path)
    files = {path: name for path, name in listed.items() if is_record(path)}
    if not files:
        why = f"{shown(spec.path)} has no records on upstream ({sources.upstream[:10]})"
        return Absent(why, fix=f"write them and land them on upstream, under {spec.path}", who=("author",))
    if len(files) > MAX_RECORDS:
        raise Unreadable(f"{shown(spec.path)} has {len(files)} records; at most {MAX_RECORDS} are read")
    records = _records(files, sources)
    faults = [*_unread(listed), *_twice(records), *_faults(spec, records, sources)]
    active = [record for record in records if _is_active(spec, record)]
    proofs = _proofs(gate_id, spec, active, sources)
    if isinstance(proofs, Unknown):
        return proofs
    faults += [_unsigned(gate_id, spec, record, sources) for record in active if record.path not in proofs]
    if not active:
        message = f"none of the {len(records)} records is {' or '.join(spec.accepted)}"
        faults.append(Fault("adrs.none", message, spec.path, "bring the records that are in force to it"))
    names = "\n".join(f"{name} {path}" for path, name in files.items())
    statements = "\n".join(sorted({proof.digest for proof in proofs.values()}))
    observation = Observation(
        summary=_summary(records, active, spec),
        problems=tuple(_findings(faults)),
        digest=digest_of(f"{names}\n{statements}".encode("utf-8", "surrogateescape")),
    )
    return Known(observation, f"{spec.path} at {sources.upstream}", sources.now)


def is_record(path: str) -> bool:
    """A Markdown file, unless it is by its name about the folder or a template; what is numbered above 0 is a record
    whatever it is called."""
    file = PurePosixPath(path)
    if file.suffix.lower() not in MARKDOWN:
        return False
    number = number_of(path)
    if number:
        return True
    stem = file.stem.lower()
    in_templates = any(part.lower() in {"template", "templates"} for part in file.parts[:-1])
    return not (stem in NO_RECORDS or TEMPLATE.fullmatch(stem) or in_templates)


def number_of(path: str) -> int | None:
    """The number that a record's file name begins with: `0012-queue.md` and `ADR-12.md` are 12."""
    match = NUMBERED.match(PurePosixPath(path).stem)
    return int(match[1]) if match else None


def _records(files: Mapping[str, str], sources: EvidenceSources) -> list[Record]:
    texts = sources.git.contents(list(files.values()), limit=MAX_DOCUMENT)
    records = []
    for (path, name), data in zip(files.items(), texts, strict=True):
        text = decode(data, shown(path))
        records.append(Record(path, name, read_status(text), is_stub(text)))
    return records


def _is_active(spec: Adrs, record: Record) -> bool:
    return record.said.status in {status.casefold() for status in spec.accepted}


def _twice(records: list[Record]) -> Iterator[Fault]:
    """Records of one folder with one number: which of them would another one mean by it? A translation
    (`0001-queue.de.md`) is the same record."""
    held: dict[tuple[str, int], str] = {}
    for record in records:
        file = PurePosixPath(record.path)
        match, name = OWN_NUMBER.match(file.stem), file.name.partition(".")[0]
        if match is None:
            continue
        first = held.setdefault((str(file.parent), int(match[1])), name)
        if first != name:
            what = f"has the number {int(match[1])}, as {shown(first, limit=80)} has"
            yield Fault("adrs.duplicate", what, record.path, "give it a number of its own")


def _unread(listed: Mapping[str, str]) -> Iterator[Fault]:
    for path in listed:
        if PurePosixPath(path).suffix.lower() in UNREAD and number_of(path):
            yield Fault("adrs.unread", "is not Markdown, and cannot be read", path, "write it as Markdown")


def _faults(spec: Adrs, records: list[Record], sources: EvidenceSources) -> Iterator[Fault]:
    retired = {status.casefold() for status in spec.retired}
    wanted = " or ".join(spec.accepted)
    places = _Places(records)
    for record in records:
        status = record.said.status
        if record.said.problem:
            code = "adrs.no-status" if "no status" in record.said.problem else "adrs.ambiguous"
            yield Fault(code, record.said.problem, record.path, f"give it one status, such as {wanted}")
        elif status == "superseded":
            wrong = _superseded(record, places, spec)
            if wrong:
                fix = "name the accepted record that took its place"
                yield Fault("adrs.superseded", f"says that it is superseded, {wrong}", record.path, fix)
        elif not _is_active(spec, record) and status not in retired:
            said = shown(status, limit=60)
            yield Fault(
                "adrs.status", f"is {said}, not {wanted}", record.path, f"decide it: {wanted}, or rejected"
            )
        if record.is_stub:
            yield Fault("adrs.stub", "says next to nothing", record.path, "write it out")
        yield from _dates(record, sources)


def _dates(record: Record, sources: EvidenceSources) -> Iterator[Fault]:
    for text in record.said.dates:
        date = parse_date(text)
        if date is not None and date - sources.now > SKEW:
            what = f"is dated {shown(text, limit=40)}, which is in the future"
            yield Fault("adrs.future", what, record.path, "correct its date", outcome=Outcome.ERROR)


class _Places:
    """The records by file name and by number, for whoever says what took its place."""

    def __init__(self, records: list[Record]) -> None:
        self._by: dict[str | int | None, list[Record]] = {}
        for record in records:
            self._by.setdefault(record.file, []).append(record)
            if record.number is not None:
                self._by.setdefault(record.number, []).append(record)

    def of(self, target: Target) -> list[Record]:
        return self._by.get(target.file or target.number, [])


def _superseded(record: Record, places: _Places, spec: Adrs) -> str:
    """What is wrong with a record that is said to be superseded; "" when an accepted one took its place, at once or
    by a chain of others."""
    seen, pending, accepted = {record.path}, [record], False
    while pending:
        current = pending.pop()
        if not current.said.targets:
            return "by nothing" if current is record else f"by way of {current.file}, which names nothing"
        for target in current.said.targets:
            found = places.of(target)
            if len(found) != 1:
                named = shown(target.file, limit=80) or target.number
                return f"by {named}, which is {'more than one record' if found else 'no record here'}"
            if found[0].path in seen:
                continue
            if found[0].said.status == "superseded":
                seen.add(found[0].path)
                pending.append(found[0])
            elif not _is_active(spec, found[0]):
                return f"by {found[0].file}, which is not {' or '.join(spec.accepted)}"
            else:
                accepted = True
    return "" if accepted else "in a circle"


def _proofs(
    gate_id: str, spec: Adrs, active: list[Record], sources: EvidenceSources
) -> Mapping[str, Proof] | Unknown:
    if spec.role is None:
        return {record.path: Proof("", "") for record in active}
    gates = {record.path: (gate_id, signoff_id(gate_id, record.path)) for record in active}
    proved = prove({record.path: record.name for record in active}, gates, spec.role, sources)
    return proved if isinstance(proved, Unknown) else proved.proofs


def signoff_id(gate_id: str, path: str) -> str:
    """Under which id one record is signed off: `architecture.adrs.0012-queue-in-a-broker`."""
    slug = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(path).stem.casefold()).strip("-") or "record"
    return f"{gate_id}.{slug}"[:100].rstrip("-.")


def _unsigned(gate_id: str, spec: Adrs, record: Record, sources: EvidenceSources) -> Fault:
    fix = f"guard signoff {gate_id} --commit {sources.upstream} (for one: {signoff_id(gate_id, record.path)})"
    what = f"is not signed off by a {spec.role} owner as it stands"
    return Fault("adrs.unsigned", what, record.path, fix, (spec.role or "author",), Outcome.MISSING)


def _summary(records: list[Record], active: list[Record], spec: Adrs) -> str:
    signed = ", signed off" if spec.role else ""
    rest = len(records) - len(active)
    return f"{len(active)} ADRs accepted{signed}" + (f", {rest} no longer in force" if rest else "")


def _findings(faults: list[Fault]) -> Iterator[Finding]:
    """Each fault named, of each sort at most ten."""
    codes = dict.fromkeys(fault.code for fault in faults)
    for code in codes:
        same = [fault for fault in faults if fault.code == code]
        for fault in same[:NAMED]:
            path = shown(fault.path)
            fix = fault.fix if fault.code == "adrs.unsigned" else f"{fault.fix}, and land it on upstream"
            yield Finding(code, f"{path} {fault.what}", path, fix, fault.who, fault.outcome)
        if len(same) > NAMED:
            first = same[0]
            message = f"{len(same) - NAMED} more records: each {first.what}"
            yield Finding(code, message, "", first.fix, first.who, first.outcome)
