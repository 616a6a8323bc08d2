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


class SnapshotError(GuardError):
    """What was written down is not what this version can read back. `snapshot.version` where another version of the
    guard wrote it, by its own word."""

    code = "snapshot.malformed"


def facts_document(facts: Facts) -> dict[str, Any]:
    """The facts as a JSON object; `canonical_bytes` of it is the same for the same facts."""
    return {"version": VERSION, "facts": written(facts)}


def facts_of(document: object) -> Facts:
    """The facts in a document of this version. Raises SnapshotError naming the place that does not fit."""
    check_version(document, VERSION, {"facts"}, what="document of facts")
    facts: Facts = read_as(document["facts"], Facts, "facts")  # type: ignore[index]  # it was checked just now
    return facts


def check_version(document: object, version: int, members: set[str], *, what: str) -> None:
    """That it is an object of this version with exactly these members. Raises SnapshotError."""
    if not isinstance(document, Mapping) or "version" not in document:
        raise SnapshotError(f"it is no {what}")
    if type(document["version"]) is not int or document["version"] != version:
        said = str(document["version"])[:20]
        raise SnapshotError(
            f"it is a {what} of version {said}, and this guard reads version {version}",
            fix="use the version of release-guard that wrote it",
            code="snapshot.version",
        )
    if document.keys() != {"version", *members}:
        odd = ", ".join(sorted(str(name)[:40] for name in document.keys() ^ {"version", *members}))
        raise SnapshotError(f"it is no {what} of version {version}: {odd} is missing or unknown")


def read_as(data: object, hint: Any, where: str) -> Any:
    """The value of the type `hint` that `written` made this data of. Raises SnapshotError naming the place, also for
    what would be written in another way than it is."""
    value = _read(data, hint, {}, where)
    if written(value) != data:
        raise SnapshotError(f"{where}: it is not written in the one way that it would be")
    return value


def written(value: object) -> Any:
    """A dataclass of facts as JSON data."""
    if is_dataclass(value) and not isinstance(value, type):
        table = {field.name: written(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **table}
    if isinstance(value, Mapping):
        return [[written(key), written(item)] for key, item in sorted(value.items())]
    if isinstance(value, frozenset):
        return [written(item) for item in sorted(value)]
    if isinstance(value, tuple):
        return [written(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
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
        return _read_mapping(data, arguments, names, where)
    return _read_plain(data, origin, where)


def _read_mapping(data: list[Any], arguments: Any, names: Mapping[Any, Any], where: str) -> dict[Any, Any]:
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in data):
        raise SnapshotError(f"{where}: expected pairs of a key and a value")
    found = {_read(k, arguments[0], names, where): _read(v, arguments[1], names, where) for k, v in data}
    if len(found) != len(data):
        raise SnapshotError(f"{where}: a key is there twice")
    return found


def _read_plain(data: Any, origin: Any, where: str) -> Any:
    try:
        if origin is datetime:
            return datetime.fromisoformat(data).astimezone(UTC)
        if isinstance(origin, type) and issubclass(origin, str):
            text = (
                data
                if isinstance(data, str)
                else base64.b64decode(data["bytes"]).decode("utf-8", "surrogatepass")
            )
            return origin(text)
        if type(data) is origin or (data is None and origin is type(None)):
            return data
    except (TypeError, KeyError, ValueError, OverflowError):
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
    hints = type_hints(cls)
    return cls(**{name: _read(data[name], hints[name], inner, f"{where}.{name}") for name in wanted})


@cache
def type_hints(cls: Any) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return get_type_hints(cls, localns={"Reading": Reading})
