"""GitHub failing in every way: facts become Unknown, statements raise ForgeError, and nothing waits for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guard.adapters.github import GitHubForge
from guard.adapters.github_client import pause_between_writes
from guard.core.errors import ForgeError
from guard.core.facts import Proposal
from guard.core.forge_facts import Comment, CommitStatus
from guard.core.model import Commit, Known, Unknown
from tests.doubles.server import Answer, Fault
from tests.github_world import TARGET, GitHubWorld

SHA = Commit("a" * 40)
PROPOSAL = Proposal("1", TARGET, SHA, "A release", "ann")
NOBODY = Unknown("not asked")
HOUR = {"Retry-After": "3600"}
SECONDARY = {
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
}
PRIMARY = {"message": "API rate limit exceeded for user ID 1."}
USED_UP = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}
MOST_SECONDS = 6.0
"""For all calls of one test, retries and their waits included."""

READS: dict[str, Callable[[GitHubForge], object]] = {
    "head": lambda forge: forge.head(TARGET),
    "proposals": lambda forge: forge.proposals(TARGET),
    "approvals": lambda forge: forge.approvals(PROPOSAL),
    "team": lambda forge: forge.members(("@acme/owners",)),
    "organisation": lambda forge: forge.members(("@acme",)),
    "incidents": lambda forge: forge.incidents(("SEV-1",), closers=NOBODY),
    "jobs": lambda forge: forge.jobs(SHA),
    "labeller": lambda forge: forge.labeller(PROPOSAL, "BREAKING:"),
    "protection": lambda forge: forge.protection(TARGET),
}
STATEMENTS: dict[str, Callable[[GitHubForge], object]] = {
    "me": lambda forge: forge.me(),
    "status": lambda forge: forge.status(SHA, "guard"),
    "post_status": lambda forge: forge.post_status(SHA, CommitStatus("guard", "failure", "no")),
    "comments": lambda forge: forge.comments(PROPOSAL),
    "add_comment": lambda forge: forge.add_comment(PROPOSAL, "hello"),
    "edit_comment": lambda forge: forge.edit_comment(PROPOSAL, Comment("1", "guard", ""), "hello"),
}


def wrong(status: int, body: object = None, headers: dict[str, str] | None = None) -> Fault:
    return Fault("status", answer=Answer(status, body, headers or {}))


FAULTS: dict[str, Callable[[], Fault]] = {
    "502": lambda: Fault("status"),
    "500-json": lambda: wrong(500, {"message": "Server Error"}),
    "500-list": lambda: wrong(500, ["no object"]),
    "401": lambda: wrong(401, {"message": "Bad credentials"}),
    "403": lambda: wrong(403, {"message": "Resource not accessible by personal access token"}),
    "403-html": lambda: wrong(403, b"<html>no</html>"),
    "404": lambda: wrong(404, {"message": "Not Found"}),
    "429-for-an-hour": lambda: wrong(429, SECONDARY, HOUR),
    "503-for-an-hour": lambda: wrong(503, {"message": "busy"}, HOUR),
    "429-for-nobody-knows-how-long": lambda: wrong(429, SECONDARY, {"Retry-After": "soon"}),
    "limits-that-are-no-numbers": lambda: wrong(
        200, {}, {"X-RateLimit-Limit": "x", "X-RateLimit-Remaining": "y"}
    ),
    "secondary-limit-for-an-hour": lambda: wrong(403, SECONDARY, HOUR),
    "secondary-limit": lambda: wrong(403, SECONDARY),
    "primary-limit-until-2100": lambda: wrong(403, PRIMARY, USED_UP),
    "reset": lambda: Fault("reset"),
    "truncated": lambda: Fault("truncated"),
    "empty-object": lambda: wrong(200, b"{}"),
    "empty-body": lambda: wrong(200),
    "null": lambda: wrong(200, b"null"),
    "html": lambda: wrong(200, b"<html>Please sign in</html>"),
    "list-of-numbers": lambda: wrong(200, [1, 2]),
    "list-of-empty-objects": lambda: wrong(200, [{}]),
    "deep": lambda: wrong(200, b"[" * 100_000),
    "not-utf-8": lambda: wrong(200, b'{"message": "\xff"}'),
    "redirected-elsewhere": lambda: wrong(301, {}, {"Location": "http://elsewhere.invalid/"}),
    "unprocessable": lambda: wrong(422, {"message": "Validation Failed", "errors": "?"}),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    world = GitHubWorld(tmp_path)
    world.state.team("owners", "ann")
    world.state.organisation("acme", "ann")
    world.state.open_issue("Down", "SEV-1", by="ann")
    world.state.comment(world.pull().number, "hello", by="bob")
    yield world
    world.close()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_forge_that_fails_tells_nothing_and_takes_nothing(
    world: GitHubWorld, fault: Callable[[], Fault]
) -> None:
    comments, statuses = len(world.state.comments), len(world.state.statuses)
    world.double.server.fail(fault())
    started = time.monotonic()
    for what, read in READS.items():
        answer = read(world.forge)
        assert isinstance(answer, Unknown), what
        assert answer.why, what
        assert "\n" not in answer.why, what
    for tell in STATEMENTS.values():
        with pytest.raises(ForgeError):
            tell(world.forge)
    assert time.monotonic() - started < MOST_SECONDS
    if fault().kind == "status":
        assert (len(world.state.comments), len(world.state.statuses)) == (comments, statuses)


def test_a_forge_that_hangs_is_given_up(world: GitHubWorld) -> None:
    world.double.server.fail(Fault("slow", seconds=30))
    forge = world.new_forge(timeout=1, retries=0)
    started = time.monotonic()
    assert isinstance(forge.head(TARGET), Unknown)
    with pytest.raises(ForgeError):
        forge.add_comment(PROPOSAL, "hello")
    assert time.monotonic() - started < MOST_SECONDS


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda: Fault("status", times=1), id="502"),
        pytest.param(lambda: Fault("reset", times=1), id="reset"),
        pytest.param(
            lambda: Fault("status", times=1, answer=Answer(429, SECONDARY, {"Retry-After": "0"})), id="429"
        ),
    ],
)
def test_a_read_that_fails_once_is_tried_again(world: GitHubWorld, fault: Callable[[], Fault]) -> None:
    world.double.server.fail(fault())
    assert isinstance(world.forge.head(TARGET), Known)


def test_a_short_wait_that_github_asks_for_is_kept(world: GitHubWorld) -> None:
    world.double.server.fail(Fault("status", times=1, answer=Answer(429, SECONDARY, {"Retry-After": "1"})))
    forge = world.new_forge(longest_wait=2)
    started = time.monotonic()
    assert isinstance(forge.head(TARGET), Known)
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("kind", ["reset-after", "truncated"])
def test_a_comment_whose_answer_was_lost_is_not_posted_twice(world: GitHubWorld, kind: str) -> None:
    """The caller looks for its comment before it tries again, and finds the one that was made."""
    before = len(world.state.comments)
    world.double.server.fail(Fault("reset-after" if kind == "reset-after" else "truncated", method="POST"))
    proposal = world.proposal(world.state.pulls[2])
    with pytest.raises(ForgeError):
        world.forge.add_comment(proposal, "the guard's")
    assert len(world.state.comments) == before + 1
    assert [one.body for one in world.forge.comments(proposal)][-1] == "the guard's"


@pytest.mark.parametrize("what", ["proposals", "approvals", "team", "organisation", "incidents"])
def test_a_list_whose_second_page_fails_is_unknown_and_not_shorter(world: GitHubWorld, what: str) -> None:
    state = world.state
    world.pull()
    state.review(state.pulls[2], by="bob")
    state.review(state.pulls[2], by="cid")
    state.team("owners", "ann", "bob")
    state.organisation("acme", "ann", "bob")
    state.open_issue("Down too", "SEV-1", by="ann")
    world.double.largest_page = 1

    def read() -> object:
        approvals = what == "approvals"
        return (
            world.forge.approvals(world.proposal(state.pulls[2])) if approvals else READS[what](world.forge)
        )

    assert isinstance(read(), Known)
    world.double.server.fail(Fault("status", page="2"))
    assert isinstance(read(), Unknown)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        pytest.param('<http://elsewhere.invalid/x?page=2>; rel="next"', "another host", id="another-host"),
        pytest.param('<https://127.0.0.1/x?page=2>; rel="next"', "another host", id="another-scheme"),
        pytest.param('<{url}/orgs/acme/members?page=2>; rel="next"', "does not end", id="in-a-circle"),
    ],
)
def test_a_next_page_that_leads_astray_is_not_followed(world: GitHubWorld, link: str, why: str) -> None:
    header = {"Link": link.format(url=world.double.server.url)}
    world.double.server.fail(Fault("status", answer=Answer(200, [], header)))
    answer = world.forge.members(("@acme",))
    assert isinstance(answer, Unknown)
    assert why in answer.why
    assert "authorization" in world.double.server.requests[-1].headers


@pytest.mark.parametrize(
    ("what", "permission"),
    [
        ("head", "Contents: read"),
        ("proposals", "Pull requests: read"),
        ("approvals", "Pull requests: read"),
        ("team", "Members: read"),
        ("incidents", "Issues: read"),
        ("protection", "Administration: read"),
    ],
)
def test_what_may_not_be_read_names_the_permission(world: GitHubWorld, what: str, permission: str) -> None:
    world.double.server.fail(wrong(403, {"message": "Resource not accessible by integration"}))
    answer = READS[what](world.forge)
    assert isinstance(answer, Unknown)
    assert permission in answer.fix
    assert answer.who == ("operator",)
    assert "Resource not accessible by integration" in answer.why


@pytest.mark.parametrize(
    ("what", "permission"),
    [("post_status", "Commit statuses"), ("add_comment", "Pull requests"), ("comments", "Pull requests")],
)
def test_what_may_not_be_said_names_the_permission(world: GitHubWorld, what: str, permission: str) -> None:
    world.double.server.fail(wrong(403, {"message": "Resource not accessible by integration"}))
    with pytest.raises(ForgeError) as caught:
        STATEMENTS[what](world.forge)
    assert permission in caught.value.fix
    assert caught.value.code == "forge.github"


def test_the_token_is_in_no_message(world: GitHubWorld) -> None:
    for fault in FAULTS.values():
        world.double.server.fail(fault())
        answer = world.forge.head(TARGET)
        assert isinstance(answer, Unknown)
        assert "ghp_" not in answer.why + answer.fix
        world.double.server.recover()


@pytest.mark.parametrize(
    ("api", "seconds"),
    [
        pytest.param("https://api.github.com", 1, id="github.com"),
        pytest.param("https://api.acme.ghe.com", 1, id="data-residency"),
        pytest.param("https://github.acme.example/api/v3", None, id="enterprise-server"),
    ],
)
def test_writes_are_paced_where_github_asks_for_it(api: str, seconds: float | None) -> None:
    assert pause_between_writes(api) == seconds
