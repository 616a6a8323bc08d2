"""What the guard says and when: one comment without noise, a status that is its own, drafts, emergencies, the chat."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.service_sides import BOTH, BRANCH, GitHubSide, GitLabSide
from tests.service_world import ServiceWorld, call
from tests.stories import LOUD, go, opened

Make = Callable[..., ServiceWorld]


@pytest.fixture(params=BOTH)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(opened(request.param, tmp_path, **how))


def test_a_status_under_the_guards_name_is_overwritten_and_reported(make: Make) -> None:
    """Whoever may post statuses could make a blocked head look green."""
    world = make()
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.settle(url)
        said = world.status(head)
        world.side.foreign_status(head, "success", by="mallory")
        assert world.status(head).state == "success"
        world.wake()
        world.settle(url)
        assert world.status(head) == said
        assert [one.body["by"] for one in world.service.ledger.entries("status.overwritten")] == ["mallory"]
        assert "was posted on this commit by mallory" in world.comment(proposal)
        count = len(world.side.statuses(head))
        world.wake()
        world.settle(url)
        assert len(world.side.statuses(head)) == count, "what stands is not posted again"


def test_the_page_says_the_same_and_runs_nothing(make: Make) -> None:
    world = make(pages=True)
    with world.serving() as url:
        head = world.commit("feat!: a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.settle(url)
        said = world.status(head).description
        body = world.comment(proposal)
        page = f"/decisions/{BRANCH.replace('/', '%2F')}/{head}"
        assert f"[The whole decision](https://guard.example.com{page})" in body
        assert said in body.replace("**", "")
        status, headers, html = call(f"{url}{page}", method="GET")
        assert status == 200
        assert said in html.decode()
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "<script" not in html.decode()
        links = re.findall(r"(?:href|src|action)=[\"']?([^\"'> ]*)", html.decode())
        assert links
        assert all(link.startswith("/") and not link.startswith("//") for link in links), (
            "nothing from elsewhere"
        )
        style = call(f"{url}/style.css", method="GET")[2].decode()
        assert "@media print" in style
        assert "details::details-content" in style, "what is folded on the screen is open on paper"
        assert not re.search(r"url\(|@import", style)
        assert "1 commit, 1 file, 1 breaking" in html.decode()
        assert call(f"{url}/decisions/{BRANCH}/{'e' * 40}", method="GET")[0] == 404
        assert call(f"{url}/decisions/{BRANCH}/nothing", method="GET")[0] == 404


def test_a_draft_gets_a_preview_that_is_marked_so(make: Make) -> None:
    world = make()
    with world.serving() as url:
        proposal, head = go(world, url)
        world.side.mark_draft(proposal, draft=True)
        world.settle(url)
        assert world.status(head).state == "failure"
        assert world.status(head).description == "preview of a draft: GO once it is marked as ready"
        assert "**preview of a draft**" in world.comment(proposal)
        world.side.withdraw(proposal, by="sam")
        world.settle(url)
        assert world.status(head).description == "preview of a draft: NO-GO: security owner approval missing"
        world.side.approve(proposal, by="sam")
        world.side.mark_draft(proposal, draft=False)
        world.settle(url)
        assert world.status(head).state == "success"


def test_owners_are_mentioned_where_the_policy_lets_it(make: Make) -> None:
    world = make(more=LOUD)
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.settle(url)
        assert "Waiting for @gpuaas/platform-owners, @gpuaas/security-owners." in world.comment(proposal)
        world.side.approve(proposal, by="ann")
        world.settle(url)
        assert "Waiting for @gpuaas/security-owners." in world.comment(proposal)


class Room:
    """A chat room's incoming webhook."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.status = 200
        room = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None: ...

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if room.status == 200:
                    room.said.append(json.loads(body)["text"])
                self.send_response(room.status)
                self.end_headers()

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._httpd.server_address[1]}/hook"

    def close(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()


def test_the_chat_is_told_once_who_has_to_act(make: Make) -> None:
    world, room = make(), Room()
    world.service = replace(world.service, secrets=replace(world.service.secrets, chat=room.url))
    with world.serving() as url:
        room.status = 500
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.settle(url)
        assert room.said == []
        room.status = 200
        world.wake()
        world.settle(url)
        assert [one.partition("This waits for ")[2].partition(".")[0] for one in room.said] == [
            "platform", "security",
        ]  # fmt: skip
        world.side.approve(proposal, by="ann")
        world.side.comment(proposal, "hello", by="dev")
        world.settle(url)
        assert len(room.said) == 2, "no word at an edit"
        world.side.approve(proposal, by="sam")
        world.submit(url, head)
        world.settle(url)
        assert len(room.said) == 3
        assert "GO: everything required is there" in room.said[2]
    room.close()


def test_break_glass_takes_two_and_owes_what_it_brought(make: Make) -> None:
    world = make(more=LOUD)
    with world.serving() as url:
        world.work.git("switch", "-q", "-c", "hotfix")
        head = world.commit("an emergency", {"app": "9\n"})
        proposal = world.side.propose(head)
        world.settle(url)
        first = world.side.comment(proposal, "/guard break-glass because payments are down", by="ann")
        world.settle(url)
        assert world.side.reactions(proposal, first) == ["thumbsup"]
        assert world.status(head).state == "failure"
        assert "asked for by ann" in world.comment(proposal)
        again = world.side.comment(proposal, "/guard break-glass because really", by="ann")
        nobody = world.side.comment(proposal, "/guard break-glass because me too", by="dev")
        world.settle(url)
        assert world.status(head).state == "failure"
        assert world.side.reactions(proposal, again) == ["thumbsup"]
        assert world.side.reactions(proposal, nobody) == ["thumbsdown"]
        world.side.comment(proposal, "/guard break-glass because I see it too", by="sam")
        world.settle(url)
        assert world.status(head).state == "success"
        assert world.status(head).description.startswith("GO (break-glass): opened by ann and sam until ")
        assert "⚠ **BREAK-GLASS: opened by ann and sam" in world.comment(proposal)
        assert len(list(world.service.ledger.entries("statement.break-glass"))) == 3

        # It is promoted; the next promotion waits until the fix is on master.
        world.work.git("push", "-q", str(world.bare.path), f"{head}:refs/heads/{BRANCH}")
        world.side.close(proposal)
        world.work.git("switch", "-q", "master")
        world.commit("other work", {"other": "1\n"})
        world.work.git("switch", "-q", "-c", "next", head)
        later = world.commit("more", {"b": "1\n"})
        following = world.side.propose(later)
        world.settle(url)
        assert "follow-up.open" in world.comment(following)
        world.work.git("switch", "-q", "master")
        world.work.git("merge", "-q", "--no-ff", "-m", "the emergency's fix comes home", head)
        world.work.git("push", "-q", str(world.bare.path), "master")
        world.wake()
        world.settle(url)
        assert "follow-up.open" not in world.comment(following)


def test_break_glass_needs_a_table_in_the_policy(make: Make) -> None:
    world = make()
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.settle(url)
        for name in ("ann", "sam"):
            world.side.comment(proposal, "/guard break-glass because now", by=name)
        world.settle(url)
        assert world.status(head).state == "failure"
        assert "nobody can" in world.comment(proposal)
        assert list(world.service.ledger.entries("statement.break-glass")) == []


def test_what_a_merge_queue_makes_is_judged_like_any_head(make: Make) -> None:
    """A queue's or train's own commit is no proposal's head, however good the proposal is: no blind success."""
    world = make()
    with world.serving() as url:
        _, head = go(world, url)
        world.work.git("switch", "-q", "-c", "queue", head)
        made = world.commit("made by the queue", {"queued": "1\n"}, push=False)
        world.work.git("push", "-q", str(world.bare.path), f"{made}:refs/guard-test/queue")
        queue(world, made)
        world.settle(url)
        said = [one.state for one in world.side.statuses(made)]
        assert "success" not in said
        if world.side.name == "github":
            assert said == ["failure"]
            assert "is not the head of any open proposal" in world.side.statuses(made)[0].description
            assert len([one for one in world.recorded() if "proposal" not in one.body]) == 1
        assert world.status(head).state == "success"


def queue(world: ServiceWorld, made: str) -> None:
    side = world.side
    if isinstance(side, GitHubSide):
        side.state.queue(side.state.pulls[1], made)
        return
    assert isinstance(side, GitLabSide)
    request = side.state.request("1")
    assert request is not None
    side.bare_train(request, made)


def test_a_hold_stops_what_is_go_until_it_is_lifted(make: Make) -> None:
    world = make()
    with world.serving() as url:
        proposal, head = go(world, url)
        nobody = world.side.comment(proposal, "/guard hold because I say so", by="dev")
        world.settle(url)
        assert world.side.reactions(proposal, nobody) == ["thumbsdown"]
        assert world.status(head).state == "success"
        world.side.comment(proposal, "/guard hold because the provider is down", by="ann")
        world.settle(url)
        assert world.status(head).state == "failure"
        assert "ann holds promotions since" in world.status(head).description
        world.side.comment(proposal, "/guard unhold", by="sam")
        world.settle(url)
        assert world.status(head).state == "success"


WAIVABLE = """
[waivers]
[[gates]]
id = "security.pen-test"
group = "security"
title = "Pen test scope addressed"
mandatory = false
evidence = { kind = "document", path = "doc/Pen_Test_Scope.md" }
"""


def test_a_waiver_is_asked_for_and_agreed_to_in_comments(make: Make) -> None:
    world = make(more=WAIVABLE, pages=True)
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        for name in ("ann", "sam"):
            world.side.approve(proposal, by=name)
        world.submit(url, head)
        world.settle(url)
        assert world.status(head).state == "failure"
        line = "/guard waive security.pen-test until {day} because it is booked"
        soon = (datetime.now(UTC) + timedelta(days=3)).date()
        late = soon + timedelta(days=2)
        reactions = []
        for name, day in (
            ("dev", soon),
            ("dev", soon),
            ("ann", soon - timedelta(days=1)),
            ("ann", late),
            ("sam", soon),
        ):
            comment = world.side.comment(proposal, line.format(day=day), by=name)
            world.settle(url)
            reactions += world.side.reactions(proposal, comment)
        assert reactions == ["thumbsup", "thumbsdown", "thumbsdown", "thumbsup", "thumbsup"]
        assert world.status(head).state == "success"
        assert world.status(head).description.startswith("GO (1 waiver)")
        assert "agreed to" in world.comment(proposal)
        html = call(f"{url}/decisions/{BRANCH}/{head}", method="GET")[2].decode()
        assert "agreed by ann and sam" in html
        world.side.comment(proposal, "/guard waive security.pen-test until 2020-01-01 because x", by="dev")
        world.settle(url)
        assert "it would have ended already" in world.comment(proposal)
