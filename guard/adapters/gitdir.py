"""A repository as the installer sees it: its refs, files at them, configuration, hook folders and remotes.

Unlike the adapter that judges, this one works *with* the user's configuration: it has to find the hook folder that
git will use, and to fetch with the user's credentials.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from guard.core.errors import GitError, UsageError

_LOCAL = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_INTERNAL_SUPER_PREFIX",
)  # fmt: skip
"""Variables that would point git at another repository than the one asked for (git rev-parse --local-env-vars)."""

MAX_FILE = 1 << 20
"""Bytes; a policy or key file beyond this is not read."""


class GitDir:
    """One repository: `path` may be any folder in it. Raises UsageError where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise UsageError(f"{path} is no folder", fix="name a git repository")
        done = self._git("rev-parse", "--absolute-git-dir", accept=(0, 128))
        if done.returncode:
            raise UsageError(f"{path} is no git repository: {_words(done)}", fix="name a git repository")
        self.git_dir = _path(done)
        self.common_dir = self._rev_path("--git-common-dir")

    @property
    def bare(self) -> bool:
        return self._git("rev-parse", "--is-bare-repository").stdout.strip() == b"true"

    def refs(self, prefix: str) -> dict[str, str]:
        """Ref name → object name of all refs under `prefix` (which ends with a slash), symbolic ones left out."""
        form = "--format=%(refname)%00%(objectname)%00%(symref)"
        lines = os.fsdecode(self._git("for-each-ref", form, prefix).stdout).splitlines()
        split = (line.split("\0") for line in lines)
        return {name: oid for name, oid, symbolic in split if not symbolic}

    def aliases(self, prefix: str) -> dict[str, str]:
        """Symbolic ref → the ref that it leads to in the end, of those under `prefix`. A push to the one moves the
        other."""
        form = "--format=%(refname)%00%(symref)"
        lines = os.fsdecode(self._git("for-each-ref", form, prefix).stdout).splitlines()
        pairs = (line.partition("\0") for line in lines)
        return {name: target for name, _, target in pairs if target}

    def files(self, commits: Iterable[str], path: str) -> dict[str, bytes | None]:
        """The file at `path` in each commit's tree; None for one too big to be read; commits without it are not in
        it. Two git processes, however many commits there are."""
        asked = sorted(set(commits))
        form = "--batch-check=%(objecttype) %(objectsize) %(objectname)"
        said = self._git(
            "cat-file", form, stdin=_lines(f"{commit}:{path}" for commit in asked)
        ).stdout.splitlines()
        if len(said) != len(asked):
            raise GitError("git cat-file gave another number of answers than it was asked for")
        blobs = {
            c: line.decode("ascii").split()
            for c, line in zip(asked, said, strict=True)
            if line[:5] == b"blob "
        }
        small = {oid for _, size, oid in blobs.values() if int(size) <= MAX_FILE}
        contents = self._blobs(sorted(small))
        return {commit: contents.get(oid) for commit, (_, _, oid) in blobs.items()}

    def _blobs(self, oids: list[str]) -> dict[str, bytes]:
        output = self._git("cat-file", "--batch", stdin=_lines(oids)).stdout
        found, at = {}, 0
        for oid in oids:
            head, _, _ = output[at : at + 200].partition(b"\n")
            size = int(head.split()[2])
            start = at + len(head) + 1
            found[oid] = output[start : start + size]
            at = start + size + 1
        return found

    def symbolic(self, name: str) -> str | None:
        """What a symbolic ref points to, or None."""
        done = self._git("symbolic-ref", "-q", name, accept=(0, 1, 128))
        return os.fsdecode(done.stdout).strip() or None

    def default_branch(self, remote: str) -> str | None:
        """The remote's default branch as this clone knows it, else as the remote says, else None."""
        known = self.symbolic(f"refs/remotes/{remote}/HEAD")
        if known:
            return known.removeprefix(f"refs/remotes/{remote}/")
        said = self._git("ls-remote", "--symref", "--", remote, "HEAD", accept=(0, 128))
        for line in os.fsdecode(said.stdout).splitlines():
            if line.startswith("ref: refs/heads/"):
                return line.removeprefix("ref: refs/heads/").partition("\t")[0]
        return None

    def remote_urls(self, remote: str) -> tuple[str, ...]:
        """The URLs that git would fetch from and push to. Raises UsageError when there is no such remote."""
        done = self._git("remote", "get-url", "--all", "--", remote, accept=(0, 1, 2, 128))
        if done.returncode:
            raise UsageError(f"there is no remote {remote!r} here", fix="name the guarded one: --remote NAME")
        push = self._git("remote", "get-url", "--push", "--all", "--", remote)
        return tuple(dict.fromkeys(os.fsdecode(done.stdout + push.stdout).splitlines()))

    def fetch_blob(self, remote: str, ref: str) -> bytes | None:
        """The blob behind a ref of the remote; None where it has no such ref. Raises GitError."""
        oid = os.fsdecode(self._git("ls-remote", "--", remote, ref).stdout).partition("\t")[0]
        if not oid:
            return None
        self._git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", remote, ref)
        return self._git("cat-file", "blob", oid).stdout

    def publish_blob(self, ref: str, content: bytes) -> None:
        """Make the ref a blob with this content."""
        oid = self._git("hash-object", "-w", "--stdin", stdin=content).stdout.decode().strip()
        self._git("update-ref", ref, oid)

    def set_config(self, name: str, value: str) -> None:
        """Set a value in the repository's own configuration."""
        self._git("config", "--local", name, value)

    def blobs(self, refs: Iterable[str], path: str) -> dict[str, str]:
        """Ref → name of the blob at `path` in it; "" where there is none. One git process."""
        asked = list(refs)
        said = self._git(
            "cat-file", "--batch-check=%(objectname)", stdin=_lines(f"{r}:{path}" for r in asked)
        )
        oids = [line.decode("ascii", "replace") for line in said.stdout.splitlines()]
        if len(oids) != len(asked):
            raise GitError("git cat-file gave another number of answers than it was asked for")
        return {ref: "" if " " in oid else oid for ref, oid in zip(asked, oids, strict=True)}

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether the commit is the other one, or is contained in it; False where one of them is not there."""
        done = self._git("merge-base", "--is-ancestor", commit, of, accept=(0, 1, 128))
        return done.returncode == 0

    def config(self, pattern: str) -> tuple[tuple[str, str, str], ...]:
        """(scope, name, value) of all settings whose name matches, in git's own order: the last one counts."""
        done = self._git("config", "--show-scope", "-z", "--get-regexp", pattern, accept=(0, 1))
        words = os.fsdecode(done.stdout).split("\0")
        found = []
        for scope, setting in zip(words[0::2], words[1::2], strict=False):
            name, _, value = setting.partition("\n")
            found.append((scope, name, value))
        return tuple(found)

    def replace_config(self, name: str, value: str | None) -> None:
        """Set a value in the repository's own configuration in place of any that are there; None takes it away."""
        if value is None:
            self._git("config", "--local", "--unset-all", name, accept=(0, 5))
        else:
            self._git("config", "--local", "--replace-all", name, value)

    def work_trees(self) -> tuple[Path, ...]:
        """The folders of all work trees that are there, linked ones too; () of a bare repository without any."""
        listed = os.fsdecode(self._git("worktree", "list", "--porcelain", "-z").stdout)
        entries = [entry.split("\0") for entry in listed.split("\0\0") if entry]
        paths = [Path(e[0].removeprefix("worktree ")) for e in entries if "bare" not in e]
        return tuple(path for path in paths if path.is_dir())

    def hook_folders(self) -> tuple[Path, ...]:
        """The folders that git runs hooks from: one, or with a relative core.hooksPath one for each work tree."""
        places = (self.path, *self.work_trees())
        found = [
            _path(_run(place, "rev-parse", "--path-format=absolute", "--git-path", "hooks"))
            for place in places
        ]
        return tuple(dict.fromkeys(found))

    def owns(self, folder: Path) -> bool:
        """Whether a hook folder belongs to this repository alone, not to all of the user's."""
        homes = (self.common_dir, *self.work_trees())
        real = folder.resolve()
        return any(real.is_relative_to(home.resolve()) for home in homes)

    def _rev_path(self, what: str) -> Path:
        return _path(self._git("rev-parse", "--path-format=absolute", what))

    def _git(
        self, *arguments: str, stdin: bytes = b"", accept: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[bytes]:
        return _run(self.path, *arguments, stdin=stdin, accept=accept)


def git_version() -> tuple[int, int]:
    """(2, 39) of git 2.39.5. Raises GitError where git does not run or says something else."""
    said = os.fsdecode(_run(Path("/"), "--version").stdout)
    parts = said.split()[2].split(".")[:2] if len(said.split()) > 2 else []
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise GitError(f"git says {said[:100]!r} of its version", fix="install git 2.39 or newer")
    return int(parts[0]), int(parts[1])


def set_everywhere(scope: str, name: str, value: str | None) -> None:
    """Set a value in the user's (`--global`) or the machine's (`--system`) configuration; None takes it away."""
    words = ("--unset-all", name) if value is None else ("--replace-all", name, value)
    _run(Path("/"), "config", scope, *words, accept=(0, 5))


def _run(
    place: Path, *arguments: str, stdin: bytes = b"", accept: tuple[int, ...] = (0,)
) -> subprocess.CompletedProcess[bytes]:
    # Whoever may push anything may push refs/replace/*: the policy that is compiled has to be the one that is there.
    env = {**_outside_environment(), "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=place,
            env=env,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=120,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(
            f"git {arguments[0]}: {error}", fix="install git 2.39 or newer, or try again"
        ) from None
    if done.returncode not in accept:
        raise GitError(f"git {arguments[0]}: {_words(done)}", fix="mend what git says, then try again")
    return done


def _outside_environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _LOCAL}


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode("utf-8", "replace").strip()[:500] or "no reason given"


def _path(done: subprocess.CompletedProcess[bytes]) -> Path:
    return Path(os.fsdecode(done.stdout.removesuffix(b"\n")))


def _lines(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
