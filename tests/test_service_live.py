"""What happens to a proposal, on GitLab's and GitHub's double alike: whatever takes a GO away is seen at once."""

from __future__ import annotations

import dataclasses
import html
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from guard.adapters.mirror import Mirror
from guard.core.forge_facts import Wake
from tests.doubles.server import Answer, Fault
from tests.service_sides import BOTH, BRANCH, LESSER, SIDES
from tests.service_world import ServiceWorld, call, policy
from tests.test_service_people import go, said
from webhook_app.worker import Sweeper


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    made = ServiceWorld(tmp_path, request.param)
    yield made
    made.close()


@pytest.fixture(params=LESSER)
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    made = ServiceWorld(tmp_path, request.param)
    yield made
    made.close()


def test_closed_retargeted_reopened_and_renamed(world: ServiceWorld) -> None:
    with world.serving() as url:
        proposal, head = go(world, url)
        world.side.close(proposal)
        world.settle(url)
        assert world.status(head).state == "failure"
        world.side.reopen(proposal)
        world.settle(url)
        assert world.status(head).state == "success"
        world.work.git("push", "-q", str(world.bare.path), f"{world.first}:refs/heads/elsewhere")
        world.side.retarget(proposal, "elsewhere")
        world.settle(url)
        assert world.status(head).state == "failure"
        world.side.retarget(proposal, BRANCH)
        world.settle(url)
        assert world.status(head).state == "failure", (
            "what was approved into another branch was not into this one"
        )
        assert "sam approved it into another branch" in said(world, proposal)
        for person in ("ann", "sam"):
            world.side.withdraw(proposal, by=person)
            world.side.approve(proposal, by=person)
        world.settle(url)
        assert world.status(head).state == "success"
        world.side.rename_branch(proposal)
        world.settle(url)
        assert (world.status(head).state == "success") == (world.side.name == "github")
        assert len(world.side.comments(proposal)) == 1


def test_an_incident_stops_it_and_the_target_moving_is_looked_at(one: ServiceWorld) -> None:
    with one.serving() as url:
        proposal, head = go(one, url)
        one.side.incident(open=True)
        one.settle(url)
        assert one.status(head).state == "failure"
        assert "Down" in said(one, proposal)
        one.side.incident(open=False)
        one.settle(url)
        assert one.status(head).state == "success"
        one.work.git("switch", "-q", "-c", "target", one.first)
        moved = one.work.commit("the target moves", {"elsewhere": "1\n"})
        one.work.git("push", "-q", str(one.bare.path), f"{moved}:refs/heads/{BRANCH}")
        one.service.inbox.wake([Wake("branch", BRANCH)], now=one.service.clock.now())
        one.settle(url)
        assert one.status(head).state == "failure"
        assert "candidate.not-descendant" in said(one, proposal)


def test_a_failure_of_the_forge_is_no_lasting_red(one: ServiceWorld) -> None:
    """It is said while it lasts, tried again by itself, and taken back without anybody doing anything."""
    with one.serving() as url:
        proposal, head = go(one, url)
        one.side.server().fail(Fault("status", path="/comments", answer=Answer(502, b"")))
        one.side.server().fail(Fault("status", path="approv", answer=Answer(502, b"")))
        one.side.server().fail(Fault("status", path="/reviews", answer=Answer(502, b"")))
        one.wake()
        assert one.step()
        assert one.status(head).state != "success", "a GO does not stand while it is not known"
        one.side.server().recover()
        one.work_off()
        assert one.status(head).state == "success"
        assert "**GO**" in one.comment(proposal)


@pytest.mark.parametrize("forge", LESSER)
def test_with_a_bootstrap_policy_a_broken_one_is_an_error_all_the_same(forge: str, tmp_path: Path) -> None:
    """The operator's policy would be satisfied; it is for mending the branch's own, and says nothing on the forge."""
    good = policy(forge, "gpuaas/platform", branch='require = ["lineage"]')
    world = ServiceWorld(tmp_path, forge, policy_text=good.replace('"7d"', '"soon"', 1))
    (world.home / "guard.toml").write_text(good)
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.settle(url)
        assert world.status(head).state in {"error", "failure"}
        assert "gates[0].evidence.max_age" in world.status(head).description
        assert "policy.unusable" in world.comment(proposal)
        assert "success" not in {one.state for one in world.side.statuses(head)}
    world.close()


def test_status_and_page_say_the_same_at_every_step(one: ServiceWorld, tmp_path: Path) -> None:
    file = one.home / "service.toml"
    file.write_text(file.read_text() + 'pages = true\npublic_url = "https://guard.example"\n')
    one.service = one.open()
    with one.serving() as url:

        def agree(head: str) -> None:
            said = one.status(head).description.removeprefix("error: ")
            for place in ("", f"decisions/{BRANCH}/{head}"):
                page = html.unescape(call(f"{url}/{place}", method="GET")[2].decode())
                assert said in page, (said, place)

        proposal, head = go(one, url)
        agree(head)
        one.side.withdraw(proposal, by="sam")
        one.settle(url)
        agree(head)
        one.side.approve(proposal, by="sam")
        one.settle(url)
        assert one.status(head).state == "success"
        agree(head)
        before = one.service
        one.service = dataclasses.replace(before, mirror=Mirror(
            one.home / "mirror.git", str(tmp_path / "nowhere.git"), head_ref="refs/pull/{id}/head"
        ))  # fmt: skip
        one.wake()
        one.work_off()
        assert "could not decide" in one.status(head).description
        agree(head)
        one.service = before
        one.wake()
        one.work_off()
        assert one.status(head).state == "success"
        agree(head)


def test_evidence_that_ends_takes_the_go_away_by_itself(tmp_path: Path) -> None:
    """No event and no sweep: the decision on record says when time alone changes it."""
    repository = SIDES["gitlab"].repository
    text = policy("gitlab", repository).replace('max_age = "7d"', 'max_age = "30m"')
    world = ServiceWorld(tmp_path, "gitlab", policy_text=text)
    sweeper = Sweeper(world.service, stop=threading.Event())
    try:
        with world.serving() as url:
            proposal, head = go(world, url)
            sweeper.step()
            world.work_off()
            sweeper.step()
            assert world.service.inbox.waiting() == 0, "nothing is due yet"
            world.clock.ahead += timedelta(minutes=31)
            sweeper.step()
            assert world.service.inbox.waiting() == 1
            world.work_off()
            assert world.status(head).state == "failure"
            assert "may be no older than 30m" in world.comment(proposal)
            sweeper.step()
            assert world.service.inbox.waiting() == 0, "what was looked at is not looked at again"
    finally:
        world.close()
