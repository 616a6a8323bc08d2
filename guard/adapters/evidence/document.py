"""Evidence kind `document`: a file as it stands on upstream, with a wanted status and a review date."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from guard.adapters.evidence.headings import body_of, fields_of, name_of
from guard.adapters.evidence.proof import Proof, prove
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import MAX_DOCUMENT, bounded, decode, digest_of, shown
from guard.core.evidence import Absent, Observation, Reading
from guard.core.model import Finding, Known, Outcome, Unknown
from guard.core.upstream_kinds import Document

REVIEW_FIELDS = ("reviewed", "reviewed on", "last reviewed", "review date")
"""Where a review date is looked for when the policy gives an age but names no field."""

NO_DATE = "states no date of review"

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})?)?")

Fields = dict[str, tuple[str, ...]]


def read_document(gate_id: str, spec: Document, sources: EvidenceSources) -> Reading:
    """Passes when the file is on upstream, says something, and its own fields say what the policy wants.

    The words prove that they were landed on upstream, never who reviewed them: with a `role`, one of its holders
    must have signed this very text, by a sign-off or by the signature of the commit that last touched it.
    """
    at = f"upstream ({sources.upstream[:10]})"
    data = sources.git.read(sources.upstream, spec.path)
    if data is None:
        return Absent(
            f"{spec.path} is not on {at}", fix=f"write {spec.path} and land it on upstream", who=("author",)
        )
    text = decode(bounded(data, spec.path, limit=MAX_DOCUMENT), spec.path)
    fields = fields_of(text)
    status, bad_status = _status(spec, fields)
    reviewed, bad_review = _review_date(spec, fields)
    proof = _proof(gate_id, spec, sources)
    if isinstance(proof, Unknown):
        return proof
    said = [status] if status else []
    said += [f"reviewed {reviewed:%Y-%m-%d}"] if reviewed else []
    said += [f"{proof.how} by {shown(proof.by, limit=80)}"] if isinstance(proof, Proof) else []
    observation = Observation(
        summary=", ".join(said) or f"{spec.path} is there",
        problems=(*_empty(spec, text), *bad_status, *bad_review, *_unsigned(proof)),
        dated=reviewed,
        digest=digest_of(data),
    )
    return Known(observation, f"{spec.path} at {sources.upstream}", sources.now)


def _proof(gate_id: str, spec: Document, sources: EvidenceSources) -> Proof | Finding | Unknown | None:
    """Who stands behind the text, or that nobody does; None where the policy does not ask."""
    if spec.role is None:
        return None
    name = sources.git.blob(sources.upstream, spec.path) or ""
    proved = prove({spec.path: name}, {spec.path: (gate_id,)}, spec.role, sources)
    if isinstance(proved, Unknown):
        return proved
    if spec.path in proved.proofs:
        return proved.proofs[spec.path]
    note = f" ({proved.note})" if proved.note else ""
    message = f"no {spec.role} owner has signed {spec.path} as it stands{note}"
    fix = f"guard signoff {gate_id} --commit {sources.upstream}"
    return Finding("document.unsigned", message, spec.path, fix, (spec.role,), Outcome.MISSING)


def _unsigned(proof: Proof | Finding | None) -> tuple[Finding, ...]:
    return (proof,) if isinstance(proof, Finding) else ()


def _empty(spec: Document, text: str) -> tuple[Finding, ...]:
    if body_of(text):
        return ()
    return (_problem(spec, "document.empty", "has no text", f"write {spec.path}"),)


def _status(spec: Document, fields: Fields) -> tuple[str, tuple[Finding, ...]]:
    """The stated status when it is one of those that the policy allows, else what is wrong with it."""
    if not spec.status:
        return "", ()
    wanted = " or ".join(spec.status)
    fix = f"bring {spec.path} to {spec.status_field}: {wanted}, and land it on upstream"
    values = fields.get(name_of(spec.status_field), ())
    if not values:
        return "", (
            _problem(spec, "document.no-status", f"states no {spec.status_field}; wanted is {wanted}", fix),
        )
    if len(values) > 1:
        said = " and ".join(shown(value, limit=40) for value in values[:3])
        return "", (
            _problem(spec, "document.ambiguous", f"contradicts itself: {spec.status_field} {said}", fix),
        )
    if values[0].casefold() not in {status.casefold() for status in spec.status}:
        said = shown(values[0], limit=80) or "nothing"
        return "", (
            _problem(spec, "document.status", f"says {spec.status_field} {said}; wanted is {wanted}", fix),
        )
    return values[0], ()


def _review_date(spec: Document, fields: Fields) -> tuple[datetime | None, tuple[Finding, ...]]:
    """The stated day of review, where the policy asks for one, or what is wrong with it."""
    if spec.reviewed_field is None and spec.max_age is None:
        return None, ()
    names = (spec.reviewed_field,) if spec.reviewed_field else REVIEW_FIELDS
    date, wrong = review_date(names, fields)
    if not wrong:
        return date, ()
    code = "document.no-date" if wrong.startswith(NO_DATE) else "document.date"
    fix = f"review {spec.path}, write `{names[0]}: YYYY-MM-DD` in its heading, and land it on upstream"
    return None, (_problem(spec, code, wrong, fix),)


def review_date(names: tuple[str, ...], fields: Fields) -> tuple[datetime | None, str]:
    """The start, in UTC, of the day that the fields of these names state; or what is wrong with what they say."""
    values = list(dict.fromkeys(value for name in names for value in fields.get(name_of(name), ())))
    if not values:
        return None, f"{NO_DATE} ({' or '.join(names)})"
    if len(values) > 1:
        return (
            None,
            f"contradicts itself: {names[0]} {' and '.join(shown(value, limit=40) for value in values[:3])}",
        )
    date = parse_date(values[0])
    said = shown(values[0], limit=40) or "nothing"
    return date, "" if date else f"says {names[0]} {said}, which is not YYYY-MM-DD"


def parse_date(text: str) -> datetime | None:
    """An ISO date (the start of that day) or date and time, in UTC unless it says otherwise; None for all else."""
    if not DATE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _problem(spec: Document, code: str, what: str, fix: str) -> Finding:
    outcome = Outcome.MISSING if code in {"document.no-status", "document.no-date"} else Outcome.FAIL
    return Finding(code, f"{spec.path} {what}", where=spec.path, fix=fix, who=("author",), outcome=outcome)
