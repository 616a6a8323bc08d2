"""Holds: what stops every promotion, who lifts it, and that nothing else does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from guard.core.facts import HoldMark
from guard.core.model import Fact, Known, Outcome, Unknown
from guard.core.rules.holds import judge_holds
from tests.builders import NOW

MEMBERS: dict[str, Fact[frozenset[str]]] = {"platform": Known(frozenset({"ann"}), "t", NOW)}
ROLES = ("platform", "security")


def mark(actor: str, minutes: int, *, lifts: bool = False) -> HoldMark:
    return HoldMark(actor, NOW + timedelta(minutes=minutes), "it burns", lifts)


@pytest.mark.parametrize(
    ("marks", "members", "count"),
    [
        pytest.param((), MEMBERS, 0, id="nothing"),
        pytest.param((mark("dev", 0),), MEMBERS, 1, id="held"),
        pytest.param((mark("dev", 0), mark("sam", 1)), MEMBERS, 2, id="held-twice"),
        pytest.param((mark("dev", 0), mark("ann", 1, lifts=True)), MEMBERS, 0, id="lifted"),
        pytest.param((mark("dev", 0), mark("dev", 1, lifts=True)), MEMBERS, 1, id="lifted-by-nobody-who-may"),
        pytest.param((mark("ann", 0, lifts=True), mark("dev", 1)), MEMBERS, 1, id="held-again"),
        pytest.param((mark("dev", 0), mark("ann", 1, lifts=True)), {}, 1, id="nobody-known"),
        pytest.param(
            (mark("dev", 0), mark("ann", 1, lifts=True)),
            {"platform": Unknown("502")},
            1,
            id="members-unknown",
        ),
    ],
)
def test_what_stands(
    marks: tuple[HoldMark, ...], members: dict[str, Fact[frozenset[str]]], count: int
) -> None:
    found = judge_holds(Known(marks, "ledger", NOW), ROLES, members)
    assert [len(one.findings) for one in found] == ([count] if count else [])
    assert all(one.outcome is Outcome.FAIL for one in found)


def test_an_unreadable_ledger_blocks_and_a_clone_says_nothing() -> None:
    assert judge_holds(Unknown("disk"), ROLES, MEMBERS)[0].outcome is Outcome.ERROR
    assert judge_holds(None, ROLES, MEMBERS) == ()
