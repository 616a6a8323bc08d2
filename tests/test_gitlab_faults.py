"""GitLab going wrong in every way that it can: each read becomes Unknown, each word a ForgeError, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from guard.adapters.gitlab import GitLabForge
from guard.core.errors import ForgeError
from guard.core.facts import Proposal
from guard.core.forge_facts import Comment, CommitStatus
from guard.core.model import Commit, Unknown
from tests.doubles.gitlab.contract import Broken
from tests.doubles.gitlab.double import GitLabDouble
from tests.doubles.gitlab.state import Access
from tests.doubles.gitlab.world import REPOSITORY, GitLabWorld, Now, bare, double, world
from tests.doubles.server import Answer, Fault, Request
from tests.forge_contract import TARGET, known

__all__ = ["bare", "double", "world"]

HEAD = Commit("a" * 40)
PROPOSAL = Proposal("1", TARGET, HEAD, "A release", "ann")
STATUS = CommitStatus("guard", "failure", "NO-GO")

READS: dict[str, Callable[[GitLabForge], object]] = {
    "head": lambda forge: forge.head(TARGET),
    "proposals": lambda forge: forge.proposals(TARGET),
    "approvals": lambda forge: forge.approvals(PROPOSAL),
    "members": lambda forge: forge.members(("@owners",)),
    "incidents": lambda forge: forge.incidents(("SEV-1",), closers=Unknown("?")),
    "jobs": lambda forge: forge.jobs(HEAD),
    "labeller": lambda forge: forge.labeller(PROPOSAL, "BREAKING:"),
    "protection": lambda forge: forge.protection(TARGET),
}
WORDS: dict[str, Callable[[GitLabForge], object]] = {
    "me": lambda forge: forge.me(),
    "status": lambda forge: forge.status(HEAD, "guard"),
    "post_status": lambda forge: forge.post_status(HEAD, STATUS),
    "comments": lambda forge: forge.comments(PROPOSAL),
    "add_comment": lambda forge: forge.add_comment(PROPOSAL, "NO-GO"),
    "edit_comment": lambda forge: forge.edit_comment(PROPOSAL, Comment("9", "guard", ""), "GO"),
}
FAULTS: dict[str, tuple[Fault, str]] = {
    "bad-gateway": (Fault("status"), "HTTP 502"),
    "server-error": (Fault("status", answer=Answer(500, {"message": "500"})), "HTTP 500"),
    "too-many-requests": (Fault("status", answer=Answer(429, b"", {"Retry-After": "3"})), "429"),
    "come-back-tomorrow": (Fault("status", answer=Answer(429, b"", {"Retry-After": "86400"})), "86400"),
    "wait-for-a-date": (
        Fault("status", answer=Answer(503, b"", {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"})), "503",
    ),
    "reset": (Fault("reset"), "no answer"),
    "half-an-answer": (Fault("truncated"), ""),
    "not-json": (Fault("status", answer=Answer(200, b"<html>log in</html>")), "no JSON"),
    "bottomless": (Fault("status", answer=Answer(200, b"[" * 100_000)), "no JSON"),
    "empty": (Fault("status", answer=Answer(200, b"")), "no JSON"),
    "null": (Fault("status", answer=Answer(200, b"null")), ""),
    "another-shape": (Fault("status", answer=Answer(200, [{"id": 1}, {"id": "2"}])), ""),
    "not-objects": (Fault("status", answer=Answer(200, [1, 2])), ""),
    "object-for-list": (Fault("status", answer=Answer(200, {"iid": True, "sha": 5})), ""),
    "token-expired": (Fault("status", answer=Answer(401, {"message": "401 Unauthorized"})), "token"),
    "forbidden": (Fault("status", answer=Answer(403, {"message": "403 Forbidden"})), "scope `api`"),
    "gone": (Fault("status", answer=Answer(404, {"message": "404 Project Not Found"})), ""),
    "bytes": (Fault("status", answer=Answer(418, b"\xff\xfe\x00")), "HTTP 418"),
    "message-list": (Fault("status", answer=Answer(422, {"message": {"a": ["b"]}})), "HTTP 422"),
}  # fmt: skip


def unknown(answer: object, *words: str) -> None:
    assert isinstance(answer, Unknown), answer
    for word in words:
        assert word in f"{answer.why} {answer.fix}"


def copy(fault: Fault) -> Fault:
    return Fault(fault.kind, answer=fault.answer)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_read_is_unknown(
    world: GitLabWorld, read: Callable[[GitLabForge], object], fault: tuple[Fault, str]
) -> None:
    world.double.fail(copy(fault[0]))
    answer = read(world.forge)
    assert isinstance(answer, Unknown), answer
    assert fault[1] in f"{answer.why} {answer.fix}"
    assert answer.who == ("operator",)


@pytest.mark.parametrize("say", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_said_is_a_forge_error(
    world: GitLabWorld, say: Callable[[GitLabForge], object], fault: tuple[Fault, str]
) -> None:
    world.propose("r", world.commit(), by="ann")
    world.double.fail(copy(fault[0]))
    harmless = say is WORDS["post_status"] or say is WORDS["edit_comment"]
    if harmless and fault[0].answer.status == 200:
        return  # an object or none: GitLab took it, and no field of the answer is read
    with pytest.raises(ForgeError) as caught:
        say(world.forge)
    assert fault[1] in f"{caught.value.message} {caught.value.fix}"


def test_a_forge_that_is_not_there_is_unknown(world: GitLabWorld) -> None:
    world.double.close()
    assert all(isinstance(read(world.forge), Unknown) for read in READS.values())


def test_a_slow_forge_is_waited_for_only_so_long(world: GitLabWorld) -> None:
    hasty = GitLabForge(world.double.client(timeout=0.1), REPOSITORY, clock=Now(), sleep=world.waits.append)
    world.double.fail(Fault("slow", seconds=0.6))
    unknown(hasty.head(TARGET), "no answer")
    known(world.forge.head(TARGET))


def test_a_passing_trouble_is_waited_out_with_growing_patience(world: GitLabWorld) -> None:
    world.double.fail(Fault("status", times=3))
    assert known(world.forge.head(TARGET)) == world.branch_head(TARGET)
    assert world.waits == [0.5, 1.0, 2.0]


def test_a_forge_that_asks_for_a_pause_gets_it(world: GitLabWorld) -> None:
    world.double.fail(Fault("status", times=2, answer=Answer(429, b"", {"Retry-After": "7"})))
    proposal = world.propose("r", world.commit(), by="ann")
    world.forge.add_comment(proposal, "NO-GO")
    assert world.waits == [7.0, 7.0]


def test_a_comment_turned_away_for_now_is_said_again(world: GitLabWorld) -> None:
    """HTTP 429 means that nothing was done, so that repeating says nothing twice."""
    proposal = world.propose("r", world.commit(), by="ann")
    world.double.fail(Fault("status", times=1, method="POST", answer=Answer(429, b"", {"Retry-After": "1"})))
    world.forge.add_comment(proposal, "NO-GO")
    assert len(world.forge.comments(proposal)) == 1


def test_the_token_is_in_no_message(world: GitLabWorld) -> None:
    world.double.fail(Fault("status", answer=Answer(403, {"message": "403 Forbidden"})))
    for read in READS.values():
        answer = read(world.forge)
        assert isinstance(answer, Unknown)
        assert world.double.token not in f"{answer.why} {answer.fix}"


# Lists that are not whole


def test_a_list_over_many_pages_is_whole(world: GitLabWorld) -> None:
    world.double.api.page_size = 3
    heads = [world.commit() for _ in range(8)]
    for head in heads:
        world.state.propose(head, TARGET, by="ann")
    assert [one.head for one in known(world.forge.proposals(TARGET))] == heads


def test_a_list_that_shrinks_while_it_is_read_is_read_again(world: GitLabWorld) -> None:
    """The third request slips from the second page to the first, which was read already."""
    world.double.api.page_size = 2
    requests = [world.state.propose(world.commit(), TARGET, by="ann") for _ in range(4)]
    answer, pages = world.double.answer, []

    def closing(request: Request) -> Answer:
        if request.path.endswith("/merge_requests"):
            pages.append(request.one("page"))
        if pages == ["1", "2"]:
            requests[0].state = "closed"
        return answer(request)

    world.double.answer = closing
    assert [one.id for one in known(world.forge.proposals(TARGET))] == ["2", "3", "4"]
    assert pages == ["1", "2", "1", "2"]


def test_a_list_that_never_holds_still_is_unknown(world: GitLabWorld) -> None:
    world.double.api.page_size = 2
    for _ in range(4):
        world.state.propose(world.commit(), TARGET, by="ann")
    answer = world.double.answer

    def growing(request: Request) -> Answer:
        world.state.propose(world.state.requests[0].head or "", TARGET, by="ann")
        return answer(request)

    world.double.answer = growing
    unknown(world.forge.proposals(TARGET), "changed while it was read")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"Link": None}, "in one header", id="a-proxy-dropped-the-links"),
        pytest.param({"X-Next-Page": None}, "", id="no-next-page-but-links"),
        pytest.param({"X-Next-Page": "3"}, "to page '3'", id="a-page-is-skipped"),
        pytest.param({"X-Next-Page": "1"}, "to page '1'", id="pages-in-a-circle"),
        pytest.param({"X-Total": "9"}, "changed", id="fewer-than-it-says"),
    ],
)
def test_headers_that_contradict_the_list_make_it_unknown(
    world: GitLabWorld, change: dict[str, str | None], words: str
) -> None:
    world.double.api.page_size = 2
    for _ in range(4):
        world.state.propose(world.commit(), TARGET, by="ann")
    answer = world.double.answer

    def altered(request: Request) -> Answer:
        found = answer(request)
        headers = {**found.headers, **change} if request.one("page") == "1" else found.headers
        return Answer(
            found.status, found.body, {name: text for name, text in headers.items() if text is not None}
        )

    world.double.answer = altered
    found = world.forge.proposals(TARGET)
    if words:
        unknown(found, words)
    else:
        assert len(known(found)) == 4


# The contract


def test_the_calls_that_no_contract_covers_are_these(world: GitLabWorld) -> None:
    """https://docs.gitlab.com/api/users/, /api/branches/, /api/groups/ and /api/graphql/ describe them in words."""
    forge, state = world.forge, world.state
    proposal = world.propose("r", world.commit(), by="ann")
    world.approve(proposal, by="bob")
    group = state.group("owners", "ann")
    state.issue("Down", "SEV-1", by="ann")
    state.protect(TARGET, push=(Access(group=group), Access(user=state.user("guard"))))
    for name, read in READS.items():
        assert name == "approvals" or not isinstance(read(forge), Unknown)
    known(forge.approvals(proposal))
    known(forge.members(("@owners",)))
    known(forge.objections(proposal))
    known(forge.pushers(proposal, (proposal.head,)))
    known(forge.accounts(proposal, ()))
    forge.post_status(proposal.head, STATUS)
    assert forge.status(proposal.head, "guard") == replace(STATUS, by="guard")
    forge.edit_comment(proposal, forge.add_comment(proposal, "NO-GO"), "GO")
    world.state.pipeline(proposal.head, test="success")
    world.state.label(world.request(proposal), "BREAKING:", by="ann")
    assert len(known(forge.jobs(proposal.head))) == 1
    assert known(forge.labeller(proposal, "BREAKING:")) == "ann"
    opened = forge.open_issue("Moved", "without a permit")
    forge.edit_issue(opened.id, body="put back", is_open=False)
    assert [(one.body, one.is_open) for one in forge.own_issues()] == [("put back", False)]
    assert known(forge.movers("proposal-1", proposal.head)) == {"ann"}
    forge.protect(TARGET)
    protected = known(forge.protection(TARGET))
    assert protected is not None
    assert (protected.pushers, protected.mergers, protected.force_push) == (("guard",), ("guard",), False)
    assert world.double.api.contract.uncovered == {
        "POST /api/v4/projects/{id}/issues",
        "PUT /api/v4/projects/{id}/issues/{issue_iid}",
        "GET /api/v4/projects/{id}/pipelines",
        "GET /api/v4/projects/{id}/merge_requests/{merge_request_iid}/resource_label_events",
        "POST /api/graphql",
        "GET /api/v4/user",
        "GET /api/v4/groups/{id}",
        "GET /api/v4/groups/{id}/members",
        "GET /api/v4/groups/{id}/descendant_groups",
        "GET /api/v4/projects/{id}/events",
        "GET /api/v4/projects/{id}/merge_requests/{merge_request_iid}/reviewers",
        "GET /api/v4/projects/{id}/repository/branches/{branch}",
    }


PATH = "/api/v4/projects/7/merge_requests"
TEMPLATE = "/api/v4/projects/{id}/merge_requests"


@pytest.mark.parametrize(
    ("query", "answer", "why"),
    [
        pytest.param({"stat": ["opened"]}, Answer(200, []), "no such query", id="misspelt-query"),
        pytest.param({"state": ["open"]}, Answer(200, []), "open", id="wrong-word"),
        pytest.param({}, Answer(200, [{"iid": "1"}]), "integer", id="wrong-type"),
        pytest.param({}, Answer(200, [{"iidd": 1}]), "iidd", id="misspelt-field"),
        pytest.param({}, Answer(200, [{"iid": 1}]), "lacks sha", id="missing-field"),
        pytest.param({}, Answer(200, {}), "array", id="object-for-list"),
    ],
)
def test_the_judge_sees_what_breaks_the_contract(
    double: GitLabDouble, query: dict[str, list[str]], answer: Answer, why: str
) -> None:
    request = Request("GET", PATH, query, {"private-token": "x"}, b"")
    with pytest.raises(Broken, match=why):
        double.api.contract.check(TEMPLATE, request, answer)


def test_the_judge_sees_a_body_that_breaks_the_contract(double: GitLabDouble) -> None:
    template = "/api/v4/projects/{id}/statuses/{sha}"
    for body, why in (
        (b'{"state": "error"}', "error"),
        (b'{"state": "failed", "url": "x"}', "url"),
        (b"{}", "state"),
    ):
        headers = {"private-token": "x", "content-type": "application/json"}
        request = Request("POST", template.replace("{id}", "7").replace("{sha}", HEAD), {}, headers, body)
        with pytest.raises(Broken, match=why):
            double.api.contract.check(template, request, Answer(201, {}))
