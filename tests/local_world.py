"""A guarded bare repository whose people send real signed statements, received without a hook process between."""

from __future__ import annotations

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NoReturn

from guard.adapters.ledger import SqlLedger
from guard.adapters.local import LocalForge
from guard.adapters.parcels import BareRepo
from guard.core.claims import Claim, ProposalClosed, ProposalOpened
from guard.core.errors import LedgerError
from guard.core.model import Commit, Finding
from guard.core.statements import proposal_ref
from guard.journeys.receiving import Counter, receive, refusal
from guard.journeys.statements import Sender, Sent, send
from guard.ports import Entry, Ledger
from tests.gitrepo import Repo
from tests.people import KeySigner, allowed

REPOSITORY = "gpuaas/platform"
TARGET = "release/platform-control"
PEOPLE = ("ann@example.com", "bob@example.com", "cid@example.com", "ci@example.com")
ZERO = "0" * 40


@dataclass(frozen=True)
class Update:
    ref: str
    old: str
    new: str


class SteadyClock:
    """A minute passes whenever it is asked."""

    def __init__(self) -> None:
        self._minutes = itertools.count()

    def now(self) -> datetime:
        return datetime(2026, 5, 1, 12, 0, tzinfo=UTC) + timedelta(minutes=next(self._minutes))


class BrokenLedger:
    """A ledger that nobody can read."""

    def entries(self, *kinds: str, newest_first: bool = False) -> Iterator[Entry]:
        self._fail()

    def find(self, once: str) -> Entry | None:
        self._fail()

    def _fail(self) -> NoReturn:
        raise LedgerError("disk I/O error", fix="mend the disk")


@cache
def _template() -> Path:
    """A bare repository with one commit, a clone of it and an empty ledger, made once for the whole run."""
    folder = Path(tempfile.mkdtemp(prefix="guard-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    work, bare = Repo.init(folder / "work"), Repo.init(folder / "bare.git", "--bare")
    work.commit("first", {"a": "1\n"})
    work.git("push", "-q", str(bare.path), f"master:{TARGET}", "master")
    SqlLedger(folder / "ledger.sqlite3", repository=REPOSITORY)
    return folder


class LocalWorld:
    """The bare repository, its ledger and its people."""

    def __init__(self, folder: Path) -> None:
        self.clock = SteadyClock()
        shutil.copytree(_template(), folder, dirs_exist_ok=True)
        self.work, self.bare = Repo(folder / "work"), Repo(folder / "bare.git")
        self.first = Commit(self.work.rev("HEAD"))
        self.ledger = SqlLedger(folder / "ledger.sqlite3", repository=REPOSITORY)
        self.groups: dict[str, tuple[str, ...]] = {}
        self.signers = allowed(PEOPLE)
        self.broken = False

    @property
    def forge(self) -> LocalForge:
        ledger: Ledger = BrokenLedger() if self.broken else self.ledger  # type: ignore[assignment]
        return LocalForge(self.bare.path, ledger=ledger, groups=self.groups, clock=self.clock)

    def commit(self, message: str) -> Commit:
        """A new commit on master, known to the bare repository."""
        commit = Commit(self.work.commit(message))
        self.work.git("push", "-q", str(self.bare.path), "master")
        return commit

    def say(self, by: str, claim: Claim, *, report: bytes | None = None, key: str = "") -> Sent:
        """Sign and send as this person, with their own key or somebody's. Raises Refused when it is not taken."""
        now = self.clock.now()
        sender = Sender(REPOSITORY, by, KeySigner(key or by), self)
        return send(claim, sender, now=now, nonce=f"{int(now.timestamp()):032x}", report=report)

    def propose(self, proposal: str, head: Commit, *, by: str, title: str = "A release") -> Sent:
        return self.say(by, ProposalOpened(TARGET, proposal, head, title))

    def close(self, proposal: str, *, by: str) -> Sent:
        return self.say(by, ProposalClosed(TARGET, proposal))

    def proposal_head(self, proposal: str) -> str | None:
        return BareRepo(self.bare.path).ref(proposal_ref(TARGET, proposal))

    # The port Outbox, straight into the bare repository.

    def store(self, files: Mapping[str, bytes]) -> str:
        blobs = {
            name: self.bare.git("hash-object", "-w", "--stdin", stdin=data) for name, data in files.items()
        }
        rows = "".join(f"100644 blob {blob}\t{name}\n" for name, blob in blobs.items())
        return self.bare.git("mktree", stdin=rows.encode())

    def push(self, refs: Mapping[str, str]) -> None:
        repo = BareRepo(self.bare.path)
        updates = [Update(ref, repo.ref(ref) or ZERO, name or ZERO) for ref, name in refs.items()]
        moved = [update for update in updates if update.old != update.new]
        if refused := refusal(self.receive(*moved)):
            raise refused
        for update in moved:
            self.bare.git(
                "update-ref", *(["-d", update.ref] if update.new == ZERO else [update.ref, update.new])
            )

    def receive(self, *updates: Update, ledger: Ledger | None = None) -> tuple[Finding, ...]:
        counter = Counter(REPOSITORY, self.signers, BareRepo(self.bare.path), ledger or self.ledger)
        return receive(updates, counter, now=self.clock.now())
