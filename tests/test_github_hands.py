"""Whose change a pull request is: GitHub alone knows whose account the e-mail address of a commit belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guard.core.facts import Approval, ApprovalFacts, Proposal
from guard.core.model import Fact, Known, Outcome, Unknown
from guard.core.policy import ApprovalRule
from guard.core.rules.approvals import judge_approvals
from tests.doubles.server import Answer, Fault
from tests.forge_contract import known
from tests.github_world import NOW, TARGET, GitHubWorld

COMMITS = "/pulls/1/commits"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    world = GitHubWorld(tmp_path)
    for name in ("bob", "cid", "dora", "web-flow"):
        world.state.addresses[f"{name}@example.com"] = world.state.account(name)
    yield world
    world.close()


def by(author: str, committer: str = "") -> dict[str, str]:
    return {
        "GIT_AUTHOR_EMAIL": f"{author}@example.com",
        "GIT_COMMITTER_EMAIL": f"{committer or author}@example.com",
    }


def proposed(world: GitHubWorld, *people: dict[str, str], fork: str = "") -> Proposal:
    """Opened by ann, with a commit of each of these people, oldest first."""
    for number, person in enumerate(people):
        head = world.work.commit(f"change {number}", {}, **person)
    world.work.git("push", "-q", str(world.bare.path), f"{head}:refs/heads/change")
    return world.proposal(world.state.open_pull(head if fork else "change", TARGET, by="ann", fork=fork))


def approve(world: GitHubWorld, proposal: Proposal, *names: str) -> None:
    for name in names:
        world.state.review(world.state.pulls[int(proposal.id)], by=name)


def hands(world: GitHubWorld, proposal: Proposal) -> dict[str, set[str]]:
    return {one.actor: set(one.hands) for one in known(world.forge.approvals(proposal))}


def unknown(answer: Fact[tuple[Approval, ...]], *words: str) -> None:
    assert isinstance(answer, Unknown), answer
    assert all(word in f"{answer.why} {answer.fix}" for word in words), answer


def test_an_author_does_not_approve_the_own_change_under_a_login(world: GitHubWorld) -> None:
    """The rule gets e-mail addresses from git and logins from GitHub; only GitHub can tell that both are bob."""
    proposal = proposed(world, by("bob"))
    approve(world, proposal, "bob")
    kinds = ("author", "committer", "co-author")
    authors = {kind: frozenset({"bob@example.com"}) for kind in kinds} | {"proposer": frozenset({"ann"})}
    verdict = judge_approvals(
        ApprovalRule(roles=("platform",)),
        Known(ApprovalFacts(known(world.forge.approvals(proposal)), authors), "test", NOW),
        {"platform": world.forge.members(("bob",))},
        head=proposal.head,
    )
    assert verdict.outcome is Outcome.MISSING
    assert "bob is the change's author and committer" in verdict.findings[0].message


@pytest.mark.parametrize("fork", ["", "mallory/platform"], ids=["branch", "fork"])
@pytest.mark.parametrize("page_size", [100, 1])
def test_who_had_a_hand_in_the_change_is_told_by_the_forge(
    world: GitHubWorld, page_size: int, fork: str
) -> None:
    people = (by("nobody"), by("bob"), by("cid", "web-flow"), by("dora", "bob"))
    proposal = proposed(world, *people, fork=fork)
    world.double.largest_page = page_size
    approve(world, proposal, "bob", "cid", "dora", "eve")
    assert hands(world, proposal) == {
        "bob": {"author", "committer"}, "cid": {"author"}, "dora": {"author"}, "eve": set(),
    }  # fmt: skip


def test_the_commits_of_a_merge_are_all_listed(world: GitHubWorld) -> None:
    world.work.git("checkout", "-q", "-b", "side")
    world.work.commit("aside", {}, **by("cid"))
    world.work.git("checkout", "-q", "master")
    world.work.commit("ahead", {}, **by("dora"))
    world.work.git("merge", "-q", "--no-ff", "-m", "both", "side", stdin=b"", **by("bob"))
    proposal = proposed(world, by("nobody"))
    approve(world, proposal, "bob", "cid", "dora")
    kinds = {"author", "committer"}
    assert hands(world, proposal) == {"bob": kinds, "cid": kinds, "dora": kinds}


def test_what_the_target_has_already_is_not_the_change(world: GitHubWorld) -> None:
    old = world.work.commit("old", {}, **by("bob"))
    world.work.git("push", "-q", str(world.bare.path), f"{old}:refs/heads/{TARGET}")
    proposal = proposed(world, by("cid"))
    approve(world, proposal, "bob")
    assert hands(world, proposal) == {"bob": set()}


def test_logins_differ_in_more_than_case(world: GitHubWorld) -> None:
    proposal = proposed(world, by("bob"))
    approve(world, proposal, "BOB")
    assert hands(world, proposal) == {"BOB": {"author", "committer"}}


def test_where_nobody_approved_nobody_is_asked_for(world: GitHubWorld) -> None:
    assert hands(world, proposed(world, by("bob"))) == {}
    assert not [one for one in world.double.server.requests if one.path.endswith(COMMITS)]


@pytest.mark.parametrize(("count", "is_known"), [(249, True), (250, False), (251, False)])
def test_as_many_commits_as_github_lists_leave_the_approvals_unknown(
    world: GitHubWorld, count: int, *, is_known: bool
) -> None:
    proposal = proposed(world, *[by("nobody")] * (count - 1), by("bob"))
    approve(world, proposal, "bob")
    if is_known:
        assert hands(world, proposal) == {"bob": {"author", "committer"}}
    else:
        unknown(world.forge.approvals(proposal), f"has {count} commits", "250", "smaller steps")


def test_another_head_or_target_than_was_read_leaves_the_approvals_unknown(world: GitHubWorld) -> None:
    proposal = proposed(world, by("bob"))
    approve(world, proposal, "bob")
    unknown(world.forge.approvals(replace(proposal, target="release/other")), "moved")
    world.state.push("change", world.commit("another"))
    unknown(world.forge.approvals(proposal), "moved", "read again")


def one(sha: str, *parents: str, **people: object) -> dict[str, object]:
    return {
        "sha": sha,
        "parents": [{"sha": parent} for parent in parents],
        "author": None,
        "committer": None,
    } | people


HEAD, OLD = "HEAD", "a" * 40
LISTS = {
    "empty": [],
    "shorter": [one(HEAD, OLD)],
    "of-an-older-head": [one("b" * 40), one(OLD, "b" * 40)],
    "of-a-newer-head": [one(OLD), one(HEAD, OLD), one("b" * 40, HEAD)],
    "one-of-them-twice": [one(HEAD, OLD), one(HEAD, OLD)],
    "apart": [one(OLD), one(HEAD)],
    "no-sha": [one(OLD), one("HEAD~1", OLD)],
    "no-authors": [{"sha": OLD, "parents": []}, {"sha": HEAD, "parents": [{"sha": OLD}]}],
    "no-parents": [{"sha": OLD, "author": None, "committer": None}, one(HEAD, OLD)],
    "authors-of-another-shape": [one(OLD), one(HEAD, OLD, author="bob")],
    "authors-without-a-login": [one(OLD), one(HEAD, OLD, author={"type": "User"})],
}


@pytest.mark.parametrize("listed", LISTS.values(), ids=LISTS)
def test_a_list_that_is_not_the_whole_change_leaves_the_approvals_unknown(
    world: GitHubWorld, listed: list[dict[str, object]]
) -> None:
    proposal = proposed(world, by("nobody"), by("bob"))
    approve(world, proposal, "bob")
    answer(world, proposal, listed)
    unknown(world.forge.approvals(proposal), "who approved pull request 1 cannot be read")


@pytest.mark.parametrize("nobody", [None, {}], ids=["null", "an-empty-object"])
def test_an_address_of_no_account_names_nobody(world: GitHubWorld, nobody: object) -> None:
    proposal = proposed(world, by("nobody"), by("bob"))
    approve(world, proposal, "bob")
    answer(world, proposal, [one(HEAD, OLD, author=nobody, committer=nobody), one(OLD)])
    assert hands(world, proposal) == {"bob": set()}


def answer(world: GitHubWorld, proposal: Proposal, listed: list[dict[str, object]]) -> None:
    """Let GitHub list these commits, HEAD for the proposal's head."""

    def named(value: object) -> object:
        if isinstance(value, dict):
            return {key: named(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [named(inner) for inner in value]
        return proposal.head if value == HEAD else value

    world.double.server.fail(Fault("status", path=COMMITS, answer=Answer(200, named(listed))))


@pytest.mark.parametrize("status", [200, 403, 404, 502])
def test_without_the_hands_no_approval_is_known(world: GitHubWorld, status: int) -> None:
    proposal = proposed(world, by("bob"))
    approve(world, proposal, "bob")
    assert isinstance(world.forge.approvals(proposal), Known)
    world.double.server.fail(Fault("status", path=COMMITS, answer=Answer(status, {"message": "no"})))
    unknown(world.forge.approvals(proposal), "who approved pull request 1 cannot be read")


def test_a_second_page_that_fails_leaves_the_approvals_unknown(world: GitHubWorld) -> None:
    proposal = proposed(world, by("nobody"), by("bob"))
    approve(world, proposal, "bob")
    world.double.largest_page = 1
    world.double.server.fail(Fault("status", path=COMMITS, page="2"))
    unknown(world.forge.approvals(proposal))
