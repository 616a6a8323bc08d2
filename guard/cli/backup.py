"""`guard backup`: keep a copy of a server side, check it, and put it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guard.cli.auditing import form_option, home_of, remote_option, server_option
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.adapters.backup import Manifest

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def backup() -> None:
    """Keep a copy of a server side: its ledger, its settings and, if you say so, its signing keys.

    The ledger is written as JSON lines, so that it can be put back into a file or into PostgreSQL, and checked without
    either. The guarded repository is git's to back up.

    \b
    guard backup create --out /backup/guard.tar
    guard backup verify /backup/guard.tar
    guard backup restore /backup/guard.tar --home /srv/git/platform.git/guard
    """


@backup.command()
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The archive to write."
)
@click.option(
    "--with-keys", is_flag=True, help="Put the private signing keys in, too: keep it as safe as they are."
)
@server_option
@remote_option
@form_option
def create(*, out: Path, with_keys: bool, server: str | None, remote: str, form: str) -> None:
    """Write a backup, whole or not at all, while the service runs.

    Without the keys, a restored guard makes a new one (guard install --server), and permits under way end with the old.
    """
    from guard import wiring
    from guard.adapters.backup import write_backup
    from guard.adapters.ledger import rfc3339

    home = home_of(server, remote)
    ledger = wiring.read_ledger(home)
    made = write_backup(
        out,
        home.path,
        ledger.entries(),
        repository=ledger.repository,
        at=rfc3339(wiring.system_clock().now()),
        with_keys=with_keys,
        parts=ledger.inputs.parts(),
    )
    _tell(made, form, f"wrote {out}")


@backup.command()
@_FILE
@form_option
def verify(*, file: Path, form: str) -> None:
    """Check a backup as a whole: every file's digest, and the ledger's chain.

    Compare what it says with checkpoints that were kept elsewhere: guard audit verify --checkpoint.
    """
    from guard.adapters.backup import opened_backup

    with opened_backup(file) as (manifest, _, _):
        _tell(manifest, form, f"{file} is whole")


@backup.command()
@_FILE
@click.option(
    "--home",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The server side's folder; what stands there already must say the same, and its ledger must be empty.",
)
@click.option(
    "--database", metavar="URL", help="Put the ledger into this PostgreSQL database instead of where it was."
)
@form_option
def restore(*, file: Path, home: Path, database: str | None, form: str) -> None:
    """Put a backup back, after checking it as a whole; the ledger in one step, or not at all.

    Can be run again after it was interrupted. Then, for the hooks and a new key where none was kept:
    guard install --server BARE.git, and guard audit verify with the newest checkpoint that you have.
    """
    from guard import wiring

    manifest = wiring.restore_backup(file, home, database=database)
    _tell(manifest, form, f"restored into {home}")


def _tell(manifest: Manifest, form: str, what: str) -> None:
    if form == "json":
        table = {
            "repository": manifest.repository, "at": manifest.at, "entries": manifest.entries, "head": manifest.head,
            "keys": manifest.has_keys, "files": dict(manifest.files),
        }  # fmt: skip
        click.echo(json.dumps(table, indent=2))
        return
    keys = "with its signing keys" if manifest.has_keys else "without signing keys"
    click.echo(f"{plain(what, limit=1000)}: {plain(manifest.repository)}, {manifest.entries} entries, {keys}")
    click.echo(f"checkpoint: {manifest.entries}:{plain(manifest.head)}")
