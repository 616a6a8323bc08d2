"""Every event that takes a GO away is seen by itself, on both doubles: a row for each, and the GO comes back after."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from guard.core.claims import EvidenceSubmitted
from guard.core.model import Commit
from tests.service_sides import BOTH, BRANCH, SIDES
from tests.service_world import CI, ServiceWorld, policy
from tests.stories import JOBS, opened, said, satisfied
from webhook_app.worker import Sweeper

LABEL, GUIDE = "BREAKING:", "doc/Migration.md"
CONTRACT = f"""
[[gates]]
id = "architecture.breaking"
group = "architecture"
title = "Breaking changes"
[gates.evidence]
kind = "contract"
source = "contract"
breaking_label = "{LABEL}"
labelled_by = ["platform"]
migration_guide = "{GUIDE}"
"""
WRITTEN = (
    "# Migration\nBookings have a new address from this release on; change /bookings to /reservations.\n"
)
BROKEN = json.dumps(
    [{"id": "api-removed", "text": "a path went away", "level": 3, "path": "/bookings"}]
).encode()


def submit_contract(world: ServiceWorld, url: str, head: str) -> None:
    digest = f"sha256:{hashlib.sha256(BROKEN).hexdigest()}"
    claim = EvidenceSubmitted(
        "contract", Commit(head), "contract", "oasdiff", "1.11", 1, ("oasdiff", "breaking"), digest
    )
    world.say(url, claim, by=CI, report=BROKEN)


@dataclass(frozen=True)
class Stage:
    """A proposal that is GO."""

    world: ServiceWorld
    url: str
    proposal: str
    head: str
    sweeper: Sweeper


Happening = Callable[[Stage], None]


def time_passes(on: Stage) -> None:
    """No event and no sweep: the decision on record says when time alone changes it."""
    on.world.clock.ahead += timedelta(minutes=31)
    on.sweeper.step()


def evidence_comes_anew(on: Stage) -> None:
    on.world.submit(on.url, on.head)


def objected_and_cleared(on: Stage) -> None:
    """A dismissed review, or a reviewer who is asked anew: anybody with write access can do that."""
    on.world.side.object(on.proposal, by="ann")
    on.world.side.clear(on.proposal, objector="ann", by="dev")


def approved_anew(on: Stage) -> None:
    """Which takes the objection back, too."""
    on.world.side.approve(on.proposal, by="ann")


@dataclass(frozen=True)
class Event:
    """What takes the GO away, what gives it back, and what is said in between."""

    happens: Happening
    ends: Happening
    says: str


EVENTS = {
    "evidence ends": Event(time_passes, evidence_comes_anew, "may be no older than 30m"),
    "a member is removed": Event(
        lambda on: on.world.side.role("security-owners", "pat"),
        lambda on: on.world.side.role("security-owners", "sam"),
        "sam does not hold the role",
    ),
    "an approval is withdrawn": Event(
        lambda on: on.world.side.withdraw(on.proposal, by="ann"),
        lambda on: on.world.side.approve(on.proposal, by="ann"),
        "approvals.platform.missing",
    ),
    "an objection, and its review dismissed": Event(
        objected_and_cleared, approved_anew, "ann, platform owner, asked for changes"
    ),
    "a check is red after green": Event(
        lambda on: on.world.side.jobs(on.head, test="bad"),
        lambda on: on.world.side.jobs(on.head, test="good", lint="good"),
        "ci.not-green",
    ),
    "a label is removed": Event(
        lambda on: on.world.side.unlabel(on.proposal, LABEL, by="dev"),
        lambda on: on.world.side.label(on.proposal, LABEL, by="ann"),
        "contract.label",
    ),
    "an incident is opened": Event(
        lambda on: on.world.side.incident(open=True),
        lambda on: on.world.side.incident(open=False),
        "incidents.open",
    ),
}


@pytest.mark.parametrize("forge", BOTH)
def test_any_negative_event_decides_anew(forge: str, tmp_path: Path) -> None:
    text = policy(forge, SIDES[forge].repository, more=JOBS + CONTRACT).replace('"7d"', '"30m"')
    with opened(forge, tmp_path, text=text) as world, world.serving() as url:
        on = stage(world, url)
        for name, event in EVENTS.items():
            assert event.says not in said(world, on.proposal), name
            event.happens(on)
            world.settle(url)
            assert world.status(on.head).state == "failure", name
            assert event.says in said(world, on.proposal), name
        for event in EVENTS.values():
            event.ends(on)
        world.settle(url)
        assert world.status(on.head).state == "success", said(world, on.proposal)
        # The last one cannot be undone: the branch moves under the proposal.
        world.work.git("switch", "-q", "-c", "target", world.first)
        world.work.commit("the target moves", {"elsewhere": "1\n"})
        world.side.move(BRANCH, world.publish())
        world.settle(url)
        assert world.status(on.head).state == "failure"
        assert "candidate.not-descendant" in said(world, on.proposal)
        assert len(world.side.comments(on.proposal)) == 1


def stage(world: ServiceWorld, url: str) -> Stage:
    world.commit("the guide", {GUIDE: WRITTEN})
    head = world.commit("a fix", {"app": "2\n"})
    proposal = satisfied(world, url, head)
    world.side.jobs(head, test="good", lint="good")
    submit_contract(world, url, head)
    world.side.label(proposal, LABEL, by="ann")
    world.settle(url)
    assert world.status(head).state == "success", said(world, proposal)
    sweeper = Sweeper(world.service, stop=threading.Event())
    sweeper.step()
    world.work_off()
    sweeper.step()
    assert world.service.inbox.waiting() == 0, "nothing is due yet"
    return Stage(world, url, proposal, head, sweeper)
