"""Dotted keys of a JSON report, and the values that a policy wants there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guard.adapters.evidence.untrusted import shown

_NOTHING = object()


def different(table: Mapping[str, object], wanted: Mapping[str, object]) -> Iterator[tuple[str, object, str]]:
    """Each dotted key whose value is not the wanted one: the key, what is wanted, and `does not say` or `says … for`.

    Equal means of one type too: JSON's true is not 1, and 0 is not false.
    """
    for path, value in sorted(wanted.items()):
        found = value_at(table, path)
        if type(found) is type(value) and found == value:
            continue
        yield path, value, "does not say" if found is _NOTHING else f"says {shown(repr(found))} for"


def value_at(table: Mapping[str, object], path: str) -> object:
    """The value at a dotted path of keys; a key that holds dots itself is found under its whole name."""
    if path in table:
        return table[path]
    value: object = table
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return _NOTHING
        value = value[key]
    return value
