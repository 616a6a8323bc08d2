"""What is different between two decisions on one proposal, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 8


def since_last(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Both as documents; nothing where there was none before. What got worse is told first."""
    if not before:
        return ()
    lines = []
    old, new = before["candidate"]["new"], now["candidate"]["new"]
    if old != new:
        lines.append(f"the head moved from {old[:10]} to {new[:10]}")
    if before["candidate"]["old"] != now["candidate"]["old"]:
        lines.append(f"the branch moved to {now['candidate']['old'][:10]}")
    if (before["policy"]["digest"], now["policy"]["digest"]) != (now["policy"]["digest"],) * 2:
        lines.append("the policy changed")
    moved = sorted(_moved(before, now), key=lambda pair: pair[0])
    lines += [line for _, line in moved]
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return (*lines[:MOST], *more)


def _moved(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """(whether it became good, a line) for each verdict that is not what it was."""
    old = {one["id"]: one for one in before["verdicts"]}
    found = []
    for one in now["verdicts"]:
        was = old.pop(one["id"], None)
        if was is None:
            found.append((_good(one), f"{one['title']}: {one['outcome']}, not judged before"))
        elif was["outcome"] != one["outcome"]:
            found.append((_good(one), f"{one['title']}: {was['outcome']} → {one['outcome']}"))
        elif not _good(one) and (told := _told(one)) != _told(was):
            found.append((False, f"{one['title']}: {told}"))
    found += [(True, f"{one['title']}: not judged any more") for one in old.values()]
    return found


def _told(verdict: Mapping[str, Any]) -> str:
    blocking = [one["message"] for one in verdict["findings"] if one["outcome"] not in _ALLOWING]
    return str(blocking[0]) if blocking else str(verdict["summary"])


def _good(verdict: Mapping[str, Any]) -> bool:
    return verdict["outcome"] in _ALLOWING


_ALLOWING = frozenset({"pass", "not-applicable", "waived"})
