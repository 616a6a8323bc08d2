"""YAML as plain tables, lists and texts: no types are guessed, and nothing is read that blows a parser up.

Every scalar stays the text that was written (`yes` is no truth, `014` is no number), because registers are compared
with the words of a policy. Anchors and aliases, tags, a repeated key and a second document are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import yaml

from guard.adapters.evidence.untrusted import Unreadable, bounded, decode, shown

MAX_YAML = 512 * 1024
MAX_EVENTS = 200_000
MAX_DEPTH = 40

Plain: TypeAlias = "str | list[Plain] | dict[str, Plain]"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(data: bytes, what: str) -> Plain:
    """The one document of the file; "" for an empty one. Raises Unreadable."""
    text = decode(bounded(data, what, limit=MAX_YAML), what)
    try:
        return _document(_bounded(yaml.parse(text, Loader=_Loader), what), what)
    except yaml.YAMLError as error:
        raise Unreadable(f"{what} is not YAML: {shown(str(error))}", fix="mend its syntax") from None
    except ValueError as error:  # what a stream of events can have that no document has
        raise Unreadable(f"{what} is not YAML: {shown(str(error))}", fix="mend its syntax") from None


def _bounded(events: Iterable[Any], what: str) -> Iterator[Any]:
    """The events, refused while they come: a parser's time grows with the square of the depth."""
    depth = 0
    for count, event in enumerate(events):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise Unreadable(f"{what}, line {event.start_mark.line + 1}: it is nested too deeply to be read")
        if count >= MAX_EVENTS:
            raise Unreadable(f"{what} holds too many values to be read")
        yield event


def _document(events: Iterator[Any], what: str) -> Plain:
    value: Plain = ""
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise Unreadable(f"{what} holds several YAML documents, and which one would count?")
            value = _value(next(events), events, what)
    return value


def _value(event: Any, events: Iterator[Any], what: str) -> Plain:
    _refuse(event, what)
    if isinstance(event, yaml.ScalarEvent):
        return str(event.value)
    if isinstance(event, yaml.SequenceStartEvent):
        return list(_items(events, what))
    return _table(events, what)


def _refuse(event: Any, what: str) -> None:
    line = event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent) or event.anchor:
        raise Unreadable(f"{what}, line {line}: anchors and aliases are not read", fix="write it out")
    if event.tag is not None and not event.tag.startswith("tag:yaml.org,2002:"):
        raise Unreadable(f"{what}, line {line}: the tag {shown(event.tag, limit=60)} is not read")


def _items(events: Iterator[Any], what: str) -> Iterator[Plain]:
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return
        yield _value(event, events, what)


def _table(events: Iterator[Any], what: str) -> dict[str, Plain]:
    table: dict[str, Plain] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        key = _value(event, events, what)
        line = event.start_mark.line + 1
        if not isinstance(key, str):
            raise Unreadable(f"{what}, line {line}: a key is a list or a table")
        if key in table:
            raise Unreadable(f"{what}, line {line}: the key {shown(key, limit=60)!r} is there twice")
        table[key] = _value(next(events), events, what)
    return table
