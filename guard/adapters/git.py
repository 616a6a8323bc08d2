"""The port `Git` on a repository on disk: names, trees, files, ancestry, people and lineage. Read only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from guard.adapters.ancestry import reaches
from guard.adapters.git_objects import OBJECT_NAME, REGULAR_MODES, TREE_MODE, Objects, RawCommit, TreeEntry
from guard.adapters.git_process import Scratch, find_place, run
from guard.adapters.git_touched import written_by
from guard.adapters.lineage.asked import Asked
from guard.adapters.lineage.gather import gather_lineage
from guard.adapters.lineage.memory import Memory
from guard.adapters.lineage.messages import read_claims
from guard.core.breaking import is_breaking
from guard.core.errors import GitError
from guard.core.facts import Authorship, Bringing, Hand
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Commit

if TYPE_CHECKING:
    from guard.core.notes import Log

_REF_RULES = ("", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/")
"""Where git looks for a short name (gitrevisions), in its order."""
_EXPRESSION = re.compile(r"[\^~:]|@\{")
_MAX_NAME = 1000
_ABBREVIATION = re.compile(r"[0-9a-f]{4,63}")
_CO_AUTHOR = re.compile(r"^co-authored-by:\s*(?P<person>.+)$", re.IGNORECASE | re.MULTILINE)
_EMAIL = re.compile(r"<([^<>]*)>")


class GitRepo:
    """One repository, found from any folder in it: plain, bare, or a linked worktree; SHA-1 or SHA-256.

    Names are resolved in the repository itself; everything about objects is asked in a scratch repository (see
    `guard.adapters.git_process`). Use it as a context manager or call `close`, else it ends with its last use.
    """

    def __init__(self, path: Path | str, *, memory: Memory | None = None) -> None:
        self._memory = memory
        self._place = find_place(Path(path))
        self._scratch = Scratch(self._place)
        self._objects = Objects(self._scratch, self._place.object_format)
        self._roots: dict[Commit, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._objects.close()
        self._scratch.close()

    @property
    def objects(self) -> Objects:
        return self._objects

    @property
    def scratch(self) -> Scratch:
        return self._scratch

    def git_dir(self) -> Path:
        return self._place.git_dir

    def common_dir(self) -> Path:
        """The folder that all worktrees share; `<common dir>/guard/` holds what the guard keeps in a clone."""
        return self._place.common_dir

    def object_format(self) -> str:
        """`sha1` or `sha256`."""
        return self._place.object_format

    def resolve(self, name: str) -> Commit | None:
        """The commit that a ref, object name or expression stands for (tags peeled), or None.

        A short name that fits refs standing on different commits is refused (`ref.ambiguous`), because whoever can
        push a tag named `master` could otherwise choose the upstream.
        """
        stands = self._refuse_unclear([name])
        if name.startswith("refs/") and (found := self._commits(stands.get(name, "").encode())[0]):
            return found
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return self._commits(self._run(*arguments, accept=(0, 1, 128)))[0]

    def resolve_all(self, names: Sequence[str]) -> tuple[Commit | None, ...]:
        """Like `resolve`, for several names by as many git processes as for one."""
        self._refuse_unclear(names)
        out = self._run("rev-parse", "--quiet", *(f"{name}^{{commit}}" for name in names), accept=(0, 1, 128))
        found = self._commits(out)
        if len(found) == len(names) and all(found):
            return found
        return tuple(self.resolve(name) for name in names)

    def _commits(self, out: bytes) -> tuple[Commit | None, ...]:
        """What each line names where that is a commit here; one None for no line at all."""
        lines = out.decode("ascii", "replace").split() or [""]
        kinds = self._objects.kinds(line for line in lines if OBJECT_NAME.fullmatch(line))
        return tuple(Commit(line) if kinds.get(line, ("", ""))[1] == "commit" else None for line in lines)

    def _refuse_unclear(self, names: Sequence[str]) -> Mapping[str, str]:
        """What the refs stand on that these names could mean."""
        for name in names:
            if not name or len(name) > _MAX_NAME or name.startswith("-") or not name.isprintable():
                raise GitError(
                    f"{name[:80]!r} cannot name a commit",
                    code="ref.malformed",
                    fix="name a branch, a tag or a commit",
                )
        shorts = (_EXPRESSION.split(name)[0] for name in names if not OBJECT_NAME.fullmatch(name))
        return self._refuse_ambiguous([short for short in shorts if short and short != "@"])

    def _refuse_ambiguous(self, shorts: Sequence[str]) -> Mapping[str, str]:
        if not shorts:
            return {}
        candidates = {short: _full_names(short) for short in shorts}
        asked = ("for-each-ref", "--format=%(refname)%00%(objectname)%00%(*objectname)", "--")
        out = self._run(*asked, *dict.fromkeys(ref for refs in candidates.values() for ref in refs))
        rows = (line.split("\0") for line in os.fsdecode(out).splitlines())
        stands = {ref: peeled or name for ref, name, peeled in rows}
        for short, refs in candidates.items():
            self._demand_one(short, {ref: stands[ref] for ref in refs if ref in stands})
        return stands

    def _demand_one(self, short: str, found: dict[str, str]) -> None:
        """`found` are the refs that a short name fits and what they stand on."""
        if short.startswith("refs/") and short in found:
            # A full name is looked up first (gitrevisions), so a tag called `refs/heads/release/x` takes nobody's
            # place; refusing here would let whoever can push a tag stop every promotion.
            return
        if _ABBREVIATION.fullmatch(short):
            full, kind = self._objects.kinds([short])[short]
            if kind not in {"missing"}:
                found[f"object {short}"] = full
        if len(set(found.values())) > 1:
            raise GitError(
                f"{short} is ambiguous: {', '.join(sorted(found))}",
                code="ref.ambiguous",
                fix=f"name it in full, such as refs/heads/{short}",
            )

    def refs(self, prefix: str) -> Mapping[str, str]:
        """Full ref name → object name, for all refs below `prefix` (`refs/proposals/`), unpeeled."""
        out = self._run("for-each-ref", "--format=%(refname)%00%(objectname)", "--", prefix.rstrip("/"))
        rows = (line.partition("\0") for line in os.fsdecode(out).splitlines())
        return {ref: name for ref, _, name in rows}

    def remote_url(self, name: str) -> str | None:
        """The first configured URL of a remote, as it is written; None where there is no such remote."""
        out = self._run("config", "--local", "--null", "--get-all", f"remote.{name}.url", accept=(0, 1))
        first = out.split(b"\0")[0]
        return os.fsdecode(first) or None

    def tree_of(self, commit: Commit) -> str:
        """The name of the commit's tree. Raises GitError when there is no such commit."""
        if commit not in self._roots:
            self._roots[commit] = self.commit(commit).tree
        return self._roots[commit]

    def commit(self, commit: Commit) -> RawCommit:
        return next(self._objects.commits([commit]))

    def descends(self, commit: Commit, ancestor: Commit) -> bool:
        """Whether `ancestor` is `commit` or one of its ancestors. Raises GitError where a shallow history hides it."""
        _demand_names(commit, ancestor)
        if reaches(self._scratch, commit, ancestor):
            return True
        if self._scratch.shallow:
            self.demand_complete(self.range(ancestor, commit))
        return False

    def merge_base(self, one: Commit, other: Commit) -> Commit | None:
        """A best common ancestor; None where there is none. Raises GitError where a shallow history hides it."""
        _demand_names(one, other)
        found = self._scratch.run("merge-base", one, other, accept=(0, 1)).decode("ascii").split()
        if not found and self._scratch.shallow:
            self.demand_complete(map(Commit, self._scratch.shallow))
        return Commit(found[0]) if found else None

    def range(self, target: Commit, head: Commit) -> tuple[Commit, ...]:
        """The commits of `target..head`, parents before children."""
        _demand_names(target, head)
        out = self._scratch.run("rev-list", "--topo-order", "--reverse", head, f"^{target}", "--")
        return tuple(Commit(line) for line in out.decode("ascii").split())

    def demand_complete(self, commits: Iterable[Commit]) -> None:
        """Raise GitError when the history of any of these commits was cut off by a shallow clone."""
        if self._scratch.shallow and not self._scratch.shallow.isdisjoint(commits):
            raise GitError(
                "the history is shallow: it ends before everything that matters was seen",
                code="git.shallow",
                fix="git fetch --unshallow",
            )

    def read(self, commit: Commit, path: str) -> bytes | None:
        """The bytes of the regular file at `path`; None for a folder, symlink, submodule or nothing at all."""
        name = self.blob(commit, path)
        return None if name is None else self._objects.get(name, "blob")

    def blob(self, commit: Commit, path: str) -> str | None:
        """The object name of the regular file at `path`; None for whatever else is there, or nothing at all."""
        entry = self._entry(commit, path)
        return entry.name if entry is not None and entry.mode in REGULAR_MODES else None

    def list(self, commit: Commit, folder: str) -> tuple[str, ...]:
        """The paths of all regular files below `folder` ("" for the whole tree), sorted by their bytes."""
        return tuple(self.blobs(commit, folder))

    def blobs(self, commit: Commit, folder: str) -> Mapping[str, str]:
        """Like `list`, with the object name of each file."""
        entry = self._entry(commit, folder) if folder else TreeEntry(TREE_MODE, b"", self.tree_of(commit))
        if entry is None or entry.mode != TREE_MODE:
            return {}
        out = self._scratch.run("ls-tree", "-r", "-z", "--full-tree", entry.name)
        prefix = os.fsencode(folder.rstrip("/")) + b"/" if folder else b""
        rows = ((row.partition(b"\t")) for row in out.split(b"\0") if row)
        listed = ((info.split(b" "), path) for info, _, path in rows)
        return {
            os.fsdecode(prefix + path): info[2].decode("ascii")
            for info, path in listed
            if info[0] in REGULAR_MODES
        }

    def contents(self, names: Sequence[str], *, limit: int) -> tuple[bytes, ...]:
        """The bytes behind these object names, asked together. Raises GitError for one that is too large."""
        sizes = self._objects.sizes(names)
        large = next((size for name in names if (size := sizes.get(name, 0)) > limit), None)
        if large is not None:
            raise GitError(f"a file has {large} bytes; at most {limit} are read", code="git.too-large")
        return tuple(self._objects.many(names, "blob"))

    def changed(self, old: Commit, new: Commit) -> tuple[str, ...]:
        """Every path at which the two trees differ; without rename detection both sides of one are among them."""
        _demand_names(old, new)
        out = self._scratch.run("diff-tree", "-r", "-z", "--no-renames", "--name-only", old, new, "--")
        return tuple(os.fsdecode(path) for path in out.split(b"\0") if path)

    def bringing(self, old: Commit, new: Commit, *, limit: int) -> tuple[tuple[Bringing, ...], int]:
        """The newest `limit` commits of `old..new`, then the older ones that say they break something; and how many
        commits there are in all."""
        names = self.range(old, new)
        read = self._objects.commits(list(reversed(names)))
        found = (Bringing(one.name, one.subject, is_breaking(one.message)) for one in read)
        return tuple(one for at, one in enumerate(found) if at < limit or one.breaking), len(names)

    def written_by(self, commit: Commit, files: Mapping[str, str]) -> Mapping[str, bytes]:
        """path → the commit object that last touched it and left it as the object that `files` names."""
        _demand_names(commit)
        self._demand_whole_history(commit)
        return written_by(self._scratch, self._objects, commit, files)

    def log(self, since: Commit, head: Commit) -> Log:
        """The commits of `since..head` with their messages, oldest first."""
        from guard.adapters.git_log import read_log  # what most commands have no use for

        commits = self.range(since, head)
        self.demand_complete(commits)
        return read_log(self._scratch, self._objects, since, commits)

    def _demand_whole_history(self, commit: Commit) -> None:
        if self._scratch.shallow:
            out = self._scratch.run("rev-list", commit, "--")
            self.demand_complete(map(Commit, out.decode("ascii").split()))

    def _entry(self, commit: Commit, path: str) -> TreeEntry | None:
        """Where a path leads in the commit's tree, folder by folder; symlinks are never followed."""
        parts = os.fsencode(path.rstrip("/")).split(b"/")
        if any(part in {b"", b".", b".."} for part in parts):
            return None
        found: TreeEntry | None = TreeEntry(TREE_MODE, b"", self.tree_of(commit))
        for part in parts:
            if found is None or found.mode != TREE_MODE:
                return None
            found = next((entry for entry in self._objects.tree(found.name) if entry.path == part), None)
        return found

    def authorship(self, target: Commit, head: Commit, *, origins: Iterable[Commit] = ()) -> Authorship:
        """Who made `target..head`, by their addresses.

        Who wrote the commit that another was picked from has a hand in it too: the authors and co-authors of
        `origins`, and of what the `-x` lines of the messages name, are its original authors.
        """
        commits = self.range(target, head)
        self.demand_complete(commits)
        hands: dict[tuple[str, str], Commit] = {}
        named: dict[str, None] = {}
        for name, commit in zip(commits, self._objects.commits(commits), strict=True):
            _note(
                hands,
                name,
                committer=(commit.committer,),
                author=(commit.author,),
                co_author=_co_authors(commit),
            )
            named |= dict.fromkeys(read_claims(commit.message).picked_from)
        picked = self._origins(named, origins)
        for name, commit in zip(picked, self._objects.commits(picked), strict=True):
            _note(hands, name, original_author=(commit.author, *_co_authors(commit)))
        found = (Hand(kind, address, name) for (kind, address), name in hands.items())
        return Authorship(commits, tuple(sorted(found, key=lambda one: (one.kind, one.address))))

    def kept(self, approved: Commit, head: Commit, *, target: Commit) -> str:
        """`re-pick`, `target-merge` or "". Raises GitError."""
        from guard.adapters.lineage.kept import (
            what_keeps,
        )  # asked only where a head was approved before this one

        _demand_names(approved, head, target)
        if self._objects.kinds([approved])[approved][1] != "commit":
            return ""
        return what_keeps(
            self._scratch, self._objects, approved=approved, head=head, target=target, memory=self._memory
        )

    def _origins(self, named: Iterable[str], known: Iterable[Commit]) -> Sequence[Commit]:
        """The known commits, and those that the names stand for where they are here."""
        found = self._objects.kinds(sorted(named)).values()
        return tuple(dict.fromkeys([*known, *(Commit(name) for name, kind in found if kind == "commit")]))

    def lineage(
        self,
        upstream: Commit,
        target: Commit,
        head: Commit,
        *,
        upstream_name: str,
        trailers: tuple[str, ...] = ("Change-Id",),
        details: bool = True,
    ) -> LineageFacts:
        """What links each commit of `target..head` to upstream, and what replaying it shows. Raises GitError.

        `trailers` are the keys whose values link commits; without `details` the differences are left out.
        """
        _demand_names(upstream, target, head)
        asked = Asked(upstream, target, head, upstream_name, trailers, details)
        return gather_lineage(self._scratch, self._objects, asked, memory=self._memory)

    def _run(self, *arguments: str, accept: tuple[int, ...] = (0,)) -> bytes:
        """git in the judged repository, for refs and remote URLs alone."""
        door = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", f"--git-dir={self._place.git_dir}")
        return run((*door, *arguments), cwd=self._place.git_dir, accept=accept).stdout


def _full_names(short: str) -> list[str]:
    """The refs that a short name can mean."""
    return [f"{rule}{short}" for rule in _REF_RULES if f"{rule}{short}".startswith("refs/")]


def _demand_names(*names: str) -> None:
    for name in names:
        if not OBJECT_NAME.fullmatch(name):
            raise GitError(f"{name[:80]!r} is no object name", code="ref.malformed")


def _note(hands: dict[tuple[str, str], Commit], commit: Commit, **people: Iterable[str]) -> None:
    """Each address with each kind once, at the first commit that bears it."""
    for kind, found in people.items():
        for address in (address for person in found for address in _emails(person)):
            hands.setdefault((kind.replace("_", "-"), address), commit)


def _co_authors(commit: RawCommit) -> list[str]:
    return [match["person"] for match in _CO_AUTHOR.finditer(commit.message)]


def _emails(person: str) -> set[str]:
    match = _EMAIL.search(person)
    address = (match[1] if match else person).strip().lower()
    return {address} if address else set()
