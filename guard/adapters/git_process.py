"""The one door to the git program, and the scratch repository in which every question about objects is asked.

Nothing from outside takes part: no user, system or repository configuration, attributes, replace refs, grafts,
hooks, or merge and diff drivers, and no `GIT_*` variable. The judged repository is only ever read: a scratch
repository borrows its objects through `objects/info/alternates`, and whatever git writes lands in the scratch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from guard.adapters.git_pack import framed, write_pack
from guard.core.errors import GitError

TIMEOUT = 120.0
"""Seconds that one git process may take."""

_KEPT_VARIABLES = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")

_ENVIRONMENT = {
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
}
"""glibc's `MALLOC_*` keep it from giving the memory of each large file back to the system, only to ask for it again."""

_SCRATCH_CONFIG = """\
[core]
	repositoryformatversion = 1
	bare = true
	attributesFile = /dev/null
	fsync = none
	looseCompression = 0
	hooksPath = /dev/null
	commitGraph = false
	logAllRefUpdates = false
	quotePath = true
[extensions]
	objectFormat = {format}
[gc]
	auto = 0
[maintenance]
	auto = false
[diff]
	algorithm = histogram
	renameLimit = 1000
[merge]
	renames = true
	renameLimit = 7000
	directoryRenames = conflict
	renormalize = false
	conflictStyle = merge
[protocol]
	allow = never
"""
"""Pinned, so that two machines and two versions of git agree. The commit-graph is a cache that could lie."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the judged repository keeps its things; all paths are absolute."""

    git_dir: Path
    common_dir: Path
    objects: Path
    shallow: Path
    object_format: str


def environment() -> dict[str, str]:
    """All variables that a git process gets."""
    return {**{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}, **_ENVIRONMENT}


def run(
    arguments: Sequence[str],
    *,
    cwd: Path,
    stdin: bytes = b"",
    accept: tuple[int, ...] = (0,),
    timeout: float = TIMEOUT,
) -> subprocess.CompletedProcess[bytes]:
    """git with these arguments. Raises GitError when it cannot be started, takes too long or fails with a status
    not in `accept`."""
    command = ["git", "--no-pager", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment(),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GitError(
            f"git {_verb(arguments)} took longer than {timeout:g} seconds",
            code="git.timeout",
            fix="try again",
        ) from None
    except (OSError, ValueError) as error:
        raise GitError(
            f"git cannot be run: {error}", code="git.unusable", fix="install git 2.39 or newer"
        ) from None
    if done.returncode not in accept:
        raise git_failed(_verb(arguments), done.stderr)
    return done


@cache
def git_version() -> str:
    """What git calls itself, asked once: `git version 2.39.5`. Raises GitError."""
    return run(("--version",), cwd=Path("/")).stdout.decode("utf-8", "replace").strip()


def git_failed(verb: str, stderr: bytes) -> GitError:
    """The error behind git's own words, with the fix where the cause is a well-known one."""
    words = stderr.decode("utf-8", "replace").strip()[:500] or "no reason given"
    missing = any(
        sign in words for sign in ("missing", "bad object", "unable to read", "could not get object")
    )
    fix = "fetch what is missing: git fetch --refetch (a partial clone has not everything)" if missing else ""
    return GitError(f"git {verb}: {words}", fix=fix, code="git.missing-object" if missing else None)


def _verb(arguments: Sequence[str]) -> str:
    return next((word for word in arguments if not word.startswith("-")), "")


def find_place(path: Path) -> Place:
    """Locate the repository that `path` is, or is in. Raises GitError when there is none."""
    if not path.is_dir():
        raise GitError(
            f"{path} is no folder", code="git.no-repository", fix="name a git repository: --repo DIR"
        )
    asked = ("--absolute-git-dir", "--git-common-dir", "--show-object-format", "--git-path", "objects")
    command = (
        "-c",
        "safe.directory=*",
        "rev-parse",
        "--path-format=absolute",
        *asked,
        "--git-path",
        "shallow",
    )
    done = run(command, cwd=path, accept=(0, 128))
    lines = os.fsdecode(done.stdout).splitlines()
    if done.returncode or len(lines) != 5:
        words = done.stderr.decode("utf-8", "replace").strip() or "its path cannot be read"
        raise GitError(
            f"{path}: {words[:500]}", code="git.no-repository", fix="name a git repository: --repo DIR"
        )
    git_dir, common_dir, object_format, objects, shallow = lines
    return Place(Path(git_dir), Path(common_dir), Path(objects), Path(shallow), object_format)


class Scratch:
    """A bare repository of our own that sees the judged repository's objects; gone when closed or forgotten."""

    def __init__(self, place: Place) -> None:
        self.shallow = _read_shallow(place.shallow)
        self._format = place.object_format
        self._added: dict[str, tuple[str, bytes]] = {}
        self._lock = threading.Lock()
        try:
            self.path = Path(tempfile.mkdtemp(prefix="guard-git-"))
            self.close = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
            self._fill(place)
        except OSError as error:
            raise GitError(
                f"no scratch repository can be made: {error}",
                code="git.scratch",
                fix="free some room, or set TMPDIR",
            ) from None

    def _fill(self, place: Place) -> None:
        for folder in ("objects/info", "objects/pack", "refs/heads"):
            (self.path / folder).mkdir(parents=True)
        self._write("HEAD", b"ref: refs/heads/unborn\n")
        self._write("config", _SCRATCH_CONFIG.format(format=place.object_format).encode())
        self._write("objects/info/alternates", _quoted(place.objects) + b"\n")
        if self.shallow:
            self._write("shallow", "".join(f"{name}\n" for name in sorted(self.shallow)).encode())

    def add(self, kind: str, content: bytes) -> str:
        """Make an object of the scratch repository, which the next git process sees; its name."""
        name = hashlib.new(self._format, framed(kind, content), usedforsecurity=False).hexdigest()
        with self._lock:
            self._added[name] = (kind, content)
        return name

    def write_added(self) -> None:
        """Write what was added since the last time. Raises GitError."""
        # The lock is held while writing: whoever asks next must see all that was added before.
        with self._lock:
            added, self._added = self._added, {}
            if not added:
                return
            try:
                write_pack(self.path / "objects/pack", added, object_format=self._format)
            except OSError as error:
                raise GitError(
                    f"the scratch repository cannot be written: {error}", code="git.scratch"
                ) from None

    def run(self, *arguments: str, stdin: bytes = b"", accept: tuple[int, ...] = (0,)) -> bytes:
        """git in the scratch repository; its output. Raises GitError."""
        self.write_added()
        return run((*self.door, *arguments), cwd=self.path, stdin=stdin, accept=accept).stdout

    @property
    def door(self) -> tuple[str, ...]:
        """The options that lead every git process into the scratch repository."""
        return ("-c", "safe.directory=*", f"--git-dir={self.path}")

    def _write(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)


def _read_shallow(file: Path) -> frozenset[str]:
    """The commits whose parents were cut off. Raises GitError when the file is there and cannot be read."""
    try:
        return frozenset(file.read_text(encoding="ascii").split())
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as error:
        raise GitError(f"{file}: {error}") from None


def _quoted(path: Path) -> bytes:
    """A path as a line of `info/alternates`, which takes C-style quoting."""
    escaped = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'
