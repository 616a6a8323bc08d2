"""`guard restore`: put a protected branch back to where the ledger expects it, as one of two who ask for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from guard.cli.sending import form_option, made, open_clone, send_claim, sending
from guard.core.errors import Refused, UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.cli.sending import Clone
    from guard.wiring_desk import Desk


@click.command()
@click.argument("hold", metavar="[ALARM]", default="")
@click.option("--because", "reason", metavar="TEXT", default="", help="Why, for the record.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; nothing is sent, recorded or moved.")
@sending
@form_option
def restore(hold: str, reason: str, form: str, *, dry_run: bool, **options: Any) -> int:
    """Put a protected branch back to where the ledger expects it, after somebody moved it without a permit.

    It takes two different holders of roles that the policy's approvals name, who both ask for it by the alarm's id
    (`guard holds`; without one, the only alarm that is open). The move has a permit of its own, which need not go
    forward, and is on record like any promotion. Run again, it does nothing twice.

    Where the server side is on this machine, the second one's command moves the branch; else the service does.

    Exit status: 0 asked for, or restored; 1 refused or failed; 2 it cannot be told.

    \b
    guard restore alarm-0f3a5c7e9b1d --because "nobody agreed to that hotfix"
    guard restore --dry-run
    """
    from guard.core.claims import HoldLifted

    with open_clone(**options) as clone:
        target = clone.target()
        desk = _desk(clone)
        if dry_run:
            return _show(desk, target, hold, form)
        if desk is not None:
            desk.end_alarm(target)  # what nobody noticed yet is an alarm from now on
        named = hold or _only_alarm(desk, target)
        claim = made(HoldLifted, target=target, reason=reason, hold=named, way="restore")
        sent = send_claim(claim, clone.sender())
    done = desk.end_alarm(target) if desk else None
    if form == "json":
        state = done.state if done else "asked"
        click.echo(
            json.dumps({"alarm": named, "branch": target, "state": state, "statement": f"sha256:{sent.name}"})
        )
    elif done is not None and done.state == "restored":
        click.echo(
            f"restored: {plain(target)} stands at {done.expected} again, as {' and '.join(done.by)} asked"
        )
    else:
        click.echo(f"asked for: {plain(target)} is put back when two who may have asked for it ({named})")
    return 0


def end_alarm_here(clone: Clone, target: str) -> None:
    """Where the server side is on this machine, an alarm ends when the second one has spoken; else the service sees to
    it. Raises GuardError."""
    desk = _desk(clone)
    if desk is not None:
        desk.end_alarm(target)


def _desk(clone: Clone) -> Desk | None:
    """The server side, where it is on this machine."""
    from guard import wiring_desk
    from guard.core.errors import SettingsError

    try:
        return wiring_desk.open_desk(server=None, clone=clone.path, remote=clone.remote, what="guard restore")
    except SettingsError as error:
        if error.code == "settings.no-server-side":
            return None
        raise


def _only_alarm(desk: Desk | None, target: str) -> str:
    from guard.journeys.alarm import open_alarm

    if desk is None:
        raise UsageError(
            "which alarm? The server side is not on this machine", fix="name it: guard restore ALARM"
        )
    alarm = open_alarm(desk.ledger, f"refs/heads/{target}")
    if alarm is None:
        raise Refused(f"no alarm of {plain(target)} is open", fix="guard holds", code="restore.no-alarm")
    return alarm.hold


def _show(desk: Desk | None, target: str, hold: str, form: str) -> int:
    """What would be done, and by whose wish. Raises Refused where there is nothing that could be."""
    from guard.core.model import Unknown
    from guard.journeys.acknowledging import hold_of
    from guard.journeys.alarm import open_alarm
    from guard.journeys.reconcile import expected_head

    ref = f"refs/heads/{target}"
    alarm = open_alarm(desk.ledger, ref) if desk else None
    if desk is not None and alarm is None and not hold:
        head, expected = desk.sources.git.resolve(ref) or "", expected_head(desk.ledger, ref)
        if expected is not None and head != expected:
            return _show_unnoticed(target, head, expected, form)
    named = _only_alarm(desk, target)
    if desk is None or alarm is None or hold not in {"", named}:
        raise Refused(
            f"no alarm {plain(hold)} of {plain(target)} is open", fix="guard holds", code="restore.no-alarm"
        )
    expected = expected_head(desk.ledger, alarm.ref)
    found = hold_of(desk.sources, alarm)
    asked = () if isinstance(found, Unknown) else found.restorers
    row = {
        "alarm": alarm.hold,
        "branch": target,
        "from": alarm.head or None,
        "to": expected,
        "asked": list(asked),
    }
    if form == "json":
        click.echo(json.dumps({**row, "state": "dry-run"}))
    else:
        click.echo(f"would move {plain(target)} from {alarm.head or 'nowhere'} back to {expected}")
        click.echo(f"{len(asked)} of 2 asked for it{': ' + ', '.join(asked) if asked else ''}")
    return 0


def _show_unnoticed(target: str, head: str, expected: str, form: str) -> int:
    """What would be done about a move that nothing has raised the alarm for yet."""
    if form == "json":
        row: dict[str, object] = {"alarm": None, "branch": target, "from": head or None, "to": expected}
        click.echo(json.dumps({**row, "asked": [], "state": "dry-run"}))
    else:
        stands = f"stands at {head}" if head else "is gone"
        click.echo(f"would raise the alarm: {plain(target)} {stands}, and the ledger expects {expected}")
        click.echo(f"would move it back to {expected} once 2 have asked for it; nobody has yet")
    return 0
