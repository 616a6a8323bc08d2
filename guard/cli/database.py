"""`guard database`: make a PostgreSQL database ready for the ledger."""

from __future__ import annotations

import json

import click

from guard.core.errors import UsageError
from guard.render.safe import plain


@click.group()
def database() -> None:
    """Keep the ledger and the service's inbox in PostgreSQL instead of a file.

    \b
    guard database prepare --url postgresql://guard_owner@db/guard --role guard_service
    guard install --server /srv/git/platform.git --database postgresql://guard_service@db/guard
    """


@database.command()
@click.option(
    "--url",
    required=True,
    metavar="URL",
    help="The database, as the role that is to own the tables: postgresql://OWNER@HOST/NAME.",
)
@click.option(
    "--role", required=True, help="The role that the guard connects as; it has to be there already."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def prepare(url: str, role: str, form: str) -> None:
    """Make the tables or bring them up to date, and let the guard's role work with them.

    Run it as the owner, once, and again with each new version of release-guard. The guard itself connects as the other
    role, which can add to the ledger and neither change nor remove what is there; the guard refuses to work as an
    owner. Passwords come from ~/.pgpass, or from the file that PGPASSFILE names.

    \b
    createuser guard_owner; createuser guard_service
    createdb --owner guard_owner guard
    guard database prepare --url postgresql://guard_owner@/guard --role guard_service
    """
    from guard.adapters.database import PATIENCE
    from guard.adapters.postgresql import SCHEME, make_tables

    if not url.startswith(SCHEME):
        raise UsageError(
            "--url: expected a PostgreSQL URL", fix=f"write it as {SCHEME}OWNER@HOST/NAME", code="usage.url"
        )
    lines = make_tables(url, role=role, patience=PATIENCE)
    if form == "json":
        click.echo(json.dumps({"done": list(lines)}))
    else:
        click.echo("\n".join(plain(line, limit=1000) for line in lines))
