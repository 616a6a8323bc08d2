"""Where two documents of one decision differ: the recorded one, and the one that was made again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

NOTHING = "nothing"
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """`where` is `decision`, a gate or rule, or a finding of one (`security.sast: sarif.result`); `what` the member
    that differs; then what was recorded, and what this version says."""

    where: str
    what: str
    recorded: str
    again: str


def differences(recorded: Mapping[str, Any], again: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Every difference: the decision as a whole first, then gate by gate with their findings in the recorded order,
    then what follows from them. None exactly where the documents say the same."""
    first, derived = ("decision", "outcome", "allowed"), ("waivers", "unblock")
    names = [
        name for name in dict.fromkeys((*first, *recorded, *again)) if name not in {"verdicts", *derived}
    ]
    return (
        *_members("decision", names, recorded, again),
        *_verdicts(recorded.get("verdicts"), again.get("verdicts")),
        *_members("decision", derived, recorded, again),
    )


def _members(
    where: str, names: Sequence[str], one: Mapping[str, Any], other: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in names:
        if _absent_or(one, name) != _absent_or(other, name):
            yield Difference(where, name, _shown(one.get(name)), _shown(other.get(name)))


def _verdicts(recorded: Any, again: Any) -> Iterator[Difference]:
    old, new = list(recorded or ()), list(again or ())
    left = {name: list(group) for name, group in _grouped(new).items()}
    for verdict in old:
        others = left.get(verdict["id"])
        if not others:
            yield Difference(verdict["id"], "verdict", str(verdict["outcome"]), NOTHING)
            continue
        yield from _verdict(verdict, others.pop(0))
    for verdict in (one for group in left.values() for one in group):
        yield Difference(verdict["id"], "verdict", NOTHING, str(verdict["outcome"]))
    if [one["id"] for one in old] != [one["id"] for one in new] and sorted(
        one["id"] for one in old
    ) == sorted(one["id"] for one in new):
        yield Difference(
            "decision", "order of verdicts", _shown([v["id"] for v in old]), _shown([v["id"] for v in new])
        )


def _grouped(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in verdicts:
        found.setdefault(one["id"], []).append(one)
    return found


def _verdict(recorded: Mapping[str, Any], again: Mapping[str, Any]) -> Iterator[Difference]:
    names = [name for name in dict.fromkeys((*recorded, *again)) if name != "findings"]
    names.sort(key=lambda name: name != "outcome")
    yield from _members(recorded["id"], names, recorded, again)
    yield from _findings(recorded["id"], recorded.get("findings") or (), again.get("findings") or ())


def _findings(
    gate: str, recorded: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    """Findings that both have are left out wherever they stand; the rest is told pair by pair of the same code."""
    old, new = _without(recorded, again), _without(again, recorded)
    for code in dict.fromkeys(one["code"] for one in (*old, *new)):
        ours, theirs = ([one for one in some if one["code"] == code] for some in (old, new))
        for one, other in zip_longest(ours, theirs):
            where = f"{gate}: {code}"
            if one is None or other is None:
                yield Difference(where, "finding", _said(one), _said(other))
            else:
                yield from _members(where, list(dict.fromkeys((*one, *other))), one, other)
    if not old and not new and list(recorded) != list(again):
        yield Difference(gate, "order of findings", _codes(recorded), _codes(again))


def _without(
    some: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Those of `some` that are not among the others, each of which stands for one."""
    left = list(others)
    found = []
    for one in some:
        if one in left:
            left.remove(one)
        else:
            found.append(one)
    return found


def _codes(findings: Sequence[Mapping[str, Any]]) -> str:
    return _shown([one["code"] for one in findings])


def _said(finding: Mapping[str, Any] | None) -> str:
    return _shown(finding["message"]) if finding is not None else NOTHING


_ABSENT = object()


def _absent_or(table: Mapping[str, Any], name: str) -> Any:
    return table.get(name, _ABSENT)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
