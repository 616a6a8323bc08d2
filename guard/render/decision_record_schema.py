"""The JSON Schema of a decision record's statement, and of the facts and inputs in it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin

from guard.core.facts import Facts
from guard.core.replay import VERSION as INPUTS_VERSION
from guard.core.replay import Named
from guard.core.snapshot import VERSION as FACTS_VERSION
from guard.core.snapshot import type_hints
from guard.render.decision_json import decision_schema
from guard.render.decision_record import PREDICATE, STATEMENT
from guard.render.schema import closed

_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TIME = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string"}


def decision_record_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the statement in a decision record's envelope."""
    document = {key: value for key, value in decision_schema().items() if not key.startswith("$")}
    statement = closed(
        _type={"const": STATEMENT},
        subject={
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": closed(name=_TEXT, digest=closed(gitCommit=_commit())),
        },
        predicateType={"const": PREDICATE},
        predicate=closed(
            verifier=closed(id=_TEXT, version=closed(**{"release-guard": _TEXT})),
            timeVerified=_TIME,
            validUntil=_or_null(_TIME),
            resourceUri=_TEXT,
            policy=_or_null(closed(name=_TEXT, digest=_digest())),
            verificationResult={"enum": ["PASSED", "FAILED"]},
            said=_TEXT,
            outcome=_TEXT,
            gates={"type": "array", "items": _gate()},
            decision=closed(digest=_digest(), document=document),
            ledger=_or_null(closed(seq={"type": "integer"}, hash=_TEXT, at=_TIME)),
            inputs=_or_null({"anyOf": [closed(digest=_digest(), document={"type": "null"}), _inputs()]}),
        ),
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:release-guard:schema:decision-record:1",
        "title": "Release Guard: the statement in a decision record",
        **statement,
        "$defs": _definitions(),
    }


def _gate() -> dict[str, Any]:
    evidence = closed(
        key=_TEXT,
        state={"enum": ["known", "absent", "unknown"]},
        source=_or_null(_TEXT),
        digest=_or_null(_digest()),
        recorded=_or_null(_digest()),
        dated=_or_null(_TIME),
        observedAt=_or_null(_TIME),
    )
    return closed(
        id=_TEXT,
        group=_or_null(_TEXT),
        title=_TEXT,
        outcome=_TEXT,
        validUntil=_or_null(_TIME),
        evidence={"type": "array", "items": evidence},
    )


def _inputs() -> dict[str, Any]:
    text = {"anyOf": [_TEXT, _bytes()]}
    facts = closed(version={"const": FACTS_VERSION}, facts={"$ref": "#/$defs/Facts"})
    return closed(
        digest=_digest(),
        document=closed(version={"const": INPUTS_VERSION}, inputs={"$ref": "#/$defs/Named"}),
        policy=_or_null(text),
        standing=_or_null(text),
        facts=_or_null(facts),
    )


def _definitions() -> dict[str, Any]:
    """Every dataclass within the facts and the inputs document, in the form that guard.core.snapshot writes."""
    found: dict[str, Any] = {}
    for root in (Facts, Named):
        _of(root, {}, found)
    return dict(sorted(found.items()))


def _of(hint: Any, names: Mapping[Any, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The schema of what is written of a value of this type; dataclasses become definitions."""
    hint = names.get(hint, hint) if isinstance(hint, TypeVar) else hint
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(one, names, found) for one in arguments]}
    if is_dataclass(origin):
        return _dataclass(origin, [names.get(one, one) for one in arguments], found)
    if origin is Mapping:
        pair = [_of(one, names, found) for one in arguments]
        return {
            "type": "array",
            "items": {"type": "array", "prefixItems": pair, "minItems": 2, "maxItems": 2},
        }
    if origin is tuple and Ellipsis not in arguments:
        parts = [_of(one, names, found) for one in arguments]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
    if origin in (tuple, frozenset):
        return {"type": "array", "items": _of(arguments[0], names, found)}
    return _plain(origin, arguments)


def _plain(origin: Any, arguments: tuple[Any, ...]) -> dict[str, Any]:
    if origin is Literal:
        return {"enum": list(arguments)}
    if isinstance(origin, type) and issubclass(origin, StrEnum):
        return {"enum": [str(one) for one in origin]}
    plain: dict[Any, dict[str, Any]] = {
        datetime: _TIME,
        bool: {"type": "boolean"},
        int: {"type": "integer"},
        type(None): {"type": "null"},
    }
    return plain.get(origin) or {"anyOf": [_TEXT, _bytes()]}


def _dataclass(cls: Any, arguments: list[Any], found: dict[str, Any]) -> dict[str, Any]:
    inner = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
    name = cls.__name__ + "".join(f"-{_name(one)}" for one in arguments)
    if name not in found:
        found[name] = {}
        hints = type_hints(cls)
        members = {one.name: _of(hints[one.name], inner, found) for one in fields(cls)}
        found[name] = closed(type={"const": cls.__name__}, **members)
    return {"$ref": f"#/$defs/{name}"}


def _name(hint: Any) -> str:
    """A word for a type that a generic one is about: `tuple-Proposal`."""
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    origin = get_origin(hint) or hint
    parts = [
        getattr(origin, "__name__", "any"),
        *(_name(one) for one in get_args(hint) if one is not Ellipsis),
    ]
    return "-".join("or" if part in {"Union", "UnionType"} else part for part in parts)


def _commit() -> dict[str, Any]:
    return {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"}


def _digest() -> dict[str, Any]:
    return closed(sha256=_HASH)


def _bytes() -> dict[str, Any]:
    return closed(bytes={"type": "string", "contentEncoding": "base64"})


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
