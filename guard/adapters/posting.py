"""A statement that came over HTTP: checked from memory like one that was pushed, kept in the same place."""

from __future__ import annotations

import subprocess
from pathlib import Path

from guard.adapters.git_process import TIMEOUT, environment, git_failed
from guard.adapters.parcels import LIMITS, BareRepo
from guard.core.canonical import digest_of_bytes
from guard.core.errors import GitError
from guard.core.statements import STATEMENT_REFS, StatementError, name_of
from guard.ports import Parcel


class Posted:
    """The port Inbox with exactly one statement in it; nothing is written before the statement was found good."""

    def __init__(self, git_dir: Path, *, statement: bytes, signature: bytes, report: bytes | None) -> None:
        """Raises StatementError for what is larger than a pushed one may be."""
        self._git_dir = git_dir
        self._files = {"statement.json": statement, "statement.json.sig": signature}
        if report is not None:
            self._files["report"] = report
        for name, data in self._files.items():
            if len(data) > LIMITS[name]:
                raise StatementError(
                    f"{name} has {len(data)} bytes; at most {LIMITS[name]} are taken",
                    fix="submit less",
                    code="statement.too-large",
                )
        self.name = name_of(statement)

    @property
    def own_ref(self) -> str:
        return f"{STATEMENT_REFS}{self.name}"

    def parcel(self, name: str) -> Parcel:
        if name != self.name:
            raise StatementError("there is no such statement")
        report = self._files.get("report")
        digest = digest_of_bytes(report) if report is not None else ""
        return Parcel(self._files["statement.json"], self._files["statement.json.sig"], digest)

    def is_commit(self, name: str) -> bool:
        return BareRepo(self._git_dir).is_commit(name)

    def ref(self, name: str) -> str | None:
        return BareRepo(self._git_dir).ref(name)

    def keep(self) -> None:
        """Write the statement and its report into the repository, under its own ref. Doing it twice is harmless.
        Raises GitError."""
        rows = b""
        for name in sorted(self._files):
            blob = self._git("hash-object", "-w", "--no-filters", "--stdin", stdin=self._files[name]).strip()
            rows += b"100644 blob " + blob + b"\t" + name.encode("ascii") + b"\0"
        tree = self._git("mktree", "-z", stdin=rows).decode("ascii").strip()
        self._git("update-ref", self.own_ref, tree)

    def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["git", f"--git-dir={self._git_dir}", "-c", "safe.directory=*", *arguments]
        try:
            done = subprocess.run(
                command, env=environment(), input=stdin, capture_output=True, timeout=TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GitError(f"git {arguments[0]}: {error}", code="git.unusable") from None
        if done.returncode:
            raise git_failed(arguments[0], done.stderr)
        return done.stdout
