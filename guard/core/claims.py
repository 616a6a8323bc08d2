"""What people and tools can state: one frozen dataclass for each kind of claim, and the form of every field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from guard.core.model import Commit
from guard.core.policy_names import HOLD_PATTERN, BranchName, GateId

MAX_TEXT = 500
MAX_NOTE = 2000
MAX_SAID = 2000
MAX_WORDS = 1000
"""Words of a command; the whole statement is bounded besides."""


@dataclass(frozen=True, slots=True)
class ApprovalGiven:
    """Yes to promoting exactly this commit to the target branch."""

    target: str
    commit: Commit


@dataclass(frozen=True, slots=True)
class ApprovalWithdrawn:
    """That yes is taken back."""

    target: str
    commit: Commit


@dataclass(frozen=True, slots=True)
class SignedOff:
    """A gate is signed off, for one commit or (None) as of now."""

    gate: str
    commit: Commit | None
    note: str


@dataclass(frozen=True, slots=True)
class IncidentOpened:
    """An incident is there, with a severity label."""

    incident: str
    label: str
    title: str


@dataclass(frozen=True, slots=True)
class IncidentClosed:
    """An incident is over; whether that counts depends on who says so."""

    incident: str
    note: str


@dataclass(frozen=True, slots=True)
class EvidenceSubmitted:
    """The envelope of a tool's report: `exit_code` as a shell gives it (128 + n for signal n), `digest`
    (`sha256:…`) that of the report or "" for an exit record alone, `kind` a free word for readers; `said` is the end of
    what the tool wrote to standard error, on one line: some tools tell only there how much they looked at."""

    source: str
    commit: Commit
    kind: str
    tool: str
    tool_version: str
    exit_code: int
    command: tuple[str, ...]
    digest: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class ProposalOpened:
    """This head is proposed for the target branch, or a new head for a proposal that is open."""

    target: str
    proposal: str
    head: Commit
    title: str


@dataclass(frozen=True, slots=True)
class ProposalClosed:
    """A proposal is no longer one."""

    target: str
    proposal: str


@dataclass(frozen=True, slots=True)
class BreakGlassAsked:
    """Break-glass is to be opened for exactly this commit; it takes two such wishes by different people."""

    target: str
    commit: Commit
    reason: str


@dataclass(frozen=True, slots=True)
class HoldPlaced:
    """No promotion of the branch until somebody who may lifts it; `kind` is `manual` or `maintenance`."""

    target: str
    reason: str
    kind: str = "manual"


@dataclass(frozen=True, slots=True)
class HoldLifted:
    """This hold on the branch's promotions may end, or ("") all that need not be named; whether that counts depends on
    who says so. `way` is `accept`, or `restore`: the branch is to be put back first."""

    target: str
    reason: str
    hold: str = ""
    way: str = "accept"


@dataclass(frozen=True, slots=True)
class WaiverRequested:
    """One finding of one gate (or of `incidents`) is to pass until `expires`, for one commit or (null) for any.

    `finding` is the finding's id as a decision shows it; `entry` the tech debt entry that it rests on, or "".
    """

    target: str
    gate: str
    finding: str
    commit: Commit | None
    reason: str
    expires: str
    entry: str


@dataclass(frozen=True, slots=True)
class WaiverApproved:
    """Yes to the waiver whose request has this digest."""

    target: str
    waiver: str


@dataclass(frozen=True, slots=True)
class WaiverWithdrawn:
    """Who asked for the waiver takes it back; or who approved it, that yes."""

    target: str
    waiver: str


@dataclass(frozen=True, slots=True)
class PromotionPlanned:
    """What would promoting this commit (null: the head of the one open proposal) do? It is asked of the service, and
    not put on record."""

    target: str
    commit: Commit | None


@dataclass(frozen=True, slots=True)
class PromotionRequested:
    """A permit is wanted to bring the target branch from `old` to `commit`, which were seen in a plan made by the
    policy with this digest. `request` is random and the same each time that the same promotion is asked for; `read`
    are the documents that were read first."""

    target: str
    old: Commit
    commit: Commit
    policy: str
    request: str
    read: tuple[str, ...]


Claim: TypeAlias = (
    ApprovalGiven
    | ApprovalWithdrawn
    | SignedOff
    | IncidentOpened
    | IncidentClosed
    | EvidenceSubmitted
    | ProposalOpened
    | ProposalClosed
    | BreakGlassAsked
    | HoldPlaced
    | HoldLifted
    | WaiverRequested
    | WaiverApproved
    | WaiverWithdrawn
    | PromotionPlanned
    | PromotionRequested
)

JsonSchema: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one field: `check` gives the value as the dataclass holds it, or raises ValueError saying what was
    expected; `schema` says about the same in JSON Schema."""

    check: Callable[[object], object]
    schema: JsonSchema


def _matching(pattern: str, expected: str) -> Form:
    compiled = re.compile(pattern)

    def check(value: object) -> object:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(f"expected {expected}")
        return value

    return Form(check, {"type": "string", "pattern": f"^(?:{pattern})$", "description": expected})


def _text(limit: int, *, empty: bool = True) -> Form:
    def check(value: object) -> object:
        if not isinstance(value, str) or len(value) > limit or not (value or empty):
            raise ValueError(f"expected {'at most' if empty else '1 to'} {limit} characters of text")
        return printable(value)

    return Form(check, {"type": "string", "minLength": 0 if empty else 1, "maxLength": limit})


def printable(text: str) -> str:
    """The same text. Raises ValueError where it holds a control, format (right-to-left marks) or other invisible
    character, which could make it read as something else."""
    if not text.isprintable():
        raise ValueError("expected one line without control or invisible characters")
    return text


def _typed(form: Any) -> Form:
    adapter: TypeAdapter[str] = TypeAdapter(form)

    def check(value: object) -> object:
        try:
            return printable(adapter.validate_python(value, strict=True))
        except ValidationError as error:
            raise ValueError(error.errors(include_url=False)[0]["msg"]) from None

    return Form(check, adapter.json_schema())


def _optional(inner: Form) -> Form:
    schema = {"anyOf": [inner.schema, {"type": "null"}]}
    return Form(lambda value: None if value is None else inner.check(value), schema)


def _check_exit_code(value: object) -> object:
    if type(value) is not int or not 0 <= value <= 255:
        raise ValueError("expected a whole number from 0 to 255")
    return value


def _check_command(value: object) -> object:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_WORDS:
        raise ValueError(f"expected a list of at most {MAX_WORDS} words")
    if not all(isinstance(word, str) and "\x00" not in word for word in value):
        raise ValueError("expected words of text")
    return tuple(value)


_id = _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "an id of letters, digits, '.', '_' and '-', at most 100")


def _check_proposal_id(value: object) -> object:
    """An id that can end a ref's name (git-check-ref-format)."""
    _id.check(value)
    if not isinstance(value, str) or ".." in value or value.endswith((".", ".lock")):
        raise ValueError("expected an id without '..' that does not end in '.' or '.lock'")
    return value


_words = {"type": "array", "maxItems": MAX_WORDS, "items": {"type": "string"}}
_command = Form(_check_command, _words)
_exit_code = Form(_check_exit_code, {"type": "integer", "minimum": 0, "maximum": 255})
_proposal_id = Form(_check_proposal_id, _id.schema)
branch_name = _typed(BranchName)
_commit = _matching(r"[0-9a-f]{40}|[0-9a-f]{64}", "a full commit name of 40 or 64 lower-case hex digits")
_waiver = _matching(r"sha256:[0-9a-f]{64}", "sha256: and 64 hex digits, as guard waive list shows it")
_finding = _matching(
    r"[a-z0-9][a-z0-9.-]{0,99}:[0-9a-f]{16}", "a finding's id such as sarif.result:0123456789abcdef"
)


def _check_expiry(value: object) -> object:
    expected = "expected a time like 2026-05-01T12:00:00Z"
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value, re.ASCII):
        raise ValueError(expected)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(expected) from None
    return value


_expiry = Form(_check_expiry, {"type": "string", "format": "date-time", "description": "UTC, with Z"})
_policy = _matching(r"sha256:[0-9a-f]{64}", "sha256: and 64 hex digits")
_digest = _matching(r"(sha256:[0-9a-f]{64})?", 'sha256: and 64 hex digits, or ""')
_name = _text(200, empty=False)
principal = _text(200, empty=False)
repository_name = _text(200, empty=False)
nonce = _matching(r"[0-9a-f]{32,64}", "32 to 64 hex digits")

_APPROVAL: Mapping[str, Form] = {"target": branch_name, "commit": _commit}
_EVIDENCE: Mapping[str, Form] = {
    "source": _name, "commit": _commit, "kind": _text(200), "tool": _name, "tool_version": _text(200),
    "exit_code": _exit_code, "command": _command, "digest": _digest,
    "said": _text(MAX_SAID),
}  # fmt: skip
_WAIVER: Mapping[str, Form] = {"target": branch_name, "waiver": _waiver}
_WAIVER_REQUEST: Mapping[str, Form] = {
    "target": branch_name, "gate": _typed(GateId), "finding": _finding, "commit": _optional(_commit),
    "reason": _text(MAX_NOTE, empty=False), "expires": _expiry, "entry": _text(200),
}  # fmt: skip

_PROMOTION: Mapping[str, Form] = {
    "target": branch_name, "old": _commit, "commit": _commit, "policy": _policy,
    "request": nonce, "read": _command,
}  # fmt: skip

CLAIMS: Mapping[str, tuple[type[Claim], Mapping[str, Form]]] = {
    # type: (its dataclass, the form of each field)
    "approval": (ApprovalGiven, _APPROVAL),
    "approval-withdrawn": (ApprovalWithdrawn, _APPROVAL),
    "signoff": (SignedOff, {"gate": _typed(GateId), "commit": _optional(_commit), "note": _text(MAX_NOTE)}),
    "incident-opened": (
        IncidentOpened,
        {"incident": _id, "label": _name, "title": _text(MAX_TEXT, empty=False)},
    ),
    "incident-closed": (IncidentClosed, {"incident": _id, "note": _text(MAX_NOTE)}),
    "evidence": (EvidenceSubmitted, _EVIDENCE),
    "proposal-opened": (
        ProposalOpened,
        {"target": branch_name, "proposal": _proposal_id, "head": _commit, "title": _text(MAX_TEXT)},
    ),
    "proposal-closed": (ProposalClosed, {"target": branch_name, "proposal": _proposal_id}),
    "hold-placed": (
        HoldPlaced,
        {
            "target": branch_name,
            "reason": _text(MAX_TEXT, empty=False),
            "kind": _matching("manual|maintenance", "manual or maintenance"),
        },
    ),
    "hold-lifted": (
        HoldLifted,
        {
            "target": branch_name,
            "reason": _text(MAX_TEXT),
            "hold": _matching(f"({HOLD_PATTERN})?", 'the id of a hold, or ""'),
            "way": _matching("accept|restore", "accept or restore"),
        },
    ),
    "break-glass": (BreakGlassAsked, {**_APPROVAL, "reason": _text(MAX_TEXT, empty=False)}),
    "waiver-requested": (WaiverRequested, _WAIVER_REQUEST),
    "waiver-approved": (WaiverApproved, _WAIVER),
    "waiver-withdrawn": (WaiverWithdrawn, _WAIVER),
    "promotion-plan": (PromotionPlanned, {"target": branch_name, "commit": _optional(_commit)}),
    "promotion-request": (PromotionRequested, _PROMOTION),
}
"""Every type of statement."""

REQUESTS = (PromotionPlanned, PromotionRequested)
"""What is asked of the service at this moment; as a statement for the record it is not taken."""

ADDED: Mapping[str, Mapping[str, object]] = {
    "evidence": {"said": ""},
    "hold-placed": {"kind": "manual"},
    "hold-lifted": {"hold": "", "way": "accept"},
}
"""Fields that statements made before they were there lack, and what they then hold."""

TYPE_OF: Mapping[type[Claim], str] = {made: name for name, (made, _) in CLAIMS.items()}


def claim_of(type_name: str, fields: Mapping[str, object]) -> Claim:
    """The claim of this type. Raises ValueError naming the field and what was expected; a field that the type does
    not have, and one that is not there, is refused."""
    if type_name not in CLAIMS:
        raise ValueError(f"type: expected one of {', '.join(CLAIMS)}")
    made, forms = CLAIMS[type_name]
    fields = {**ADDED.get(type_name, {}), **fields}
    if missing := sorted(forms.keys() - fields.keys()):
        raise ValueError(f"{missing[0]}: it is missing")
    if unknown := sorted(fields.keys() - forms.keys()):
        raise ValueError(f"{ascii(unknown[0])[:80]}: the type {type_name} has no such field")
    checked: dict[str, object] = {}
    for name, form in forms.items():
        try:
            checked[name] = form.check(fields[name])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return made(**checked)  # type: ignore[arg-type]  # every value went through its field's form
