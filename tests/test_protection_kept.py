"""A branch's protection on the forge, watched and put back, on both doubles; what ends a permit before it is used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.adapters.keys import ensure_signing_key
from guard.core.claims import HoldLifted
from guard.core.errors import Refused
from guard.core.model import Commit
from guard.journeys.permits import Question
from tests.branch_hands import SOME, move
from tests.doubles.github.state import Protected
from tests.doubles.gitlab.state import Access
from tests.people import signer_line
from tests.service_sides import BOTH, BRANCH, GitHubSide, GitLabSide, Side
from tests.test_alarm_stories import REF, Guarded, issue_permit
from webhook_app.worker import Sweeper


@pytest.fixture(params=BOTH)
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    yield from _guarded(tmp_path, request.param)


@pytest.fixture(params=SOME)
def one_guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    yield from _guarded(tmp_path, request.param)


def _guarded(folder: Path, forge: str) -> Iterator[Guarded]:
    made = Guarded(folder, forge)
    with (made.world.home / "allowed_signers").open("a") as file:
        file.write(signer_line("ann") + "\n")
    tighten(made.side)
    look(made)
    yield made
    made.world.close()


def tighten(side: Side) -> None:
    if isinstance(side, GitHubSide):
        side.state.protected[BRANCH] = Protected(restrictions=("release-guard",), checks=("build",))
        return
    assert isinstance(side, GitLabSide)
    guard = next(iter(side.state.tokens.values()))
    side.state.protect(BRANCH, push=(Access(user=guard),), merge=(Access(user=guard),))


def loosen(side: Side) -> None:
    """An admin lets somebody else push, and by force."""
    if isinstance(side, GitHubSide):
        side.state.protected[BRANCH] = Protected(restrictions=("release-guard", "eve"), force_push=True)
        return
    assert isinstance(side, GitLabSide)
    eve, guard = side.state.join("eve"), next(iter(side.state.tokens.values()))
    side.state.protect(
        BRANCH, push=(Access(user=guard), Access(user=eve)), merge=(Access(user=guard),), force_push=True
    )


def unprotect(side: Side) -> None:
    if isinstance(side, GitHubSide):
        del side.state.protected[BRANCH]
        return
    assert isinstance(side, GitLabSide)
    side.state.rules.clear()


def look(guarded: Guarded) -> None:
    guarded.world.wake()
    guarded.world.work_off()


def keep(guarded: Guarded) -> None:
    with (guarded.world.home / "service.toml").open("a") as file:
        file.write('protection = "keep"\n')
    guarded.world.service = guarded.world.open()


def holds(guarded: Guarded) -> list[str]:
    ended = {one.body["hold"] for one in guarded.ledger.entries("hold.ended")}
    return [
        str(one.body["hold"])
        for one in guarded.ledger.entries("hold.placed")
        if one.body["hold"] not in ended
    ]


def test_what_was_loosened_is_put_back(guarded: Guarded) -> None:
    keep(guarded)
    for change in (loosen, unprotect):
        change(guarded.side)
        look(guarded)
    look(guarded)
    assert len(list(guarded.ledger.entries("protection.restored"))) == 2
    assert holds(guarded) == []
    assert not list(guarded.ledger.entries("hold.placed"))
    if isinstance(guarded.side, GitHubSide):
        found = guarded.side.state.protected[BRANCH]
        assert (found.restrictions, found.force_push, found.enforce_admins) == (
            ("release-guard",),
            False,
            True,
        )


def test_required_checks_stay_when_it_is_put_back(tmp_path: Path) -> None:
    for guarded in _guarded(tmp_path, "github"):
        keep(guarded)
        assert isinstance(guarded.side, GitHubSide)
        guarded.side.state.protected[BRANCH] = Protected(restrictions=None, checks=("build", "lint"))
        look(guarded)
        found = guarded.side.state.protected[BRANCH]
        assert (found.restrictions, found.checks) == (("release-guard",), ("build", "lint"))


def test_what_cannot_be_put_back_holds_until_it_is_back(guarded: Guarded) -> None:
    keep(guarded)
    if isinstance(guarded.side, GitHubSide):
        guarded.side.double.may_administer = True
        guarded.side.state.protected[BRANCH] = Protected(restrictions=("release-guard", "eve"))
        guarded.world.service = guarded.world.open()
        guarded.side.double.refuses_writes = True
    else:
        assert isinstance(guarded.side, GitLabSide)
        guarded.side.state.may_protect = False
        loosen(guarded.side)
    look(guarded)
    look(guarded)
    (hold,) = holds(guarded)
    (placed,) = guarded.ledger.entries("hold.placed")
    assert placed.body["kind"] == "drift"
    assert "eve may push" in str(placed.body["because"])
    tighten(guarded.side)
    look(guarded)
    assert holds(guarded) == []
    assert hold.startswith("drift-")


def test_watching_holds_and_two_people_accept(one_guarded: Guarded) -> None:
    guarded, world = one_guarded, one_guarded.world
    loosen(guarded.side)
    look(guarded)
    (hold,) = holds(guarded)
    with world.serving() as url:
        for name in ("ann", "sam"):
            world.say(url, HoldLifted(BRANCH, "agreed", hold), by=name)
        world.settle(url)
        look(guarded)
    assert [str(one.body["because"]) for one in guarded.ledger.entries("protection.seen")][-1].startswith(
        "accepted"
    )
    assert len(list(guarded.ledger.entries("hold.placed"))) == 1


def test_loosened_pushed_and_tightened_within_one_interval(one_guarded: Guarded) -> None:
    """Nobody looked in between; the branch's head tells all the same."""
    guarded = one_guarded
    loosen(guarded.side)
    pushed = guarded.commit("in between")
    move(guarded.side, pushed, by="eve", told=False)
    tighten(guarded.side)
    Sweeper(guarded.world.service, stop=threading.Event()).step()
    guarded.world.work_off()
    assert guarded.alarms() == [pushed]
    assert [one[:5] for one in holds(guarded)] == ["alarm"]


def test_a_permit_ends_with_its_go(one_guarded: Guarded) -> None:
    """An approval withdrawn is an event; a member who left is found when the permit is presented."""
    guarded, world, side = one_guarded, one_guarded.world, one_guarded.side
    with world.serving() as url:
        head = guarded.commit("a fix")
        proposal = side.propose(head)
        for name in ("ann", "sam"):
            side.approve(proposal, by=name)
        world.submit(url, head)
        world.settle(url)
        assert world.status(head).state == "success", world.comment(proposal)
        ensure_signing_key(world.home / "keys", world.home / "jwks.json")
        question = Question(side.repository, REF, world.first, head)
        issue_permit(guarded, world.first, head)
        assert world.service.permit_for(question) == "permit-of-the-test"
        side.role("security-owners", "nobody", told=False)
        world.service.members_changed()
        with pytest.raises(Refused, match="NO-GO now"):
            world.service.permit_for(question)
        (gone,) = guarded.ledger.entries("permit.revoked")
        assert gone.body["permit"] == "permit-of-the-test"
        side.role("security-owners", "sam")
        world.settle(url)
        for number, end in enumerate(ENDS):
            issue_permit(guarded, world.first, head, name=f"permit-{number:012d}")
            assert world.service.permit_for(question) == f"permit-{number:012d}"
            end(guarded, proposal, head, url)
            world.settle(url)
            assert guarded.ledger.find(f"permit.revoked:permit-{number:012d}") is not None, end.__name__


def newer_red(guarded: Guarded, proposal: str, head: str, url: str) -> None:
    guarded.world.submit(url, head, exit_code=1)
    guarded.world.settle(url)
    guarded.world.submit(url, head)


def sev_1(guarded: Guarded, proposal: str, head: str, url: str) -> None:
    guarded.side.incident(open=True)
    guarded.world.settle(url)
    guarded.side.incident(open=False)


def held(guarded: Guarded, proposal: str, head: str, url: str) -> None:
    guarded.side.comment(proposal, "/guard hold because it burns", by="ann")
    guarded.world.settle(url)
    guarded.side.comment(proposal, "/guard unhold", by="ann")


def withdrawn(guarded: Guarded, proposal: str, head: str, url: str) -> None:
    guarded.side.withdraw(proposal, by="sam")


ENDS = (newer_red, sev_1, held, withdrawn)


def test_a_target_that_moved_ends_its_permits(one_guarded: Guarded) -> None:
    guarded = one_guarded
    issue_permit(guarded, guarded.world.first, guarded.commit("wanted"))
    move(guarded.side, Commit(guarded.commit("in between")), by="mallory")
    look(guarded)
    assert guarded.ledger.find("permit.revoked:permit-of-the-test") is not None
