"""Real repositories for stories: isolated from the user's configuration, with steady dates and names."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ISOLATION = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without anything that steers git or the guard.

    Nor does it keep `PYTHONDONTWRITEBYTECODE`: each of a thousand `guard` processes would compile the guard anew.
    """
    steering = ("GIT_", "GUARD_", "SSH_AUTH", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**kept, **ISOLATION, **extra}


@contextmanager
def clean_process(**extra: str) -> Iterator[None]:
    """This very process without anything that steers git or the guard, for commands that are run inside it."""
    before, clean = dict(os.environ), clean_environment(**extra)
    os.environ.clear()
    os.environ.update(clean)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Repo:
    """A repository on disk and the few moves that stories make in it."""

    def __init__(self, path: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.env = dict(env or {})
        self._tick = itertools.count(1_700_000_000, 60)

    @classmethod
    def init(
        cls, path: Path, *args: str, branch: str = "master", env: Mapping[str, str] | None = None
    ) -> Repo:
        path.mkdir(parents=True, exist_ok=True)
        repo = cls(path, env=env)
        repo.git("init", "-q", "-b", branch, *args)
        return repo

    def clone(self, path: Path, *args: str) -> Repo:
        self.git("clone", "-q", *args, str(self.path), str(path))
        return Repo(path, env=self.env)

    def run(self, *args: str, stdin: bytes = b"", **extra: str) -> subprocess.CompletedProcess[bytes]:
        """git with these arguments, whatever its exit status."""
        when = f"{next(self._tick)} +0000"
        who = {
            "GIT_AUTHOR_NAME": "Dev", "GIT_AUTHOR_EMAIL": "dev@example.com", "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_NAME": "Dev", "GIT_COMMITTER_EMAIL": "dev@example.com", "GIT_COMMITTER_DATE": when,
        }  # fmt: skip
        env = clean_environment(**{**who, **self.env, **extra})
        return subprocess.run(
            ["git", *args], cwd=self.path, env=env, input=stdin, capture_output=True, check=False
        )

    def git(self, *args: str, stdin: bytes = b"", **extra: str) -> str:
        """git with these arguments; its output, stripped. Fails the test with git's own words."""
        done = self.run(*args, stdin=stdin, **extra)
        if done.returncode:
            raise AssertionError(f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="surrogateescape").strip()

    def commit(
        self, message: str = "change", files: Mapping[str, str | bytes] | None = None, **extra: str
    ) -> str:
        """Write the files, commit everything, and return the new commit's name."""
        for name, content in (files or {}).items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-F", "-", stdin=message.encode(), **extra)
        return self.rev("HEAD")

    def rev(self, name: str) -> str:
        return self.git("rev-parse", "--verify", f"{name}^{{commit}}")

    def ref(self, name: str) -> str | None:
        """The commit that a ref of a bare repository stands at, or a commit of this name; None where there is none.
        Loose refs are read without a process: the doubles ask thousands of times."""
        with suppress(OSError, ValueError):
            found = (self.path / name).read_text() if name.startswith("refs/") else ""
            if re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?\n", found):
                return found.strip()
        done = self.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return done.stdout.decode().strip() or None

    def pick(self, *commits: str) -> str:
        self.git("cherry-pick", "-x", *commits)
        return self.rev("HEAD")
