"""`guard audit export`: the ledger in a form that others can keep and check without the guard's database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guard.cli.auditing import home_of, remote_option, server_option
from guard.cli.output import write_whole
from guard.core.errors import UsageError

if TYPE_CHECKING:
    from guard.settings import ServerHome


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it here, whole or not at all [default: stdout].",
)
@click.option("--format", "form", type=click.Choice(["jsonl", "in-toto"]), default="jsonl", show_default=True)
@click.option(
    "--with-inputs", is_flag=True, help="in-toto: put into each decision all that it was made of, too."
)
@server_option
@remote_option
def export(*, out: Path | None, form: str, with_inputs: bool, server: str | None, remote: str) -> None:
    """Write all entries as JSON lines, in the chain's order: what guard audit verify --file checks anywhere.

    Each line is one entry in canonical JSON (RFC 8785). Its hash is the SHA-256 of the same object without the member
    "hash", and covers the hash of the entry before, so that any language can follow the chain.

    --format in-toto writes a signed statement for each decision and each move of a protected branch instead, a DSSE
    envelope a line, for tools that know nothing of this guard but its public key.

    \b
    guard audit export --out ledger.jsonl
    guard audit verify --file ledger.jsonl
    guard audit export --format in-toto --out platform.intoto.jsonl
    """
    if with_inputs and form != "in-toto":
        raise UsageError("--with-inputs belongs to --format in-toto", fix="add it", code="usage.format")
    lines = _lines(form, home_of(server, remote), whole=with_inputs)
    if out is None:
        for line in lines:
            click.echo(line, nl=False)
        return
    write_whole(out, lines)
    click.echo(f"wrote {out}", err=True)


def _lines(form: str, home: ServerHome, *, whole: bool) -> Iterator[bytes]:
    from guard import __version__, wiring
    from guard.adapters.exports import lines_of
    from guard.journeys.attesting import attestations

    ledger = wiring.read_ledger(home)
    if form == "jsonl":
        return lines_of(ledger.entries())
    return attestations(ledger, ledger.part, wiring.signing_key(home), engine=__version__, whole=whole)
