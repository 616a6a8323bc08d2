"""GitLab behind its double: the contract of every forge, and what is GitLab's own about approvals and people."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pytest

from guard.adapters.git import GitRepo
from guard.core.facts import ApprovalFacts, Proposal
from guard.core.model import Candidate, Commit, Fact, Known, Outcome, Unknown, Verdict
from guard.core.policy import ApprovalRule
from guard.core.rules.approvals import judge_approvals
from guard.journeys.hands import approval_facts
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
    """Who approved what, without what is void."""
    return [(one.actor, one.commit) for one in known(world.forge.approvals(proposal)) if not one.void]


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
    assert [one.void for one in known(world.forge.approvals(proposal))] == ["approved it into another branch"]
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


def facts(
    world: GitLabWorld, proposal: Proposal, rule: ApprovalRule | None = None, *, origins: tuple[str, ...] = ()
) -> ApprovalFacts:
    old = world.branch_head(TARGET)
    candidate = Candidate(REPOSITORY, f"refs/heads/{TARGET}", old, proposal.head, old)
    with GitRepo(world.state.repo.path) as git:
        found = approval_facts(
            candidate, (proposal,), rule or ApprovalRule(), git=git, forge=world.forge,
            origins=frozenset(map(Commit, origins)),
        )  # fmt: skip
    assert isinstance(found, ApprovalFacts), found
    return found


def hands(world: GitLabWorld, proposal: Proposal, **more: tuple[str, ...]) -> dict[str, set[str]]:
    """kind → the accounts that hold it, where there are any."""
    found = facts(world, proposal, **more)  # type: ignore[arg-type]
    assert not found.unsure, found.unsure
    named = {kind: {name for name in names if "@" not in name} for kind, names in found.authors.items()}
    return {kind: names for kind, names in named.items() if names}


def judged(world: GitLabWorld, proposal: Proposal, rule: ApprovalRule | None = None) -> Verdict:
    """With bob in the one role."""
    asked = rule or ApprovalRule(roles=("platform",))
    given = Known(facts(world, proposal, asked), "test", EPOCH)
    return judge_approvals(asked, given, {"platform": world.forge.members(("bob",))}, head=proposal.head)


@pytest.mark.parametrize("page_size", [100, 1])
def test_who_had_a_hand_in_the_change_is_told_by_the_forge(world: GitLabWorld, page_size: int) -> None:
    for name in ("bob", "cid", "dora"):
        world.state.user(name)
    head = commits(world, by("nobody"), by("bob"), by("dora", "cid"), by("bob"))
    proposal = world.propose("r", head, by="ann")
    world.double.api.page_size = page_size
    world.approve(proposal, by="eve")
    assert hands(world, proposal) == {
        "proposer": {"ann"}, "pusher": {"ann"}, "author": {"bob", "dora"}, "committer": {"bob", "cid"},
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["author", "committer"])
def test_an_author_does_not_approve_the_own_change_under_a_user_name(world: GitLabWorld, kind: str) -> None:
    """The rule gets e-mail addresses from git and user names from GitLab; only GitLab can tell that both are bob."""
    world.state.user("bob")
    person = by("bob", "nobody") if kind == "author" else by("nobody", "bob")
    proposal = world.propose("r", commits(world, person), by="ann")
    world.approve(proposal, by="bob")
    verdict = judged(world, proposal)
    assert verdict.outcome is Outcome.MISSING
    assert f"bob is the change's {kind}" in verdict.findings[0].message


CO = "a change\n\nCo-authored-by: Bob <{}>"


@pytest.mark.parametrize(
    ("address", "outcome", "says"),
    [
        pytest.param(
            "bob@example.com", Outcome.MISSING, "bob is the change's co-author", id="also-an-author"
        ),
        pytest.param("bob@public.org", Outcome.MISSING, "bob is the change's co-author", id="public-address"),
        pytest.param(
            "{id}-bob@users.noreply.127.0.0.1", Outcome.MISSING, "bob is the change's co-author", id="own"
        ),
        pytest.param(
            "1-bob@users.noreply.127.0.0.1", Outcome.ERROR, "does not tell whose", id="anothers-number"
        ),
        pytest.param("bob@home.org", Outcome.ERROR, "bob@home.org", id="private-address"),
    ],
)
def test_a_co_author_is_excluded_as_far_as_gitlab_tells_and_blocks_where_it_does_not(
    world: GitLabWorld, address: str, outcome: Outcome, says: str
) -> None:
    bob = world.state.user("bob")
    bob.public_email = "bob@public.org"
    known_author = commits(world, by("bob"))
    people = by("nobody")
    repo = world.state.repo
    message = CO.format(address.format(id=bob.id))
    tree = repo.git("rev-parse", f"{known_author}^{{tree}}")
    parent = known_author if address == "bob@example.com" else world.branch_head("master")
    made = repo.run("commit-tree", tree, "-p", parent, "-m", message, stdin=b"", **people)
    proposal = world.propose("r", Commit(made.stdout.decode().strip()), by="ann")
    world.approve(proposal, by="bob")
    rule = ApprovalRule(roles=("platform",), not_by=("co-author",))
    verdict = judged(world, proposal, rule)
    assert verdict.outcome is outcome
    assert says in verdict.findings[0].message


def test_the_policy_tells_whose_an_address_is_where_gitlab_does_not(world: GitLabWorld) -> None:
    repo, parent = world.state.repo, world.branch_head("master")
    tree = repo.git("rev-parse", f"{parent}^{{tree}}")
    made = repo.run(
        "commit-tree", tree, "-p", parent, "-m", CO.format("robot@vendor.example"), stdin=b"", **by("nobody")
    )
    proposal = world.propose("r", Commit(made.stdout.decode().strip()), by="ann")
    world.approve(proposal, by="bob")
    assert judged(world, proposal).outcome is Outcome.ERROR
    nobodys = ApprovalRule(roles=("platform",), addresses={"Robot@vendor.example": ""})
    assert judged(world, proposal, nobodys).outcome is Outcome.PASS
    bobs = ApprovalRule(roles=("platform",), addresses={"robot@vendor.example": "bob"})
    assert judged(world, proposal, bobs).outcome is Outcome.MISSING


def test_the_original_author_of_a_pick_does_not_approve_it(world: GitLabWorld) -> None:
    bob = world.state.user("bob")
    bob.public_email = "bob@example.com"
    origin = commits(world, by("bob"))
    repo, parent = world.state.repo, world.branch_head("master")
    tree = repo.git("rev-parse", f"{parent}^{{tree}}")
    message = f"picked\n\n(cherry picked from commit {origin})"
    made = repo.run("commit-tree", tree, "-p", parent, "-m", message, stdin=b"", **by("nobody"))
    proposal = world.propose("r", Commit(made.stdout.decode().strip()), by="ann")
    world.approve(proposal, by="bob")
    assert "bob is the change's original-author" in judged(world, proposal).findings[0].message
    without = ApprovalRule(roles=("platform",), not_by=("author", "co-author"))
    assert judged(world, proposal, without).outcome is Outcome.PASS


def test_everybody_who_pushed_any_commit_of_it_is_a_pusher(world: GitLabWorld) -> None:
    first = world.propose("r", commits(world, by("nobody")), by="ann")
    request = world.request(first)
    world.state.push(request, first.head, by="dora")
    head = commits(world, by("nobody"), by("nobody"))
    world.state.push(request, head, by="bob")
    (moved,) = known(world.forge.proposals(TARGET))
    assert known(world.forge.pushers(moved, (first.head, head))) == {"ann", "dora", "bob"}
    world.approve(moved, by="bob")
    assert "bob is the change's pusher" in judged(world, moved).findings[0].message


def test_an_unknown_pusher_blocks(world: GitLabWorld) -> None:
    """A push of many branches at once leaves one event that names none of them."""
    proposal = world.propose("r", world.commit(), by="ann")
    world.approve(proposal, by="bob")
    world.state.pushes[:] = [replace(world.state.pushes[0], branch=None, head=None)]
    verdict = judged(world, proposal)
    assert verdict.outcome is Outcome.ERROR
    assert "who pushed" in verdict.findings[0].message
    assert "push the branch again" in verdict.findings[0].fix


def test_who_pushed_to_a_fork_is_asked_of_the_fork(world: GitLabWorld) -> None:
    world.state.propose(world.commit(), TARGET, by="eve", fork=True)
    (proposal,) = known(world.forge.proposals(TARGET))
    assert known(world.forge.pushers(proposal, (proposal.head,))) == {"eve"}


def test_a_bots_approval_says_that_it_is_one(world: GitLabWorld) -> None:
    world.state.user("bob").is_bot = True
    proposal = world.propose("r", world.commit(), by="ann")
    world.approve(proposal, by="bob")
    assert [one.is_bot for one in known(world.forge.approvals(proposal))] == [True]
    assert "bob is a bot" in judged(world, proposal).findings[0].message


def test_a_head_that_moves_while_it_is_read_leaves_the_accounts_unknown(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    world.propose("r", world.commit(), by="ann")
    unknown(world.forge.accounts(proposal, ()), "moved to another head")
    unknown(world.forge.pushers(proposal, ()), "moved to another head")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"errors": [{"message": "no"}], "data": {"project": None}}, id="errors"),
        pytest.param({"data": None}, id="nothing"),
        pytest.param({"data": {"project": None}}, id="hidden"),
        pytest.param({"data": {"project": {"mergeRequest": []}}}, id="another-shape"),
    ],
)
def test_without_the_accounts_no_approval_counts(world: GitLabWorld, answer: dict[str, object]) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    world.approve(proposal, by="bob")
    world.double.fail(Fault("status", path="/api/graphql", answer=Answer(200, answer)))
    assert judged(world, proposal).outcome is Outcome.ERROR


# Objections


def test_a_request_for_changes_stands_until_the_same_person_approves(world: GitLabWorld) -> None:
    """Asking for a new review, which the author can do, and a new head take nothing back."""
    proposal = world.propose("r", world.commit(), by="ann")
    request = world.request(proposal)
    assert known(world.forge.objections(proposal)) == ()
    world.state.request_changes(request, by="bob")
    assert [one.actor for one in known(world.forge.objections(proposal))] == ["bob"]
    world.state.ask_again(request, "bob", by="ann")
    moved = world.propose("r", world.commit(), by="ann")
    assert [one.actor for one in known(world.forge.objections(moved))] == ["bob"]
    world.approve(moved, by="cid")
    assert [one.actor for one in known(world.forge.objections(moved))] == ["bob"]
    world.approve(moved, by="bob")
    assert known(world.forge.objections(moved)) == ()
    world.withdraw(moved, by="bob")
    assert known(world.forge.objections(moved)) == ()


def test_a_request_for_changes_that_no_note_tells_of_is_told_by_the_reviewer(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    world.state.request_changes(world.request(proposal), by="bob")
    world.request(proposal).notes.clear()
    assert [one.actor for one in known(world.forge.objections(proposal))] == ["bob"]


def test_nobody_forges_or_withdraws_an_objection_in_a_comment(world: GitLabWorld) -> None:
    proposal = world.propose("r", world.commit(), by="ann")
    world.state.note(world.request(proposal), "bob", "requested changes")
    assert known(world.forge.objections(proposal)) == ()
    world.state.request_changes(world.request(proposal), by="bob")
    world.state.note(world.request(proposal), "bob", "approved this merge request")
    assert len(known(world.forge.objections(proposal))) == 1


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


def test_a_group_holds_those_within_and_those_above_only_where_wanted(world: GitLabWorld) -> None:
    world.state.group("gpuaas", "ann")
    world.state.group("gpuaas/owners", "bob")
    world.state.group("gpuaas/owners/deputies", "cid")
    world.state.group("gpuaas/owners/deputies/night", "dora")
    world.state.group("gpuaas/owners-of-nothing", "eve")
    names = ("@gpuaas/owners",)
    assert known(world.forge.members(names)) == {"bob", "cid", "dora"}
    assert known(world.forge.members(names, inherited=True)) == {"ann", "bob", "cid", "dora"}


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
