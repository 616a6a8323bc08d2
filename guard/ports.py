"""What the journeys need of the world; adapters give it. A port that reads says Unknown instead of "none"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from guard.core.facts import (
    Approval,
    Authorship,
    Bringing,
    Hand,
    Incident,
    Job,
    Objection,
    Proposal,
    Reaction,
    SignOff,
    Submission,
    Waiver,
)
from guard.core.lineage_facts import LineageFacts
from guard.core.model import Commit, Fact

if TYPE_CHECKING:
    from guard.core.forge_facts import Comment, CommitStatus, ForgeIssue, Protection, Speaker
    from guard.core.notes import Log


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class Git(Protocol):
    """One repository, read only, unmoved by any user's or repository's configuration.

    Raises GitError when git cannot answer; a ref or path that is surely not there is None, never an error.
    """

    def resolve(self, name: str) -> Commit | None:
        """The commit that a ref, object name or expression stands for (tags peeled), or None."""
        ...

    def tree_of(self, commit: Commit) -> str: ...

    def descends(self, commit: Commit, ancestor: Commit) -> bool:
        """Whether `ancestor` is `commit` or one of its ancestors."""
        ...

    def merge_base(self, one: Commit, other: Commit) -> Commit | None:
        """The newest commit that both have; None where they have nothing in common."""
        ...

    def read(self, commit: Commit, path: str) -> bytes | None:
        """The bytes of the regular file at `path` in the commit's tree; None where there is no regular file."""
        ...

    def list(self, commit: Commit, folder: str) -> tuple[str, ...]:
        """The paths of all regular files below `folder`, sorted; () where there is no such folder."""
        ...

    def blobs(self, commit: Commit, folder: str) -> Mapping[str, str]:
        """Like `list`, with the object name of each file: two paths with the same name hold the same bytes."""
        ...

    def blob(self, commit: Commit, path: str) -> str | None:
        """The object name of the regular file at `path`; None where there is no regular file."""
        ...

    def contents(self, names: Sequence[str], *, limit: int) -> tuple[bytes, ...]:
        """The bytes behind these object names, in their order, asked together. Raises GitError for one that is
        missing, no file, or has more than `limit` bytes."""
        ...

    def authorship(self, target: Commit, head: Commit, *, origins: Iterable[Commit] = ()) -> Authorship:
        """The commits of `target..head` and every hand in them, with the original authors of what they were picked
        from: `origins`, and what their messages name."""
        ...

    def changed(self, old: Commit, new: Commit) -> tuple[str, ...]:
        """Every path at which the two trees differ, both sides of a rename, sorted."""
        ...

    def log(self, since: Commit, head: Commit) -> Log:
        """The commits of `since..head` with what their messages say and name, oldest first."""
        ...

    def written_by(self, commit: Commit, files: Mapping[str, str]) -> Mapping[str, bytes]:
        """path → the commit object, in bytes, that last touched the path in the history of `commit` and left it as
        the object that `files` names. Where several lines of history wrote the same bytes it is one of them."""
        ...

    def kept(self, approved: Commit, head: Commit, *, target: Commit) -> str:
        """What lies between two heads proposed one after the other: `re-pick` where `head` has exactly the commits
        of `approved`, each picked again without a hand; `target-merge` where it only adds clean merges of the
        target; "" for everything else, and where the older head is not here any more."""
        ...

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
        """What links each commit of `target..head` to upstream. `trailers` are the keys whose values link commits;
        without `details` it is not shown how commits differ from what they are linked to."""
        ...


class History(Git, Protocol):
    """A repository whose commits can be told one by one."""

    def bringing(self, old: Commit, new: Commit, *, limit: int) -> tuple[tuple[Bringing, ...], int]:
        """The newest `limit` commits of `old..new`, then the older ones that say they break something; and how many
        commits there are in all."""
        ...


class Forge(Protocol):
    """What only a forge knows. A failed read is Unknown; an incomplete list is Unknown too, never a shorter one."""

    def head(self, branch: str) -> Fact[Commit | None]:
        """Where the branch stands on the forge now; Known(None) when there is surely no such branch."""
        ...

    def proposals(self, target: str) -> Fact[tuple[Proposal, ...]]:
        """The open proposals into the branch. One too many is the safe error."""
        ...

    def approvals(self, proposal: Proposal) -> Fact[tuple[Approval, ...]]:
        """The standing approvals, each with the commit it was given on. One too few is the safe error."""
        ...

    def objections(self, proposal: Proposal) -> Fact[tuple[Objection, ...]]:
        """Who asked for changes and did not withdraw that. One too many is the safe error."""
        ...

    def accounts(self, proposal: Proposal, hands: tuple[Hand, ...]) -> Fact[Mapping[Hand, frozenset[str]]]:
        """Each hand's accounts by their names, none where it surely is nobody's here; a hand of which the forge cannot
        tell is left out. One name too many is the safe error."""
        ...

    def pushers(self, proposal: Proposal, commits: tuple[Commit, ...]) -> Fact[frozenset[str]]:
        """Who pushed any of these commits, the head among them, to the proposal's branch. Unknown where it is not
        known who pushed the head. One too many is the safe error."""
        ...

    def movers(self, branch: str, head: Commit) -> Fact[frozenset[str]]:
        """Who moved the branch to this commit, as far as the forge remembers; nobody where it does not. One name too
        many is the safe error."""
        ...

    def members(self, names: tuple[str, ...], *, inherited: bool = False) -> Fact[frozenset[str]]:
        """The people behind user names and `@groups`, now, with those of the groups within; with `inherited`, those
        of the groups above too. One too few is the safe error."""
        ...

    def incidents(
        self, labels: tuple[str, ...], *, closers: Fact[frozenset[str]]
    ) -> Fact[tuple[Incident, ...]]:
        """The open incidents with any of the labels. Where the forge knows who closed one, only a closing by one
        of `closers` counts. One too many is the safe error."""
        ...

    def jobs(self, commit: Commit) -> Fact[tuple[Job, ...]]:
        """Every run of every CI job on exactly this commit, retried ones too. A status that somebody posted is no
        job. A green one too few is the safe error."""
        ...

    def labeller(self, proposal: Proposal, label: str) -> Fact[str | None]:
        """Who put the label on the proposal that bears it now; Known(None) when it surely does not bear it."""
        ...


class Voice(Protocol):
    """What the guard says on a forge, and what it has to see to say each thing once. Raises ForgeError."""

    def me(self) -> str:
        """The guard's own name on the forge, as `Comment.author` and as pushers and mergers name it."""
        ...

    def status(self, commit: Commit, context: str) -> CommitStatus | None:
        """The newest status of this context that the guard itself posted on the commit, or None."""
        ...

    def standing_status(self, commit: Commit, context: str) -> CommitStatus | None:
        """The newest status of this context on the commit, whoever posted it (`by`), or None."""
        ...

    def post_status(self, commit: Commit, status: CommitStatus) -> None: ...

    def comments(self, proposal: Proposal) -> tuple[Comment, ...]:
        """All comments, oldest first; never a shorter list than there is."""
        ...

    def add_comment(self, proposal: Proposal, body: str) -> Comment: ...

    def edit_comment(self, proposal: Proposal, comment: Comment, body: str) -> None: ...

    def speaker(self, comment: Comment) -> Speaker:
        """The account behind the comment, asked now. "No person" and "may not write" are the safe errors."""
        ...

    def react(self, proposal: Proposal, comment: Comment, reaction: Reaction) -> None:
        """Put it below the comment; where it is there already, nothing happens."""
        ...

    def own_issues(self) -> tuple[ForgeIssue, ...]:
        """The issues that the guard opened, open and closed, newest first; never a shorter list than there is."""
        ...

    def open_issue(self, title: str, body: str) -> ForgeIssue: ...

    def edit_issue(self, id: str, *, body: str, is_open: bool) -> None: ...

    def protection(self, branch: str) -> Fact[Protection | None]:
        """How the branch is protected; Known(None) when it surely is not."""
        ...

    def protect(self, branch: str, *, force_push: bool = False) -> None:
        """Have nobody but the guard push to the branch and merge into it, and nobody delete it; by force at most the
        guard (`force_push`). What is demanded of a merge otherwise stays. Raises ForgeError where that cannot be."""
        ...


class Chat(Protocol):
    """A room where people are told what waits for them."""

    def say(self, text: str) -> None:
        """Post one line. Raises GuardError."""
        ...


class Records(Protocol):
    """What people and tools put on record: sign-offs and submitted reports."""

    def signoffs(self, gate: str) -> Fact[tuple[SignOff, ...]]: ...

    def submissions(self, source: str) -> Fact[tuple[Submission, ...]]:
        """All submissions under this source name, newest receipt last."""
        ...

    def waivers(self, target: str) -> Fact[tuple[Waiver, ...]]:
        """The waivers asked for on the branch and not taken back. One too few is the safe error."""
        ...

    def report(self, submission: Submission) -> Fact[bytes]:
        """The report's bytes, checked against the submission's digest."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger. `hash` is `sha256:…` over the canonical JSON of all other fields."""

    repository: str
    seq: int
    at: str
    kind: str
    body: Mapping[str, object]
    once: str | None
    prev: str
    hash: str


class Ledger(Protocol):
    """Append-only and hash-chained, one chain per repository."""

    def append(
        self,
        kind: str,
        body: Mapping[str, object],
        *,
        at: datetime,
        once: str | None = None,
        parts: Iterable[bytes] = (),
    ) -> Entry:
        """Add an entry, durable when this returns, with the `parts` that its body names by digest: all of it or
        nothing. An entry with the same `once` is there already: that one is returned and nothing is added, so that
        doing a thing twice records it once. Raises LedgerError."""
        ...

    def part(self, digest: str) -> bytes | None:
        """The bytes behind a digest that an entry names; None where they are not kept. Raises LedgerError."""
        ...

    def find(self, once: str) -> Entry | None: ...

    def entries(self, *kinds: str, newest_first: bool = False) -> Iterator[Entry]:
        """All entries, or those of these kinds, in order."""
        ...

    def verify(self) -> int:
        """How many entries were checked. Raises LedgerError naming the first that does not add up."""
        ...

    def branch_lock(self, ref: str) -> AbstractContextManager[None]:
        """Held by at most one process at a time; freed by the system when its holder dies. Raises Refused when
        somebody else holds it."""
        ...


class Signer(Protocol):
    """A person's SSH key, wherever it is kept."""

    def sign(self, message: bytes) -> bytes:
        """The armored SSH signature for the guard's namespace. Raises GuardError when the key cannot be used."""
        ...


class Outbox(Protocol):
    """How a clone sends statements to its remote, touching neither index nor work tree. Raises GuardError."""

    def store(self, files: Mapping[str, bytes]) -> str:
        """Write the files as a tree; its object name."""
        ...

    def push(self, refs: Mapping[str, str]) -> None:
        """Set these refs (or, with "", delete them) on the remote, all or none. Raises Refused with the server's
        own words when it does not take them."""
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """What stands behind one statement ref; `report` is the digest (`sha256:…`) of the report, "" without one."""

    statement: bytes
    signature: bytes
    report: str


class Inbox(Protocol):
    """What a push brought, seen by the server before it takes it. Raises GuardError when an object cannot be read."""

    def parcel(self, name: str) -> Parcel:
        """The statement behind an object name. Raises GuardError unless it is a tree of exactly the files that it
        may hold, each within its limit."""
        ...

    def is_commit(self, name: str) -> bool: ...

    def ref(self, name: str) -> str | None:
        """Where a ref stands now; None where it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Telling:
    """What the guard last told about a proposal: the head it was about, and how many decisions on the proposal are
    on record."""

    branch: str
    proposal: str
    head: Commit
    count: int


class Memory(Protocol):
    """What was told, so that a head that is no proposal's any more is found again. Losing it does no harm to a
    decision. Raises LedgerError."""

    def told(self, branch: str) -> tuple[Telling, ...]: ...

    def remember(self, telling: Telling) -> None:
        """Keep it in place of what was told before about this proposal into this branch."""
        ...

    def forget(self, telling: Telling) -> None: ...
