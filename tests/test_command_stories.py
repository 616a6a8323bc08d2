"""What people tell the guard in comments, on both doubles: done once, by who may, and answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.server import Fault
from tests.service_sides import BOTH
from tests.service_world import ServiceWorld
from tests.stories import REVIEW, opened, proposed


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    with opened(request.param, tmp_path, more=REVIEW) as made:
        yield made


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


SIGN = "/guard signoff security.threat-model"


@dataclass(frozen=True)
class Try:
    """A comment of somebody's, the reaction to it ("" for none), and what is answered, if anything."""

    name: str
    by: str
    body: str
    reaction: str = ""
    says: str = ""
    bot: bool = False


TRIES = (
    Try("no role", "ann", SIGN, "thumbsdown", "only who holds the role security can do this"),
    Try("the proposer, who holds no role", "dev", SIGN, "thumbsdown", "only who holds the role security"),
    Try("a stranger", "stranger", "/guard recheck\n/guard nonsense"),
    Try("a stranger with the name of an owner in other letters", "Sam", SIGN),
    Try("a bot", "robot", SIGN, bot=True),
    Try("a quote", "sam", f"> {SIGN}\n\nI think so too"),
    Try("a quote of a quote with an answer below", "sam", f"> > {SIGN}\n> > text\n\nyes"),
    Try("a block of code", "sam", f"```\n{SIGN}\n```\n"),
    Try("tildes", "sam", f"~~~ text\n{SIGN}\n~~~"),
    Try("indented code", "sam", f"as in\n\n    {SIGN}\n"),
    Try("a list", "sam", f"- {SIGN}\n1. {SIGN}"),
    Try("a comment in HTML", "sam", f"<!--\n\n{SIGN}\n\n-->", "confused", "it follows code or HTML"),
    Try("something folded", "sam", f"<details>\n\n{SIGN}\n</details>", "confused", "it follows code or HTML"),
    Try("within a paragraph", "sam", f"I would say\n{SIGN}", "confused", "or after an empty line"),
    Try("a slash that is none", "sam", "\u2215guard signoff security.threat-model"),
    Try("a letter of another script", "sam", "/gu\u0430rd signoff security.threat-model"),
    Try(
        "a gate in another script",
        "sam",
        "/guard signoff security.thre\u0430t-model",
        "confused",
        "id of a gate",
    ),
    Try("a mark that turns the direction", "sam", f"{SIGN} \u202egood", "confused", "invisible characters"),
    Try("no such word", "sam", "/guard aprove", "confused", "the commands are recheck, explain,"),
    Try("a huge comment", "sam", "x" * 50_000 + f"\n{SIGN}", "confused", "or after an empty line"),
    Try("a huge note", "sam", f"{SIGN} {'x' * 1500}", "confused", "at most 500 characters"),
    Try("six at once", "dev", "/guard recheck\n" * 6, "confused", "at most 5 commands"),
    Try("one of two may not be done", "ann", f"/guard recheck\r\n{SIGN}\r\n", "thumbsdown", "only who holds"),
)


def test_what_is_not_carried_out_and_who_is_told_why(world: ServiceWorld) -> None:
    with world.serving() as url:
        proposal, _ = proposed(world, url)
        made = {one.name: world.side.comment(proposal, one.body, by=one.by, program=one.bot) for one in TRIES}
        world.settle(url)
        assert signed(world) == []
        told = answered(world)
        for one in TRIES:
            reaction = [one.reaction] if one.reaction else []
            assert world.side.reactions(proposal, made[one.name]) == reaction, one.name
            answers = told.get(made[one.name], ())
            assert bool(answers) == bool(one.says), one.name
            assert not one.says or any(one.says in answer for answer in answers), (one.name, answers)
        assert [by for by, _ in world.side.comments(proposal)].count(guard_of(world)) == 1
        # A command that follows plain text, with the line ends that browsers send, is one all the same.
        world.side.comment(proposal, f"Thanks!\r\n\r\n> {SIGN}\r\n\r\n{SIGN} Read\r\n", by="sam")
        world.settle(url)
        assert signed(world) == ["sam"]


def answered(world: ServiceWorld) -> dict[str, list[str]]:
    """What was answered to each comment, by its id."""
    bodies: list[Any] = [one.body for one in world.service.ledger.entries("command.answered")]
    return {body["comment"]: [row["said"] for row in body["answers"]] for body in bodies}


def guard_of(world: ServiceWorld) -> str:
    return next(by for by, body in world.side.comments("1") if "release-guard:promotion" in body)


def test_who_lost_the_role_a_moment_ago_whose_comment_is_gone_or_changed(world: ServiceWorld) -> None:
    """What stands when the comment is looked at is what counts, and what was done once is not done again."""
    with world.serving() as url:
        proposal, _ = proposed(world, url)
        left = world.side.comment(proposal, SIGN, by="sam")
        world.side.role("security-owners", "pat")
        gone = world.side.comment(proposal, SIGN, by="pat")
        world.side.delete_comment(proposal, gone)
        edited = world.side.comment(proposal, "looks good", by="pat")
        world.side.edit_comment(proposal, edited, SIGN)
        world.settle(url)
        assert signed(world) == []
        assert world.side.reactions(proposal, left) == ["thumbsdown"]
        assert world.side.reactions(proposal, edited) == ["thumbsdown"]
        assert "it was edited" in " ".join(answered(world)[edited])
        assert gone not in answered(world)
        done = world.side.comment(proposal, SIGN, by="pat")
        world.settle(url)
        world.side.edit_comment(proposal, done, f"{SIGN} once more")
        world.settle(url)
        assert signed(world) == ["pat"]
        assert "once more" not in world.comment(proposal)
        world.side.comment(proposal, SIGN, by="pat")
        world.side.push(proposal, world.commit("slipped in", {"app": "3\n"}))
        world.settle(url)
        assert signed(world) == ["pat"], "a push overtook the comment"
        assert "the head is new" in world.comment(proposal)


def test_a_comment_that_is_deleted_while_it_is_answered_stops_nothing(world: ServiceWorld) -> None:
    with world.serving() as url:
        proposal, head = proposed(world, url)
        comment = world.side.comment(proposal, SIGN, by="sam")
        path = "award_emoji" if world.side.name == "gitlab" else "reactions"
        world.meanwhile(path, lambda: world.side.delete_comment(proposal, comment))
        for person in ("ann", "sam"):
            world.side.approve(proposal, by=person)
        world.submit(url, head)
        world.settle(url)
        assert signed(world) == ["sam"], "it was said, and is on record"
        assert world.status(head).state == "success", world.comment(proposal)


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
