"""Whose change a pull request is: GitHub alone knows whose account the e-mail address of a commit belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from guard.adapters.git import GitRepo
from guard.core.facts import ApprovalFacts, Hand, Proposal
from guard.core.model import Candidate, Commit, Fact, Known, Outcome, Unknown, Verdict
from guard.core.policy import ApprovalRule
from guard.core.rules.approvals import judge_approvals
from guard.journeys.hands import approval_facts
from tests.doubles.server import Answer, Fault
from tests.forge_contract import known
from tests.github_world import NOW, TARGET, GitHubWorld

T = TypeVar("T")

GRAPHQL, ACTIVITY = "/graphql", "/activity"


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


def proposed(world: GitHubWorld, *people: dict[str, str], fork: str = "", said: str = "") -> Proposal:
    """Opened and pushed by ann, with a commit of each of these people, oldest first."""
    for number, person in enumerate(people):
        head = world.work.commit(f"change {number}{said}", {}, **person)
    return opened(world, head, fork=fork)


def opened(world: GitHubWorld, head: str, *, fork: str = "") -> Proposal:
    world.work.git("push", "-q", str(world.bare.path), f"{head}:refs/heads/objects")
    if not fork:
        world.state.push("change", head, by="ann")
    return world.proposal(world.state.open_pull(head if fork else "change", TARGET, by="ann", fork=fork))


def approve(world: GitHubWorld, proposal: Proposal, *names: str) -> None:
    for name in names:
        world.state.review(world.state.pulls[int(proposal.id)], by=name)


def facts(
    world: GitHubWorld, proposal: Proposal, rule: ApprovalRule | None = None, *, origins: tuple[str, ...] = ()
) -> ApprovalFacts:
    old = Commit(world.bare.rev(f"refs/heads/{TARGET}"))
    candidate = Candidate("acme/platform", f"refs/heads/{TARGET}", old, proposal.head, old)
    with GitRepo(world.bare.path) as git:
        found = approval_facts(
            candidate, (proposal,), rule or ApprovalRule(), git=git, forge=world.forge,
            origins=frozenset(map(Commit, origins)),
        )  # fmt: skip
    assert isinstance(found, ApprovalFacts), found
    return found


def hands(world: GitHubWorld, proposal: Proposal, *, origins: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """kind → the accounts that hold it, where there are any."""
    found = facts(world, proposal, origins=origins)
    assert not found.unsure
    named = {kind: {name for name in names if "@" not in name} for kind, names in found.authors.items()}
    return {kind: names for kind, names in named.items() if names}


def judged(world: GitHubWorld, proposal: Proposal, *, role: str = "bob") -> Verdict:
    known_facts = Known(facts(world, proposal), "test", NOW)
    members = {"platform": world.forge.members((role,))}
    return judge_approvals(ApprovalRule(roles=("platform",)), known_facts, members, head=proposal.head)


def unknown(answer: Fact[T], *words: str) -> None:
    assert isinstance(answer, Unknown), answer
    assert all(word in f"{answer.why} {answer.fix}" for word in words), answer


@pytest.mark.parametrize(
    ("person", "said", "kind"),
    [
        pytest.param(by("bob", "nobody"), "", "author", id="author"),
        pytest.param(by("nobody", "bob"), "", "committer", id="committer"),
        pytest.param(by("nobody"), "\n\nCo-authored-by: Bob <Bob@Example.com>", "co-author", id="co-author"),
    ],
)
def test_nobody_approves_the_own_change_under_a_login(
    world: GitHubWorld, person: dict[str, str], said: str, kind: str
) -> None:
    """git has e-mail addresses and reviews have logins; only GitHub can tell that both are bob."""
    proposal = proposed(world, person, said=said)
    approve(world, proposal, "bob")
    verdict = judged(world, proposal)
    assert verdict.outcome is Outcome.MISSING
    assert f"bob is the change's {kind}" in verdict.findings[0].message


def test_whoever_pushed_the_branch_does_not_approve_it(world: GitHubWorld) -> None:
    head = world.work.commit("change", {}, **by("nobody"))
    world.work.git("push", "-q", str(world.bare.path), f"{head}:refs/heads/objects")
    world.state.push("change", head, by="bob")
    proposal = world.proposal(world.state.open_pull("change", TARGET, by="ann"))
    approve(world, proposal, "bob")
    assert "bob is the change's pusher" in judged(world, proposal).findings[0].message


@pytest.mark.parametrize("fork", ["", "mallory/platform"], ids=["branch", "fork"])
def test_who_had_a_hand_in_the_change_is_told_by_the_forge(world: GitHubWorld, fork: str) -> None:
    people = (by("nobody"), by("bob"), by("cid", "web-flow"), by("dora", "bob"))
    proposal = proposed(world, *people, fork=fork)
    approve(world, proposal, "eve")
    assert hands(world, proposal) == {
        "proposer": {"ann"}, "pusher": {"ann"},
        "author": {"bob", "cid", "dora"}, "committer": {"bob", "web-flow"},
    }  # fmt: skip


def test_the_original_author_of_a_pick_is_told(world: GitHubWorld) -> None:
    """By a -x line, and by what lineage found; those who wrote it together too."""
    said = "\n\nCo-authored-by: Dora <dora@example.com>"
    origin = world.work.commit(f"origin{said}", {}, **by("bob"))
    linked = world.work.commit("linked", {}, **by("cid"))
    world.work.git("push", "-q", str(world.bare.path), f"{linked}:refs/heads/master")
    world.work.git("reset", "-q", "--hard", world.bare.rev(f"refs/heads/{TARGET}"))
    proposal = proposed(world, by("nobody"), said=f"\n\n(cherry picked from commit {origin})")
    approve(world, proposal, "eve")
    assert hands(world, proposal)["original-author"] == {"bob", "dora"}
    assert hands(world, proposal, origins=(linked,))["original-author"] == {"bob", "cid", "dora"}


def test_what_the_target_has_already_is_not_the_change(world: GitHubWorld) -> None:
    old = world.work.commit("old", {}, **by("bob"))
    world.work.git("push", "-q", str(world.bare.path), f"{old}:refs/heads/{TARGET}")
    proposal = proposed(world, by("cid"))
    approve(world, proposal, "bob")
    assert hands(world, proposal)["author"] == {"cid"}


def test_logins_differ_in_more_than_case(world: GitHubWorld) -> None:
    proposal = proposed(world, by("bob"))
    approve(world, proposal, "BOB")
    assert "BOB is the change's author" in judged(world, proposal, role="BOB").findings[0].message


def test_where_nobody_approved_nobody_is_asked_for(world: GitHubWorld) -> None:
    facts(world, proposed(world, by("bob")))
    asked = [one.path for one in world.double.server.requests]
    assert not [path for path in asked if path.endswith((GRAPHQL, ACTIVITY))]


def test_a_proposal_of_more_commits_than_github_lists_is_decided(world: GitHubWorld) -> None:
    """GitHub's list of a pull request's commits ends at 250; each address is asked about at one commit instead."""
    tree, parent = world.work.git("rev-parse", "HEAD^{tree}"), world.work.rev("HEAD")
    for number in range(260):
        made = world.work.run(
            "commit-tree", tree, "-p", parent, "-m", f"change {number}", stdin=b"", **by("nobody")
        )
        parent = made.stdout.decode().strip()
    world.work.git("reset", "-q", "--hard", parent)
    proposal = proposed(world, by("bob"))
    approve(world, proposal, "bob")
    assert hands(world, proposal)["author"] == {"bob"}
    assert len([one for one in world.double.server.requests if one.path == GRAPHQL]) == 1


@pytest.mark.parametrize("page_size", [100, 1])
def test_everybody_who_pushed_any_commit_of_it_is_a_pusher(world: GitHubWorld, page_size: int) -> None:
    proposal = proposed(world, by("nobody"))
    world.state.push("elsewhere", proposal.head, by="dora")
    newer = world.work.commit("more", {}, **by("nobody"))
    world.work.git("push", "-q", str(world.bare.path), f"{newer}:refs/heads/objects")
    world.state.push("change", newer, by="cid")
    world.state.push("unrelated", world.commit("other"), by="eve")
    moved = world.proposal(world.state.pulls[1])
    approve(world, moved, "pat")
    world.double.largest_page = page_size
    assert hands(world, moved)["pusher"] == {"ann", "cid", "dora"}


def test_an_unknown_pusher_blocks(world: GitHubWorld) -> None:
    """A deploy key is no account; and a branch may have been pushed before GitHub kept anything."""
    proposal = proposed(world, by("nobody"))
    approve(world, proposal, "bob")
    world.state.activities.clear()
    verdict = judged(world, proposal)
    assert verdict.outcome is Outcome.ERROR
    assert "who pushed pull request 1 cannot be read" in verdict.findings[0].message
    world.state.push("change", proposal.head, by=None)
    assert judged(world, proposal).outcome is Outcome.ERROR
    lax = facts(world, proposal, ApprovalRule(not_by=("author",)))
    assert not lax.unsure


def test_the_pushers_of_a_fork_that_is_gone_are_unknown(world: GitHubWorld) -> None:
    proposal = proposed(world, by("nobody"), fork="mallory/platform")
    world.state.pulls[1].fork_gone = True
    unknown(world.forge.pushers(proposal, (proposal.head,)), "fork", "gone")


def test_another_head_or_target_than_was_read_leaves_the_pushers_unknown(world: GitHubWorld) -> None:
    proposal = proposed(world, by("bob"))
    asked = (proposal.head,)
    unknown(world.forge.pushers(replace(proposal, target="release/other"), asked), "moved")
    world.state.push("change", world.commit("another"))
    unknown(world.forge.pushers(proposal, asked), "moved", "read again")


def test_an_address_of_no_account_names_nobody(world: GitHubWorld) -> None:
    proposal = proposed(world, by("nobody"))
    hand = Hand("author", "nobody@example.com", proposal.head)
    assert known(world.forge.accounts(proposal, (hand,))) == {hand: frozenset()}


def test_a_trailer_that_github_reads_otherwise_is_untold_and_blocks(world: GitHubWorld) -> None:
    """git's authors found an address that GitHub sees nobody behind: whose it is, the policy has to say."""
    proposal = proposed(world, by("nobody"))
    approve(world, proposal, "bob")
    hand = Hand("co-author", "hidden@example.com", proposal.head)
    assert known(world.forge.accounts(proposal, (hand,))) == {}
    assert known(world.forge.accounts(proposal, (Hand("author", "x@y", Commit("a" * 40)),))) == {}


@pytest.mark.parametrize(
    ("owner", "outcome"),
    [
        pytest.param("bob", Outcome.MISSING, id="the-approvers"),
        pytest.param("", Outcome.PASS, id="nobodys"),
        pytest.param("cid", Outcome.PASS, id="somebody-elses"),
    ],
)
def test_the_policy_may_say_whose_an_address_is(world: GitHubWorld, owner: str, outcome: Outcome) -> None:
    proposal = proposed(world, by("nobody"))
    approve(world, proposal, "bob")
    rule = ApprovalRule(roles=("platform",), addresses={"Nobody@example.com": owner})
    given = Known(facts(world, proposal, rule), "test", NOW)
    verdict = judge_approvals(rule, given, {"platform": world.forge.members(("bob",))}, head=proposal.head)
    assert verdict.outcome is outcome


BROKEN = {
    "nothing": {"data": None},
    "hidden": {"data": {"repository": None}},
    "another-shape": {"data": {"repository": {"c0": {"oid": 7}}}},
    "no-authors": {"data": {"repository": {"c0": {"oid": "a" * 40, "authors": None, "committer": None}}}},
    "errors": {"errors": [{"type": "FORBIDDEN", "message": "Resource not accessible"}], "data": None},
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_without_the_accounts_no_approval_counts(world: GitHubWorld, answer: object) -> None:
    proposal = proposed(world, by("bob"))
    approve(world, proposal, "eve")
    world.double.server.fail(Fault("status", path=GRAPHQL, answer=Answer(200, answer)))
    verdict = judged(world, proposal, role="eve")
    assert verdict.outcome is Outcome.ERROR
    assert "whose commits pull request 1 has cannot be read" in verdict.findings[0].message


@pytest.mark.parametrize("path", [GRAPHQL, ACTIVITY])
@pytest.mark.parametrize("status", [403, 404, 502])
def test_a_read_that_fails_is_unknown_and_names_the_permission(
    world: GitHubWorld, path: str, status: int
) -> None:
    proposal = proposed(world, by("bob"))
    approve(world, proposal, "eve")
    world.double.server.fail(Fault("status", path=path, answer=Answer(status, {"message": "no"})))
    verdict = judged(world, proposal, role="eve")
    assert verdict.outcome is Outcome.ERROR
    assert status == 502 or "Contents: read" in verdict.findings[0].fix
