"""`guard audit verify` and `guard audit checkpoint`: does the ledger add up, and who else will know?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guard.cli.auditing import form_option, home_of, opened, remote_option, server_option
from guard.core.chain import Checkpoint, broken, verify_chain
from guard.core.errors import LedgerError, UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.journeys.checkpoints import Sent

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="COUNT:HASH|FILE",
    help="What was kept elsewhere: shows whether entries were cut off or replaced since; repeatable.",
)
@click.option(
    "--jwks",
    type=_FILE,
    help="The guard's public keys for sealed checkpoints [default: the server side's own].",
)
@click.option(
    "--file", "export", type=_FILE, help="Verify this export instead of a ledger; no server is needed."
)
@server_option
@remote_option
@form_option
def verify(
    *,
    checkpoints: tuple[str, ...],
    jwks: Path | None,
    export: Path | None,
    server: str | None,
    remote: str,
    form: str,
) -> int:
    """Check every entry's hash and place in the chain; name the first that does not add up.

    A changed, removed, inserted or moved entry is found. Entries cut off the end, and a chain written anew as a whole,
    show only against checkpoints that were kept elsewhere: give what an earlier run printed, or a file of sealed
    checkpoints. Their signatures are checked; trust the keys of a copy that you keep, not those of the same machine.

    \b
    guard audit verify --checkpoint 1041:sha256:6e3f…
    guard audit verify --file ledger.jsonl --checkpoint guard.checkpoints --jwks jwks.json

    Exit status: 0 it adds up, 1 it does not, 2 it could not be read.
    """
    try:
        count, last = _verified(checkpoints, jwks, export, server=server, remote=remote)
    except LedgerError as error:
        if error.code == "ledger.broken":
            error.exit_status = 1
            if form == "json":
                click.echo(json.dumps({"sound": False, "why": error.message}))
        raise
    if form == "json":
        click.echo(json.dumps({"sound": True, "entries": count, "head": last}))
    else:
        click.echo(f"the ledger adds up: {count} entries\ncheckpoint: {count}:{last}")
    return 0


@click.command()
@click.option(
    "--to",
    multiple=True,
    metavar="PLACE",
    help="file:/PATH, syslog:, syslog://HOST:PORT or https://HOST/PATH [default: settings.toml's]; repeatable.",
)
@click.option(
    "--print", "only_print", is_flag=True, help="Print the sealed checkpoint instead of sending it."
)
@server_option
@remote_option
@form_option
def checkpoint(*, to: tuple[str, ...], only_print: bool, server: str | None, remote: str, form: str) -> int:
    """Leave a signed checkpoint of the ledger where its host cannot change it; a place that has it is left alone.

    The service does this by itself as often as [checkpoints] in settings.toml says; without a service, let cron do it.

    \b
    guard audit checkpoint --to file:/mnt/append-only/guard.checkpoints
    guard audit checkpoint --print | mail -s checkpoint auditors@example.com

    Exit status: 0 every place has it, 2 one could not be reached.
    """
    from guard import wiring

    home = home_of(server, remote)
    ledger = wiring.read_ledger(home)
    if only_print:
        click.echo(wiring.sealed_checkpoint(home, ledger) or "", nl=False)
        return 0
    if not (to or home.settings.checkpoints.to):
        raise UsageError(
            "no place for checkpoints is known",
            fix='name one with --to, or in settings.toml: [checkpoints] to = ["file:/…"]',
            code="usage.to",
        )
    sent = wiring.send_checkpoints(home, ledger, to=to)
    click.echo(_told(sent) if form == "text" else json.dumps({"sent": [_as_json(one) for one in sent]}))
    return 2 if any(one.failed for one in sent) else 0


def _verified(
    checkpoints: tuple[str, ...], jwks: Path | None, export: Path | None, *, server: str | None, remote: str
) -> tuple[int, str]:
    if export is None:
        ledger = opened(server, remote)
        marks = _marks(checkpoints, jwks or home_of(server, remote).jwks, repository=ledger.repository)
        return ledger.verify_to_head(checkpoints=marks)
    from guard.adapters.exports import rows_of

    with export.open("rb") as stream:
        rows = rows_of(stream, where=export.name)
        first = next(rows, None)
        if first is None:
            raise broken("the export holds no entry")
        marks = _marks(checkpoints, jwks, repository=str(first[0]))
        return verify_chain(chain([first], rows), checkpoints=marks)


def _marks(given: tuple[str, ...], jwks: Path | None, *, repository: str) -> list[Checkpoint]:
    from guard.core.checkpoint import parse_short, unseal_all

    marks: list[Checkpoint] = []
    for text in given:
        short = parse_short(text)
        if short is not None:
            marks.append(short)
            continue
        file = Path(text)
        if not file.is_file():
            raise UsageError(
                f"--checkpoint: {plain(text)!r} is neither COUNT:HASH, as guard audit verify prints it, nor a file",
                fix="copy it whole, or name the file that checkpoints go to",
            )
        if jwks is None:
            raise UsageError("sealed checkpoints need the guard's keys", fix="name them: --jwks FILE")
        with file.open(encoding="utf-8", errors="surrogateescape") as lines:
            marks.extend(unseal_all(lines, _keys(jwks), repository=repository))
    return marks


def _keys(jwks: Path) -> Mapping[str, Any]:
    from guard.adapters.keyring import known_public_keys

    return known_public_keys(jwks)


def _told(sent: tuple[Sent, ...]) -> str:
    if not sent:
        return "every place has the newest checkpoint already"
    return "\n".join(
        f"not sent to {plain(one.to)}: {plain(one.failed)}"
        if one.failed
        else f"sent to {plain(one.to)}: {one.count} entries"
        for one in sent
    )


def _as_json(one: Sent) -> dict[str, object]:
    return {"to": one.to, "entries": one.count, "failed": one.failed or None}
