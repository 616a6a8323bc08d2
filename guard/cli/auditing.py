"""What the commands of `guard audit` share: whose ledger, and in which form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from guard.adapters.ledger import SqlLedger
    from guard.settings import ServerHome

server_option = click.option(
    "--server",
    metavar="BARE.git",
    help="The guarded repository [default: GUARD_SERVER, or the remote's, if local].",
)
remote_option = click.option(
    "--remote", default="origin", show_default=True, help="The remote whose guard it is."
)
form_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


def home_of(server: str | None, remote: str) -> ServerHome:
    """The server side that is named, or that guards this clone's remote."""
    from guard.wiring_desk import server_side

    return server_side(server=server, clone=Path(), remote=remote, what="guard audit")


def opened(server: str | None, remote: str) -> SqlLedger:
    """Its ledger."""
    from guard.wiring import read_ledger

    return read_ledger(home_of(server, remote))
