"""`guard keys`: the keys that permits, checkpoints and decision records are signed with."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guard.cli.auditing import form_option, remote_option, server_option
from guard.core.errors import SettingsError, UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.adapters.keyring import Keyring
    from guard.journeys.keys import Locksmith
    from guard.settings import ServerHome

_WORDS = {
    "signs": "signs, and verifies",
    "verifies": "verifies only: it was replaced",
    "retired": "retired: verifies old checkpoints and records, no permits",
    "revoked": "revoked",
}


@click.group()
def keys() -> None:
    """List, replace, retire and revoke the guard's signing keys; no public key is ever lost by it.

    \b
    guard keys list --server /srv/git/platform.git
    guard keys rotate               # a new key signs; the old one verifies the permits that are out
    guard keys retire KID           # an hour later: the old one verifies no permits any more
    guard keys revoke KID --because "the laptop was stolen"
    guard keys export > all-keys.json
    """


@keys.command("list")
@server_option
@remote_option
@form_option
def list_keys(server: str | None, remote: str, form: str) -> int:
    """Show every key with its id and what it is good for."""
    rows = _ring(home_of(server, remote)).rows()
    if form == "json":
        click.echo(json.dumps({"keys": [asdict(row) for row in rows]}, indent=2))
        return 0
    for row in rows:
        more = "" if row.private or row.state in {"retired", "revoked"} else "; its private half is not here"
        since = f" {row.since}" if row.since else ""
        why = f": {plain(row.why)}" if row.why else ""
        click.echo(f"{plain(row.kid)}  {_WORDS[row.state]}{since}{why}{more}")
    return 0


@keys.command()
@server_option
@remote_option
@form_option
def rotate(server: str | None, remote: str, form: str) -> int:
    """Make a new key that signs from now on. The old one stays listed, so that the permits that are out stay good.

    Also where the private half of the old key was lost.
    """
    from guard.journeys.keys import rotate as make

    ring, smith = _smith(home_of(server, remote))
    with ring.alone():
        made = make(smith)
    return _told(form, f"{made} signs from now on", kid=made, state="signs")


@keys.command()
@click.argument("kid")
@server_option
@remote_option
@form_option
def retire(kid: str, server: str | None, remote: str, form: str) -> int:
    """Take a replaced key out of those that verify permits, when no permit of its can live any more.

    Its public half is kept for old checkpoints and decision records; its private half is deleted.
    """
    from guard.journeys.keys import retire as end

    ring, smith = _smith(home_of(server, remote))
    with ring.alone():
        end(kid, smith)
    return _told(form, f"{plain(kid)} is retired", kid=kid, state="retired")


@keys.command()
@click.argument("kid")
@click.option("--because", required=True, metavar="TEXT", help="Why; it goes on record.")
@server_option
@remote_option
@form_option
def revoke(kid: str, because: str, server: str | None, remote: str, form: str) -> int:
    """End a key that somebody else may have, at once: nothing that it signed gives leave any more.

    Every permit that is out is taken back, and another key signs. Servers that verify by the public keys alone have to
    get jwks.json anew: until then they believe the stolen key.
    """
    from guard.journeys.keys import revoke as end

    if not because.strip():
        raise UsageError("--because: a reason goes on record", code="usage.because")
    ring, smith = _smith(home_of(server, remote))
    with ring.alone():
        signing = end(kid, smith, because=because.strip())
    return _told(form, f"{plain(kid)} is revoked; {signing} signs", kid=kid, state="revoked", signs=signing)


@keys.command()
@server_option
@remote_option
def export(server: str | None, remote: str) -> int:
    """Print the public halves of every key there has ever been, as a JWK Set: what auditors verify old records with.

    It is not for verifying permits: retired and revoked keys are in it, and say so.
    """
    click.echo(json.dumps(_ring(home_of(server, remote)).everything(), indent=2))
    return 0


def home_of(server: str | None, remote: str) -> ServerHome:
    from guard.wiring_desk import server_side

    return server_side(server=server, clone=Path(), remote=remote, what="guard keys")


def _ring(home: ServerHome) -> Keyring:
    from guard.adapters.keyring import Keyring

    if home.settings.verify.compiled:
        raise SettingsError(
            "the keys are where the guard's ledger is, and this server only verifies",
            fix="run it there; then bring the new jwks.json here: guard install --server … --jwks FILE",
            code="keys.elsewhere",
        )
    return Keyring(home.keys, home.jwks)


def _smith(home: ServerHome) -> tuple[Keyring, Locksmith]:
    from guard import wiring
    from guard.adapters.gitdir import GitDir
    from guard.journeys.install import JWKS_REF
    from guard.journeys.keys import Locksmith

    def publish() -> None:
        if (home.settings.git_dir / "HEAD").exists():
            GitDir(home.settings.git_dir).publish_blob(JWKS_REF, home.jwks.read_bytes())

    ring = _ring(home)
    return ring, Locksmith(ring, wiring.open_ledger(home), publish, wiring.system_clock().now())


def _told(form: str, line: str, **document: str) -> int:
    click.echo(json.dumps(document) if form == "json" else line)
    return 0
