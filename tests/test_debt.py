"""The service tells the backport debt on a schedule: on record when it changes, and in one comment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.journeys.debt import REPORTED
from tests.service_sides import BRANCH
from tests.service_world import ServiceWorld
from webhook_app.debt import DebtTeller
from webhook_app.server import _threads


@pytest.fixture
def forge() -> str:
    return "gitlab"


@pytest.fixture
def world(forge: str, tmp_path: Path) -> Iterator[ServiceWorld]:
    made = ServiceWorld(tmp_path, forge)
    yield made
    made.close()


def teller(world: ServiceWorld) -> DebtTeller:
    return DebtTeller(world.open(), stop=threading.Event())


def told(world: ServiceWorld) -> list[dict[str, object]]:
    return [dict(entry.body) for entry in world.service.ledger.entries(REPORTED)]


def hand_edit(world: ServiceWorld, name: str) -> str:
    """A commit that somebody put onto the release branch alone."""
    world.work.git("switch", "-q", "-C", "by-hand", f"origin-{BRANCH}" if name != "first" else world.first)
    made = world.work.commit(name, {f"{name}.txt": "own\n"})
    world.work.git("push", "-q", str(world.bare.path), f"{made}:refs/heads/{BRANCH}")
    world.work.git("branch", "-f", f"origin-{BRANCH}", made)
    world.work.git("switch", "-q", "master")
    return made


def test_it_is_on_record_when_it_changes_and_only_then(
    world: ServiceWorld, caplog: pytest.LogCaptureFixture
) -> None:
    teller(world).step()
    assert [(one["commits"], one["counts"]) for one in told(world)] == [([], {})]
    own = hand_edit(world, "first")
    with caplog.at_level(logging.INFO, "guard.service"):
        teller(world).step()
        world.commit("upstream goes on", {"app": "3\n"})
        teller(world).step()
    assert [one["commits"] for one in told(world)] == [[], [{"commit": own, "verdict": "missing"}]]
    assert told(world)[1]["head"] == own
    assert f"debt of {BRANCH}: 1 commits are not on master" in caplog.text


@pytest.mark.parametrize("forge", ["gitlab", "github"])
def test_one_comment_tells_it_and_is_edited_in_place(world: ServiceWorld) -> None:
    with world.serving() as url:
        proposal = world.side.propose(world.commit("a fix", {"app": "2\n"}))
        world.settle(url)
    settings = world.home / "service.toml"
    settings.write_text(settings.read_text() + f'debt_comment = "{proposal}"\n')
    first = hand_edit(world, "first")
    teller(world).step()
    teller(world).step()
    second = hand_edit(world, "second")
    teller(world).step()
    (body,) = [body for _, body in world.side.comments(proposal) if "release-guard:debt" in body]
    assert first[:10] in body and second[:10] in body  # noqa: PT018
    assert "2 of 2 commits are not on master" in body
    assert "release-guard:promotion" in world.comment(proposal)


def test_a_branch_that_is_gone_keeps_no_other_from_being_told(
    world: ServiceWorld, caplog: pytest.LogCaptureFixture
) -> None:
    settings = world.home / "settings.toml"
    settings.write_text(settings.read_text().replace(f'["{BRANCH}"]', f'["release/gone", "{BRANCH}"]'))
    teller(world).step()
    assert [one["ref"] for one in told(world)] == [f"refs/heads/{BRANCH}"]
    assert "the debt of release/gone cannot be told" in caplog.text


def test_the_service_starts_it_and_it_comes_again(world: ServiceWorld) -> None:
    settings = world.home / "service.toml"
    settings.write_text(settings.read_text() + 'debt = "1s"\n')
    stop = threading.Event()
    (thread,) = [one for one in _threads(world.open(), stop) if isinstance(one, DebtTeller)]
    thread.start()
    try:
        _until(lambda: len(told(world)) == 1)
        hand_edit(world, "first")
        _until(lambda: len(told(world)) == 2)
    finally:
        stop.set()
        thread.join()


def _until(holds: object, *, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)
