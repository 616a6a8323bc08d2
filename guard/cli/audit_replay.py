"""`guard audit replay`: a decision on record, made again from what was kept of it."""

from __future__ import annotations

import json

import click

from guard.cli.auditing import form_option, opened, remote_option, server_option
from guard.render.safe import plain


@click.command()
@click.argument("name", metavar="ID")
@server_option
@remote_option
@form_option
def replay(*, name: str, server: str | None, remote: str, form: str) -> int:
    """Make a decision on record again from the policy, the facts and the moment of then, and say where it differs.

    ID is the number of its entry in the ledger, its digest (or how that begins), or the promotion or permit that rests
    on it. Only the ledger is read: no forge, no repository, no network.

    \b
    guard audit log --kind decision.recorded --limit 5
    guard audit replay 1041
    guard audit replay sha256:6e3f…

    Exit status: 0 the same decision, 1 another one, 2 it could not be made again, 64 there is no such decision.
    """
    from guard import __version__
    from guard.cli.decision_text import replayed_json, replayed_text
    from guard.journeys.replaying import find_decision, replay_entry

    ledger = opened(server, remote)
    entry = find_decision(ledger, name)
    replayed = replay_entry(entry, ledger.part, engine=__version__)
    if form == "json":
        click.echo(json.dumps({"entry": entry.seq, "at": entry.at, **replayed_json(replayed)}))
    else:
        click.echo(f"entry {entry.seq} of {plain(entry.at)[:19]}Z\n{replayed_text(replayed)}")
    return 0 if replayed.same else 1
