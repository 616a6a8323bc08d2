"""What people and tools can state: one frozen dataclass for each kind of claim, and the form of every field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from guard.core import claim_forms as form
from guard.core.model import Commit
from guard.core.policy_names import HOLD_PATTERN, GateId


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

_APPROVAL: Mapping[str, form.Form] = {"target": form.branch_name, "commit": form.commit}
_EVIDENCE: Mapping[str, form.Form] = {
    "source": form.name, "commit": form.commit, "kind": form.text(200), "tool": form.name,
    "tool_version": form.text(200), "exit_code": form.exit_code, "command": form.command, "digest": form.digest,
    "said": form.text(form.MAX_SAID),
}  # fmt: skip
_WAIVER: Mapping[str, form.Form] = {"target": form.branch_name, "waiver": form.waiver}
_WAIVER_REQUEST: Mapping[str, form.Form] = {
    "target": form.branch_name, "gate": form.typed(GateId), "finding": form.finding,
    "commit": form.optional(form.commit), "reason": form.text(form.MAX_NOTE, empty=False), "expires": form.expiry,
    "entry": form.text(200),
}  # fmt: skip

_PROMOTION: Mapping[str, form.Form] = {
    "target": form.branch_name, "old": form.commit, "commit": form.commit, "policy": form.policy,
    "request": form.nonce, "read": form.command,
}  # fmt: skip

CLAIMS: Mapping[str, tuple[type[Claim], Mapping[str, form.Form]]] = {
    # type: (its dataclass, the form of each field)
    "approval": (ApprovalGiven, _APPROVAL),
    "approval-withdrawn": (ApprovalWithdrawn, _APPROVAL),
    "signoff": (
        SignedOff,
        {"gate": form.typed(GateId), "commit": form.optional(form.commit), "note": form.text(form.MAX_NOTE)},
    ),
    "incident-opened": (
        IncidentOpened,
        {"incident": form.any_id, "label": form.name, "title": form.text(form.MAX_TEXT, empty=False)},
    ),
    "incident-closed": (IncidentClosed, {"incident": form.any_id, "note": form.text(form.MAX_NOTE)}),
    "evidence": (EvidenceSubmitted, _EVIDENCE),
    "proposal-opened": (
        ProposalOpened,
        {
            "target": form.branch_name,
            "proposal": form.proposal_id,
            "head": form.commit,
            "title": form.text(form.MAX_TEXT),
        },
    ),
    "proposal-closed": (ProposalClosed, {"target": form.branch_name, "proposal": form.proposal_id}),
    "hold-placed": (
        HoldPlaced,
        {
            "target": form.branch_name,
            "reason": form.text(form.MAX_TEXT, empty=False),
            "kind": form.matching("manual|maintenance", "manual or maintenance"),
        },
    ),
    "hold-lifted": (
        HoldLifted,
        {
            "target": form.branch_name,
            "reason": form.text(form.MAX_TEXT),
            "hold": form.matching(f"({HOLD_PATTERN})?", 'the id of a hold, or ""'),
            "way": form.matching("accept|restore", "accept or restore"),
        },
    ),
    "break-glass": (BreakGlassAsked, {**_APPROVAL, "reason": form.text(form.MAX_TEXT, empty=False)}),
    "waiver-requested": (WaiverRequested, _WAIVER_REQUEST),
    "waiver-approved": (WaiverApproved, _WAIVER),
    "waiver-withdrawn": (WaiverWithdrawn, _WAIVER),
    "promotion-plan": (PromotionPlanned, {"target": form.branch_name, "commit": form.optional(form.commit)}),
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
    for name, wanted in forms.items():
        try:
            checked[name] = wanted.check(fields[name])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return made(**checked)  # type: ignore[arg-type]  # every value went through its field's form
