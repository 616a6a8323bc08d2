"""A hold stops every promotion of a branch until somebody who may lifts it; no approval or evidence takes its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from guard.core.facts import HoldMark
from guard.core.model import Fact, Finding, Known, Unknown, Verdict, blocked, undecided

ID = "hold"
TITLE = "Holds"

Members = Mapping[str, Fact[frozenset[str]]]


def judge_holds(
    marks: Fact[tuple[HoldMark, ...]] | None, roles: tuple[str, ...], members: Members
) -> tuple[Verdict, ...]:
    """A verdict where something is held; none where nothing is, so that no board is longer for it, and where nobody
    can be asked (None)."""
    if marks is None:
        return ()
    if isinstance(marks, Unknown):
        return (undecided(ID, TITLE, marks, code="hold.unknown"),)
    standing = standing_holds(marks.value, roles, members)
    return (blocked(ID, TITLE, *map(_finding, standing)),) if standing else ()


def standing_holds(
    marks: Iterable[HoldMark], roles: tuple[str, ...], members: Members
) -> tuple[HoldMark, ...]:
    """The holds that nobody lifted since, in the order of receipt. Only a holder of one of the roles can, as it is
    known now; where that is not known, nothing is lifted."""
    able: set[str] = set()
    for role in roles:
        fact = members.get(role, Unknown(""))
        able |= fact.value if isinstance(fact, Known) else frozenset()
    found: list[HoldMark] = []
    for mark in marks:
        if not mark.lifts:
            found.append(mark)
        elif mark.actor in able:
            found.clear()
    return tuple(found)


def _finding(hold: HoldMark) -> Finding:
    return Finding(
        "hold.manual",
        f"{hold.actor} holds promotions since {hold.at:%Y-%m-%d %H:%M} UTC: {hold.reason}",
        fix="a holder of an approving role lifts it when it is over: guard unhold, or /guard unhold in a comment",
        who=("release-owner",),
    )
