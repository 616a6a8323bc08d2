"""A repository on the GitHub double, and the guard's forge on it, for stories."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from guard.adapters.github import GitHubForge
from guard.core.facts import Proposal
from guard.core.model import Commit
from tests.doubles.github.double import GitHubDouble
from tests.doubles.github.state import Pull
from tests.gitrepo import Repo

TARGET = "release/platform-control"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class SteadyClock:
    def now(self) -> datetime:
        return NOW


class GitHubWorld:
    """`acme/platform` with master, the release branch and the incident labels."""

    def __init__(self, path: Path, *, is_app: bool = False) -> None:
        self.work = Repo.init(path / "work")
        first = self.work.commit("first", {"README": "hello\n"})
        self.bare = Repo(path / "platform.git")
        self.work.git("clone", "-q", "--bare", str(self.work.path), str(self.bare.path))
        self.bare.git("update-ref", f"refs/heads/{TARGET}", first)
        self.double = GitHubDouble(self.bare, is_app=is_app)
        self.state = self.double.state
        self.state.labels += ["SEV-1", "SEV-2", "SEV-3"]
        self.forge = self.new_forge()

    def new_forge(self, *, timeout: int = 5, retries: int = 1, longest_wait: float = 0.5) -> GitHubForge:
        client = self.double.client(timeout=timeout, retries=retries, longest_wait=longest_wait)
        return GitHubForge(client, self.state.full_name, clock=SteadyClock())

    def commit(self, message: str = "change") -> Commit:
        """A new commit, reachable from a branch of its own on the forge."""
        name = self.work.commit(message)
        self.work.git("push", "-q", str(self.bare.path), f"{name}:refs/heads/change-{name[:10]}")
        return Commit(name)

    def pull(self, *, by: str = "ann", title: str = "A release", fork: str = "") -> Pull:
        head = self.commit(title)
        return self.state.open_pull(
            head if fork else f"change-{head[:10]}", TARGET, by=by, title=title, fork=fork
        )

    def proposal(self, pull: Pull) -> Proposal:
        """As the forge should show it."""
        state = self.state
        return Proposal(
            id=str(pull.number),
            target=pull.base,
            head=Commit(state.head_of(pull)),
            title=pull.title,
            proposer=pull.by.login if pull.by else None,
            url=f"https://github.com/{state.full_name}/pull/{pull.number}",
            from_fork=bool(pull.fork) or pull.fork_gone,
        )

    def close(self) -> None:
        self.double.close()
