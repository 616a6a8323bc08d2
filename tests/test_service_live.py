"""What happens to a proposal, on GitLab's and GitHub's double alike: closed, reopened, retargeted, renamed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_sides import BOTH, BRANCH
from tests.service_world import ServiceWorld, policy
from tests.stories import go, opened, said


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    with opened(request.param, tmp_path) as made:
        yield made


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


@pytest.mark.parametrize("forge", BOTH)
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
