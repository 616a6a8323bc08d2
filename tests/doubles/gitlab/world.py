"""A project on GitLab's double, with the guard's forge for it: what the tests of GitLab start from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from guard.adapters.gitlab import GitLabForge
from guard.core.facts import Proposal
from guard.core.model import Commit
from tests.doubles.gitlab.double import GitLabDouble
from tests.doubles.gitlab.state import MergeRequest
from tests.doubles.server import Fault
from tests.forge_contract import TARGET, known
from tests.gitrepo import Repo

REPOSITORY = "gpuaas/platform"


class Now:
    def now(self) -> datetime:
        return datetime(2026, 3, 2, 12, tzinfo=UTC)


class GitLabWorld:
    """The contract's states, made in the double."""

    def __init__(self, double: GitLabDouble) -> None:
        self.double = double
        self.state = double.state
        self.waits: list[float] = []
        self.forge = GitLabForge(double.client(), REPOSITORY, clock=Now(), sleep=self.waits.append)

    def person(self, name: str) -> str:
        return name

    def branch_head(self, branch: str) -> Commit:
        return Commit(self.state.repo.rev(f"refs/heads/{branch}"))

    def commit(self) -> Commit:
        repo, parent = self.state.repo, self.branch_head("master")
        tree = repo.git("rev-parse", f"{parent}^{{tree}}")
        return Commit(repo.git("commit-tree", tree, "-p", parent, "-m", "a change"))

    def request(self, proposal: Proposal) -> MergeRequest:
        request = self.state.request(proposal.id)
        assert request is not None
        return request

    def propose(self, id: str, head: Commit, *, by: str, title: str = "A release") -> Proposal:
        """The open request of the same author is the one with this id."""
        found = [one for one in self.state.requests if one.author.username == by and one.state == "opened"]
        if found:
            self.state.push(found[0], head)
        request = found[0] if found else self.state.propose(head, TARGET, by=by, title=title)
        shown = {one.id: one for one in known(self.forge.proposals(TARGET))}
        return shown[str(request.iid)]

    def close(self, proposal: Proposal, *, by: str) -> None:
        self.request(proposal).state = "closed"

    def approve(self, proposal: Proposal, *, by: str) -> None:
        self.state.approve(self.request(proposal), by=by)

    def withdraw(self, proposal: Proposal, *, by: str) -> None:
        self.state.unapprove(self.request(proposal), by=by)

    def group(self, name: str, *people: str) -> None:
        self.state.group(name, *people)

    def open_incident(self, id: str, label: str, title: str, *, by: str) -> None:
        self.state.issue(title, label, by=by)

    def close_incident(self, id: str, *, by: str) -> None:
        for issue in self.state.issues:
            issue.state = "closed"

    def break_down(self) -> None:
        self.double.fail(Fault("status"))


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository with master and the release branch at one commit; each test gets a copy."""
    folder = tmp_path_factory.mktemp("gitlab")
    work = Repo.init(folder / "work")
    work.commit("first", {"README": "hello"})
    work.git("branch", TARGET)
    work.git("clone", "-q", "--bare", str(work.path), str(folder / "bare.git"))
    return folder / "bare.git"


@pytest.fixture
def double(tmp_path: Path, bare: Path) -> Iterator[GitLabDouble]:
    shutil.copytree(bare, tmp_path / "bare.git")
    with GitLabDouble(tmp_path / "bare.git") as running:
        yield running


@pytest.fixture
def world(double: GitLabDouble) -> GitLabWorld:
    return GitLabWorld(double)
