"""Spans of time as people write them in a policy: `15m`, `24h`, `7d`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PATTERN = re.compile(r"([1-9][0-9]{0,6})([smhdw])")


def parse_duration(text: object) -> timedelta:
    """`7d` → seven days. Raises ValueError for anything but a positive whole number and one unit of s m h d w."""
    if isinstance(text, timedelta):
        return text
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"expected a span like '15m', '24h' or '7d', got {text!r}")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def format_duration(span: timedelta) -> str:
    """The shortest text that `parse_duration` reads back: 14 days are `2w`, 90 minutes `90m`."""
    seconds = int(span.total_seconds())
    for unit, size in sorted(_UNITS.items(), key=lambda pair: -pair[1]):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def later(moment: datetime, span: timedelta) -> datetime:
    """So much later; where no calendar goes that far, the last moment that there is."""
    last = datetime.max.replace(tzinfo=UTC)
    return moment + span if last - moment > span else last


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN.pattern}$", "examples": ["15m", "24h", "7d"]}),
]
