"""Constructed histories: a master and a release branch that parted, and the judgement of what the release brings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from guard.adapters.git import GitRepo
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Commit
from guard.core.policy_branch import Lineage
from guard.core.rules.lineage import CommitVerdict, judge_commits
from tests.gitrepo import Repo

Files = Mapping[str, str] | Mapping[str, bytes]


def lines(*changed: tuple[int, str], count: int = 40) -> str:
    """A file of numbered lines, some of them replaced (1-based)."""
    replaced = dict(changed)
    return "".join(f"{replaced.get(i, f'line {i}')}\n" for i in range(1, count + 1))


class World:
    """master and release part after one commit that has `app.txt` and `lib.txt`; `base` is where."""

    def __init__(self, path: Path, *args: str) -> None:
        self.repo = Repo.init(path / "repo", *args)
        self.base = self.repo.commit("base", {"app.txt": lines(), "lib.txt": lines()})
        self.repo.git("branch", "release")

    def on(self, branch: str) -> Repo:
        self.repo.git("switch", "-q", branch)
        return self.repo

    def master(self, message: str, files: Files) -> str:
        return self.on("master").commit(message, files)

    def release(self, message: str, files: Files) -> str:
        return self.on("release").commit(message, files)

    def pick(self, *commits: str) -> str:
        return self.on("release").pick(*commits)

    def revert(self, branch: str, commit: str, *args: str) -> str:
        repo = self.on(branch)
        repo.git("revert", "--no-edit", *args, commit)
        return repo.rev("HEAD")

    def amend(self, files: Files | None = None, message: str | None = None) -> str:
        """Change the newest commit, its content or its message."""
        for name, content in (files or {}).items():
            (self.repo.path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        self.repo.git("add", "-A")
        with_message = ("-F", "-") if message is not None else ("--no-edit",)
        self.repo.git("commit", "-q", "--amend", *with_message, stdin=(message or "").encode())
        return self.repo.rev("HEAD")

    def facts(
        self,
        *,
        target: str | None = None,
        head: str = "release",
        upstream: str = "master",
        trailers: tuple[str, ...] = ("Change-Id",),
    ) -> LineageFacts:
        with GitRepo(self.repo.path) as git:
            names = [Commit(self.repo.rev(name)) for name in (upstream, target or self.base, head)]
            return git.lineage(*names, upstream_name=upstream, trailers=trailers)

    def judge(
        self, policy: Lineage | None = None, *, approved: Iterable[str] = ()
    ) -> tuple[CommitVerdict, ...]:
        rules = policy or Lineage()
        return judge_commits(self.facts(trailers=rules.trailers), rules, approved=frozenset(approved))

    def standings(self) -> list[str]:
        """The verdicts, oldest first, as `equivalent/trailer`."""
        return [f"{one.standing}/{one.via}" if one.via else str(one.standing) for one in self.judge()]


FIX = {"app.txt": lines((5, "fixed"))}
"""A fix of one line, applied to `base`."""

SHAPES = ("sha1", "sha256")


@dataclass(frozen=True)
class Story:
    """A history and the verdicts that its commits deserve, oldest first."""

    tell: Callable[[World], None]
    verdicts: tuple[str, ...]

    def check(self, world: World) -> None:
        self.tell(world)
        assert world.standings() == list(self.verdicts)


class Stories:
    """The stories of one module; `told` is the table that its test runs through."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, *verdicts: str) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
        def add(history: Callable[[World], None]) -> Callable[[World], None]:
            self.told.append(pytest.param(Story(history, verdicts), id=history.__name__))
            return history

        return add
