"""`guard decision`: check the signed record of a decision, and make the decision again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from guard.cli.auditing import form_option, home_of, remote_option, server_option
from guard.cli.decision_text import record_json, record_text, replayed_json, replayed_text
from guard.cli.output import write_whole
from guard.core.errors import GuardError, UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.core.dsse import PublicKey

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_KEYS = (
    click.option(
        "--jwks", type=_FILE, help="The guard's public keys as a JWK Set, such as a kept jwks.json."
    ),
    click.option("--key", type=_FILE, help="One public key as PEM instead."),
    click.option("--kid", metavar="ID", help="Only the key of this id counts; needs --jwks."),
)


def keyed(function: F) -> F:
    """The options that name the keys."""
    for option in reversed(_KEYS):
        function = option(function)
    return function


@click.group()
def decision() -> None:
    """Check the signed record of a decision, and make the decision again, with nothing but the file and a public key.

    \b
    guard check --target release/platform-control --server BARE.git --record go.json
    guard decision verify go.json --jwks kept/jwks.json --commit 4f2a…
    guard decision replay go.json --jwks kept/jwks.json
    """


@decision.command()
@click.argument("file", type=_FILE)
@keyed
@click.option("--commit", metavar="SHA", help="Fail unless it is about this commit.")
@click.option("--ref", metavar="BRANCH", help="Fail unless it is about this branch.")
@click.option("--repository", metavar="NAME", help="Fail unless it is about this repository.")
@click.option("--go", is_flag=True, help="Fail unless it says GO, and time alone has not ended that.")
@click.option(
    "--at",
    type=click.DateTime(),
    metavar="MOMENT",
    help="With --go: whether it held then (UTC) [default: now].",
)
@form_option
def verify(
    *,
    file: Path,
    commit: str | None,
    ref: str | None,
    repository: str | None,
    go: bool,
    at: datetime | None,
    form: str,
    **given: Any,
) -> int:
    """Check a record's signature and that it is at one with itself; say who decided what, on what, and when.

    A signed NO-GO verifies like a GO, and so does a GO that is long over: add --go, --commit, --ref and --repository
    where something is to rest on the answer. Trust the keys of a copy that you keep, not those that came with the file.

    \b
    guard decision verify go.json --jwks kept/jwks.json
    guard decision verify go.json --key guard.pem --commit 4f2a… --ref release/platform-control --go

    Exit status: 0 it holds, 1 it does not, 2 it could not be read, 64 wrong usage.
    """
    from guard.journeys.demands import Demand, unmet
    from guard.journeys.records import RecordError, open_record
    from guard.wiring import system_clock

    keys = _demanded(**given)
    if at and not go:
        raise UsageError("--at belongs to --go", fix="add it", code="usage.at")
    demand = Demand(repository, commit, ref, go=go)
    try:
        record = open_record(_read(file), keys)
        for failed in unmet(record, demand, now=(at or system_clock().now()).replace(tzinfo=UTC)):
            raise RecordError(failed, code="record.other")
    except RecordError as error:
        if form == "json":
            click.echo(json.dumps({"verified": False, "code": error.code, "why": error.message}))
        raise
    click.echo(json.dumps(record_json(record)) if form == "json" else record_text(record))
    return 0


@decision.command("verify-bundle")
@click.argument("file", type=_FILE)
@keyed
@form_option
def verify_bundle(*, file: Path, form: str, **given: Any) -> int:
    """Check every statement of an export: its signature, and that it is at one with itself; tell what each says.

    \b
    guard audit export --format in-toto --out platform.intoto.jsonl
    guard decision verify-bundle platform.intoto.jsonl --jwks kept/jwks.json

    Exit status: 0 all of them hold, 1 one does not, 2 it could not be read, 64 wrong usage.
    """
    from guard.core.dsse import MAX_ENVELOPE
    from guard.journeys.bundles import open_bundle

    keys, count = _demanded(**given), 0
    with _opened(file) as lines:
        # No line of it is longer than an envelope can be, whatever the file holds.
        bounded = iter(lambda: lines.readline(MAX_ENVELOPE + 2), b"")
        for one in open_bundle(bounded, keys):
            count += 1
            line = f"{one.at[:19]}Z  {one.said:<12}  {one.commit}  {one.ref}"
            click.echo(json.dumps(asdict(one)) if form == "json" else plain(line))
    if form == "text":
        click.echo(f"{count} statements hold")
    return 0


@decision.command()
@click.argument("name", metavar="ID")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here [default: stdout]."
)
@server_option
@remote_option
def record(*, name: str, out: Path | None, server: str | None, remote: str) -> None:
    """Write the signed record of a decision that is in the ledger, with everything that it was made of.

    ID is what guard audit replay takes. For a decision made now: guard check --record FILE.

    \b
    guard decision record 1041 --out go.json
    """
    from guard import wiring
    from guard.journeys.records import seal
    from guard.journeys.replaying import find_decision, statement_of

    home = home_of(server, remote)
    ledger = wiring.read_ledger(home)
    statement = statement_of(find_decision(ledger, name), ledger.part, whole=True)
    sealed = seal(statement, wiring.signing_key(home))
    if out:
        write_whole(out, sealed)
    else:
        click.echo(sealed)


@decision.command()
@click.argument("file", type=_FILE)
@keyed
@form_option
def replay(*, file: Path, form: str, **given: Any) -> int:
    """Make the decision in a record again from what it carries, offline, and say exactly where it differs.

    Neither a repository nor a network is asked: the policy, the facts and the moment are those of the record. Without
    keys the file is taken at its word, and that is said.

    \b
    guard decision replay go.json --jwks kept/jwks.json

    Exit status: 0 the same decision, 1 another one, or the record does not hold, 2 it could not be made again.
    """
    from guard import __version__
    from guard.journeys.records import open_record, replay_record

    record = open_record(_read(file), _keys(**given))
    replayed = replay_record(record, engine=__version__)
    signed = f"signed by {', '.join(record.signers)}" if record.signers else "its signature was not checked"
    click.echo(
        json.dumps({**replayed_json(replayed), "signers": list(record.signers)})
        if form == "json"
        else f"{replayed_text(replayed)}\n{signed}"
    )
    return 0 if replayed.same else 1


def _keys(*, jwks: Path | None, key: Path | None, kid: str | None) -> Mapping[str, PublicKey] | None:
    """The keys that count by their names; None where none is named. Raises UsageError, SettingsError, DsseError."""
    from guard.adapters.keys import public_keys
    from guard.core.dsse import public_key_of

    if jwks and key:
        raise UsageError("--jwks and --key exclude each other", fix="name one of them", code="usage.key")
    if kid and not jwks:
        raise UsageError(
            "--kid chooses among the keys of a set", fix="name the set: --jwks FILE", code="usage.key"
        )
    if key:
        return {key.name: public_key_of(_read(key))}
    if not jwks:
        return None
    known = public_keys(jwks)
    if kid and kid not in known:
        raise UsageError(
            f"{jwks.name} has no key {plain(kid)!r}", fix=f"it has {', '.join(known)}", code="usage.key"
        )
    return {kid: known[kid]} if kid else dict(known)


def _demanded(**given: Any) -> Mapping[str, PublicKey]:
    """The keys that are named. Raises UsageError where none is."""
    keys = _keys(**given)
    if keys is None:
        raise UsageError(
            "no key is named", fix="name the guard's: --jwks FILE, or --key FILE.pem", code="usage.key"
        )
    return keys


def _read(file: Path) -> bytes:
    from guard.core.dsse import MAX_ENVELOPE

    with _opened(file) as stream:
        return stream.read(MAX_ENVELOPE + 1)


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    try:
        stream = file.open("rb")
    except OSError as error:
        raise GuardError(
            f"{file}: {error.strerror}", fix="name a file that can be read", code="input.failed"
        ) from None
    with stream:
        yield stream
