"""Holds: what stops every promotion, who lifts each kind, and that nothing else does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.core.claims import HoldLifted, HoldPlaced
from guard.core.commands import Command, read_commands
from guard.core.facts import HoldMark
from guard.core.model import Fact, Known, Outcome, Unknown
from guard.core.policy_names import HOLD_KINDS
from guard.core.rules.breakglass import NEVER
from guard.core.rules.holds import ID, LIFTERS, judge_holds, judged_holds, standing_holds
from guard.journeys.holds import end_hold, own_hold_id, place_hold
from tests.builders import NOW, decision, verdict
from tests.local_world import TARGET, LocalWorld
from tests.promotion_world import BRANCH, POLICY, REF, make_server

MEMBERS: dict[str, Fact[frozenset[str]]] = {
    "platform": Known(frozenset({"ann", "pat"}), "t", NOW),
    "security": Known(frozenset({"sam"}), "t", NOW),
}
ROLES = ("platform", "security")
ALARM, OTHER = "alarm-0123456789ab", "drift-ba9876543210"


def mark(actor: str, minutes: int, *, lifts: bool = False, id: str = "") -> HoldMark:
    return HoldMark(actor, NOW + timedelta(minutes=minutes), "it burns", lifts, id)


def alarm(*, barred: Iterable[str] = (), kind: str = "alarm", id: str = ALARM) -> HoldMark:
    return HoldMark("", NOW, "it was moved", id=id, kind=kind, barred=tuple(barred))


def drift(*, barred: Iterable[str] = ()) -> HoldMark:
    return alarm(barred=barred, kind="drift", id=OTHER)


def lift(actor: str, id: str = ALARM) -> HoldMark:
    return mark(actor, 1, lifts=True, id=id)


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
        pytest.param((mark("dev", 0, id="hold-1"), lift("ann", "hold-1")), MEMBERS, 0, id="lifted-by-name"),
        pytest.param(
            (mark("dev", 0, id="hold-1"), lift("ann", "hold-2")), MEMBERS, 1, id="another-one-meant"
        ),
        pytest.param((alarm(), lift("ann")), MEMBERS, 1, id="alarm-one-is-not-enough"),
        pytest.param((alarm(), lift("ann"), lift("ann")), MEMBERS, 1, id="alarm-the-same-one-twice"),
        pytest.param((alarm(), lift("ann"), lift("pat")), MEMBERS, 1, id="alarm-two-and-not-yet-concluded"),
        pytest.param((alarm(), lift("ann"), lift("dev")), MEMBERS, 1, id="alarm-one-without-a-role"),
        pytest.param((alarm(), lift("ann", ""), lift("pat", "")), MEMBERS, 1, id="alarm-has-to-be-named"),
        pytest.param((lift("ann"), lift("pat"), alarm()), MEMBERS, 1, id="alarm-lifted-before-it-was"),
        pytest.param((alarm(barred=["Pat"]), lift("ann"), lift("pat")), MEMBERS, 1, id="alarm-who-caused-it"),
        pytest.param(
            (drift(barred=["pat"]), lift("ann", OTHER), lift("sam", OTHER)), MEMBERS, 0, id="drift-two-others"
        ),
        pytest.param(
            (alarm(kind="drift", id=OTHER), lift("ann", OTHER)), MEMBERS, 1, id="drift-one-is-not-enough"
        ),
        pytest.param(
            (alarm(kind="drift", id=OTHER), lift("ann", OTHER), lift("sam", OTHER)),
            MEMBERS,
            0,
            id="drift-two",
        ),
        pytest.param((alarm(kind="smoke"), lift("ann", "")), MEMBERS, 0, id="smoke-one"),
        pytest.param((alarm(kind="later"), lift("ann"), lift("sam")), MEMBERS, 1, id="a-kind-nobody-knows"),
        pytest.param(
            (alarm(), HoldMark("", NOW, "restored", lifts=True, id=ALARM, ends=True)), {}, 0, id="ended"
        ),
    ],
)
def test_what_stands(
    marks: tuple[HoldMark, ...], members: dict[str, Fact[frozenset[str]]], count: int
) -> None:
    found = judge_holds(Known(marks, "ledger", NOW), ROLES, members)
    assert [len(one.findings) for one in found] == ([count] if count else [])
    assert all(one.outcome is Outcome.FAIL for one in found)


@pytest.mark.parametrize(
    ("lifts", "agreed", "restored"),
    [
        pytest.param([("ann", False), ("sam", False)], True, False, id="accepted"),
        pytest.param([("ann", True), ("sam", True)], False, True, id="to-be-put-back"),
        pytest.param([("ann", True), ("sam", False)], False, False, id="of-two-opinions"),
        pytest.param(
            [("ann", True), ("sam", True), ("ann", False), ("sam", False)], False, True, id="too-late"
        ),
        pytest.param([("ann", True), ("dev", True)], False, False, id="one-without-a-role"),
    ],
)
def test_two_people_end_an_alarm_one_way_or_the_other(
    lifts: list[tuple[str, bool]], *, agreed: bool, restored: bool
) -> None:
    marks = [HoldMark(who, NOW, "", lifts=True, id=ALARM, restores=back) for who, back in lifts]
    (hold,) = judged_holds([alarm(), *marks], ROLES, MEMBERS)
    assert (hold.is_agreed, hold.is_to_be_restored, hold.is_over) == (agreed, restored, False)


def test_an_unreadable_ledger_blocks_and_a_clone_says_nothing() -> None:
    assert judge_holds(Unknown("disk"), ROLES, MEMBERS)[0].outcome is Outcome.ERROR
    assert judge_holds(None, ROLES, MEMBERS) == ()


def test_every_kind_has_its_lifters_and_no_emergency_passes_one() -> None:
    assert set(LIFTERS) == set(HOLD_KINDS)
    assert ID in NEVER


people = st.sampled_from(["ann", "pat", "sam", "dev", "eve"])
names = st.sampled_from(["", ALARM, OTHER, "hold-000000000001"])
placed = st.builds(
    HoldMark, people, st.just(NOW), st.just("why"), st.just(False), names.filter(bool),
    st.sampled_from(HOLD_KINDS), st.lists(people, max_size=2).map(tuple),
)  # fmt: skip
lifted = st.builds(HoldMark, people, st.just(NOW), st.just(""), st.just(True), names)


@given(
    st.lists(placed | lifted, max_size=8), st.sampled_from([MEMBERS, {"platform": MEMBERS["platform"]}, {}])
)
def test_any_open_hold_is_no_go(marks: list[HoldMark], members: dict[str, Fact[frozenset[str]]]) -> None:
    """Told by a second, slower reading: for each hold, who of those who may named it afterwards."""
    able = {name for fact in members.values() if isinstance(fact, Known) for name in fact.value}
    still = 0
    for place, hold in enumerate(marks):
        if hold.lifts:
            continue
        meant = {hold.id} | (set() if hold.kind in {"alarm", "drift"} else {""})
        yes = {one.actor for one in marks[place:] if one.lifts and one.id in meant} & able - set(hold.barred)
        still += hold.kind == "alarm" or len(yes) < (2 if hold.kind == "drift" else 1)
    verdicts = judge_holds(Known(tuple(marks), "ledger", NOW), ROLES, members)
    assert len(standing_holds(marks, ROLES, members)) == still
    assert decision(verdict(), *verdicts).allowed is (still == 0)
    # One more hold never helps.
    assert not decision(verdict(), *judge_holds(Known((*marks, alarm()), "l", NOW), ROLES, members)).allowed


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        pytest.param("hold because x y", ("", "x y"), id="hold"),
        pytest.param("hold maintenance because x", ("maintenance", "x"), id="maintenance"),
        pytest.param("unhold", ("", ""), id="unhold"),
        pytest.param("unhold because x", ("", "x"), id="unhold-because"),
        pytest.param(f"unhold {ALARM}", (ALARM, ""), id="named"),
        pytest.param(f"unhold {ALARM} because x", (ALARM, "x"), id="named-because"),
        pytest.param("hold alarm because x", None, id="a-kind-that-people-do-not-place"),
        pytest.param("hold maintenance", None, id="no-reason"),
        pytest.param("unhold alarm-1 because x", None, id="no-id"),
        pytest.param(f"unhold {ALARM} since x", None, id="no-because"),
    ],
)
def test_how_it_is_told_in_a_comment(line: str, wanted: tuple[str, str] | None) -> None:
    (read,) = read_commands(f"/guard {line}")
    assert (isinstance(read, Command) and (read.hold, read.text)) == (wanted or False)


def test_the_ledgers_holds(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path)
    hold, now = own_hold_id("alarm", TARGET, "x"), world.clock.now()
    ref = f"refs/heads/{TARGET}"
    assert place_hold(world.ledger, hold, ref=ref, kind="alarm", because="moved", now=now, barred=["eve"])
    assert not place_hold(world.ledger, hold, ref=ref, kind="alarm", because="moved", now=now)
    place_hold(
        world.ledger, "smoke-000000000001", ref="refs/heads/other", kind="smoke", because="red", now=now
    )
    world.say("ann@example.com", HoldPlaced(TARGET, "tonight", "maintenance"))
    world.say("bob@example.com", HoldLifted(TARGET, "ok", hold))
    fact = world.forge.holds(TARGET)
    assert isinstance(fact, Known)
    kinds = [(one.kind, one.lifts, one.actor) for one in fact.value]
    assert kinds == [
        ("alarm", False, ""),
        ("maintenance", False, "ann@example.com"),
        ("manual", True, "bob@example.com"),
    ]
    assert fact.value[0].barred == ("eve",)
    end_hold(world.ledger, hold, ref=ref, because="restored", now=now)
    end_hold(world.ledger, hold, ref=ref, because="restored", now=now)
    ended = world.forge.holds(TARGET)
    assert isinstance(ended, Known)
    assert [one.mark.kind for one in judged_holds(ended.value, ROLES, MEMBERS)] == ["maintenance"]
    assert world.ledger.verify() == len(list(world.ledger.entries()))


def test_a_hold_from_the_command_line_to_the_list_and_away(tmp_path: Path) -> None:
    roles = (
        '[roles.platform]\nmembers = ["ann@example.com"]\n[roles.security]\nmembers = ["sam@example.com"]\n'
    )
    server = make_server(tmp_path, policy=POLICY + roles)
    assert "nothing holds" in server.ok("holds", "--server", str(server.bare.path))
    server.ok("hold", "--kind", "maintenance", "--because", "the database moves")
    listed = server.guard("holds")
    assert listed.status == 1
    assert "maintenance" in listed.out
    assert "the database moves" in listed.out
    place_hold(server.ledger, ALARM, ref=REF, kind="alarm", because="moved", now=NOW)
    refused = server.guard("promote", "--branch", BRANCH, "--to", "master", "--yes")
    assert refused.status == 1
    assert "hold.alarm" in refused.out or "the guard holds promotions" in refused.out
    server.ok("unhold", "--because", "done")
    server.ok("unhold", ALARM, "--because", "it was me")
    left = server.guard("holds", "--format", "json")
    assert left.status == 1
    assert '"agreed": [\n      "ann@example.com"\n    ]' in left.out
    assert server.guard("holds", "--all").out.count("lifted") == 1
    wrong = server.guard("unhold", "alarm", "--because", "x")
    assert (wrong.status, "hold: expected" in wrong.err) == (64, True)
    assert server.guard("holds", "--branch", "none").status == 64
