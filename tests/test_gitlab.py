"""GitLab behind its double: the contract of every forge, and what is GitLab's own about approvals and people."""

from __future__ import annotations

from typing import TypeVar

import pytest

from guard.core.facts import ApprovalFacts, Proposal
from guard.core.model import Commit, Fact, Known, Outcome, Unknown
from guard.core.policy import ApprovalRule
from guard.core.rules.approvals import judge_approvals
from tests.doubles.gitlab.double import GitLabDouble
from tests.doubles.gitlab.state import EPOCH, Membership, Steps
from tests.doubles.gitlab.world import REPOSITORY, GitLabWorld, bare, double, world
from tests.doubles.server import Answer, Fault
from tests.forge_contract import LABELS, TARGET, ForgeContract, ForgeHarness, known

T = TypeVar("T")

__all__ = ["bare", "double", "world"]


class TestGitLabForge(ForgeContract):
    @pytest.fixture
    def harness(self, world: GitLabWorld) -> GitLabWorld:
        return world

    @pytest.mark.parametrize("unknown", [False, True], ids=["not-a-closer", "closers-unknown"])
    def test_closed_by_somebody_who_may_not_it_stays_open(
        self, harness: ForgeHarness, *, unknown: bool
    ) -> None:
        """On GitLab whoever may close an issue closes an incident; docs/gitlab.md says so."""
        harness.open_incident("INC-1", "SEV-1", "Down", by="ann")
        harness.close_incident("INC-1", by="bob")
        closers = Unknown("HTTP 502") if unknown else self.people(harness, "ann", "cid")
        assert known(harness.forge.incidents(LABELS, closers=closers)) == ()


def approved(world: GitLabWorld, proposal: Proposal) -> list[tuple[str, str]]:
    return [(one.actor, one.commit) for one in known(world.forge.approvals(proposal))]


def unknown(fact: Fact[T], *words: str) -> Unknown:
    assert isinstance(fact, Unknown), fact
    for word in words:
        assert word in f"{fact.why} {fact.fix}"
    return fact


# Approvals: which head was approved


def test_an_approval_stays_with_the_head_that_it_was_given_on(world: GitLabWorld) -> None:
    first = world.propose("r", world.commit(), by="ann")
    world.approve(first, by="bob")
    moved = world.propose("r", world.commit(), by="ann")
    world.approve(moved, by="cid")
    assert approved(world, moved) == [("bob", first.head), ("cid", moved.head)]


def test_approving_again_without_withdrawing_keeps_the_older_time_and_head(world: GitLabWorld) -> None:
    first = world.propose("r", world.commit(), by="ann")
    world.approve(first, by="bob")
    moved = world.propose("r", world.commit(), by="ann")
    world.approve(moved, by="bob")
    assert approved(world, moved) == [("bob", first.head)]
    world.withdraw(moved, by="bob")
    world.approve(moved, by="bob")
    assert approved(world, moved) == [("bob", moved.head)]


def test_a_head_pushed_again_is_the_head_that_was_approved(world: GitLabWorld) -> None:
    head = world.commit()
    world.approve(world.propose("r", head, by="ann"), by="bob")
    world.propose("r", world.commit(), by="ann")
    again = world.propose("r", head, by="ann")
    assert approved(world, again) == [("bob", head)]


def test_a_tie_between_approval_and_push_goes_to_the_older_head(world: GitLabWorld) -> None:
    """What is approved in the millisecond of a push may have been the version before it."""
    first = world.propose("r", world.commit(), by="ann")
    clock = world.state.now
    assert isinstance(clock, Steps)
    clock.time, clock.step = clock.time + clock.step, clock.step * 0
    moved = world.propose("r", world.commit(), by="ann")
    world.approve(moved, by="bob")
    assert approved(world, moved) == [("bob", first.head)]


@pytest.mark.parametrize("told_by", ["note", "version", "both"])
@pytest.mark.parametrize(
    "words", ["changed target branch from `playground`", "deleted the `playground` branch."]
)
def test_approvals_given_before_a_retargeting_count_for_nothing(
    world: GitLabWorld, told_by: str, words: str
) -> None:
    """Otherwise an approval of a request into a playground would be one into the release branch."""
    world.state.repo.git("branch", "playground", "master")
    request = world.state.propose(world.commit(), "playground", by="ann")
    world.state.approve(request, by="bob")
    world.state.retarget(request, TARGET, by="ann")
    request.notes[-1].body = words
    if told_by == "note":
        request.versions.pop()
    if told_by == "version":
        request.notes.clear()
    (proposal,) = known(world.forge.proposals(TARGET))
    assert approved(world, proposal) == []
    world.state.approve(request, by="cid")
    assert approved(world, proposal) == [("cid", proposal.head)]


def test_words_like_the_forges_own_do_not_retarget(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    world.approve(proposal, by="bob")
    world.state.note(world.request(proposal), "ann", "changed target branch from `a` to `b`")
    assert approved(world, proposal) == [("bob", proposal.head)]


def test_a_gitlab_that_does_not_say_when_somebody_approved_is_unknown(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    old = Answer(200, {"approved_by": [{"user": {"username": "bob"}}]})
    world.double.fail(Fault("status", path="/approvals", answer=old))
    unknown(world.forge.approvals(proposal), "when bob approved", "upgrade GitLab")


# Whose change it is: GitLab alone knows whose e-mail address a commit bears


def by(name: str, committer: str = "") -> dict[str, str]:
    return {
        "GIT_AUTHOR_EMAIL": f"{name}@example.com",
        "GIT_COMMITTER_EMAIL": f"{committer or name}@example.com",
    }


def commits(world: GitLabWorld, *people: dict[str, str]) -> Commit:
    repo, parent = world.state.repo, world.branch_head("master")
    tree = repo.git("rev-parse", f"{parent}^{{tree}}")
    for number, person in enumerate(people):
        made = repo.run("commit-tree", tree, "-p", parent, "-m", f"change {number}", stdin=b"", **person)
        parent = Commit(made.stdout.decode().strip())
    return parent


@pytest.mark.parametrize("page_size", [100, 1])
def test_who_had_a_hand_in_the_change_is_told_by_the_forge(world: GitLabWorld, page_size: int) -> None:
    for name in ("bob", "cid", "dora"):
        world.state.user(name)
    head = commits(world, by("nobody"), by("bob"), by("dora", "cid"), by("bob"))
    proposal = world.propose("r", head, by="ann")
    world.double.api.page_size = page_size
    for name in ("bob", "cid", "dora", "eve"):
        world.approve(proposal, by=name)
    found = {one.actor: set(one.hands) for one in known(world.forge.approvals(proposal))}
    assert found == {"bob": {"author", "committer"}, "cid": {"committer"}, "dora": {"author"}, "eve": set()}


def test_an_author_does_not_approve_the_own_change_under_a_user_name(world: GitLabWorld) -> None:
    """The rule gets e-mail addresses from git and user names from GitLab; only GitLab can tell that both are bob."""
    world.state.user("bob")
    proposal = world.propose("r", commits(world, by("bob")), by="ann")
    world.approve(proposal, by="bob")
    given = known(world.forge.approvals(proposal))
    kinds = ("proposer", "author", "committer", "co-author")
    authors = {kind: frozenset({"bob@example.com" if kind != "proposer" else "ann"}) for kind in kinds}
    now = world.forge.members(("bob",))
    verdict = judge_approvals(
        ApprovalRule(roles=("platform",)),
        Known(ApprovalFacts(given, authors), "test", EPOCH),
        {"platform": now},
        head=proposal.head,
    )
    assert verdict.outcome is Outcome.MISSING
    assert "bob is the change's author and committer" in verdict.findings[0].message


def test_a_head_that_moves_while_it_is_read_leaves_the_approvals_unknown(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    world.approve(proposal, by="bob")
    world.propose("r", world.commit(), by="ann")
    unknown(world.forge.approvals(proposal), "moved to another head")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"errors": [{"message": "no"}], "data": {"project": None}}, id="errors"),
        pytest.param({"data": None}, id="nothing"),
        pytest.param({"data": {"project": None}}, id="hidden"),
        pytest.param({"data": {"project": {"mergeRequest": []}}}, id="another-shape"),
    ],
)
def test_without_the_hands_no_approval_is_known(world: GitLabWorld, answer: dict[str, object]) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    world.approve(proposal, by="bob")
    world.double.fail(Fault("status", path="/api/graphql", answer=Answer(200, answer)))
    unknown(world.forge.approvals(proposal))


# Proposals


def test_a_fork_and_a_double_are_told_apart(world: GitLabWorld) -> None:
    head = world.commit()
    world.state.propose(head, TARGET, by="ann", title="Draft: one")
    world.state.propose(head, TARGET, by="eve", fork=True)
    found = known(world.forge.proposals(TARGET))
    assert [(one.id, one.head, one.from_fork, one.proposer) for one in found] == [
        ("1", head, False, "ann"), ("2", head, True, "eve"),
    ]  # fmt: skip
    assert found[0].title == "Draft: one"
    assert found[0].url.endswith("/merge_requests/1")


def test_a_request_without_a_head_makes_the_list_unknown_and_is_named(world: GitLabWorld) -> None:
    world.propose("r", world.commit(), by="ann")
    world.state.requests[0].versions.clear()
    unknown(world.forge.proposals(TARGET), "!1", "close it")


def test_a_title_that_no_file_can_hold_is_mended(world: GitLabWorld) -> None:
    found = world.propose("r", world.commit(), by="ann", title="half \ud800 of a pair")
    assert found.title == "half ? of a pair"


# People


def test_members_of_the_groups_above_belong_to_a_group_only_where_wanted(double: GitLabDouble) -> None:
    double.state.group("gpuaas", "ann")
    double.state.group("gpuaas/owners", "bob")
    double.state.group("gpuaas/owners/deputies", "cid")
    names = ("@gpuaas/owners",)
    assert known(GitLabWorld(double).forge.members(names)) == {"bob"}
    assert known(GitLabWorld(double, inherited=True).forge.members(names)) == {"ann", "bob"}


def test_who_cannot_act_is_no_member(world: GitLabWorld) -> None:
    group = world.state.group("owners", "ann", "bob", "cid", "dora", "eve")
    world.state.user("bob").is_bot = True
    world.state.user("cid").state = "blocked"
    dora, eve = world.state.user("dora"), world.state.user("eve")
    group.members[dora.id] = Membership(dora, expires_at="2026-03-02")
    group.members[eve.id] = Membership(eve, state="awaiting")
    assert known(world.forge.members(("@owners",))) == {"ann"}


def test_whether_somebody_is_human_is_asked_once(world: GitLabWorld) -> None:
    world.state.group("owners", "ann", "bob")
    for _ in range(3):
        known(world.forge.members(("@owners",)))
    assert len([one for one in world.double.requests if one.path == "/api/v4/users"]) == 2


# Incidents


def test_an_incident_with_two_labels_is_listed_with_the_first(world: GitLabWorld) -> None:
    world.state.issue("Down", "SEV-1", "SEV-2", by="ann", confidential=True)
    world.state.issue("Other", "bug", by="ann")
    world.state.issue("Slow", "bug", "SEV-2", by="ann")
    found = known(world.forge.incidents(LABELS, closers=Unknown("?")))
    assert [(one.id, one.label) for one in found] == [("#1", "SEV-1"), ("#3", "SEV-2")]


def test_a_token_that_sees_no_confidential_issue_does_not_know_the_incidents(world: GitLabWorld) -> None:
    world.state.issue("Down", "SEV-1", by="ann", confidential=True)
    world.state.join("guard", "guest")
    unknown(world.forge.incidents(LABELS, closers=Unknown("?")), "confidential", "Reporter")


@pytest.mark.parametrize("label", ["a,b", "None", "any"])
def test_what_is_no_label_to_gitlab_is_unknown_and_not_none(world: GitLabWorld, label: str) -> None:
    unknown(world.forge.incidents((label,), closers=Unknown("?")), label, "[incidents]")


def test_everything_says_where_it_was_read(world: GitLabWorld) -> None:
    fact = world.forge.head(TARGET)
    assert isinstance(fact, Known)
    assert fact.source == f"{REPOSITORY}@{TARGET}"
