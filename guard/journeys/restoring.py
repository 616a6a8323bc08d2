"""Putting a branch back to where the ledger expects it: a permitted, recorded move, and the only one that need not go
forward.

Two role holders ask for it by the name of the alarm. Each step is on record before it has an effect; stopped at any
point, the next look finds out from the ledger and the branch how far it got.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from guard.core.canonical import digest_of
from guard.core.errors import GuardError, Refused
from guard.core.model import Commit
from guard.core.permit import RESTORES, Permit, check_form
from guard.core.rules.holds import Hold
from guard.journeys.alarm import Alarm, close_alarm
from guard.journeys.reconcile import expected_head, record_move, revoke
from guard.ports import Clock, Ledger

LIFE = timedelta(minutes=2)
"""How long the permit lives: it is used at once."""

AGAIN = timedelta(minutes=10)
"""How long after a failure it is not tried again by itself."""

NOBODY = "0" * 40


class NotRestored(GuardError):
    """The branch could not be put back; its permit is revoked and the alarm goes on."""

    code = "restore.failed"
    exit_status = 1


@dataclass(frozen=True, slots=True)
class Means:
    """What a branch is put back with.

    `read_head` says where it stands on the server; `tree_of` names a commit's tree, and raises GitError where the
    commit is not at hand; `push` moves the ref from exactly `old` (all zeros: it is not there) to `new` with this
    permit, and says why not, "" when it did; `sign` makes the permit's token; `new_id` gives ids that nobody guesses.
    """

    repository: str
    ledger: Ledger
    clock: Clock
    read_head: Callable[[], Commit | None]
    tree_of: Callable[[Commit], str]
    push: Callable[[str, str, str, str], str]
    sign: Callable[[Permit], str]
    new_id: Callable[[], str]
    policy: Callable[[Commit], str]


def restore(alarm: Alarm, hold: Hold, means: Means) -> None:
    """Put the branch back, if two who may have asked for it; to be called under the branch's lock. Where it stands
    there already, only the alarm ends.

    Raises Refused where it is not known where the branch should stand, where too few asked, or where it has moved
    again; NotRestored; GuardError when the world fails, after which it can be done again.
    """
    expected = expected_head(means.ledger, alarm.ref)
    if not expected or expected != alarm.expected:
        raise Refused(
            f"it is not known where {alarm.branch} should stand",
            fix=f"look at what is on it, then record it: guard adopt --branch {alarm.branch} --force --because TEXT",
            code="restore.unknown",
        )
    if not hold.is_to_be_restored:
        raise Refused(
            f"{len(hold.restorers)} of 2 who may have asked for it",
            fix=f"another holder of an approving role says it too: guard restore {alarm.hold}",
            code="restore.too-few",
        )
    head = means.read_head()
    if (head or "") not in {alarm.head, expected}:
        raise Refused(
            f"{alarm.branch} has moved again since: it stands at {head or 'nowhere'}",
            fix="look at the new alarm: guard holds",
            code="restore.moved-again",
        )
    old = alarm.head or NOBODY[: len(expected)].ljust(len(expected), "0")
    said = ""
    if head != expected:
        said = _move(alarm, hold, means, old=old, new=Commit(expected))
        head = means.read_head()
    _settle(alarm, hold, means, old=old, expected=expected, head=head, said=said)


def failed_lately(ledger: Ledger, alarm: Alarm, *, now: datetime) -> bool:
    """Whether putting it back failed a moment ago, so that it is not tried at every look."""
    for entry in ledger.entries("restore.failed", newest_first=True):
        if entry.body.get("alarm") == alarm.hold:
            return now - datetime.fromisoformat(entry.at) < AGAIN
    return False


def _move(alarm: Alarm, hold: Hold, means: Means, *, old: str, new: Commit) -> str:
    now, asked = means.clock.now(), " and ".join(hold.restorers)
    try:
        tree = means.tree_of(new)
    except GuardError as error:
        raise Refused(
            f"the commit {new} that {alarm.branch} should stand at is not at hand: {error.message}",
            fix="bring it back to the server, from a clone that has it: git push SERVER COMMIT:refs/heads/rescue",
            code="restore.no-commit",
        ) from None
    permit = Permit(
        id=means.new_id(),
        repository=means.repository,
        ref=alarm.ref,
        old=old,
        new=new,
        tree=tree,
        decision=digest_of({"alarm": alarm.hold, "restorers": list(hold.restorers)}),
        policy=means.policy(new),
        by=asked[:200],
        issued=int(now.timestamp()),
        expires=int((now + LIFE).timestamp()),
        kind=RESTORES,
    )
    check_form(permit)
    move = {"ref": alarm.ref, "old": old, "new": new}
    body = {
        "permit": permit.id, "kind": RESTORES, "alarm": alarm.hold, **move, "tree": tree, "by": list(hold.restorers),
        "expires": f"{permit.expires_at:%Y-%m-%dT%H:%M:%SZ}",
    }  # fmt: skip
    means.ledger.append("permit.issued", body, at=now, once=f"permit.issued:{permit.id}")
    means.ledger.append("restore.started", {"alarm": alarm.hold, "permit": permit.id, **move}, at=now)
    try:
        return means.push(means.sign(permit), alarm.ref, old, new)
    except GuardError as error:
        return error.message


def _settle(
    alarm: Alarm, hold: Hold, means: Means, *, old: str, expected: str, head: Commit | None, said: str
) -> None:
    """End it by what is true."""
    ledger, now = means.ledger, means.clock.now()
    permits = _permits(ledger, alarm, old=old, new=expected)
    if head == expected:
        # Where somebody put it back by hand there is none.
        for permit in permits[:1]:
            record_move(ledger, alarm.ref, old=old, new=expected, permit=permit, now=now)
        names = hold.restorers
        because = f"put back to {expected[:10]}, as {' and '.join(names)} asked"
        close_alarm(ledger, alarm, "restored", by=names, because=because, now=now)
        return
    why = said or "nothing went wrong, and yet the branch is not back"
    for permit in permits:
        revoke(ledger, permit, why=why, now=now)
    ledger.append("restore.failed", {"alarm": alarm.hold, "ref": alarm.ref, "why": why}, at=now)
    by_hand = f"git push --force-with-lease={alarm.ref}:{alarm.head} REMOTE {expected}:{alarm.ref}"
    raise NotRestored(
        f"{alarm.branch} could not be put back: {why}",
        fix=f"let the guard force it (docs/operator-guide.md, the alarm), or have an administrator do it: {by_hand}",
    )


def _permits(ledger: Ledger, alarm: Alarm, *, old: str, new: str) -> list[str]:
    """The permits for putting this alarm's branch back that have neither moved it nor were taken back, newest first."""
    found = []
    for entry in ledger.entries("permit.issued", "alarm.raised", newest_first=True):
        if entry.kind == "alarm.raised":
            if entry.body.get("alarm") == alarm.hold:
                break
            continue
        if (entry.body.get("alarm"), entry.body.get("old"), entry.body.get("new")) != (alarm.hold, old, new):
            continue
        permit = str(entry.body.get("permit"))
        if ledger.find(f"permit.revoked:{permit}") is None and ledger.find(f"branch.moved:{permit}") is None:
            found.append(permit)
    return found
