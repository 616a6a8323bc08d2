"""How an alarm ends: two role holders accept the branch as it stands, or have it put back.

Who holds a role is read from the policy at the commit that was expected: what stands on the branch now may have been
put there to name other people.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from guard.core.errors import GuardError
from guard.core.model import Commit, Fact, Known, Unknown
from guard.core.policy import Policy
from guard.core.rules.holds import Hold, judged_holds
from guard.journeys.adopt import Baseline, adopt
from guard.journeys.alarm import Alarm, close_alarm, open_alarm
from guard.journeys.asking import read_policy
from guard.journeys.reconcile import expected_head
from guard.journeys.sources import Sources
from guard.ports import Ledger

Look = Callable[[str], Baseline]
"""Who adopts → the branch as it stands."""


def expected_policy(sources: Sources, alarm: Alarm) -> Fact[Policy]:
    """The policy of the commit that was expected, or the operator's own where there is none to go by."""
    fact = read_policy(sources, Commit(alarm.expected or "0" * 40), alarm.branch)
    return Known(fact.value.policy, fact.source, fact.observed_at) if isinstance(fact, Known) else fact


def hold_of(sources: Sources, alarm: Alarm) -> Hold | Unknown:
    """The alarm's hold with who has agreed to its end, by the policy of the expected commit."""
    policy = expected_policy(sources, alarm)
    if isinstance(policy, Unknown):
        return policy
    marks = (
        sources.read_holds(alarm.branch) if sources.read_holds else Unknown("nobody can be asked about holds")
    )
    if isinstance(marks, Unknown):
        return marks
    table = policy.value
    members = {
        name: sources.members(role.members, inherited=role.inherited) for name, role in table.roles.items()
    }
    holds = judged_holds(marks.value, table.approvals.roles, members)
    return next((hold for hold in holds if hold.mark.id == alarm.hold), Unknown("its hold has ended"))


def accept(
    ledger: Ledger, alarm: Alarm, hold: Hold, *, head: Commit | None, look: Look, now: datetime
) -> None:
    """End an alarm that two role holders agreed to end: where the branch stands becomes what is expected. To be called
    under the branch's lock, with the head read just before. Raises GuardError."""
    because = f"accepted by {' and '.join(hold.agreed)}"
    if (head or "") not in {alarm.head, alarm.expected}:
        raise GuardError(
            f"{alarm.branch} has moved again since it was accepted",
            code="alarm.moved-again",
            fix="look at the new alarm",
        )
    if (head or "") != expected_head(ledger, alarm.ref):
        _adopt(ledger, alarm, hold, head=head, because=because, look=look, now=now)
    close_alarm(ledger, alarm, "accepted", by=hold.agreed, because=because, now=now)


def _adopt(
    ledger: Ledger,
    alarm: Alarm,
    hold: Hold,
    *,
    head: Commit | None,
    because: str,
    look: Look,
    now: datetime,
) -> None:
    by = ", ".join(hold.agreed)
    if head is not None:
        found = look(by)
        if found.head != head:
            raise GuardError(
                f"{alarm.branch} moved while it was accepted", code="alarm.moved-again", fix="try again"
            )
        adopt(ledger, found, now=now, force=True)
        return
    body = {"ref": alarm.ref, "head": "", "by": by, "because": because, "instead_of": alarm.expected}
    ledger.append("baseline.adopted", body, at=now, once=f"baseline.adopted:{alarm.hold}")


def settle_adopted(sources: Sources, ledger: Ledger, baseline: Baseline, *, now: datetime) -> str:
    """After the operator adopted the branch: end its alarm where the policy names nobody who could; else the hold that
    stays, "" for none."""
    alarm = open_alarm(ledger, baseline.ref)
    if alarm is None:
        return ""
    policy = expected_policy(sources, alarm)
    if not isinstance(policy, Unknown):
        table = policy.value
        if any(table.roles[name].members for name in table.approvals.roles if name in table.roles):
            return alarm.hold
    because = f"adopted by {baseline.by}, because nobody else could: {baseline.because}"
    close_alarm(ledger, alarm, "accepted", by=(baseline.by,), because=because, now=now)
    return ""
