"""Reading objects by their full names through one long-lived `git cat-file`, and what commits and trees hold."""

from __future__ import annotations

import codecs
import hashlib
import re
import subprocess
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import IO

from guard.adapters.git_pack import framed
from guard.adapters.git_process import TIMEOUT, Scratch, environment
from guard.core.errors import GitError
from guard.core.model import Commit

OBJECT_NAME = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
MAX_OBJECT = 64 * 1024 * 1024
"""Bytes of the largest object that is read; nothing that the guard judges is near it."""
_WINDOW = 400
"""Questions under way at once: few enough that neither pipe can fill up with the other side not reading."""

KEPT_TREES = 64

REGULAR_MODES = frozenset({b"100644", b"100755", b"100664"})
TREE_MODE = b"40000"


@dataclass(frozen=True, slots=True)
class RawCommit:
    """One commit object. `message` is decoded by its declared encoding; what does not decode is replaced."""

    name: Commit
    tree: str
    parents: tuple[Commit, ...]
    author: str
    committer: str
    message: str

    @property
    def subject(self) -> str:
        return self.message.lstrip("\n").split("\n", 1)[0].strip()


@dataclass(frozen=True, slots=True)
class TreeEntry:
    mode: bytes
    path: bytes
    name: str


class Objects:
    """The objects of one scratch repository. Safe to use from several threads; close it when done."""

    def __init__(self, scratch: Scratch, object_format: str) -> None:
        self._scratch = scratch
        self._format = object_format
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self._trees: dict[str, tuple[TreeEntry, ...]] = {}

    @property
    def empty_tree(self) -> str:
        return self._hash("tree", b"")

    def get(self, name: str, kind: str) -> bytes:
        """The bytes of an object of this kind. Raises GitError when it is missing, another kind or too large."""
        return next(iter(self.many([name], kind)))

    def many(self, names: Sequence[str], kind: str) -> Iterator[bytes]:
        """Like `get`, for many names in order."""
        for name in names:
            if not OBJECT_NAME.fullmatch(name):
                raise GitError(f"{name[:80]!r} is no object name")
        pending = iter(names)
        while window := list(islice(pending, _WINDOW)):
            with self._asking("contents", window):
                answers = [self._answer(name, kind) for name in window]
            yield from answers

    def commits(self, names: Sequence[str]) -> Iterator[RawCommit]:
        for name, content in zip(names, self.many(names, "commit"), strict=True):
            yield parse_commit(Commit(name), content)

    def kinds(self, names: Iterable[str]) -> dict[str, tuple[str, str]]:
        """name or abbreviation → (full name, kind), where kind is also `missing` or `ambiguous`."""
        pending = iter(dict.fromkeys(names))
        found: dict[str, tuple[str, str]] = {}
        while window := list(islice(pending, _WINDOW)):
            with self._asking("info", window):
                for name in window:
                    words = self._line().split()
                    known = len(words) > 1
                    found[name] = (words[0], words[1]) if known else (name, "missing")
        return found

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """full name → bytes of the object; what is missing is not in it."""
        pending = iter(dict.fromkeys(names))
        found: dict[str, int] = {}
        while window := list(islice(pending, _WINDOW)):
            with self._asking("info", window):
                rows = [self._line().split() for _ in window]
            found |= {words[0]: int(words[2]) for words in rows if len(words) == 3}
        return found

    def tree(self, name: str) -> tuple[TreeEntry, ...]:
        """The entries of a tree. Those that were asked for last are kept: a name stands for the same bytes for ever,
        and looking for fifty files of one folder would ask for its tree fifty times."""
        known = self._trees.get(name)
        if known is None:
            size = 20 if self._format == "sha1" else 32
            known = tuple(parse_tree(self.get(name, "tree"), digest_size=size))
            if len(self._trees) >= KEPT_TREES:
                self._trees.clear()
            self._trees[name] = known
        return known

    def add(self, kind: str, content: bytes) -> str:
        """Make an object of the scratch repository; its name. Raises GitError."""
        name = self._scratch.add(kind, content)
        self._scratch.write_added()
        return name

    def close(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                _stop(process)

    def _hash(self, kind: str, content: bytes) -> str:
        return hashlib.new(self._format, framed(kind, content), usedforsecurity=False).hexdigest()

    @contextmanager
    def _asking(self, verb: str, names: Sequence[str]) -> Iterator[None]:
        """Ask about a window of names and have the answers read; a process that does not answer in time is killed."""
        with self._lock:
            pipe, _, process = self._pipes()
            timer = threading.Timer(TIMEOUT, process.kill)
            timer.daemon = True
            timer.start()
            try:
                # Without --buffer and `flush`, git writes each answer by itself.
                pipe.write("".join([*(f"{verb} {name}\n" for name in names), "flush\n"]).encode("ascii"))
                pipe.flush()
                yield
            except OSError:
                self._broken()
            finally:
                timer.cancel()

    def _answer(self, name: str, kind: str) -> bytes:
        words = self._line().split()
        if len(words) != 3:
            self.close()
            raise GitError(
                f"object {name} is missing from this repository",
                fix="fetch what is missing: git fetch --refetch (a partial clone has not everything)",
                code="git.missing-object",
            )
        size = int(words[2])
        if words[1] != kind or size > MAX_OBJECT:
            self.close()
            wrong = f"is a {words[1]}, not a {kind}" if words[1] != kind else f"is too large ({size} bytes)"
            raise GitError(f"object {name} {wrong}", code="git.object")
        content = self._pipes()[1].read(size + 1)
        if len(content) != size + 1:
            self._broken()
        return content[:-1]

    def _line(self) -> str:
        line = self._pipes()[1].readline()
        if not line.endswith(b"\n"):
            self._broken()
        return line.decode("ascii", "replace")

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], subprocess.Popen[bytes]]:
        if self._process is None:
            command = ["git", *self._scratch.door, "cat-file", "--batch-command", "--buffer"]
            try:
                self._process = subprocess.Popen(
                    command,
                    cwd=self._scratch.path,
                    env=environment(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                raise GitError(f"git cannot be run: {error}", code="git.unusable") from None
            weakref.finalize(self, _stop, self._process)
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise GitError("git cat-file has no pipes")
        return process.stdin, process.stdout, process

    def _broken(self) -> None:
        self.close()
        raise GitError("git cat-file stopped without an answer", fix="check the repository: git fsck")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it and close its pipes, also when whoever opened the repository forgot to."""
    if process.returncode is None:
        process.kill()
        process.communicate()


def parse_shape(name: str, content: bytes) -> tuple[str, tuple[Commit, ...]]:
    """The tree and the parents of a commit object. Raises GitError when the bytes are not those of a commit.

    Read as git does: the tree is the first line, and the parents are those that follow it.
    """
    head, _, _ = content.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    parents = (line[7:] for line in takewhile(lambda line: line.startswith(b"parent "), lines))
    words = (first[5:] if first.startswith(b"tree ") else b"", *parents)
    names = [word.decode("ascii", "replace") for word in words]
    if not all(OBJECT_NAME.fullmatch(word) for word in names):
        raise GitError(f"commit {name} is malformed", code="git.object", fix="check the repository: git fsck")
    return names[0], tuple(map(Commit, names[1:]))


def parse_commit(name: Commit, content: bytes) -> RawCommit:
    """A commit object's bytes. Raises GitError when they are not those of a commit."""
    tree, parents = parse_shape(name, content)
    head, _, body = content.partition(b"\n\n")
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        fields.setdefault(key, value)
    encoding = fields.get(b"encoding", b"utf-8").decode("ascii", "replace")
    return RawCommit(
        name=name,
        tree=tree,
        parents=parents,
        author=_decoded(fields.get(b"author", b""), encoding),
        committer=_decoded(fields.get(b"committer", b""), encoding),
        message=_decoded(body, encoding).replace("\r\n", "\n"),
    )


_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape"})
"""Codecs of Python that nobody writes text in; some take a time that grows with the square of the text."""


def _decoded(text: bytes, encoding: str) -> str:
    """Text by its declared encoding, else UTF-8; without lone surrogates, which no output can hold."""
    try:
        if codecs.lookup(encoding).name in _NO_CHARSETS:
            encoding = "utf-8"
        found = text.decode(encoding, "replace")
    except (LookupError, UnicodeError, ValueError):
        found = text.decode("utf-8", "replace")
    return found.encode("utf-8", "replace").decode("utf-8")


def parse_tree(content: bytes, *, digest_size: int) -> Iterator[TreeEntry]:
    """A tree object's entries. Raises GitError when the bytes are not those of a tree."""
    position = 0
    while position < len(content):
        space = content.find(b" ", position)
        end = content.find(b"\0", space)
        stop = end + 1 + digest_size
        if space < 0 or end < 0 or stop > len(content):
            raise GitError(
                "a tree object is malformed", code="git.object", fix="check the repository: git fsck"
            )
        yield TreeEntry(content[position:space], content[space + 1 : end], content[end + 1 : stop].hex())
        position = stop
