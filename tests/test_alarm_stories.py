"""A protected branch that moves without a permit, on both doubles: noticed, told once, held, and how it ends."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.core.claims import HoldLifted
from guard.core.model import Commit
from guard.journeys.adopt import Baseline, adopt
from guard.journeys.alarm import latest_alarm
from guard.journeys.reconcile import expected_head
from guard.wiring_service import Service
from tests.branch_hands import SOME, alarm_statuses, event, issues, move, press_merge
from tests.service_sides import BOTH, BRANCH
from tests.service_world import ServiceWorld
from webhook_app.worker import Sweeper

REF = f"refs/heads/{BRANCH}"
ZERO = "0" * 40


class Guarded:
    """A world whose branch was adopted where it stands."""

    def __init__(self, folder: Path, forge: str) -> None:
        self.world = ServiceWorld(folder, forge)
        self.side = self.world.side
        head = Commit(self.world.first)
        adopt(self.ledger, Baseline(REF, head, "master", head, (), by="ops"), now=self.service.clock.now())

    @property
    def service(self) -> Service:
        return self.world.service

    @property
    def ledger(self):  # type: ignore[no-untyped-def]
        return self.world.service.ledger

    def commit(self, message: str) -> str:
        """A commit on master that nobody proposed."""
        return self.world.commit(message, {"app": f"{message}\n"})

    def alarms(self) -> list[str]:
        return [str(one.body["head"]) for one in self.ledger.entries("alarm.raised")]

    def hold(self) -> str:
        found = latest_alarm(self.ledger, REF)
        assert found is not None
        return found.hold

    def expected(self) -> str | None:
        return expected_head(self.ledger, REF)


@pytest.fixture(params=BOTH)
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    made = Guarded(tmp_path, request.param)
    yield made
    made.world.close()


@pytest.fixture(params=SOME)
def one_guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    made = Guarded(tmp_path, request.param)
    yield made
    made.world.close()


def test_an_admin_presses_the_merge_button(one_guarded: Guarded) -> None:
    """Whatever the decision says, it is no permit: who presses the button moves the branch past the guard."""
    guarded, world, side = one_guarded, one_guarded.world, one_guarded.side
    with world.serving() as url:
        head = guarded.commit("a fix")
        proposal, other = side.propose(head), side.propose(guarded.commit("another fix"))
        world.settle(url)
        assert press_merge(side, proposal, by="mallory") == head
        world.settle(url)
        world.wake()
        world.settle(url)
        assert guarded.alarms() == [head]
        (issue,) = issues(side)
        assert issue.is_open
        assert head in issue.body
        assert "mallory" in issue.body
        assert "@mallory" not in issue.body
        assert f"guard restore {guarded.hold()}" in issue.body
        (said,) = alarm_statuses(side, head)
        assert said.state in {"failure", "failed"}
        assert "hold" in world.comment(other).lower()
        assert guarded.hold() in world.comment(other)
        # Who did it cannot accept it, one is not enough, and what is accepted is what is expected from then on.
        (entry,) = guarded.ledger.entries("hold.placed")
        assert entry.body["barred"] == ["mallory"]
        side.comment(other, f"/guard unhold {guarded.hold()} because it was agreed", by="ann")
        world.settle(url)
        assert guarded.expected() == world.first
        side.comment(other, f"/guard unhold {guarded.hold()}", by="sam")
        world.settle(url)
        assert guarded.expected() == head
        (adopted,) = list(guarded.ledger.entries("baseline.adopted"))[1:]
        assert adopted.body["by"] == "ann, sam"
        (issue,) = issues(side)
        assert not issue.is_open
        assert alarm_statuses(side, head)[-1].state == "success"
        assert len(alarm_statuses(side, head)) == 2
        assert world.service.ledger.verify() > 0


def test_a_move_whose_event_is_lost_is_found_by_the_sweep(guarded: Guarded) -> None:
    world = guarded.world
    forced = guarded.commit("by force")
    move(guarded.side, forced, by="mallory", told=False)
    Sweeper(world.service, stop=threading.Event()).step()
    world.work_off()
    assert guarded.alarms() == [forced]
    assert len(issues(guarded.side)) == 1


def test_forged_push_events_do_nothing(guarded: Guarded) -> None:
    """Even one that the webhook's secret signs is believed in nothing: the head is read from the forge."""
    world = guarded.world
    with world.serving() as url:
        for after in (guarded.commit("never pushed there"), "e" * 40, ZERO):
            event(guarded.side, world.first, after, by="mallory")
            event(guarded.side, after, world.first, by="mallory")
        world.settle(url)
    assert guarded.alarms() == []
    assert issues(guarded.side) == []
    assert guarded.expected() == world.first


@pytest.mark.parametrize("backwards", [False, True], ids=["in-order", "events-in-reverse"])
def test_a_branch_deleted_and_made_again_elsewhere(guarded: Guarded, *, backwards: bool) -> None:
    world, side = guarded.world, guarded.side
    with world.serving() as url:
        move(side, None, by="mallory")
        if not backwards:
            world.settle(url)
            assert guarded.alarms() == [""]
            first = guarded.hold()
        made = guarded.commit("made again")
        move(side, made, by="eve")
        while side.deliver(url, backwards=backwards):
            world.work_off()
        assert guarded.alarms()[-1] == made
        (issue,) = issues(side)
        assert made in issue.body
        if not backwards:
            # The first hold ended with the second, which names everybody who had a hand in it.
            assert guarded.hold() != first
            placed = list(guarded.ledger.entries("hold.placed"))
            assert [one.body["barred"] for one in placed][-1] in (["eve"], ["eve", "mallory"])
            assert [one.body["hold"] for one in guarded.ledger.entries("hold.ended")] == [first]


def test_a_deleted_branch_is_accepted_as_gone(one_guarded: Guarded) -> None:
    guarded, world = one_guarded, one_guarded.world
    with world.serving() as url:
        world.wake()
        world.settle(url)
        move(guarded.side, None, by="mallory")
        world.settle(url)
        assert guarded.alarms() == [""]
        for name in ("sam", "ci"):
            world.say(url, HoldLifted(BRANCH, "", guarded.hold()), by=name)
        world.settle(url)
        assert guarded.expected() == world.first, "ci holds no role"
        with (world.home / "allowed_signers").open("a") as file:
            file.write(_line("ann"))
        world.say(url, HoldLifted(BRANCH, "", guarded.hold()), by="ann")
        world.settle(url)
        world.wake()
        world.settle(url)
        assert guarded.expected() == ""
        assert guarded.alarms() == [""]
        # And coming back is a move as well.
        move(guarded.side, world.first, by="mallory")
        world.settle(url)
        assert guarded.alarms() == ["", world.first]


def test_a_branch_forced_away_and_back_between_two_looks_stays_told(one_guarded: Guarded) -> None:
    guarded, world = one_guarded, one_guarded.world
    with world.serving() as url:
        forced = guarded.commit("by force")
        move(guarded.side, forced, by="mallory")
        world.settle(url)
        hold = guarded.hold()
        move(guarded.side, world.first, by="mallory")
        world.settle(url)
        assert guarded.alarms() == [forced]
        assert "back at" in issues(guarded.side)[0].body
        assert guarded.hold() == hold
        # Away once more to the same commit is the same alarm.
        move(guarded.side, forced, by="mallory")
        world.settle(url)
        assert guarded.alarms() == [forced]


def test_people_named_by_the_new_head_cannot_accept_it(one_guarded: Guarded) -> None:
    """Whoever moves the branch brings a policy along; who may end the alarm is read from the one that was there."""
    guarded, world = one_guarded, one_guarded.world
    text = world.work.git("show", f"{world.first}:guard.toml")
    mine = re.sub(r"members = \[[^]]*\]", 'members = ["mallory", "eve"]', text)
    with world.serving() as url:
        taken = world.commit("take over", {"guard.toml": mine})
        move(guarded.side, taken, by="mallory")
        world.settle(url)
        with (world.home / "allowed_signers").open("a") as file:
            file.write(_line("eve") + _line("fay") + _line("ann"))
        for name in ("eve", "fay"):
            world.say(url, HoldLifted(BRANCH, "", guarded.hold()), by=name)
        world.settle(url)
        assert guarded.expected() == world.first
        assert issues(guarded.side)[0].is_open
        for name in ("ann", "sam"):
            world.say(url, HoldLifted(BRANCH, "", guarded.hold()), by=name)
        world.settle(url)
        assert guarded.expected() == taken


def test_our_own_promotion_whose_event_comes_before_its_recording(one_guarded: Guarded) -> None:
    """The push event may be faster than the one who pushed, and once more later: it is the permit's move, once."""
    guarded, world = one_guarded, one_guarded.world
    with world.serving() as url:
        head = guarded.commit("permitted")
        issue_permit(guarded, world.first, head)
        move(guarded.side, head, by="release-guard")
        world.settle(url)
        event(guarded.side, world.first, head, by="release-guard")
        world.settle(url)
    assert guarded.alarms() == []
    assert guarded.expected() == head
    (moved,) = guarded.ledger.entries("branch.moved")
    assert moved.body["permit"] == "permit-of-the-test"


def test_a_branch_forced_back_does_not_make_a_spent_permit_good_again(one_guarded: Guarded) -> None:
    guarded, world = one_guarded, one_guarded.world
    with world.serving() as url:
        head = guarded.commit("permitted")
        issue_permit(guarded, world.first, head)
        move(guarded.side, head, by="release-guard")
        world.settle(url)
        move(guarded.side, world.first, by="mallory")
        world.settle(url)
        assert guarded.alarms() == [world.first]
        move(guarded.side, head, by="mallory")
        world.settle(url)
        assert len(list(guarded.ledger.entries("branch.moved"))) == 1
        assert guarded.alarms() == [world.first]
        assert "back at" in issues(guarded.side)[0].body


def test_a_permit_that_ran_out_or_was_taken_back_covers_no_move(one_guarded: Guarded) -> None:
    guarded, world = one_guarded, one_guarded.world
    with world.serving() as url:
        late = guarded.commit("too late")
        issue_permit(guarded, world.first, late, expires="2020-01-01T00:00:00Z")
        world.wake()
        world.settle(url)
        (gone,) = guarded.ledger.entries("permit.revoked")
        assert gone.body["why"] == "it ran out unused"
        move(guarded.side, late, by="mallory")
        world.settle(url)
    assert guarded.alarms() == [late]


def test_observing_records_a_move_and_holds_nothing(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path, "gitlab")
    world = guarded.world
    text = world.work.git("show", f"{world.first}:guard.toml")
    lenient = world.commit(
        "observe", {"guard.toml": text.replace("version = 1", 'version = 1\nmode = "observe"')}
    )
    adopted = Baseline(REF, Commit(lenient), "master", Commit(lenient), (), by="ops", because="to observe")
    world.bare.git("update-ref", REF, lenient)
    adopt(guarded.ledger, adopted, now=guarded.service.clock.now(), force=True)
    with world.serving() as url:
        head = guarded.commit("as before")
        move(guarded.side, head, by="dev")
        world.settle(url)
    assert guarded.alarms() == []
    assert guarded.expected() == head
    world.close()


def issue_permit(
    guarded: Guarded,
    old: str,
    new: str,
    *,
    expires: str = "2999-01-01T00:00:00Z",
    name: str = "permit-of-the-test",
) -> None:
    body = {
        "permit": name,
        "promotion": "p",
        "ref": REF,
        "old": old,
        "new": new,
        "expires": expires,
    }
    guarded.ledger.append("permit.issued", body, at=guarded.service.clock.now(), once=f"permit.issued:{name}")


def _line(name: str) -> str:
    from tests.people import signer_line

    return signer_line(name) + "\n"
