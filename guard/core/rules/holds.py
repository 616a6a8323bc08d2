"""A hold stops every promotion of a branch until those who may lift it; no approval or evidence takes its place.

A change that nobody allowed (`alarm`) and a protection that was loosened (`drift`) are acknowledged by two different
people, none of whom is known to have caused it, and by name: whoever does so accepts what is there now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from guard.core.facts import HoldMark
from guard.core.model import Fact, Finding, Known, Unknown, Verdict, blocked, undecided

ID = "hold"
TITLE = "Holds"

LIFTERS = {"manual": 1, "maintenance": 1, "smoke": 1, "drift": 2, "alarm": 2}
"""How many different people lift a hold of each kind. Of a kind that nobody knows nobody can."""

NAMED = frozenset({"drift", "alarm"})
"""The kinds that are lifted by the hold's id alone."""

Members = Mapping[str, Fact[frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that was placed, and who of those who may has said since that it may end (`agreed`), or that the branch is
    to be put back (`restorers`)."""

    mark: HoldMark
    agreed: tuple[str, ...] = ()
    restorers: tuple[str, ...] = ()

    @property
    def needed(self) -> int | None:
        return LIFTERS.get(self.mark.kind)

    @property
    def is_agreed(self) -> bool:
        return self.needed is not None and len(self.agreed) >= self.needed

    @property
    def is_to_be_restored(self) -> bool:
        return self.mark.kind == "alarm" and len(self.restorers) >= LIFTERS["alarm"]

    @property
    def is_over(self) -> bool:
        """An alarm ends only with an entry of the guard's own, made by the policy of the commit that was expected: the
        one that stands on the branch now may be whose alarm it is."""
        return self.is_agreed and self.mark.kind != "alarm"


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
    return (blocked(ID, TITLE, *(_finding(hold, roles) for hold in standing)),) if standing else ()


def standing_holds(marks: Iterable[HoldMark], roles: tuple[str, ...], members: Members) -> tuple[Hold, ...]:
    """The holds that stand, in the order of receipt."""
    return tuple(hold for hold in judged_holds(marks, roles, members) if not hold.is_over)


def judged_holds(marks: Iterable[HoldMark], roles: tuple[str, ...], members: Members) -> tuple[Hold, ...]:
    """Every hold that the guard did not end itself, with who agreed to its end. Only a holder of one of the roles can,
    as it is known now (where that is not known, nobody), and only a hold that was placed before."""
    able: set[str] = set()
    for role in roles:
        fact = members.get(role, Unknown(""))
        able |= fact.value if isinstance(fact, Known) else frozenset()
    found: list[Hold] = []
    for mark in marks:
        if not mark.lifts:
            found.append(Hold(mark))
        elif mark.ends:
            found = [hold for hold in found if hold.mark.id != mark.id]
        elif mark.actor in able:
            found = [_agreed(hold, mark) for hold in found]
    return tuple(found)


def _agreed(hold: Hold, lift: HoldMark) -> Hold:
    meant = lift.id == hold.mark.id if lift.id else hold.mark.kind not in NAMED
    barred = lift.actor.casefold() in {name.casefold() for name in hold.mark.barred}
    if not meant or barred or hold.is_agreed or hold.is_to_be_restored:
        return hold
    if lift.restores:
        return replace(hold, restorers=tuple(dict.fromkeys((*hold.restorers, lift.actor))))
    return replace(hold, agreed=tuple(dict.fromkeys((*hold.agreed, lift.actor))))


def _finding(hold: Hold, roles: tuple[str, ...]) -> Finding:
    mark, named = hold.mark, hold.mark.kind in NAMED
    agreed = f" ({', '.join(hold.agreed)} agreed that it may end)" if hold.agreed else ""
    agreed += f" ({', '.join(hold.restorers)} asked to put it back)" if hold.restorers else ""
    kind = "" if mark.kind == "manual" else f" ({mark.kind})"
    return Finding(
        f"hold.{mark.kind}",
        f"{mark.actor or 'the guard'} holds promotions since {mark.at:%Y-%m-%d %H:%M} UTC{kind}: {mark.reason}{agreed}",
        where=mark.id,
        fix=how_to_lift(hold),
        who=roles if named else ("release-owner",),
    )


def how_to_lift(hold: Hold) -> str:
    """What ends this hold, in one sentence."""
    mark = hold.mark
    if mark.kind not in LIFTERS:
        return "a newer guard placed it; lift it with that one"
    if mark.kind not in NAMED:
        return "a holder of an approving role lifts it when it is over: guard unhold, or /guard unhold in a comment"
    others = f", none of them {' or '.join(mark.barred)}," if mark.barred else ""
    accept = (
        f"two holders of approving roles{others} look at it and accept what is there now: guard unhold {mark.id},"
        f" or /guard unhold {mark.id} in a comment"
    )
    if mark.kind != "alarm":
        return accept
    return f"put the branch back, two of them as well: guard restore {mark.id}; or {accept}"
