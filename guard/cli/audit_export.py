"""`guard audit export`: the ledger in a form that others can keep and check without the guard's database."""

from __future__ import annotations

from pathlib import Path

import click

from guard.cli.auditing import opened, remote_option, server_option
from guard.cli.output import write_whole


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it here, whole or not at all [default: stdout].",
)
@server_option
@remote_option
def export(*, out: Path | None, server: str | None, remote: str) -> None:
    """Write all entries as JSON lines, in the chain's order: what guard audit verify --file checks anywhere.

    Each line is one entry in canonical JSON (RFC 8785). Its hash is the SHA-256 of the same object without the member
    "hash", and covers the hash of the entry before, so that any language can follow the chain.

    \b
    guard audit export --out ledger.jsonl
    guard audit verify --file ledger.jsonl
    """
    from guard.adapters.exports import lines_of

    lines = lines_of(opened(server, remote).entries())
    if out is None:
        for line in lines:
            click.echo(line, nl=False)
        return
    write_whole(out, lines)
    click.echo(f"wrote {out}", err=True)
