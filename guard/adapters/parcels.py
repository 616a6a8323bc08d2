"""Statement refs of a bare repository, read object by object: what a push brings, and the reports kept there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from guard.adapters.git_process import TIMEOUT, environment, git_failed
from guard.core.errors import GitError
from guard.core.sshsig import MAX_ARMORED
from guard.core.statements import MAX_REPORT, MAX_STATEMENT, StatementError
from guard.ports import Parcel

LIMITS: Mapping[str, int] = {
    "statement.json": MAX_STATEMENT,
    "statement.json.sig": MAX_ARMORED,
    "report": MAX_REPORT,
}
"""The files that a statement's tree may hold and the bytes that each may have."""

MAX_TREE = 1024
"""Bytes of a statement's tree object; three entries take about 170."""

_QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
"""How git shows a push's new objects to pre-receive, and to nobody else (git-receive-pack(1))."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """A regular file of a statement's tree."""

    blob: str
    size: int


class BareRepo:
    """The port Inbox on a bare repository. `quarantine` lets it see what the push under way brings."""

    def __init__(self, git_dir: Path, *, quarantine: bool = False) -> None:
        self._git_dir = git_dir
        kept = _QUARANTINE if quarantine else ()
        self._env = {**environment(), **{name: os.environ[name] for name in kept if name in os.environ}}

    def parcel(self, name: str) -> Parcel:
        files = self.files(name)
        if not {"statement.json", "statement.json.sig"} <= files.keys():
            raise StatementError("a statement and its signature are expected, and one is missing")
        report = files.get("report")
        return Parcel(
            statement=self.read(files["statement.json"]),
            signature=self.read(files["statement.json.sig"]),
            report=self.digest(report) if report else "",
        )

    def files(self, name: str) -> dict[str, File]:
        """The files of a statement's tree by name. Raises StatementError where there is anything else in it."""
        kind, size = self._kind(name)
        if kind != "tree" or size > MAX_TREE:
            raise StatementError("a statement is pushed as a small tree of files, and this is something else")
        rows = self._git("ls-tree", "-l", "-z", name).split(b"\0")
        return dict(_file(row) for row in rows if row)

    def file(self, name: str, path: str) -> File | None:
        """One file of a statement's tree, asked for alone; None where there is none that may be there."""
        kind, size, blob = self._what(f"{name}:{path}")
        return File(blob, size) if kind == "blob" and size <= LIMITS[path] else None

    def read(self, file: File) -> bytes:
        """By way of a file, because a pipe that is read to its end takes twice the memory."""
        command = [
            "git",
            f"--git-dir={self._git_dir}",
            "-c",
            "safe.directory=*",
            "cat-file",
            "blob",
            file.blob,
        ]
        try:
            with tempfile.TemporaryFile(buffering=0) as held:
                done = subprocess.run(
                    command, env=self._env, stdout=held, stderr=subprocess.PIPE, timeout=TIMEOUT, check=False
                )
                if done.returncode:
                    raise git_failed("cat-file", done.stderr)
                held.seek(0)
                return held.readall()
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise GitError(f"git cat-file: {error}", code="git.unusable") from None

    def digest(self, file: File) -> str:
        """`sha256:…` of the file's bytes, which need not fit in memory."""
        found = hashlib.sha256()
        command = [
            "git",
            f"--git-dir={self._git_dir}",
            "-c",
            "safe.directory=*",
            "cat-file",
            "blob",
            file.blob,
        ]
        with subprocess.Popen(
            command, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            stream = process.stdout
            while stream is not None and (chunk := stream.read(_CHUNK)):
                found.update(chunk)
        if process.returncode:
            raise GitError(f"object {file.blob} cannot be read", fix="check the repository: git fsck")
        return f"sha256:{found.hexdigest()}"

    def is_commit(self, name: str) -> bool:
        return self._kind(name)[0] == "commit"

    def ref(self, name: str) -> str | None:
        return self.refs(name).get(name)

    def refs(self, prefix: str) -> dict[str, str]:
        """Full ref name → object name of the ref of this name and of all below it."""
        out = self._git("for-each-ref", "--format=%(refname)%00%(objectname)", "--", prefix.rstrip("/"))
        rows = (line.partition("\0") for line in os.fsdecode(out).splitlines())
        return {ref: name for ref, _, name in rows}

    def _kind(self, name: str) -> tuple[str, int]:
        """An object's type and size; `missing` where there is none."""
        return self._what(name)[:2]

    def _what(self, name: str) -> tuple[str, int, str]:
        """The type, size and name of the object that an expression stands for."""
        out = self._git("cat-file", "--batch-check", stdin=f"{name}\n".encode()).decode("ascii", "replace")
        words = out.split()
        return (words[1], int(words[2]), words[0]) if len(words) == 3 else ("missing", 0, "")

    def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["git", f"--git-dir={self._git_dir}", "-c", "safe.directory=*", *arguments]
        try:
            done = subprocess.run(
                command, env=self._env, input=stdin, capture_output=True, timeout=TIMEOUT, check=False
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise GitError(f"git {arguments[0]}: {error}", code="git.unusable") from None
        if done.returncode:
            raise git_failed(arguments[0], done.stderr)
        return done.stdout


def _file(row: bytes) -> tuple[str, File]:
    """One row of `ls-tree -l -z`: mode, type, object, size, tab, path."""
    info, _, path = row.partition(b"\t")
    mode, _, blob, size = info.split()
    name = path.decode("utf-8", "replace")
    if mode != b"100644" or name not in LIMITS:
        raise StatementError(f"a statement's tree holds plain files {', '.join(LIMITS)} and nothing else")
    if int(size) > LIMITS[name]:
        raise StatementError(
            f"{name} has {int(size)} bytes; at most {LIMITS[name]} are taken",
            fix="submit less",
            code="statement.too-large",
        )
    return name, File(blob.decode("ascii"), int(size))
