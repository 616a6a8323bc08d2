"""What is known to have gone wrong with existing bots, told again of this one, on both doubles.

Each story's first words name the failure and where it was reported.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doubles.server import Answer, Fault
from tests.service_sides import BOTH, BRANCH, SIDES
from tests.service_world import ServiceWorld, call, policy
from tests.stories import JOBS, go, opened, said, satisfied


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    with opened(request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=BOTH)
def with_ci(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    keep = '[approvals]\nkeep = ["re-pick", "target-merge"]\n'
    with opened(request.param, tmp_path, more=keep + JOBS) as made:
        yield made


def test_a_check_that_turned_from_green_to_red_revoked_nothing(with_ci: ServiceWorld) -> None:
    """policy-bot: a status was looked at when it became good, and never again (325, 959). And cancelled duplicates: a
    run that was cancelled because another one took its place hid that one's success."""
    world = with_ci
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = satisfied(world, url, head)
        world.settle(url)
        assert "ci.absent" in said(world, proposal)
        world.side.jobs(head, test="off", lint="off")
        world.settle(url)
        assert world.status(head).state == "failure", "what was only ever cancelled is not green"
        world.side.jobs(head, test="good", lint="good")
        world.side.jobs(head, test="off")
        world.settle(url)
        assert world.status(head).state == "success", said(world, proposal)
        world.side.jobs(head, test="bad")
        world.settle(url)
        assert world.status(head).state == "failure"
        assert "ci.not-green" in said(world, proposal)
        world.side.jobs(head, test="off")
        world.settle(url)
        assert world.status(head).state == "failure", "a cancelled one hides no failure either"


def test_a_rebase_made_a_check_that_had_not_run_yet_unneeded(with_ci: ServiceWorld) -> None:
    """policy-bot 903: after merging the target into the branch, the new head's checks were not there yet, the rule that
    waited for them was passed over, and the proposal was merged. Here the approvals stay, because the policy keeps
    them over such a merge, and it is NO-GO until the new head's own checks are green."""
    world = with_ci
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = satisfied(world, url, head)
        world.side.jobs(head, test="good", lint="good")
        world.settle(url)
        assert world.status(head).state == "success", said(world, proposal)
        merged = merge_of_target(world, head)
        world.side.push(proposal, merged)
        world.settle(url)
        assert world.status(merged).state == "failure"
        comment = said(world, proposal)
        assert "ci.absent" in comment
        assert "approvals." not in comment
        assert world.status(head).state == "failure", "the old head's green stands for nothing any more"
        world.side.jobs(merged, test="good", lint="good")
        world.submit(url, merged)
        world.settle(url)
        assert "ci." not in said(world, proposal)
        # What comes along with a merge is no merge of the target alone.
        world.work.commit("and one line more", {"app": "evil\n"})
        world.side.push(proposal, world.publish())
        world.settle(url)
        assert "approvals.security.missing" in said(world, proposal)


def merge_of_target(world: ServiceWorld, head: str) -> str:
    """The branch moves, and is merged into what is proposed."""
    world.work.git("switch", "-q", "-c", "target", world.first)
    world.work.commit("the target moves", {"elsewhere": "1\n"})
    moved = world.publish()
    world.side.move(BRANCH, moved)
    world.work.git("switch", "-q", "-c", "updated", head)
    world.work.git("merge", "-q", "--no-ff", "-m", "Merge the target", moved)
    return world.publish()


def test_a_lost_approval_was_reported_as_something_else(world: ServiceWorld) -> None:
    """marge-bot 2: after a rebase the approvals were gone, and what was said was the wrong error. Here they are not
    kept (the policy does not say so), and what is said is whose approval of which head does not count, why, and the
    fix."""
    with world.serving() as url:
        proposal, head = go(world, url)
        world.work.git("switch", "-q", "-c", "target", world.first)
        world.work.commit("the target moves", {"elsewhere": "1\n"})
        world.side.move(BRANCH, world.publish())
        world.work.pick(head)
        again = world.publish()
        world.side.push(proposal, again)
        world.settle(url)
        assert world.status(again).description.startswith("NO-GO: platform owner approval missing")
        comment = said(world, proposal)
        assert f"sam approved {head[:10]} at " in comment
        assert "a mere re-pick; [approvals] keep does not name that" in comment
        assert "ask a security owner to approve" in comment


@pytest.mark.parametrize("forge", BOTH)
def test_who_belongs_to_a_team_took_seconds_to_learn(forge: str, tmp_path: Path) -> None:
    """policy-bot 1133: a team was expanded at each evaluation. Here it is read once, remembered for a bounded time, and
    read anew at once when an event tells that somebody joined or left."""
    with opened(forge, tmp_path) as world, world.serving() as url:
        crowd = [f"person-{number}" for number in range(150)]
        world.side.role("security-owners", "sam", *crowd, told=False)
        proposal, head = go(world, url)
        asked = member_reads(world)
        for _ in range(3):
            world.side.comment(proposal, "hello", by="dev")
            world.settle(url)
        assert member_reads(world) == asked, "an event about something else does not ask again"
        world.side.role("security-owners", *crowd, told=False)
        world.settle(url)
        assert world.status(head).state == "success", "nobody told of it yet"
        world.clock.ahead += world.service.settings.members_age + timedelta(seconds=1)
        world.wake()
        world.settle(url)
        assert world.status(head).state == "failure", "what is remembered has an age"
        world.side.role("security-owners", "sam", *crowd)
        world.settle(url)
        assert world.status(head).state == "success", "an event ends it at once"


def member_reads(world: ServiceWorld) -> int:
    return sum("members" in one.path and "owners" in one.path for one in world.side.server().requests)


def test_one_error_of_the_forge_left_a_permanent_red(world: ServiceWorld) -> None:
    """policy-bot 405 and 1298: one 502 while something was read stood as an error until a person did something."""
    with world.serving() as url:
        proposal, head = go(world, url)
        before = said(world, proposal)
        path = "approvals" if world.side.name == "gitlab" else "reviews"
        for fault in (
            Fault("status", times=6, path=path, answer=Answer(502, b"<html>Bad Gateway</html>")),
            Fault("reset", times=2),
        ):
            world.side.server().fail(fault)
            world.wake()
            world.work_off()
            world.side.server().recover()
            assert world.status(head).state == "success"
            assert "**GO**" in world.comment(proposal)
        assert said(world, proposal).partition("Since")[0] == before.partition("Since")[0]
        assert len(world.side.comments(proposal)) == 1


DECISION = re.compile(r"decision `(sha256:[0-9a-f]{12})`")


@pytest.mark.parametrize("forge", BOTH)
def test_the_status_and_the_page_disagreed(forge: str, tmp_path: Path) -> None:
    """kubernetes/test-infra 7254: the status was made of one look at the proposal and the page of another, a label was
    set between the two, and the status stayed wrong. Here both are made of one decision on record, whose id they name,
    and what happens while it is published is looked at afterwards."""
    with opened(forge, tmp_path, pages=True) as world, world.serving() as url:
        head = world.commit("feat!: a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.submit(url, head)
        world.side.approve(proposal, by="ann")
        world.meanwhile("/statuses/", lambda: world.side.approve(proposal, by="sam"))
        world.side.deliver(url)
        assert world.step()
        agree(world, url, proposal, head)
        assert world.status(head).state == "failure", "the approval came too late for this one"
        world.settle(url)
        agree(world, url, proposal, head)
        assert world.status(head).state == "success"
        world.fetch_from(world.bare.path.with_name("nowhere.git"))
        world.wake()
        world.work_off()
        assert "could not decide" in world.status(head).description
        agree(world, url, proposal, head, decided=False)
        world.fetch_from(world.bare.path)
        world.wake()
        world.work_off()
        assert world.status(head).state == "success"
        agree(world, url, proposal, head)


def agree(world: ServiceWorld, url: str, proposal: str, head: str, *, decided: bool = True) -> None:
    """Status, comment, page, overview and ledger: the same words and the same decision, where there is one."""
    # GitLab knows no state "error", so that the words say it.
    words, comment = world.status(head).description.removeprefix("error: "), world.comment(proposal)
    shown = [
        html.unescape(call(f"{url}/{place}", method="GET")[2].decode())
        for place in ("", f"decisions/{BRANCH}/{head}")
    ]
    assert all(words in page for page in shown)
    if decided:
        recorded = str(world.recorded()[-1].body["digest"])
        assert words in said(world, proposal).replace("**", "")
        assert DECISION.findall(comment) == [recorded[:19]]
        assert all(recorded[:19] in page for page in shown)


@pytest.mark.parametrize("forge", BOTH)
def test_what_was_not_listed_was_not_gated(forge: str, tmp_path: Path) -> None:
    """gitops-promoter 2040: an environment that a gate did not list was open. Here a protected branch that the policy
    does not list is NO-GO, and a gate for an environment that no branch's step has is refused: it would never apply."""
    text = policy(forge, SIDES[forge].repository)
    unlisted = text.replace(f'[branches."{BRANCH}"]', '[branches."release/other"]')
    with opened(forge, tmp_path / "branch", text=unlisted) as world, world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = satisfied(world, url, head)
        world.settle(url)
        assert world.status(head).state in {"error", "failure"}
        assert f"does not name the branch {BRANCH}" in said(world, proposal)
        assert "success" not in {one.state for one in world.side.statuses(head)}
    never = text.replace("[[gates]]", '[[gates]]\nmandatory = false\nwhen = { environment = "prod" }', 1)
    with opened(forge, tmp_path / "environment", text=never) as world, world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = satisfied(world, url, head)
        world.settle(url)
        assert world.status(head).state in {"error", "failure"}
        assert "gates[0].when.environment" in world.status(head).description


def test_every_event_made_a_comment(world: ServiceWorld) -> None:
    """The noise of many bots: twenty events, one comment, and no edit or status without news."""
    with world.serving() as url:
        proposal, _ = go(world, url)
        before = world.comment(proposal)
        requests = world.side.server().requests
        seen = len(requests)
        for number in range(10):
            world.side.comment(proposal, f"just talking {number}", by="dev")
            world.side.comment(proposal, f"and answering {number}", by="pat")
        world.settle(url)
        world.wake()
        world.settle(url)
        assert world.comment(proposal) == before
        written = [one for one in requests[seen:] if one.method != "GET" and "graphql" not in one.path]
        assert written == []
