"""`guard break-glass`: ask, signed, for an emergency's leave to promote one head."""

from __future__ import annotations

from typing import Any

import click

from guard.cli.sending import form_option, made, open_clone, print_sent, send_claim, sending


@click.command("break-glass")
@click.option("--commit", metavar="REF", default="HEAD", show_default=True, help="The head to let pass.")
@click.option(
    "--because", "reason", metavar="TEXT", required=True, help="Why it cannot wait, for the record."
)
@sending
@form_option
def break_glass(commit: str, reason: str, form: str, **options: Any) -> None:
    """Ask for an emergency's leave to promote exactly one commit.

    It takes two: holders of the roles that the policy's [break_glass] names, different people, who both ask within 30
    minutes. Then every gate's and rule's findings pass for that commit until it expires, the ledger and every decision
    say so, and what it brought blocks the next promotion until it is on upstream.

    \b
    guard break-glass --commit hotfix --because "SEV-1: payments are down"
    """
    from guard.core.claims import BreakGlassAsked

    with open_clone(**options) as clone:
        subject, target = clone.commit(commit, "--commit"), clone.target()
        claim = made(BreakGlassAsked, target=target, commit=subject, reason=reason)
        sent = send_claim(claim, clone.sender())
    print_sent(
        sent,
        f"asked for break-glass for {subject[:10]} on {target}; it opens when a second person asks",
        form=form,
    )
