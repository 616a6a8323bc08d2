"""`guard decision`: check the signed record of a decision, and make the decision again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from guard.cli.auditing import form_option, home_of, remote_option, server_option
from guard.cli.output import write_whole
from guard.core.errors import GuardError, UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.core.dsse import PublicKey
    from guard.journeys.records import Record, Replayed

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
@click.option("--go", is_flag=True, help="Fail unless it says GO.")
@form_option
def verify(*, file: Path, commit: str | None, ref: str | None, go: bool, form: str, **given: Any) -> int:
    """Check a record's signature and that it is at one with itself; say who decided what, on what, and when.

    A signed NO-GO verifies like a GO: add --go, --commit and --ref where something is to rest on the answer. Trust the
    keys of a copy that you keep, not those that came with the file.

    \b
    guard decision verify go.json --jwks kept/jwks.json
    guard decision verify go.json --key guard.pem --commit 4f2a… --ref release/platform-control --go

    Exit status: 0 it holds, 1 it does not, 2 it could not be read, 64 wrong usage.
    """
    from guard.journeys.records import RecordError, open_record

    keys = _keys(**given)
    if keys is None:
        raise UsageError(
            "no key is named", fix="name the guard's: --jwks FILE, or --key FILE.pem", code="usage.key"
        )
    record = open_record(_read(file), keys)
    for failed in _unmet(record, commit=commit, ref=ref, go=go):
        raise RecordError(failed, code="record.other")
    click.echo(json.dumps(_as_json(record)) if form == "json" else _told(record))
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


def _read(file: Path) -> bytes:
    from guard.core.dsse import MAX_ENVELOPE

    try:
        with file.open("rb") as stream:
            return stream.read(MAX_ENVELOPE + 1)
    except OSError as error:
        raise GuardError(
            f"{file}: {error.strerror}", fix="name a file that can be read", code="input.failed"
        ) from None


def _unmet(record: Record, *, commit: str | None, ref: str | None, go: bool) -> list[str]:
    """What was demanded and is not so."""
    candidate, found = record.document["candidate"], []
    if commit and candidate["new"] != commit.lower():
        found.append(f"it is about the commit {plain(candidate['new'])}, not about {plain(commit)}")
    if ref and candidate["ref"] != f"refs/heads/{ref.removeprefix('refs/heads/')}":
        found.append(f"it is about {plain(candidate['ref'])}, not about {plain(ref)}")
    if go and not record.allowed:
        found.append(f"it says {plain(str(record.document['decision']))}")
    return found


def _as_json(record: Record) -> dict[str, Any]:
    candidate, predicate = record.document["candidate"], record.predicate
    return {
        "verified": True,
        "signers": list(record.signers),
        "decision": record.document["decision"],
        "allowed": record.allowed,
        "outcome": record.document["outcome"],
        "candidate": candidate,
        "decided_at": predicate["timeVerified"],
        "valid_until": predicate["validUntil"],
        "policy": record.document["policy"],
        "digest": record.digest,
        "engine": record.engine,
        "gates": predicate["gates"],
        "ledger": predicate["ledger"],
        "carries_inputs": record.inputs is not None,
    }


def _told(record: Record) -> str:
    document, predicate = record.document, record.predicate
    candidate, policy = document["candidate"], document["policy"]
    open_gates = [
        one for one in document["verdicts"] if one["outcome"] not in {"pass", "not-applicable", "waived"}
    ]
    place = predicate["ledger"]
    lines = [
        f"signed by {', '.join(record.signers)}",
        f"decision:   {document['decision']} ({document['mode']})",
        f"repository: {candidate['repository']}",
        f"move:       {candidate['ref']} from {candidate['old']} to {candidate['new']}",
        f"decided at: {predicate['timeVerified']} by release-guard {record.engine}",
        f"holds till: {predicate['validUntil'] or 'something else than time changes'}",
        f"policy:     {policy['digest'] or 'none'} {policy['source'] or ''}".rstrip(),
        f"gates:      {len(document['verdicts'])} judged, {len(open_gates)} of them block",
        *(f"  {one['outcome']}: {one['id']}" for one in open_gates),
        f"digest:     {record.digest}",
        f"ledger:     entry {place['seq']}, {place['hash']}" if place else "ledger:     not on record",
        "inputs:     carried: guard decision replay makes it again"
        if record.inputs
        else "inputs:     not carried",
    ]
    return "\n".join(plain(str(line)) for line in lines)


def replayed_json(replayed: Replayed) -> dict[str, Any]:
    """What came of a replay, for `--format json`."""
    return {
        "same": replayed.same,
        "same_outcome": replayed.same_outcome,
        "recorded": {"digest": replayed.recorded, "decision": replayed.said, "engine": replayed.engine},
        "again": {"digest": replayed.again, "decision": replayed.said_again, "engine": replayed.engine_again},
        "differences": [
            {"where": one.where, "what": one.what, "recorded": one.recorded, "again": one.again}
            for one in replayed.differences
        ],
    }


def replayed_text(replayed: Replayed) -> str:
    """What came of a replay, line by line."""
    if replayed.same:
        return f"the same decision: {plain(replayed.said)}\ndigest: {replayed.again}"
    lines = [
        f"another decision: {replayed.said} was recorded, {replayed.said_again} is made of it now"
        if not replayed.same_outcome
        else f"the same outcome, {replayed.said}, but not the same decision:",
    ]
    if replayed.engine != replayed.engine_again:
        lines.append(
            f"release-guard {replayed.engine} decided it and this is {replayed.engine_again},"
            " which may judge by other rules"
        )
    lines += [f"  {one.where}: {one.what}: {one.recorded} → {one.again}" for one in replayed.differences]
    lines.append(f"digest: {replayed.recorded} → {replayed.again}")
    return "\n".join(plain(line, limit=1000) for line in lines)
