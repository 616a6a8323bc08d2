"""Watching a branch of the bare repository beside the ledger, where no service does: after a push and by a command."""

from __future__ import annotations

from guard.core.errors import GuardError
from guard.core.model import Commit, Unknown
from guard.journeys.acknowledging import accept, expected_policy, hold_of
from guard.journeys.adopt import Baseline
from guard.journeys.adopt import look as look_at
from guard.journeys.alarm import Alarm, Look, check_branch, latest_alarm
from guard.journeys.restoring import Means, restore
from guard.journeys.sources import Sources
from guard.ports import Ledger


def look_here(branch: str, sources: Sources, ledger: Ledger, *, means: Means | None = None) -> Alarm | None:
    """Raise the alarm where the branch was moved without a permit, and end an open one as its two people said (put it
    back with `means`); the newest alarm. Raises GuardError, Refused while a promotion is under way."""
    ref = f"refs/heads/{branch}"

    def read_head() -> Commit | None:
        return sources.git.resolve(ref)

    def movers(head: Commit) -> frozenset[str]:
        fact = sources.forge.movers(branch, head)
        return frozenset() if isinstance(fact, Unknown) else fact.value

    def observes(expected: Commit) -> bool:
        policy = expected_policy(sources, Alarm("", "", ref, expected, "", (), ""))
        return not isinstance(policy, Unknown) and policy.value.mode == "observe"

    with ledger.branch_lock(ref):
        alarm = check_branch(ledger, ref, Look(read_head, movers, observes), now=sources.clock.now())
        if alarm is not None:
            _end(alarm, sources, ledger, means)
    return latest_alarm(ledger, ref)


def _end(alarm: Alarm, sources: Sources, ledger: Ledger, means: Means | None) -> None:
    hold = hold_of(sources, alarm)
    if isinstance(hold, Unknown):
        return
    if hold.is_to_be_restored and means is not None:
        restore(alarm, hold, means)
    elif hold.is_agreed:
        head = sources.git.resolve(alarm.ref)
        accept(
            ledger,
            alarm,
            hold,
            head=head,
            look=lambda by: baseline_of(alarm, by, sources),
            now=sources.clock.now(),
        )


def baseline_of(alarm: Alarm, by: str, sources: Sources) -> Baseline:
    """The branch as it stands, with what it has that upstream has not as far as that can be told."""
    policy, because = expected_policy(sources, alarm), f"{alarm.hold} was accepted: {alarm.words}"
    table = None if isinstance(policy, Unknown) else policy.value.branches.get(alarm.branch)
    upstream = table.upstream if table else ""
    try:
        return look_at(
            sources,
            alarm.branch,
            upstream_name=upstream or None,
            list_commits=lambda _old, _new: (),
            by=by,
            because=because,
        )
    except GuardError:
        head = sources.git.resolve(alarm.ref)
        if head is None:
            raise
        return Baseline(alarm.ref, head, upstream, head, (), by=by, because=because)
