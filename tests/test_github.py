"""What is GitHub's own: reviews, teams, closed incidents, forks, statuses and comments, told in stories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guard.core.errors import ForgeError
from guard.core.facts import Approval
from guard.core.forge_facts import CommitStatus
from guard.core.model import Commit, Fact, Known, Unknown
from tests.doubles.github.state import Account, Pull
from tests.doubles.server import Answer, Fault
from tests.forge_contract import known
from tests.github_world import NOW, TARGET, GitHubWorld

CONTEXT = f"guard/promotion ({TARGET})"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    world = GitHubWorld(tmp_path)
    yield world
    world.close()


def people(*names: str) -> Fact[frozenset[str]]:
    return Known(frozenset(names), "roles", NOW)


class TestApprovals:
    @pytest.mark.parametrize(
        ("reviews", "approved"),
        [
            pytest.param(["APPROVED"], True, id="approved"),
            pytest.param(["APPROVED", "COMMENTED"], True, id="a-comment-takes-nothing-back"),
            pytest.param(["APPROVED", "PENDING"], True, id="an-unsent-review-takes-nothing-back"),
            pytest.param(["APPROVED", "CHANGES_REQUESTED"], False, id="changes-requested-since"),
            pytest.param(["APPROVED", "DISMISSED"], False, id="the-newest-was-dismissed"),
            pytest.param(["DISMISSED", "APPROVED"], True, id="approved-again"),
            pytest.param(["CHANGES_REQUESTED", "APPROVED"], True, id="satisfied-since"),
            pytest.param(["COMMENTED"], False, id="only-commented"),
            pytest.param(["PENDING"], False, id="only-begun"),
            pytest.param(["LOVED"], False, id="a-state-that-nobody-knows"),
        ],
    )
    def test_the_newest_standing_review_counts(
        self, world: GitHubWorld, reviews: list[str], *, approved: bool
    ) -> None:
        pull = world.pull()
        for state in reviews:
            world.state.review(pull, by="bob", state=state)
        assert bool(known(world.forge.approvals(world.proposal(pull)))) is approved

    def test_an_approval_is_of_the_commit_that_was_reviewed(self, world: GitHubWorld) -> None:
        pull = world.pull()
        first = world.proposal(pull).head
        review = world.state.review(pull, by="bob")
        world.state.push(pull.head, world.commit("second"))
        (found,) = known(world.forge.approvals(world.proposal(pull)))
        assert isinstance(found, Approval)
        assert (found.actor, found.commit, found.source) == (
            "bob", first, f"https://github.com/acme/platform/pull/1#pullrequestreview-{review.id}",
        )  # fmt: skip

    def test_what_was_begun_early_and_sent_late_is_the_newest(self, world: GitHubWorld) -> None:
        pull = world.pull()
        begun = world.state.review(pull, by="bob", state="CHANGES_REQUESTED")
        world.state.review(pull, by="bob", state="APPROVED")
        begun.at = world.state.now()
        assert known(world.forge.approvals(world.proposal(pull))) == ()

    def test_apps_deleted_accounts_and_lost_commits_approve_nothing(self, world: GitHubWorld) -> None:
        pull = world.pull()
        world.state.review(pull, by="helper[bot]")
        world.state.review(pull, by="bob").by = None
        world.state.review(pull, by="cid").commit = None
        (only,) = known(world.forge.approvals(world.proposal(pull)))
        assert (only.actor, only.is_bot) == ("helper[bot]", True)

    def test_people_are_kept_apart(self, world: GitHubWorld) -> None:
        pull = world.pull()
        world.state.review(pull, by="bob")
        world.state.review(pull, by="cid", state="CHANGES_REQUESTED")
        assert [one.actor for one in known(world.forge.approvals(world.proposal(pull)))] == ["bob"]


class TestRetargeting:
    @pytest.mark.parametrize("kind", ["base_ref_changed", "automatic_base_change_succeeded"])
    def test_what_was_approved_into_another_branch_is_void_and_says_so(
        self, world: GitHubWorld, kind: str
    ) -> None:
        pull = world.pull()
        world.state.review(pull, by="bob")
        world.state.retarget(pull, TARGET, kind=kind)
        world.state.review(pull, by="cid")
        found = {one.actor: one.void for one in known(world.forge.approvals(world.proposal(pull)))}
        assert found == {"bob": "approved it into another branch", "cid": ""}


class TestObjections:
    def objecting(self, world: GitHubWorld, pull: Pull) -> list[tuple[str, str]]:
        return [(one.actor, one.dismissed_by) for one in known(world.forge.objections(world.proposal(pull)))]

    def test_a_request_for_changes_stands_across_pushes_until_it_is_withdrawn(
        self, world: GitHubWorld
    ) -> None:
        pull = world.pull()
        asked = world.state.review(pull, by="bob", state="CHANGES_REQUESTED")
        world.state.review(pull, by="bob", state="COMMENTED")
        world.state.push(pull.head, world.commit("second"))
        assert self.objecting(world, pull) == [("bob", "")]
        world.state.dismiss(asked, by="bob")
        assert self.objecting(world, pull) == []

    def test_an_approval_by_the_same_person_withdraws_it(self, world: GitHubWorld) -> None:
        pull = world.pull()
        world.state.review(pull, by="bob", state="CHANGES_REQUESTED")
        world.state.review(pull, by="cid")
        assert self.objecting(world, pull) == [("bob", "")]
        world.state.review(pull, by="bob")
        assert self.objecting(world, pull) == []

    def test_whoever_may_write_dismisses_a_review_and_withdraws_no_objection(
        self, world: GitHubWorld
    ) -> None:
        pull = world.pull(by="ann")
        asked = world.state.review(pull, by="bob", state="CHANGES_REQUESTED")
        world.state.dismiss(asked, by="ann")
        assert self.objecting(world, pull) == [("bob", "ann")]

    def test_a_dismissed_approval_is_no_objection(self, world: GitHubWorld) -> None:
        pull = world.pull()
        world.state.dismiss(world.state.review(pull, by="bob"), by="ann")
        assert self.objecting(world, pull) == []

    def test_who_dismissed_it_has_to_be_known(self, world: GitHubWorld) -> None:
        pull = world.pull()
        world.state.dismiss(world.state.review(pull, by="bob", state="CHANGES_REQUESTED"), by="ann")
        world.double.server.fail(Fault("status", path="/events", answer=Answer(403, {"message": "no"})))
        answer = world.forge.objections(world.proposal(pull))
        assert isinstance(answer, Unknown)
        assert "Issues: read" in answer.fix


class TestProposals:
    def test_two_with_one_head_are_both_listed(self, world: GitHubWorld) -> None:
        first = world.pull(title="One")
        world.state.open_pull(first.head, TARGET, by="bob", title="Two")
        found = known(world.forge.proposals(TARGET))
        assert [one.title for one in found] == ["One", "Two"]
        assert len({one.head for one in found}) == 1
        assert found[0] == world.proposal(first)

    def test_a_fork_is_a_fork_also_when_it_is_gone(self, world: GitHubWorld) -> None:
        pull = world.pull(fork="mallory/platform")
        assert [one.from_fork for one in known(world.forge.proposals(TARGET))] == [True]
        pull.fork_gone = True
        assert known(world.forge.proposals(TARGET)) == (world.proposal(pull),)
        pull.fork, pull.fork_gone = "", False
        assert [one.from_fork for one in known(world.forge.proposals(TARGET))] == [False]

    def test_nobody_knows_who_a_deleted_account_was(self, world: GitHubWorld) -> None:
        world.pull().by = None
        assert [one.proposer for one in known(world.forge.proposals(TARGET))] == [None]

    def test_a_hundred_and_more_are_all_listed(self, world: GitHubWorld) -> None:
        head = world.pull().head
        for _ in range(104):
            world.state.open_pull(head, TARGET, by="ann")
        assert len(known(world.forge.proposals(TARGET))) == 105


class TestMembers:
    def test_a_team_has_its_child_teams_members_and_no_apps(self, world: GitHubWorld) -> None:
        world.state.team("owners", "ann", "helper[bot]")
        world.state.team("owners-eu", "bob", parent="owners")
        world.state.team("owners-de", "cid", parent="owners-eu")
        world.state.team("others", "dan")
        assert known(world.forge.members(("@acme/owners",))) == {"ann", "bob", "cid"}
        assert known(world.forge.members(("@acme/owners-eu", "eve"))) == {"bob", "cid", "eve"}

    @pytest.mark.parametrize(
        "name", ["@acme/nobody", "@other/owners", "@", "@acme/", "@acme/..", "@acme/../members", "@acme/a/b"]
    )
    def test_what_is_no_team_is_unknown_and_named(self, world: GitHubWorld, name: str) -> None:
        world.state.team("owners", "ann")
        answer = world.forge.members(("ann", name))
        assert isinstance(answer, Unknown)
        assert name in answer.why
        assert "Members: read" in answer.fix


class TestIncidents:
    def test_a_closed_one_counts_unless_somebody_closed_it_who_may(self, world: GitHubWorld) -> None:
        for title, closer in (("Ann's", "Ann"), ("Bob's", "bob"), ("Gone", None)):
            world.state.close_issue(world.state.open_issue(title, "SEV-1", by="dan"), by=closer)
        found = known(world.forge.incidents(("SEV-1",), closers=people("ann")))
        assert [one.title for one in found] == ["Bob's", "Gone"]

    def test_a_pull_request_is_no_incident(self, world: GitHubWorld) -> None:
        world.pull().labels.append("SEV-1")
        assert known(world.forge.incidents(("SEV-1",), closers=people())) == ()

    def test_one_with_both_labels_is_one(self, world: GitHubWorld) -> None:
        issue = world.state.open_issue("Down", "SEV-2", "sev-1", by="dan")
        (found,) = known(world.forge.incidents(("SEV-1", "SEV-2"), closers=people()))
        assert (found.id, found.label) == (f"#{issue.number}", "SEV-1")
        assert found.url == f"https://github.com/acme/platform/issues/{issue.number}"

    @pytest.mark.parametrize(
        ("label", "why"),
        [
            pytest.param("SEV-1", "there is no label SEV-1", id="renamed-away"),
            pytest.param("a,b", "label with a comma", id="not-askable"),
        ],
    )
    def test_a_label_that_is_not_there_hides_nothing(self, world: GitHubWorld, label: str, why: str) -> None:
        world.state.labels.remove("SEV-1")
        answer = world.forge.incidents((label,), closers=people())
        assert isinstance(answer, Unknown)
        assert why in answer.why
        assert "label" in answer.fix


def test_a_renamed_repository_is_told_instead_of_read_half(world: GitHubWorld) -> None:
    """PyGithub follows the redirection and drops the query, so that a list would be another one."""
    world.state.open_issue("Down", "SEV-1", by="dan")
    world.double.moved_to = "acme/renamed"
    for answer in (world.forge.incidents(("SEV-1",), closers=people()), world.forge.head("release/never")):
        assert isinstance(answer, Unknown)
        assert "acme/renamed" in answer.why


class TestVoice:
    @pytest.mark.parametrize(("is_app", "name"), [(False, "release-guard"), (True, "release-guard[bot]")])
    def test_it_knows_its_own_name(self, tmp_path: Path, name: str, *, is_app: bool) -> None:
        world = GitHubWorld(tmp_path, is_app=is_app)
        assert world.forge.me() == name
        proposal = world.proposal(world.pull())
        assert world.forge.add_comment(proposal, "hello").author == name
        world.close()

    def test_the_newest_of_its_own_statuses_stands(self, world: GitHubWorld) -> None:
        head = world.proposal(world.pull()).head
        assert world.forge.status(head, CONTEXT) is None
        first = CommitStatus(CONTEXT, "failure", "2 things to do", "https://guard.example/1")
        world.forge.post_status(head, first)
        world.state.set_status(head, CONTEXT, "success", by="mallory", description="all is well")
        world.state.set_status(head, "ci", "success", by="release-guard")
        assert world.forge.status(head, CONTEXT) == replace(first, by=world.state.me.login)
        for number in range(35):
            world.state.set_status(head, f"ci/{number}", "success", by="ci[bot]")
        second = CommitStatus(CONTEXT, "success", "GO")
        world.forge.post_status(head, second)
        assert world.forge.status(head, CONTEXT) == replace(second, by=world.state.me.login)
        assert world.state.statuses[-1].by == world.state.me

    def test_a_status_has_room_for_140_characters(self, world: GitHubWorld) -> None:
        head = world.proposal(world.pull()).head
        world.forge.post_status(head, CommitStatus(CONTEXT, "failure", "x" * 140))
        with pytest.raises(ForgeError, match="140"):
            world.forge.post_status(head, CommitStatus(CONTEXT, "failure", "x" * 141))

    def test_a_commit_that_github_has_not_gets_no_status(self, world: GitHubWorld) -> None:
        with pytest.raises(ForgeError, match="422"):
            world.forge.post_status(Commit("e" * 40), CommitStatus(CONTEXT, "failure", "no"))

    def test_comments_are_read_whole_and_edited_in_place(self, world: GitHubWorld) -> None:
        pull = world.pull()
        proposal = world.proposal(pull)
        world.double.largest_page = 2
        for number in range(3):
            world.state.comment(pull.number, f"<b>{number}</b> @ann", by="bob")
        world.state.comment(pull.number, "gone", by=None)
        mine = world.forge.add_comment(proposal, "<!-- guard --> NO-GO")
        world.forge.edit_comment(proposal, mine, "<!-- guard --> GO")
        found = world.forge.comments(proposal)
        assert (found[0].author, found[0].body, found[0].edited) == ("bob", "<b>0</b> @ann", False)
        assert [one.author for one in found] == ["bob", "bob", "bob", "ghost", "release-guard"]
        assert (found[-1].id, found[-1].body) == (mine.id, "<!-- guard --> GO")
        assert len(world.state.comments) == 5

    def test_a_comment_that_is_too_long_is_an_error(self, world: GitHubWorld) -> None:
        with pytest.raises(ForgeError, match="422"):
            world.forge.add_comment(world.proposal(world.pull()), "x" * 65_537)


def test_an_impostors_account_of_another_kind_is_not_the_guard(world: GitHubWorld) -> None:
    """An app and a user may bear nearly the same name; the whole login is compared."""
    head = world.proposal(world.pull()).head
    world.state.accounts["release-guard[bot]"] = Account("release-guard[bot]", 1, "Bot")
    world.state.set_status(head, CONTEXT, "success", by="release-guard[bot]", description="GO")
    assert world.forge.status(head, CONTEXT) is None
