"""A move of a protected branch as an in-toto Statement v1: from where to where, with which permit, or without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.ports import Entry
from guard.render.decision_record import STATEMENT, hashed_or_none, resource_of, verifier_of
from guard.render.schema import closed

PREDICATE = "urn:release-guard:predicate:move:v1"
NOWHERE = frozenset({"0" * 40, "0" * 64})
KINDS = {"branch.moved": "move", "baseline.adopted": "baseline"}
"""The ledger's kinds that say where a branch stands."""


def move_statement(entry: Entry, permit: Mapping[str, Any] | None, *, by: str, engine: str) -> dict[str, Any]:
    """The statement about a ledger's entry that says where a branch stands from then on.

    `kind` is `promotion` (with a permit, whose entry's body is `permit`, asked for by `by`), `move` (without one: an
    alarm), or `baseline` (somebody took the branch as it stood). The subject is the commit that the branch came to, or,
    where it was deleted, the one that it had.
    """
    body = entry.body
    ref, old = str(body["ref"]), body.get("old") or body.get("instead_of")
    new = str(body.get("new") or body.get("head"))
    kind = "promotion" if body.get("permit") else KINDS[entry.kind]
    predicate = {
        "verifier": verifier_of(entry.repository, engine),
        "resourceUri": resource_of(entry.repository, ref),
        "kind": kind,
        "ref": ref,
        "old": old,
        "new": new,
        "recordedAt": entry.at,
        "by": by or None,
        "because": body.get("because") or None,
        "permit": _permit(str(body["permit"]), permit or {}) if body.get("permit") else None,
        "ledger": {"seq": entry.seq, "hash": entry.hash, "at": entry.at},
    }
    subject = {"name": entry.repository, "digest": {"gitCommit": str(old) if new in NOWHERE else new}}
    return {"_type": STATEMENT, "subject": [subject], "predicateType": PREDICATE, "predicate": predicate}


def _permit(permit: str, issued: Mapping[str, Any]) -> dict[str, Any]:
    """What is on record of a permit; older entries do not say by which decision it was given."""
    said = {name: issued.get(name) or None for name in ("promotion", "issued", "expires")}
    digests = {name: hashed_or_none(issued.get(name)) for name in ("decision", "policy")}
    return {"id": permit, **said, **digests}


def move_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `move_statement`."""
    text, maybe = {"type": "string"}, {"type": ["string", "null"]}
    digest = {"anyOf": [closed(sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"}), {"type": "null"}]}
    commit = {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"}
    permit = closed(id=text, promotion=maybe, issued=maybe, expires=maybe, decision=digest, policy=digest)
    predicate = closed(
        verifier=closed(id=text, version=closed(**{"release-guard": text})),
        resourceUri=text,
        kind={"enum": ["promotion", "move", "baseline"]},
        ref=text,
        old=maybe,
        new=text,
        recordedAt={"type": "string", "format": "date-time"},
        by=maybe,
        because=maybe,
        permit={"anyOf": [permit, {"type": "null"}]},
        ledger=closed(seq={"type": "integer"}, hash=text, at=text),
    )
    subject = closed(name=text, digest=closed(gitCommit=commit))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:release-guard:schema:move:1",
        "title": "Release Guard: the statement about a move of a protected branch",
        **closed(
            _type={"const": STATEMENT},
            subject={"type": "array", "minItems": 1, "maxItems": 1, "items": subject},
            predicateType={"const": PREDICATE},
            predicate=predicate,
        ),
    }
