"""The alarm: a protected branch that stands where no permit brought it is an incident, and promotions are held.

Facts count, not events: the branch's head is read from the forge and compared with what the ledger expects. Each step
is on record before it has an effect, and may be done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from guard.core.model import Commit
from guard.core.permit import CLOCK_SKEW
from guard.journeys.holds import end_hold, own_hold_id, place_hold
from guard.journeys.reconcile import expected_head, record_move, revoke
from guard.ports import Entry, Ledger

State = Literal["open", "accepted", "restored", "superseded"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """The branch stood at `head` ("" for no such branch) where `expected` was. `hold` is the id of the hold that was
    placed for it; `first` that of the first alarm since the branch last stood where it should; `movers` are those who
    are known to have moved it since then."""

    hold: str
    first: str
    ref: str
    expected: str
    head: str
    movers: tuple[str, ...]
    at: str
    state: State = "open"
    by: tuple[str, ...] = ()

    @property
    def branch(self) -> str:
        return self.ref.removeprefix("refs/heads/")

    @property
    def words(self) -> str:
        """What happened, in one sentence without markup."""
        if not self.head:
            return f"{self.branch} is gone; it should stand at {self.expected[:10]}"
        who = f" by {' and '.join(self.movers)}" if self.movers else ""
        should = f"stand at {self.expected[:10]}" if self.expected else "not be there"
        return f"{self.branch} was moved to {self.head[:10]}{who} without a permit; it should {should}"


@dataclass(frozen=True, slots=True)
class Look:
    """How a branch is looked at: where it stands now (None: there is no such branch), who moved it there, and whether
    its policy at the expected commit only observes. Each raises GuardError where that cannot be told."""

    read_head: Callable[[], Commit | None]
    movers: Callable[[Commit], frozenset[str]]
    observes: Callable[[Commit], bool]


def check_branch(ledger: Ledger, ref: str, look: Look, *, now: datetime) -> Alarm | None:
    """Compare the branch with what the ledger expects, and raise the alarm where it was moved without a permit; the
    alarm that is open then. To be called under the branch's lock. Raises GuardError."""
    head = look.read_head()
    expected = expected_head(ledger, ref)
    if expected is not None and (head or "") != expected:
        # A permitted move may have been recorded after the head was read.
        head, expected = look.read_head(), expected_head(ledger, ref)
    if expected is None:
        return None
    there = open_alarm(ledger, ref)
    if (head or "") == expected:
        _end_permits(ledger, ref, old=expected, now=now)
        return there
    if head is not None and (permit := permit_of(ledger, ref, old=expected, new=head)) is not None:
        record_move(ledger, ref, old=expected, new=head, permit=permit, now=now)
        return there
    if there is not None and there.head == (head or ""):
        return _held(ledger, there, now=now)
    if expected and look.observes(Commit(expected)):
        _adopt_observed(ledger, ref, expected=expected, head=head or "", now=now)
        return there
    return _raise(ledger, ref, there, look, expected=expected, head=head, now=now)


def open_alarm(ledger: Ledger, ref: str) -> Alarm | None:
    """The branch's newest alarm, unless it has been ended."""
    found = latest_alarm(ledger, ref)
    return found if found is not None and found.state == "open" else None


def latest_alarm(ledger: Ledger, ref: str) -> Alarm | None:
    return next(_alarms(ledger, ref), None)


def permit_of(ledger: Ledger, ref: str, *, old: str, new: str) -> str | None:
    """The permit that brought the branch from `old` to `new`, where that is not on record yet: issued for exactly this
    move, and neither taken back nor spent on an earlier one."""
    for entry in _issued_since(ledger, ref):
        if (entry.body.get("old"), entry.body.get("new")) != (old, new):
            continue
        permit = str(entry.body.get("permit"))
        if entry.body.get("mover") == "service" and not _pushed(ledger, entry):
            continue
        if ledger.find(f"permit.revoked:{permit}") is None and ledger.find(f"branch.moved:{permit}") is None:
            return permit
    return None


def _pushed(ledger: Ledger, issued: Entry) -> bool:
    """Whether the service began to move the branch with it: where only the service may, whoever else brought the branch
    there had no permit."""
    return ledger.find(f"promotion.started:{issued.body.get('promotion')}") is not None


def close_alarm(
    ledger: Ledger, alarm: Alarm, state: State, *, by: tuple[str, ...], because: str, now: datetime
) -> None:
    """End the alarm and its hold. Raises LedgerError."""
    end_hold(ledger, alarm.hold, ref=alarm.ref, because=because, now=now)
    once = f"alarm.closed:{alarm.hold}"
    if ledger.find(once) is None:
        body = {"alarm": alarm.hold, "ref": alarm.ref, "state": state, "by": list(by), "because": because}
        ledger.append("alarm.closed", body, at=now, once=once)


def _raise(
    ledger: Ledger,
    ref: str,
    before: Alarm | None,
    look: Look,
    *,
    expected: str,
    head: Commit | None,
    now: datetime,
) -> Alarm:
    movers = look.movers(head) if head is not None else frozenset[str]()
    known = tuple(sorted(movers | frozenset(before.movers if before else ())))
    # The same once more after a crash, and another one when the branch comes back here later.
    hold = own_hold_id("alarm", ref, head or "", str(_newest_seq(ledger, ref)))
    alarm = Alarm(
        hold, before.first if before else hold, ref, expected, head or "", known, f"{now:%Y-%m-%dT%H:%M:%SZ}"
    )
    body = {
        "alarm": hold, "first": alarm.first, "ref": ref, "expected": expected, "head": alarm.head,
        "movers": list(known), "at": alarm.at,
    }  # fmt: skip
    _held(ledger, alarm, now=now)
    ledger.append("alarm.raised", body, at=now, once=f"alarm.raised:{hold}")
    if before is not None:
        why = f"{hold} took its place: the branch moved again"
        close_alarm(ledger, before, "superseded", by=(), because=why, now=now)
    return alarm


def _held(ledger: Ledger, alarm: Alarm, *, now: datetime) -> Alarm:
    place_hold(
        ledger, alarm.hold, ref=alarm.ref, kind="alarm", because=alarm.words, now=now, barred=alarm.movers
    )
    return alarm


def _adopt_observed(ledger: Ledger, ref: str, *, expected: str, head: str, now: datetime) -> None:
    """Where the policy only observes, a move without a permit is put on record, and stops nothing."""
    body = {
        "ref": ref, "head": head, "by": "release-guard", "instead_of": expected,
        "because": "it moved without a permit, and the policy says mode = observe",
    }  # fmt: skip
    ledger.append("baseline.adopted", body, at=now)


def _end_permits(ledger: Ledger, ref: str, *, old: str, now: datetime) -> None:
    """A permit that ran out while the branch stood still is no excuse for a move that comes later."""
    for entry in _issued_since(ledger, ref):
        permit = str(entry.body.get("permit"))
        if entry.body.get("old") != old or ledger.find(f"permit.spent:{permit}") is not None:
            continue
        if _is_over(entry, now):
            revoke(ledger, permit, why="it ran out unused", now=now)


def _is_over(entry: Entry, now: datetime) -> bool:
    try:
        return now >= datetime.fromisoformat(str(entry.body["expires"])) + CLOCK_SKEW
    except (KeyError, ValueError, TypeError):
        return False


def _issued_since(ledger: Ledger, ref: str) -> Iterator[Entry]:
    """The permits issued for the branch since its newest adopted baseline or permitted move, newest first."""
    for entry in ledger.entries("permit.issued", "baseline.adopted", "branch.moved", newest_first=True):
        if entry.body.get("ref") != ref:
            continue
        if entry.kind == "permit.issued":
            yield entry
        elif entry.kind == "baseline.adopted" or entry.body.get("permit") is not None:
            return


def _newest_seq(ledger: Ledger, ref: str) -> int:
    """The place in the ledger of what the branch is measured against, or of its newest alarm."""
    kinds = ("baseline.adopted", "branch.moved", "alarm.raised")
    for entry in ledger.entries(*kinds, newest_first=True):
        if entry.body.get("ref") == ref and (entry.kind != "branch.moved" or entry.body.get("permit")):
            return entry.seq
    return 0


def _alarms(ledger: Ledger, ref: str) -> Iterator[Alarm]:
    for entry in ledger.entries("alarm.raised", newest_first=True):
        if entry.body.get("ref") == ref:
            yield _alarm(ledger, entry)


def _alarm(ledger: Ledger, entry: Entry) -> Alarm:
    body = entry.body
    texts = {name: str(body.get(name) or "") for name in ("first", "ref", "expected", "head", "at")}
    hold = str(body.get("alarm"))
    closed = ledger.find(f"alarm.closed:{hold}")
    state: State = "open"
    by: tuple[str, ...] = ()
    if closed is not None:
        found = str(closed.body.get("state"))
        state = "accepted" if found == "accepted" else "restored" if found == "restored" else "superseded"
        by = _names(closed.body.get("by"))
    return Alarm(hold=hold, movers=_names(body.get("movers")), state=state, by=by, **texts)


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()
