"""The frozen facts that adapters gather and rules judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from guard.core.lineage_facts import LineageFacts
from guard.core.model import Commit, Fact, Unknown

if TYPE_CHECKING:
    from guard.core.evidence import Reading


@dataclass(frozen=True, slots=True)
class Proposal:
    """An open merge request into a protected branch.

    `proposer` is the forge's name for who opened it (None where the forge cannot tell, which blocks approvals).
    """

    id: str
    target: str
    head: Commit
    title: str
    proposer: str | None
    url: str = ""
    from_fork: bool = False
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """One account's standing yes to exactly one head commit; withdrawn ones are not listed. `void` is why it counts
    for nothing, whatever the head: `approved it into another branch`."""

    actor: str
    commit: Commit
    at: datetime
    source: str = ""
    is_bot: bool = False
    void: str = ""


@dataclass(frozen=True, slots=True)
class Objection:
    """Somebody asked for changes and did not take that back. It stands for every head that the proposal gets.

    `dismissed_by` is who else cleared it away on the forge; only the person who objected can withdraw it.
    """

    actor: str
    at: datetime
    source: str = ""
    dismissed_by: str = ""


@dataclass(frozen=True, slots=True)
class Hand:
    """One e-mail address that holds one kind of authorship in a change: `author`, `committer`, `co-author`, or
    `original-author` of what was picked. `address` is in lower case; `commit` is one of those that bear it."""

    kind: str
    address: str
    commit: Commit


@dataclass(frozen=True, slots=True)
class Authorship:
    """What git says of who made `target..head`: its commits, and each hand once."""

    commits: tuple[Commit, ...]
    hands: tuple[Hand, ...]


@dataclass(frozen=True, slots=True)
class ApprovalFacts:
    """All that the approval rule judges.

    `authors` maps each kind of authorship (`proposer`, `pusher`, and those of a Hand) to the forge names and e-mail
    addresses that hold it; more names only ever make the rule stricter. `unsure` says of a kind why somebody who
    holds it may be missing there. `kept` maps an approved older head to what lies between it and this one where that
    leaves the approved change as it was: `re-pick` or `target-merge`.
    """

    approvals: tuple[Approval, ...]
    authors: Mapping[str, frozenset[str]]
    objections: tuple[Objection, ...] = ()
    unsure: Mapping[str, Unknown] = field(default_factory=dict)
    kept: Mapping[Commit, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incident:
    """One open incident; `register` is the path of the register on upstream that tells of it, "" for the tracker's."""

    id: str
    label: str
    title: str
    url: str = ""
    register: str = ""


@dataclass(frozen=True, slots=True)
class SignOff:
    """A recorded human statement for one gate; `commit` is None when it is about no one commit."""

    gate: str
    actor: str
    at: datetime
    commit: Commit | None
    note: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """A tool's report as it was received: the envelope, without the report's bytes.

    `received_at` is the server's time; `exit_code` is the tool's; `digest` (`sha256:…`) that of the report, or ""
    when there is no report but an exit record alone; `said` is the end of what the tool wrote to standard error.
    """

    id: str
    source: str
    subject: Commit
    tool: str
    tool_version: str
    exit_code: int
    digest: str
    submitter: str
    received_at: datetime
    command: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one CI job on a commit, as the forge itself ran it or an app reported it.

    `number` grows with time, so that the newest run of a job is known; `state` is `success`, `failed`,
    `allowed-failure`, `cancelled`, `skipped`, `manual`, `running` (nothing has come of it yet), or another word of
    the forge's own, which is no success either. `workflow` is the path of the workflow's file and `app_id` the app
    that reported it (GitHub); `source` is what started it (`push`, `merge_request_event`); `is_protected` is whether
    `ref` is a protected branch (GitLab), None where that is not known.
    """

    name: str
    state: str
    number: int
    source: str = ""
    ref: str = ""
    is_protected: bool | None = None
    workflow: str = ""
    app_id: int | None = None
    finished_at: datetime | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Bringing:
    """One commit that a promotion brings; `breaking` where its message says that it breaks something."""

    commit: Commit
    subject: str
    breaking: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """What a promotion changes since the last one: the newest of its commits first (`count` of all), behind them the
    older ones that break something, and every path, bytes outside UTF-8 as surrogates."""

    commits: tuple[Bringing, ...]
    count: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """The shape of the move: is `new` a descendant of `old`, and is it exactly one open proposal's head?"""

    descends: Fact[bool]
    proposals: Fact[tuple[Proposal, ...]]
    policy_harm: Fact[str]
    """What the move would break about the branch's policy, as half a sentence; "" for nothing."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One person's standing yes to a waiver; withdrawn ones are not listed."""

    actor: str
    at: datetime
    source: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """What somebody asked to be let pass: one finding of one gate, for one commit (None: for any), for a time.

    `id` names the request (`sha256:…` of the statement); `gate` is a gate's id or `incidents`; `finding` is the
    `Finding.id`; `entry` the tech debt entry that it rests on, or "". `requested_at` is the server's time of receipt.
    """

    id: str
    target: str
    gate: str
    finding: str
    commit: Commit | None
    reason: str
    requester: str
    requested_at: datetime
    expires_at: datetime
    entry: str = ""
    consents: tuple[Consent, ...] = ()


@dataclass(frozen=True, slots=True)
class DebtEntry:
    """An entry of the tech debt register on upstream; `gate`, `finding` and `expires_at` where it names them."""

    id: str
    state: str
    reason: str = ""
    gate: str = ""
    finding: str = ""
    expires_at: datetime | None = None


NOT_GATHERED = Unknown("it was not gathered")


@dataclass(frozen=True, slots=True)
class WaiverFacts:
    """What could let findings pass. What is not known here lets nothing pass."""

    asked: Fact[tuple[Waiver, ...]] = NOT_GATHERED
    entries: Fact[tuple[DebtEntry, ...]] = NOT_GATHERED


@dataclass(frozen=True, slots=True)
class ConditionFacts:
    """What the conditions of gates are decided from.

    `changed` are the paths that the promotion changes, both sides of a rename, bytes outside UTF-8 as surrogates;
    `entries` is gate id → the state of the register's entry that its condition names, None where the register
    surely has no such entry.
    """

    changed: Fact[tuple[str, ...]] = NOT_GATHERED
    entries: Mapping[str, Fact[str | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BreakGlassAsk:
    """One person's wish to open break-glass for exactly this head; `key` tells one person from another."""

    actor: str
    key: str
    target: str
    commit: Commit
    at: datetime
    reason: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class HoldMark:
    """Promotions of a branch were held, or (`lifts`) somebody said that a hold may end.

    `kind` is one of `HOLD_KINDS`; `id` names the hold (for a lift the one that is meant, "" for all that need not be
    named). `actor` is "" where the guard itself did it; a lift of its own `ends` the hold, whoever else would have to
    agree. `barred` may not lift it: who is known to have caused it. A lift that `restores` wants the branch put back
    first.
    """

    actor: str
    at: datetime
    reason: str
    lifts: bool = False
    id: str = ""
    kind: str = "manual"
    barred: tuple[str, ...] = ()
    ends: bool = False
    restores: bool = False


@dataclass(frozen=True, slots=True)
class Debt:
    """A head that break-glass was opened for, and that the branch has now. `lineage` is that of what it brought."""

    head: Commit
    people: tuple[str, ...]
    lineage: Fact[LineageFacts]


@dataclass(frozen=True, slots=True)
class EmergencyFacts:
    """Who ever asked for break-glass, and what of it the branch has now."""

    asks: Fact[tuple[BreakGlassAsk, ...]]
    debts: Fact[tuple[Debt, ...]]


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One entry of the work queue, as it is written there; `mark` says whether it gates the release, `completed_at`
    is the day on which it says that it was finished."""

    id: str
    title: str
    mark: str
    state: str
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was gathered for one decision. `members` is by role name, `readings` by evidence key; `guarding` are
    the changed paths that the guard itself rests on (guard.core.rules.guarding)."""

    candidate: CandidateFacts
    lineage: Fact[LineageFacts]
    approvals: Fact[ApprovalFacts]
    incidents: Fact[tuple[Incident, ...]]
    members: Mapping[str, Fact[frozenset[str]]] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    conditions: ConditionFacts = field(default_factory=ConditionFacts)
    queue: Fact[tuple[QueueEntry, ...]] = NOT_GATHERED
    guarding: Fact[tuple[str, ...]] = NOT_GATHERED
    emergency: EmergencyFacts | None = None
    holds: Fact[tuple[HoldMark, ...]] | None = None
    waivers: WaiverFacts = field(default_factory=WaiverFacts)


Reaction = Literal["done", "refused", "unclear"]
"""What the guard puts below a comment that told it something."""
