"""The nouns of a decision: facts, findings, verdicts and the decision made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, NewType, TypeAlias, TypeVar

if TYPE_CHECKING:
    from guard.core.decide import Inputs

Commit = NewType("Commit", str)
"""A full, lower-case hex object name: 40 digits (SHA-1) or 64 (SHA-256)."""

T = TypeVar("T")


class Outcome(StrEnum):
    """What a gate or rule came to, listed best to worst; the worst of several wins."""

    PASS = "pass"  # noqa: S105  an outcome, not a password
    NOT_APPLICABLE = "not-applicable"
    WAIVED = "waived"
    PENDING = "pending"
    STALE = "stale"
    MISSING = "missing"
    FAIL = "fail"
    ERROR = "error"

    @property
    def allows(self) -> bool:
        """Only pass, not-applicable and waived let a decision be GO."""
        return self in _ALLOWING

    @property
    def badness(self) -> int:
        """0 for pass up to 7 for error."""
        return _ORDER[self]


_ORDER = {outcome: rank for rank, outcome in enumerate(Outcome)}
_ALLOWING = frozenset({Outcome.PASS, Outcome.NOT_APPLICABLE, Outcome.WAIVED})


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst outcome; of none at all it is an error, because nothing judged is no permission."""
    return max(outcomes, key=_ORDER.__getitem__, default=Outcome.ERROR)


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A fact that was read: its value, the place it came from, and when it was seen (aware, UTC)."""

    value: T
    source: str
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be read. It is never the same as an empty one, and it blocks."""

    why: str
    fix: str = ""
    who: tuple[str, ...] = ()


Fact: TypeAlias = Known[T] | Unknown


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody does to mend something: the words that name it, and the roles that can (see `Finding.who`).
    Two findings of the same deed are mended at once."""

    text: str
    who: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """One of the `of` ways (`number` from 1) in which the evidence `among` can be given; one of them is enough."""

    among: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason behind an outcome: what, where, how to mend it and who can.

    `code` is stable and dotted (`approvals.security.missing`); `who` holds role names (`security`), `author`,
    `ci`, `operator` or `release-owner`. Texts may hold words from outside: renderers escape them. `detail` is what
    a reader may want to unfold, such as a diff: several lines, bounded. `id` (`sarif.result:4f…`) is what a waiver
    names it by, and stays the same as long as code, place and message do; "" where no waiver can. `deeds` are the
    ways to mend it, each all of its deeds, where that is not simply `fix`; `ways` the choices between pieces of
    evidence that it lies under, outermost first.
    """

    code: str
    message: str
    where: str = ""
    fix: str = ""
    who: tuple[str, ...] = ()
    outcome: Outcome = Outcome.FAIL
    detail: str = ""
    id: str = field(default="", compare=False)
    deeds: tuple[tuple[Deed, ...], ...] = field(default=(), compare=False)
    ways: tuple[Way, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class WaiverUse:
    """A waiver that has to do with a decision. `state` is `used`, `unneeded` (it stands, and nothing needs it) or
    `refused`, with the reasons in `why`; `approvers` are the people whose yes counts."""

    id: str
    gate: str
    finding: str
    reason: str
    requester: str
    approvers: tuple[str, ...]
    expires_at: datetime
    state: str
    entry: str = ""
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one gate or rule came to.

    `id` is a gate's id or a rule's name (`lineage`, `approvals`, `incidents`, `candidate`); `group` is a gate
    group's id or "" for a rule; `summary` is what the board says when there is nothing to mend; `evidence` are
    the digests (`sha256:…`) of what was judged; `next_change_at` is when time alone would change the outcome.
    """

    id: str
    title: str
    outcome: Outcome
    summary: str = ""
    findings: tuple[Finding, ...] = ()
    group: str = ""
    evidence: tuple[str, ...] = ()
    next_change_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is being judged: may `ref` of `repository` move from `old` to `new`? (in-toto: the subject)

    `ref` is the full name (`refs/heads/release/platform-control`); `tree` is the tree of `new`.
    """

    repository: str
    ref: str
    old: Commit
    new: Commit
    upstream: Commit
    tree: str = ""

    @property
    def branch(self) -> str:
        return self.ref.removeprefix("refs/heads/")


@dataclass(frozen=True, slots=True)
class Decision:
    """All verdicts for one candidate (SLSA: a verification summary), GO or NO-GO.

    `verdicts` keep their order (rules as the policy requires them, gates as it lists them); `partial` names the
    rules that the question was narrowed to, in which case it never is a GO. `made_of` is what `guard.core.replay` makes
    the same decision of again.
    """

    candidate: Candidate
    verdicts: tuple[Verdict, ...]
    policy_digest: str
    policy_source: str
    mode: str
    decided_at: datetime
    partial: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    waivers: tuple[WaiverUse, ...] = ()
    made_of: Inputs | None = field(default=None, compare=False, repr=False)

    @property
    def outcome(self) -> Outcome:
        return worst(verdict.outcome for verdict in self.verdicts)

    @property
    def allowed(self) -> bool:
        """GO: everything required was judged and passes, is not applicable or is waived."""
        return not self.partial and self.clear

    @property
    def clear(self) -> bool:
        """Nothing that was asked blocks; the same as `allowed` unless the question was narrowed."""
        return bool(self.verdicts) and all(verdict.outcome.allows for verdict in self.verdicts)

    @property
    def blockers(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if not verdict.outcome.allows)

    @property
    def exit_status(self) -> int:
        """0 when nothing blocks, 2 when only errors do (it could not be decided), else 1."""
        blocking = {verdict.outcome for verdict in self.blockers}
        if not self.verdicts or blocking == {Outcome.ERROR}:
            return 2
        return 1 if blocking else 0

    @property
    def next_change_at(self) -> datetime | None:
        """The earliest moment at which time alone changes a verdict, or None."""
        return min((v.next_change_at for v in self.verdicts if v.next_change_at), default=None)


def deeds_of(finding: Finding) -> tuple[tuple[Deed, ...], ...]:
    """The ways to mend a finding. What could not be read and names nobody is the operator's to mend."""
    nobody = ("operator",) if finding.outcome is Outcome.ERROR else ()
    return finding.deeds or ((Deed(finding.fix or finding.message, finding.who or nobody),),)


def blocked(id: str, title: str, *findings: Finding, group: str = "", summary: str = "") -> Verdict:
    """A verdict as bad as its worst finding."""
    outcome = worst(finding.outcome for finding in findings)
    return Verdict(id=id, title=title, outcome=outcome, summary=summary, findings=findings, group=group)


def undecided(id: str, title: str, fact: Unknown, *, code: str, group: str = "") -> Verdict:
    """The verdict on a fact that could not be read: an error that says why and what would help."""
    finding = Finding(code, fact.why, fix=fact.fix, who=fact.who, outcome=Outcome.ERROR)
    return blocked(id, title, finding, group=group)
