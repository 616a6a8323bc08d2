"""Where Alertmanager sends an alert: its configuration's routes and receivers.

Source: https://prometheus.io/docs/alerting/latest/configuration/ (route, receiver, matcher).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guard.adapters.evidence.untrusted import Unreadable, shown

if TYPE_CHECKING:
    from guard.adapters.evidence.events import Plain

MATCHER = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\"]*?))\s*")


@dataclass(frozen=True, slots=True)
class Routes:
    """`wired` are the receivers with at least one integration, `used` those that some route leads to."""

    tree: Mapping[str, Plain]
    wired: frozenset[str]

    @property
    def used(self) -> frozenset[str]:
        return frozenset(_used(self.tree, ""))

    def receivers(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The receivers that an alert with these labels is sent to. Raises Unreadable for a matcher that is none."""
        return tuple(_routed(self.tree, labels, "", is_root=True))


def read_routes(config: str) -> Routes:
    """Read a configuration as Alertmanager shows it. Raises Unreadable."""
    from guard.adapters.evidence.events import load_yaml

    what = "Alertmanager's configuration"
    table = load_yaml(config.encode("utf-8", "replace"), what)
    route = table.get("route") if isinstance(table, dict) else None
    listed = table.get("receivers") if isinstance(table, dict) else None
    if not isinstance(route, dict) or not isinstance(listed, list):
        raise Unreadable(f"{what} has no route or no receivers")
    wired = {str(one.get("name", "")) for one in listed if isinstance(one, dict) and _is_wired(one)}
    return Routes(route, frozenset(wired))


def _is_wired(receiver: Mapping[str, Plain]) -> bool:
    return any(
        key.endswith("_configs") and isinstance(value, list) and value for key, value in receiver.items()
    )


def _children(route: Mapping[str, Plain]) -> list[Mapping[str, Plain]]:
    routes = route.get("routes")
    return [child for child in routes if isinstance(child, dict)] if isinstance(routes, list) else []


def _receiver(route: Mapping[str, Plain], inherited: str) -> str:
    own = route.get("receiver")
    return own if isinstance(own, str) and own else inherited


def _used(route: Mapping[str, Plain], inherited: str) -> Iterator[str]:
    receiver = _receiver(route, inherited)
    yield receiver
    for child in _children(route):
        yield from _used(child, receiver)


def _routed(
    route: Mapping[str, Plain], labels: Mapping[str, str], inherited: str, *, is_root: bool = False
) -> list[str]:
    if not is_root and not all(_holds(matcher, labels) for matcher in _matchers(route)):
        return []
    receiver = _receiver(route, inherited)
    found: list[str] = []
    for child in _children(route):
        below = _routed(child, labels, receiver)
        found += below
        if below and child.get("continue") != "true":
            break
    return found or [receiver]


def _matchers(route: Mapping[str, Plain]) -> Iterator[tuple[str, str, str]]:
    for key, sign in (("match", "="), ("match_re", "=~")):
        table = route.get(key)
        if isinstance(table, dict):
            yield from ((name, sign, str(value)) for name, value in table.items())
    listed = route.get("matchers")
    for text in listed if isinstance(listed, list) else ():
        match = MATCHER.fullmatch(str(text))
        if match is None:
            raise Unreadable(f"Alertmanager's matcher {shown(str(text), limit=80)} cannot be read")
        quoted, bare = match[3], match[4]
        yield match[1], match[2], bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _holds(matcher: tuple[str, str, str], labels: Mapping[str, str]) -> bool:
    name, sign, value = matcher
    said = labels.get(name, "")
    try:
        same = re.fullmatch(value, said) is not None if "~" in sign else said == value
    except re.error:
        raise Unreadable(f"Alertmanager's pattern {shown(value, limit=80)} cannot be read") from None
    return same is not sign.startswith("!")
