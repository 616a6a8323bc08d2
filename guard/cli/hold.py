"""`guard hold`, `unhold` and `holds`: stop every promotion of a branch, let them go on, and list what stops them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guard.cli.auditing import remote_option, server_option
from guard.cli.sending import form_option, made, open_clone, print_sent, send_claim, sending
from guard.core.errors import GuardError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.core.rules.holds import Hold


@click.command()
@click.option("--because", "reason", metavar="TEXT", required=True, help="Why, for everybody to read.")
@click.option(
    "--kind",
    type=click.Choice(["manual", "maintenance"]),
    default="manual",
    show_default=True,
    help="Whether something is wrong, or work is done that a promotion would disturb.",
)
@sending
@form_option
def hold(reason: str, kind: str, form: str, **options: Any) -> None:
    """Stop every promotion of the branch until somebody who may lifts it, and take back permits under way.

    Anybody whose key the server knows can hold; only a holder of an approving role can lift it.

    \b
    guard hold --because "the payment provider is down"
    guard hold --kind maintenance --because "the database is moved tonight"
    """
    from guard.core.claims import HoldPlaced

    with open_clone(**options) as clone:
        target = clone.target()
        sent = send_claim(made(HoldPlaced, target=target, reason=reason, kind=kind), clone.sender())
    print_sent(sent, f"promotions of {target} are held", form=form)


@click.command()
@click.argument("hold", metavar="[HOLD]", default="")
@click.option("--because", "reason", metavar="TEXT", default="", help="What has changed, for the record.")
@sending
@form_option
def unhold(hold: str, reason: str, form: str, **options: Any) -> None:
    """Say that a hold on the branch's promotions may end: this one, or all that people placed.

    It counts when you hold a role that the policy's approvals name. An alarm and a drift are lifted by name alone, by
    two such people; whoever lifts an alarm accepts the branch as it stands. `guard holds` lists what holds.

    \b
    guard unhold --because "the provider is back"
    guard unhold alarm-0f3a5c7e9b1d --because "the hotfix was agreed on the phone, INC-214"
    """
    from guard.cli.restore import end_alarm_here
    from guard.core.claims import HoldLifted

    with open_clone(**options) as clone:
        target = clone.target()
        sent = send_claim(made(HoldLifted, target=target, reason=reason, hold=hold), clone.sender())
        if hold:
            end_alarm_here(clone, target)
    print_sent(
        sent,
        f"said that {hold or 'what people hold'} need not hold the promotions of {target} any more",
        form=form,
    )


@click.command()
@click.option("--branch", metavar="BRANCH", help="The protected branch [default: the only one known].")
@click.option("--all", "every", is_flag=True, help="Those that were lifted, too.")
@server_option
@remote_option
@form_option
def holds(*, branch: str | None, every: bool, server: str | None, remote: str, form: str) -> int:
    """List what holds the promotions of a branch; asks the server side, which must be on this machine.

    Exit status: 0 nothing holds them, 1 something does, 2 it cannot be told.

    \b
    guard holds
    guard holds --server /srv/git/platform.git --all --format json
    """
    from guard import wiring
    from guard.core.model import Unknown
    from guard.journeys.holds import list_holds
    from guard.wiring_desk import only_branch, server_side

    home = server_side(server=server, clone=Path(), remote=remote, what="guard holds")
    ledger = wiring.read_ledger(home)
    name = branch or only_branch(home, ledger)
    fact = list_holds(wiring.server_sources(home, ledger), name)
    if isinstance(fact, Unknown):
        raise GuardError(fact.why, fix=fact.fix, code="holds.unknown")
    found = [hold for hold in fact.value if every or not hold.is_over]
    if form == "json":
        click.echo(json.dumps([_row(hold) for hold in found], indent=2, ensure_ascii=False))
    else:
        _print(found, name)
    return 1 if any(not hold.is_over for hold in found) else 0


def _row(hold: Hold) -> dict[str, object]:
    mark = hold.mark
    return {
        "id": mark.id, "kind": mark.kind, "because": mark.reason, "by": mark.actor or None,
        "at": f"{mark.at:%Y-%m-%dT%H:%M:%SZ}", "barred": list(mark.barred), "agreed": list(hold.agreed),
        "needed": hold.needed, "lifted": hold.is_over,
    }  # fmt: skip


def _print(found: list[Hold], branch: str) -> None:
    from guard.core.rules.holds import how_to_lift

    for hold in found:
        mark = hold.mark
        state = "lifted" if hold.is_over else f"{len(hold.agreed)} of {hold.needed or '?'} agree"
        who = plain(mark.actor) or "the guard"
        click.echo(f"{mark.id}  {mark.kind:<11}  {mark.at:%Y-%m-%d %H:%M} UTC  {who}  {state}")
        click.echo(f"  {plain(mark.reason, limit=500)}")
        if not hold.is_over:
            click.echo(f"  fix: {plain(how_to_lift(hold), limit=500)}")
    if not found:
        click.echo(f"nothing holds the promotions of {plain(branch)}")
