"""The contract that every forge keeps, kept by GitHub through its real client, and what GitHub's description covers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.adapters.github import GitHubForge
from guard.core.facts import Proposal
from guard.core.forge_facts import CommitStatus
from guard.core.model import Commit
from tests.doubles.github.operations import OPERATIONS
from tests.doubles.github.state import Issue, Protected, Pull, Review, Ruleset
from tests.doubles.server import Fault
from tests.forge_contract import TARGET, ForgeContract
from tests.github_world import GitHubWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    world = GitHubWorld(tmp_path)
    world.double.largest_page = 2  # so that lists of three already take two requests
    yield world
    world.close()


class GitHubHarness:
    """The contract's states, made as people make them on GitHub."""

    def __init__(self, world: GitHubWorld) -> None:
        self.world = world
        self.pulls: dict[str, Pull] = {}
        self.issues: dict[str, Issue] = {}

    @property
    def forge(self) -> GitHubForge:
        return self.world.forge

    def person(self, name: str) -> str:
        return f"{name}-gh"

    def branch_head(self, branch: str) -> Commit:
        return Commit(self.world.bare.rev(f"refs/heads/{branch}"))

    def commit(self) -> Commit:
        return self.world.commit()

    def propose(self, id: str, head: Commit, *, by: str, title: str = "A release") -> Proposal:
        branch, state = f"proposal-{id}", self.world.state
        state.push(branch, head)
        if id not in self.pulls:
            self.pulls[id] = state.open_pull(branch, TARGET, by=self.person(by), title=title)
        return self.world.proposal(self.pulls[id])

    def close(self, proposal: Proposal, *, by: str) -> None:
        self.world.state.close_pull(self._pull(proposal))

    def approve(self, proposal: Proposal, *, by: str) -> None:
        self.world.state.review(self._pull(proposal), by=self.person(by))

    def withdraw(self, proposal: Proposal, *, by: str) -> None:
        """GitHub has no withdrawing: somebody who may write dismisses the review."""
        self.world.state.dismiss(self._newest_review(proposal, self.person(by)))

    def group(self, name: str, *people: str) -> None:
        self.world.state.organisation(name, *map(self.person, people))

    def open_incident(self, id: str, label: str, title: str, *, by: str) -> None:
        if id in self.issues:
            self.world.state.reopen_issue(self.issues[id])
        else:
            self.issues[id] = self.world.state.open_issue(title, label, by=self.person(by))

    def close_incident(self, id: str, *, by: str) -> None:
        self.world.state.close_issue(self.issues[id], by=self.person(by))

    def break_down(self) -> None:
        self.world.double.server.fail(Fault("status"))

    def _pull(self, proposal: Proposal) -> Pull:
        return self.world.state.pulls[int(proposal.id)]

    def _newest_review(self, proposal: Proposal, login: str) -> Review:
        mine = (one for one in reversed(self.world.state.reviews) if one.by and one.by.login == login)
        return next(one for one in mine if one.pull == int(proposal.id))


class TestGitHubForge(ForgeContract):
    @pytest.fixture
    def harness(self, world: GitHubWorld) -> GitHubHarness:
        return GitHubHarness(world)


def test_every_call_is_described_by_github_except_these(tmp_path: Path) -> None:
    """Everything that the forge does, once; a call that appears here has nobody's word for its shape but ours."""
    world = GitHubWorld(tmp_path, is_app=True)
    state, forge = world.state, world.forge
    pull = world.pull()
    state.review(pull, by="bob")
    state.workflow(state.head_of(pull), test="success")
    state.label(pull, "BREAKING:", by="ann")
    issue = state.open_issue("Down", "SEV-1", by="ann")
    state.close_issue(issue, by="ann")
    state.team("owners", "ann")
    state.protected[TARGET] = Protected(restrictions=("ann", "@acme/owners", "app[bot]"), reviews_bypass=())
    state.rulesets.append(Ruleset(7, (TARGET,), ("update", "pull_request"), (("Team", 3, "always"),)))
    proposal = world.proposal(pull)
    for fact in (
        forge.head(TARGET), forge.head("none"), forge.proposals(TARGET), forge.approvals(proposal),
        forge.members(("@acme", "@acme/owners", "@acme/nobody")), forge.protection(TARGET), forge.protection("master"),
        forge.jobs(proposal.head), forge.labeller(proposal, "BREAKING:"),
        forge.incidents(("SEV-1",), closers=forge.members(("ann",))),
        forge.incidents(("none",), closers=forge.members(())),
    ):  # fmt: skip
        assert fact
    forge.post_status(proposal.head, CommitStatus("guard", "failure", "not yet"))
    assert forge.status(proposal.head, "guard")
    forge.edit_comment(proposal, forge.add_comment(proposal, "hello"), "hello again")
    assert forge.comments(proposal)
    world.close()
    assert world.double.uncovered == {
        "POST /graphql 200",  # GraphQL is described by a schema of its own
        "GET /orgs/{org}/teams/{team_slug}/members 404",  # GitHub describes no error here
    }
    unasked = {
        "GET /repos/{owner}/{repo}/commits/{ref}/status",
    }
    assert unasked <= OPERATIONS.keys()
