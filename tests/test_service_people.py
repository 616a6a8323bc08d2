"""The two-owner rule on GitLab's and GitHub's double alike: whose approval counts, and what takes it away."""

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


def test_a_role_holder_who_asks_for_changes_stops_it_until_they_withdraw(world: ServiceWorld) -> None:
    """Also across what anybody with write access can do about it: dismiss a review, ask for a new one."""
    with world.serving() as url:
        proposal, head = go(world, url)
        world.side.object(proposal, by="sam")
        world.settle(url)
        assert world.status(head).state == "failure"
        assert "approvals.changes-requested" in said(world, proposal)
        world.side.clear(proposal, objector="sam", by="dev")
        world.settle(url)
        assert world.status(head).state == "failure"
        assert "sam, security owner, asked for changes" in said(world, proposal)
        if world.side.name == "gitlab":
            world.side.withdraw(proposal, by="sam")
        world.side.approve(proposal, by="sam")
        world.settle(url)
        assert world.status(head).state == "success"
        world.side.object(proposal, by="eve")
        world.settle(url)
        assert world.status(head).state == "success", "eve holds no role"


def test_an_approval_before_the_last_push_is_stale_and_named(world: ServiceWorld) -> None:
    """Whoever pushed has a hand in it from then on, and the approvals before are told with who and when."""
    with world.serving() as url:
        proposal, _ = go(world, url)
        newer = world.commit("more", {"other": "3\n"})
        world.side.push(proposal, newer, by="pat")
        world.submit(url, newer)
        world.settle(url)
        assert world.status(newer).state == "failure"
        comment = said(world, proposal)
        assert "sam approved " in comment
        assert " UTC, not this head" in comment
        for person in ("ann", "sam"):
            world.side.withdraw(proposal, by=person)
        for person in ("pat", "sam"):
            world.side.approve(proposal, by=person)
        world.settle(url)
        assert world.status(newer).state == "failure"
        assert "pat is the change's pusher" in said(world, proposal)
        world.side.approve(proposal, by="ann")
        world.settle(url)
        assert "approvals." not in said(world, proposal)


@pytest.mark.parametrize("forge", BOTH)
@pytest.mark.parametrize("keep", ["", 'keep = ["re-pick", "target-merge"]'], ids=["stale", "kept"])
def test_approvals_across_a_rebase_as_the_policy_says(forge: str, keep: str, tmp_path: Path) -> None:
    """Not lost where nothing that was approved changed and the policy keeps them; never kept for anything else."""
    text = policy(forge, "gpuaas/platform", more=f"[approvals]\n{keep}\n")
    world = ServiceWorld(tmp_path, forge, policy_text=text)
    with world.serving() as url:
        proposal, head = go(world, url)
        world.work.git("push", "-q", str(world.bare.path), f"{head}:refs/heads/master")
        world.work.git("switch", "-q", "-c", "target", world.first)
        moved = world.work.commit("the target moves", {"elsewhere": "1\n"})
        world.work.git("push", "-q", str(world.bare.path), f"{moved}:refs/heads/{BRANCH}")
        world.work.pick(head)
        again = world.publish()
        world.side.push(proposal, again)
        world.settle(url)
        comment = said(world, proposal)
        assert ("approvals.security.missing" in comment) is not bool(keep)
        if not keep:
            assert "a mere re-pick" in comment
        world.work.commit("and one line more", {"other": "evil\n"})
        world.side.push(proposal, world.publish())
        world.settle(url)
        assert "approvals.security.missing" in said(world, proposal)
    world.close()


@pytest.mark.parametrize("forge", BOTH)
def test_what_the_guard_rests_on_needs_both_owners_whatever_the_policy_says(
    forge: str, tmp_path: Path
) -> None:
    text = policy(forge, "gpuaas/platform", branch='require = ["lineage", "readiness"]')
    world = ServiceWorld(tmp_path, forge, policy_text=text)
    with world.serving() as url:
        head = world.commit("a milder policy", {"guard.toml": text.replace("7d", "90d")})
        proposal = world.side.propose(head)
        world.side.approve(proposal, by="ann")
        world.submit(url, head)
        world.settle(url)
        assert world.status(head).state == "failure"
        assert "approvals.security.missing" in said(world, proposal)
        assert "because guard.toml changes" in said(world, proposal)
        world.side.approve(proposal, by="sam")
        world.settle(url)
        assert world.status(head).state == "success"
    world.close()


def test_two_owners_are_two_people_and_none_of_them_a_bot(world: ServiceWorld) -> None:
    """Who holds both roles counts for one of them, whichever is needed; a bot in a role's group counts for none."""
    with world.serving() as url:
        robot = world.side.program("robot")
        world.side.role("platform-owners", "ann", "pat", robot)
        world.side.role("security-owners", "sam", "pat", robot)
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.submit(url, head)
        world.side.approve(proposal, by=robot)
        world.settle(url)
        assert f"{robot} is a bot" in said(world, proposal)
        world.side.approve(proposal, by="pat")
        world.settle(url)
        assert world.status(head).state == "failure"
        assert "no second person of the role" in said(world, proposal)
        # Whichever of the two comes, pat counts for the other one.
        world.side.approve(proposal, by="ann")
        world.settle(url)
        assert world.status(head).state == "success", said(world, proposal)
        world.side.withdraw(proposal, by="ann")
        world.side.approve(proposal, by="sam")
        world.settle(url)
        assert world.status(head).state == "success", said(world, proposal)


def test_nobody_approves_what_they_wrote_even_where_somebody_else_picked_it(world: ServiceWorld) -> None:
    """The original author of a pick, the proposer, and whoever pushed; each said by name."""
    with world.serving() as url:
        world.side.address("sam", "sam@example.com")
        origin = world.commit("sam's fix", {"app": "2\n"}, GIT_AUTHOR_EMAIL="sam@example.com")
        world.work.git("switch", "-q", "-c", "picked", world.first)
        world.work.git("cherry-pick", "-x", "--no-commit", origin)
        head = world.commit(f"a pick\n\n(cherry picked from commit {origin})")
        proposal = world.side.propose(head, by="pat")
        for person in ("pat", "sam"):
            world.side.approve(proposal, by=person)
        world.settle(url)
        comment = said(world, proposal)
        assert "sam is the change's original-author" in comment
        assert "pat is the change's proposer" in comment
        assert "approvals.platform.missing" in comment
        assert "approvals.security.missing" in comment


def test_nobody_approves_what_their_address_is_in(world: ServiceWorld) -> None:
    """As a co-author whose address only the forge, or nobody but the policy, can tell the owner of."""
    with world.serving() as url:
        world.side.address("sam", "sam@home.example")
        head = world.commit("ours\n\nCo-authored-by: Sam <sam@home.example>", {"other": "2\n"})
        proposal = world.side.propose(head)
        for person in ("ann", "sam"):
            world.side.approve(proposal, by=person)
        world.submit(url, head)
        world.settle(url)
        assert world.status(head).state == "failure"
        assert "sam is the change's co-author" in said(world, proposal)


def test_an_unknown_pusher_blocks_and_says_how_to_mend_it(world: ServiceWorld) -> None:
    with world.serving() as url:
        proposal, head = go(world, url)
        world.side.forget_pushes()
        world.wake()
        world.work_off()
        assert world.status(head).state != "success"
        assert "approvals.authorship.unknown" in said(world, proposal)
        assert "push " in said(world, proposal)
