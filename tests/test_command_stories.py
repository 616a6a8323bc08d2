"""What people tell the guard in comments, on both doubles: done once, by who may, and answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.server import Fault
from tests.service_sides import BOTH, LESSER, SIDES
from tests.service_world import ServiceWorld, policy

REVIEW = """
[[gates]]
id = "security.threat-model"
group = "security"
title = "Threat model reviewed"
evidence = { kind = "signoff", role = "security" }
"""


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    yield from made(request.param, tmp_path)


@pytest.fixture(params=LESSER)
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    yield from made(request.param, tmp_path)


def made(forge: str, folder: Path) -> Iterator[ServiceWorld]:
    world = ServiceWorld(folder, forge, policy_text=policy(forge, SIDES[forge].repository, more=REVIEW))
    yield world
    world.close()


def proposed(world: ServiceWorld, url: str) -> tuple[str, str]:
    """A proposal that was decided on, and its head."""
    head = world.commit("a fix", {"app": "2\n"})
    proposal = world.side.propose(head)
    world.settle(url)
    return proposal, head


def signed(world: ServiceWorld) -> list[str]:
    return [str(one.body["statement"]["by"]) for one in world.service.ledger.entries("statement.signoff")]  # type: ignore[index]


def test_a_sign_off_counts_once_whatever_is_delivered_again(world: ServiceWorld) -> None:
    with world.serving() as url:
        proposal, _ = proposed(world, url)
        assert "✗ Threat model reviewed" in world.comment(proposal)
        comment = world.side.comment(proposal, "/guard signoff security.threat-model Looked at it", by="sam")
        assert set(world.side.deliver(url, times=3)) <= {202, 204}
        world.work_off()
        world.wake()
        world.settle(url)
        assert signed(world) == ["sam"]
        assert world.side.reactions(proposal, comment) == ["thumbsup"]
        body = world.comment(proposal)
        assert (
            "- `/guard signoff security.threat-model Looked at it` (sam): done, signed off for this head"
            in body
        )
        assert "✓ Threat model reviewed: signed off by sam" in body
        assert len(world.side.comments(proposal)) == 2, "the answer is no comment of its own"
        assert world.service.ledger.verify()
        # What was said of one head says nothing of another.
        newer = world.commit("one more", {"app": "3\n"})
        world.side.push(proposal, newer)
        world.settle(url)
        assert "✓ Threat model reviewed: signed off by sam" not in world.comment(proposal)
        assert signed(world) == ["sam"]


def test_who_may_not_is_told_why(one: ServiceWorld) -> None:
    with one.serving() as url:
        proposal, _ = proposed(one, url)
        comment = one.side.comment(proposal, "/guard signoff security.threat-model", by="ann")
        one.settle(url)
        assert signed(one) == []
        assert one.side.reactions(proposal, comment) == ["thumbsdown"]
        assert "not done, only who holds the role security can do this" in one.comment(proposal)


def test_a_member_who_left_the_role_signs_nothing(one: ServiceWorld) -> None:
    with one.serving() as url:
        proposal, _ = proposed(one, url)
        comment = one.side.comment(proposal, "/guard signoff security.threat-model", by="sam")
        leave_security(one)
        one.settle(url)
        assert signed(one) == []
        assert one.side.reactions(proposal, comment) == ["thumbsdown"]


def leave_security(world: ServiceWorld) -> None:
    if world.side.name == "gitlab":
        world.side.state.group("gpuaas/security-owners", "pat")  # type: ignore[attr-defined]
    else:
        world.side.state.team("security-owners", "pat")  # type: ignore[attr-defined]


def test_strangers_and_bots_are_not_heard(world: ServiceWorld) -> None:
    with world.serving() as url:
        proposal, _ = proposed(world, url)
        before = world.comment(proposal)
        stranger = world.side.comment(proposal, "/guard recheck\n/guard nonsense", by="stranger")
        bot = world.side.comment(proposal, "/guard recheck", by="robot", program=True)
        world.settle(url)
        assert world.comment(proposal) == before
        assert world.side.reactions(proposal, stranger) == []
        assert world.side.reactions(proposal, bot) == []


def test_an_edited_comment_is_not_carried_out_and_that_is_said(world: ServiceWorld) -> None:
    """Whoever may write can edit other people's comments."""
    with world.serving() as url:
        proposal, _ = proposed(world, url)
        comment = world.side.comment(proposal, "looks good", by="sam")
        world.side.edit_comment(proposal, comment, "/guard signoff security.threat-model")
        world.settle(url)
        assert signed(world) == []
        assert world.side.reactions(proposal, comment) == ["thumbsdown"]
        assert "it was edited" in world.comment(proposal)


def test_what_was_done_is_not_done_again_after_an_edit(one: ServiceWorld) -> None:
    with one.serving() as url:
        proposal, _ = proposed(one, url)
        comment = one.side.comment(proposal, "/guard signoff security.threat-model", by="sam")
        one.settle(url)
        one.side.edit_comment(proposal, comment, "/guard signoff security.threat-model again")
        one.settle(url)
        assert signed(one) == ["sam"]
        assert "again" not in one.comment(proposal)


def test_a_comment_that_a_push_overtook_says_nothing_of_the_new_head(one: ServiceWorld) -> None:
    with one.serving() as url:
        proposal, _ = proposed(one, url)
        one.side.comment(proposal, "/guard signoff security.threat-model", by="sam")
        one.side.push(proposal, one.commit("slipped in", {"app": "3\n"}))
        one.settle(url)
        assert signed(one) == []
        assert "the head is new" in one.comment(proposal)


def test_quoted_text_is_not_carried_out_and_unknown_words_get_a_hint(one: ServiceWorld) -> None:
    with one.serving() as url:
        proposal, _ = proposed(one, url)
        quoted = one.side.comment(proposal, "> /guard recheck\n\n```\n/guard recheck\n```\n", by="sam")
        unknown = one.side.comment(proposal, "/guard aprove", by="sam")
        one.settle(url)
        assert one.side.reactions(proposal, quoted) == []
        assert one.side.reactions(proposal, unknown) == ["confused"]
        body = one.comment(proposal)
        assert "- `/guard aprove` (sam): not understood, the commands are recheck, explain," in body


def test_explain_and_recheck(world: ServiceWorld) -> None:
    """Anybody in the project may, and who proposed it; what is explained stays true as decisions change."""
    with world.serving() as url:
        proposal, head = proposed(world, url)
        comment = world.side.comment(proposal, "/guard recheck\n/guard explain approvals", by="dev")
        world.settle(url)
        assert world.side.reactions(proposal, comment) == ["thumbsup"]
        body = world.comment(proposal)
        assert "- `/guard recheck` (dev): done, looked at again" in body
        explained = body.partition("<summary>About approvals</summary>")[2].partition("</details>")[0]
        assert "approvals.security.missing" in explained
        assert "  - who: security" in explained
        for name in ("ann", "sam"):
            world.side.approve(proposal, by=name)
        world.settle(url)
        explained = world.comment(proposal).partition("<summary>About approvals</summary>")[2]
        assert "**Approvals**: PASS" in explained.partition("</details>")[0]
        assert not world.status(head).description.startswith("NO-GO: security")


def test_killed_between_the_record_and_the_reaction(world: ServiceWorld) -> None:
    """The reaction's call fails; everything is done again, and nothing twice."""
    with world.serving() as url:
        proposal, _ = proposed(world, url)
        comment = world.side.comment(proposal, "/guard signoff security.threat-model", by="sam")
        path = "award_emoji" if world.side.name == "gitlab" else "reactions"
        world.side.server().fail(Fault("reset-after", times=1, method="POST", path=path))
        world.settle(url)
        assert signed(world) == ["sam"]
        assert world.side.reactions(proposal, comment) == ["thumbsup"]
        assert "✓ Threat model reviewed: signed off by sam" in world.comment(proposal)
