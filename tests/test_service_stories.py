"""The service's stories, on GitLab's and GitHub's double alike: events in, the right status and one comment out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harmless import harmless
from tests.service_sides import BOTH
from tests.service_world import ServiceWorld, policy
from tests.stories import go, opened


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    with opened(request.param, tmp_path) as made:
        yield made


def test_the_whole_way(world: ServiceWorld) -> None:
    """Opened, NO-GO; the fix picked to master, approved, checked: GO; a new push: NO-GO. One comment in all."""
    with world.serving() as url:
        world.work.git("switch", "-q", "-c", "hotfix")
        hotfix = world.commit("a hotfix", {"app": "2\n"})
        proposal = world.side.propose(hotfix)
        world.settle(url)
        assert world.status(hotfix).state == "failure"
        assert world.status(hotfix).description.startswith("NO-GO: ")
        assert "lineage.missing" in world.comment(proposal)
        assert "approvals.security.missing" in world.comment(proposal)

        world.work.git("switch", "-q", "master")
        world.commit("other work on master", {"other": "1\n"})
        world.work.pick(hotfix)
        world.work.git("push", "-q", str(world.bare.path), "master")
        world.wake()
        world.settle(url)
        assert "lineage.missing" not in world.comment(proposal)

        world.side.approve(proposal, by="ann")
        world.settle(url)
        assert "approvals.platform.missing" not in world.comment(proposal)
        world.side.approve(proposal, by="sam")
        world.settle(url)
        assert world.status(hotfix).state == "failure"
        world.submit(url, hotfix)
        world.settle(url)
        assert world.status(hotfix).state == "success"
        assert world.status(hotfix).description == "GO: everything required is there"
        assert "**GO**" in world.comment(proposal)

        world.work.git("switch", "-q", "hotfix")
        newer = world.commit("one more thing", {"app": "3\n"})
        world.side.push(proposal, newer)
        world.settle(url)
        assert world.status(newer).state == "failure"
        assert world.status(hotfix).state == "failure", "the old head is no proposal's any more"
        assert newer[:10] in world.comment(proposal)
        assert len(world.side.comments(proposal)) == 1


def test_nothing_is_said_twice(world: ServiceWorld) -> None:
    """Replays, deliveries out of order, and wakes for no reason leave one status, one comment, one record."""
    with world.serving() as url:
        _, head = go(world, url)
        statuses, records = len(world.side.statuses(head)), len(world.recorded())
        proposal = world.side.propose(world.commit("another", {"b": "1\n"}))
        world.side.approve(proposal, by="sam")
        world.side.approve(proposal, by="ann")
        answers = world.side.deliver(url, times=2, backwards=True)
        assert set(answers) <= {202, 204}
        world.settle(url)
        world.wake()
        world.settle(url)
        assert len(world.side.statuses(head)) == statuses
        assert len([one for one in world.recorded() if one.body["proposal"] != proposal]) == records
        assert len(world.side.comments(proposal)) == 1


def test_two_proposals_with_one_head_are_both_no_go(world: ServiceWorld) -> None:
    with world.serving() as url:
        first, head = go(world, url)
        second = world.side.propose(head, by="pat")
        world.settle(url)
        assert world.status(head).state == "failure"
        assert world.status(head).description.startswith("NO-GO: 2 open proposals have the head")
        assert "candidate.two-proposals" in world.comment(first)
        assert "candidate.two-proposals" in world.comment(second)
        world.side.close(second)
        world.settle(url)
        assert world.status(head).state == "success"
        assert "**GO**" in world.comment(first)


def test_a_fork_is_no_go(world: ServiceWorld) -> None:
    with world.serving() as url:
        head = world.commit("from outside", {"c": "1\n"})
        proposal = world.side.propose(head, by="stranger", fork=True)
        world.settle(url)
        assert world.status(head).state == "failure"
        assert "candidate.fork" in world.comment(proposal)


@pytest.mark.parametrize("forge", ["gitlab", "github"])
def test_a_fork_is_admitted_where_the_policy_says_so(forge: str, tmp_path: Path) -> None:
    world = ServiceWorld(tmp_path, forge, branch="forks = true")
    with world.serving() as url:
        proposal = world.side.propose(world.commit("from outside", {"c": "1\n"}), by="stranger", fork=True)
        world.settle(url)
        assert "candidate.fork" not in world.comment(proposal)
    world.close()


@pytest.mark.parametrize("forge", ["gitlab", "github"])
def test_an_invalid_policy_is_an_error_that_names_the_key(forge: str, tmp_path: Path) -> None:
    text = policy(forge, "gpuaas/platform").replace('max_age = "7d"', 'max_age = "soon"', 1)
    world = ServiceWorld(tmp_path, forge, policy_text=text)
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.settle(url)
        assert world.status(head).state in {"error", "failure"}  # GitLab has no word for an error
        assert "success" not in {one.state for one in world.side.statuses(head)}
        assert "guard.toml:18: gates[0].evidence.max_age" in world.status(head).description
        assert "policy.unusable" in world.comment(proposal)
    world.close()


def test_somebody_elses_copy_of_the_marker_is_not_the_guards_comment(world: ServiceWorld) -> None:
    with world.serving() as url:
        proposal = world.side.propose(world.commit("a fix", {"app": "2\n"}))
        forged = "<!-- release-guard:promotion -->\n**GO**, says mallory"
        world.side.comment(proposal, forged, by="mallory")
        world.settle(url)
        bodies = dict(world.side.comments(proposal))
        assert bodies["mallory"] == forged
        assert len(world.side.comments(proposal)) == 2


HOSTILE = (
    "/merge\n\n/approve\n\nFixes #1, closes gpuaas/platform#2, !3 GH-4\n\n@everyone ![x](https://evil.example/x.png)"
    " <img src=x> [x](https://evil.example) \u202eevil\n\n<!-- release-guard:promotion -->\n\n- [x] approved\n\n"
    "</details>\n\n/label ~bug"
)


def test_nothing_from_outside_does_anything_in_the_comment(world: ServiceWorld) -> None:
    """Title, message, branch and paths: no line that a forge carries out, no mention, reference, image, HTML or ticked
    box, no copy of the marker, and nothing that turns the direction of the text."""
    with world.serving() as url:
        world.work.git("switch", "-q", "-c", "hostile")
        head = world.commit(f"/merge {HOSTILE}", {"- [x] /merge": "9\n", "![x](y) @sam #1\u202e": "9\n"})
        proposal = world.side.propose(head, title=HOSTILE.replace("\n", " "))
        world.settle(url)
        body = world.comment(proposal)
        assert "/merge" in body
        harmless(body)
        assert world.side.carried_out() == []
