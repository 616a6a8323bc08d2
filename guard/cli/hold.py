"""`guard hold`, `guard unhold`: stop every promotion of a branch, and let them go on."""

from __future__ import annotations

from typing import Any

import click

from guard.cli.sending import form_option, made, open_clone, print_sent, send_claim, sending


@click.command()
@click.option("--because", "reason", metavar="TEXT", required=True, help="Why, for everybody to read.")
@sending
@form_option
def hold(reason: str, form: str, **options: Any) -> None:
    """Stop every promotion of the branch until somebody who may lifts it, and take back permits under way.

    Anybody whose key the server knows can hold; only a holder of an approving role can lift it.

    \b
    guard hold --because "the payment provider is down"
    """
    from guard.core.claims import HoldPlaced

    with open_clone(**options) as clone:
        target = clone.target()
        sent = send_claim(made(HoldPlaced, target=target, reason=reason), clone.sender())
    print_sent(sent, f"promotions of {target} are held", form=form)


@click.command()
@click.option("--because", "reason", metavar="TEXT", default="", help="What has changed, for the record.")
@sending
@form_option
def unhold(reason: str, form: str, **options: Any) -> None:
    """Lift whatever holds the promotions of the branch.

    It counts when you hold a role that the policy's approvals name.

    \b
    guard unhold --because "the provider is back"
    """
    from guard.core.claims import HoldLifted

    with open_clone(**options) as clone:
        target = clone.target()
        sent = send_claim(made(HoldLifted, target=target, reason=reason), clone.sender())
    print_sent(sent, f"said that nothing holds the promotions of {target} any more", form=form)
