"""How a clone sends statements: the user's own git writes the objects and pushes them, with their configuration."""

from __future__ import annotations

import os
import re
import subprocess
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from guard.core.errors import GitError, GuardError, Refused

_INHERITED = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_PUSH_OPTION_COUNT",
)  # fmt: skip
"""Variables of a git process that called us, which would lead ours into another repository."""

_CODED = re.compile(r"(?P<code>[a-z][a-z-]*(?:\.[a-z-]+)+): (?P<message>.+)")
_PUSH = ("push", "--porcelain", "--atomic", "--no-follow-tags", "--recurse-submodules=no", "--no-signed")


class GitOutbox:
    """The port Outbox: one clone and the name or URL of its remote."""

    def __init__(self, clone: Path, remote: str) -> None:
        self._clone = clone
        self._remote = remote

    def store(self, files: Mapping[str, bytes]) -> str:
        rows = []
        for name in sorted(files):
            blob = self._run("hash-object", "-w", "--no-filters", "--stdin", stdin=files[name])
            rows.append(b"100644 blob " + blob.strip() + b"\t" + name.encode() + b"\0")
        return self._run("mktree", "-z", stdin=b"".join(rows)).decode("ascii").strip()

    def push(self, refs: Mapping[str, str]) -> None:
        """A proposal's head may go back, hence the plus; a statement's ref is new or the same."""
        specs = [f"+{name}:{ref}" if name else f":{ref}" for ref, name in refs.items()]
        done = self._start(*_PUSH, "--", self._remote, *specs)
        if done.returncode:
            raise _push_error(self._remote, done)

    def config(self, name: str) -> str | None:
        """The user's or the clone's setting of this name, or None."""
        done = self._start("config", "--get", name)
        text = done.stdout.decode("utf-8", "replace").strip()
        return text if done.returncode == 0 and text else None

    def changed_files(self) -> tuple[str, ...]:
        """The tracked files that differ from HEAD, in the index or in the work tree."""
        out = self._run("status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=none")
        rows = out.decode("utf-8", "replace").split("\0")
        return tuple(_clean(row[3:]) for row in rows if len(row) > 3)

    def _run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        done = self._start(*arguments, stdin=stdin)
        if done.returncode:
            raise GitError(f"git {arguments[0]}: {_words(done.stderr) or 'no reason given'}")
        return done.stdout

    def _start(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        env = {name: value for name, value in os.environ.items() if name not in _INHERITED}
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=self._clone,
                env={**env, "LC_ALL": "C"},
                input=stdin,
                capture_output=True,
                check=False,
            )
        except (OSError, ValueError) as error:
            raise GitError(
                f"git cannot be run: {error}", code="git.unusable", fix="install git 2.39 or newer"
            ) from None


def _push_error(remote: str, done: subprocess.CompletedProcess[bytes]) -> GuardError:
    """The server's refusal in its own words where it gave one, else what git says about the push."""
    lines = [_clean(line) for line in done.stderr.decode("utf-8", "replace").splitlines()]
    said = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    refused = b"[remote rejected]" in done.stdout or b"[rejected]" in done.stdout
    if refused and any(said):
        return _refusal([line for line in said if line])
    words = " ".join(line for line in lines if line and not line.startswith("remote:"))[:500]
    if refused:
        reasons = [
            _clean(row.decode("utf-8", "replace")) for row in done.stdout.splitlines() if row[:1] == b"!"
        ]
        return Refused(
            f"{remote} did not take it: {'; '.join(reasons)[:500]}",
            fix="see what the server's operator allows; is the guard installed there?",
            code="push.refused",
        )
    return GitError(
        f"nothing was sent to {remote}: {words}",
        fix="mend what git says, then try again",
        code="push.failed",
    )


def _refusal(said: list[str]) -> Refused:
    fixes = [line.removeprefix("fix:").strip() for line in said if line.startswith("fix:")]
    rest = [line for line in said if not line.startswith("fix:")]
    first = next((index for index, line in enumerate(rest) if _CODED.fullmatch(line)), None)
    fix = fixes[0] if fixes else ""
    if first is None:
        return Refused("\n".join(rest), fix=fix, code="push.refused")
    match = _CODED.fullmatch(rest[first])
    message = "\n".join([match["message"] if match else "", *rest[first + 1 :]])
    return Refused(message, fix=fix, code=match["code"] if match else None)


def _words(stderr: bytes) -> str:
    return _clean(stderr.decode("utf-8", "replace").strip())[:500]


def _clean(line: str) -> str:
    """Without what would steer a terminal; git pads the remote's lines with such."""
    line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rstrip()
    return "".join(c if unicodedata.category(c) not in {"Cc", "Cf"} else "?" for c in line)
