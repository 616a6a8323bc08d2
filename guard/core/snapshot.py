"""Facts written down and read back exactly, so that a decision can be made again from what it was made of.

The form follows the dataclasses: a table with the class's name under `type` for each, pairs sorted by their key for a
mapping, RFC 3339 for a time, and `{"bytes": base64}` for text that holds bytes outside UTF-8.
"""

from __future__ import annotations

import base64
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from guard.core.errors import GuardError
from guard.core.evidence import Reading
from guard.core.facts import Facts

VERSION = 1
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class SnapshotError(GuardError):
    """What was written down is not what this version can read back."""

    code = "snapshot.malformed"


def facts_document(facts: Facts) -> dict[str, Any]:
    """The facts as a JSON object; `canonical_bytes` of it is the same for the same facts."""
    return {"version": VERSION, "facts": _written(facts)}


def facts_of(document: Mapping[str, Any]) -> Facts:
    """The facts in a document of this version. Raises SnapshotError naming the place that does not fit."""
    if document.get("version") != VERSION or set(document) != {"version", "facts"}:
        raise SnapshotError(f"it is no document of facts of the version {VERSION}")
    facts: Facts = _read(document["facts"], Facts, {}, "facts")
    return facts


def _written(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        table = {field.name: _written(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **table}
    if isinstance(value, Mapping):
        return [[_written(key), _written(item)] for key, item in sorted(value.items())]
    if isinstance(value, frozenset):
        return [_written(item) for item in sorted(value)]
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(_TIME)
    if isinstance(value, str):
        return _text(str(value))
    if value is None or isinstance(value, bool | int):
        return value
    raise SnapshotError(f"a {type(value).__name__} cannot be written down")


def _text(value: str) -> Any:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return {"bytes": base64.b64encode(value.encode("utf-8", "surrogatepass")).decode("ascii")}
    return value


def _read(data: Any, hint: Any, names: Mapping[Any, Any], where: str) -> Any:
    """The value that `hint` asks for; `names` are what its type variables stand for."""
    hint = names.get(hint, hint) if isinstance(hint, TypeVar) else hint
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, types.UnionType):
        return _read(data, _chosen(data, arguments, where), names, where)
    if is_dataclass(origin):
        return _read_dataclass(data, origin, arguments, names, where)
    if origin is Literal and data in arguments:
        return data
    if origin in (tuple, frozenset) and isinstance(data, list):
        parts = arguments if origin is tuple and Ellipsis not in arguments else (arguments[0],) * len(data)
        if len(parts) == len(data):
            pairs = enumerate(zip(data, parts, strict=True))
            return origin(_read(item, part, names, f"{where}[{at}]") for at, (item, part) in pairs)
    if origin is Mapping and isinstance(data, list):
        return {_read(k, arguments[0], names, where): _read(v, arguments[1], names, where) for k, v in data}
    return _read_plain(data, origin, where)


def _read_plain(data: Any, origin: Any, where: str) -> Any:
    try:
        if origin is datetime:
            return datetime.strptime(data, _TIME).replace(tzinfo=UTC)
        if isinstance(origin, type) and issubclass(origin, str):
            text = (
                data
                if isinstance(data, str)
                else base64.b64decode(data["bytes"]).decode("utf-8", "surrogatepass")
            )
            return origin(text)
        if type(data) is origin or (data is None and origin is type(None)):
            return data
    except (TypeError, KeyError, ValueError):
        pass
    raise SnapshotError(f"{where}: it does not hold what belongs there")


def _chosen(data: Any, members: tuple[Any, ...], where: str) -> Any:
    """The member of a union that the data is: by its name, by being null, or the only one that is no dataclass."""
    if data is None and type(None) in members:
        return type(None)
    if isinstance(data, dict) and "type" in data:
        named = [one for one in members if getattr(get_origin(one) or one, "__name__", "") == data["type"]]
    else:
        named = [one for one in members if one is not type(None) and not is_dataclass(get_origin(one) or one)]
    if len(named) != 1:
        raise SnapshotError(f"{where}: it is none of what can stand there")
    return named[0]


def _read_dataclass(
    data: Any, cls: Any, arguments: tuple[Any, ...], names: Mapping[Any, Any], where: str
) -> Any:
    wanted = {field.name for field in fields(cls)}
    if not isinstance(data, dict) or data.get("type") != cls.__name__ or set(data) != {"type", *wanted}:
        raise SnapshotError(f"{where}: expected a {cls.__name__} with {', '.join(sorted(wanted))}")
    bound = (names.get(one, one) if isinstance(one, TypeVar) else one for one in arguments)
    inner = dict(zip(getattr(cls, "__parameters__", ()), bound, strict=False))
    hints = _hints(cls)
    return cls(**{name: _read(data[name], hints[name], inner, f"{where}.{name}") for name in wanted})


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls, localns={"Reading": Reading})
