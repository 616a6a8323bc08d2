"""Evidence kind `attestation`: an in-toto statement about this very commit, signed by a key that the operator knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from guard.adapters.evidence.dotted import different
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.submission import Received, exit_problems
from guard.adapters.evidence.untrusted import Unreadable, list_of, load_json, shown, table_of, text_of
from guard.core.evidence import Observation, Reading
from guard.core.model import Commit, Finding, Known, Unknown
from guard.core.report_kinds import Attestation

if TYPE_CHECKING:
    from guard.core.dsse import PublicKey

STATEMENT = "https://in-toto.io/Statement/v1"
COMMIT_DIGESTS = {"gitCommit": (40, 64), "sha1": (40,), "sha256": (64,)}
"""The digests of a subject that can name a commit, and how many hex digits they then have. In a repository of SHA-1
a SHA-256 is that of something else."""

MAX_KEY = 64 * 1024


def read_attestation(received: Received, spec: Attestation, sources: EvidenceSources) -> Reading:
    """Passes when the newest submission is an envelope signed by the named key, whose statement is about the
    candidate's commit, is of the wanted type and has the wanted fields."""
    key = _key(spec, sources)
    if isinstance(key, Unknown):
        return key
    envelope = received.envelope
    what = f"the attestation of {spec.source}"
    statement = _statement(received.needed_report("DSSE envelope"), spec, key, what, received.again)
    observation = Observation(
        summary=f"{spec.predicate_type.rpartition('/')[2] or spec.predicate_type} signed by {spec.key}",
        problems=(
            *_problems(statement, spec, what, received.again),
            *exit_problems(received, explained=False),
        ),
        subject=_subject(statement, sources.candidate.new, what),
        dated=envelope.received_at,
        digest=envelope.digest,
    )
    return Known(observation, received.source, sources.now)


def _key(spec: Attestation, sources: EvidenceSources) -> PublicKey | Unknown:
    from guard.core.dsse import DsseError, public_key_of

    keys = sources.operator.keys
    if keys is None:
        return Unknown(
            f"which key {spec.key} is, only the server side knows",
            fix="ask it: guard check --server BARE.git, or the service",
            who=("operator",),
        )
    fix = f'name its PEM file in settings.toml: attestation_keys = {{ {spec.key} = "{spec.key}.pem" }}'
    if spec.key not in keys:
        return Unknown(f"the operator's settings have no key {spec.key}", fix=fix, who=("operator",))
    try:
        with keys[spec.key].open("rb") as stream:
            return public_key_of(stream.read(MAX_KEY))
    except OSError as error:
        why = error.strerror or "it cannot be read"
    except DsseError as error:
        why = error.message
    return Unknown(f"the operator's key {spec.key} cannot be used: {why}", fix=fix, who=("operator",))


def _statement(report: bytes, spec: Attestation, key: PublicKey, what: str, again: str) -> dict[str, object]:
    """The statement, once it is known that the key signed it. Raises Unreadable."""
    from guard.core.dsse import DsseError, parse_envelope, verified

    try:
        envelope = parse_envelope(report)
        verified(envelope, {spec.key: key})
    except DsseError as error:
        raise Unreadable(
            f"{what} proves nothing: {shown(error.message)}", fix=error.fix or f"sign it anew, then: {again}"
        ) from None
    statement = table_of(load_json(envelope.payload, what), what)
    if statement.get("_type") != STATEMENT:
        said = shown(text_of(statement.get("_type"))) or "none"
        raise Unreadable(f"{what} is no in-toto statement of version 1: its _type is {said}", fix=again)
    return statement


def _problems(statement: dict[str, object], spec: Attestation, what: str, again: str) -> Iterator[Finding]:
    said = statement.get("predicateType")
    if said != spec.predicate_type:
        message = f"{what} is of the type {shown(text_of(said)) or 'none'}; wanted is {spec.predicate_type}"
        yield Finding("attestation.type", message, fix=again, who=("ci",))
        return
    predicate = table_of(statement.get("predicate"), f"the predicate of {what}")
    for path, wanted, says in different(predicate, spec.fields):
        message = f"{what} {says} {path}; wanted is {wanted!r}"
        yield Finding("attestation.field", message, fix=f"mend what it tells, then: {again}", who=("ci",))


def _subject(statement: dict[str, object], new: Commit, what: str) -> Commit:
    """The candidate's commit where the statement names it among its subjects, else the commit that it does name.

    Raises Unreadable where it names none, or says two different things of one subject.
    """
    commits: list[str] = []
    for item in list_of(statement.get("subject"), f"the subject of {what}"):
        digests = table_of(
            table_of(item, f"a subject of {what}").get("digest"), f"a subject's digest of {what}"
        )
        named = {
            value
            for name, lengths in COMMIT_DIGESTS.items()
            if isinstance(value := digests.get(name), str)
            and len(value) in lengths
            and len(value) == len(new)
        }
        if len(named) > 1 and new in named:
            raise Unreadable(f"a subject of {what} names two different commits: which one would count?")
        commits += sorted(named)
    if new in commits:
        return new
    if not commits:
        raise Unreadable(f"{what} does not name a commit as its subject")
    return Commit(commits[0])
