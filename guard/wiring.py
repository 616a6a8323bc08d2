"""The only place that builds adapters, and owns the clock."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from guard.core.claims import ProposalOpened
from guard.core.errors import GitError, SettingsError, UsageError
from guard.core.evidence import Leaf, Reading
from guard.core.model import Candidate, Commit, Fact
from guard.core.permit import sign
from guard.journeys.gather import (
    DebtReader,
    EvidenceReader,
    QueueReader,
    Range,
    RegisterReader,
    Sources,
    gather_and_decide,
)
from guard.journeys.statements import send
from guard.ports import Clock, Forge, Git, Ledger, Records
from guard.settings import ServerHome, find_home, load_home

if TYPE_CHECKING:
    from guard.adapters.backup import Manifest
    from guard.adapters.evidence.operator import Operator
    from guard.adapters.ledger import SqlLedger
    from guard.adapters.local import LocalForge
    from guard.core.allowed_signers import AllowedSigners
    from guard.core.facts import DebtEntry
    from guard.core.policy import TechDebt
    from guard.journeys.checkpoints import Sent
    from guard.journeys.prepare import Workshop
    from guard.journeys.promotion import Move, Tools
    from guard.journeys.receiving import Update
    from guard.journeys.statements import Sender


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def system_clock() -> Clock:
    return SystemClock()


def clone_sources(repo: Path, *, bootstrap: Path | None = None) -> Sources:
    """The facts of any local repository, with no forge: what only a forge knows is unknown."""
    from guard.adapters.git import GitRepo
    from guard.adapters.noforge import NoForge

    git, forge, clock = GitRepo(repo), NoForge(), system_clock()
    reader = evidence_reader(git, forge, forge, clock)
    registers, debts = register_reader(git, clock), debt_reader(git, clock)
    return Sources(
        git,
        forge,
        reader,
        clock,
        _bootstrap(bootstrap),
        registers,
        read_waivers=forge.waivers,
        read_debts=debts,
        read_queue=queue_reader(git, clock),
    )


def origin_url(repo: Path) -> str | None:
    """The URL of the clone's remote `origin`; None where there is no repository, or none that has one."""
    from guard.adapters.git import GitRepo

    try:
        with GitRepo(repo) as git:
            return git.remote_url("origin")
    except GitError:
        return None


def server_sources(home: ServerHome, ledger: Ledger) -> Sources:
    """The facts of a guarded bare repository: its refs, its ledger's statements, its submitted reports."""
    from guard.adapters.git import GitRepo

    git, forge, clock = GitRepo(home.settings.git_dir), local_forge(home, ledger), system_clock()
    bootstrap = home.bootstrap_policy if home.bootstrap_policy.exists() else None
    reader = evidence_reader(git, forge, forge, clock, operator=operator_of(home))
    registers, debts = register_reader(git, clock), debt_reader(git, clock)
    return Sources(
        git,
        forge,
        reader,
        clock,
        _bootstrap(bootstrap),
        registers,
        read_asks=forge.break_glass,
        read_holds=forge.holds,
        read_queue=queue_reader(git, clock),
        read_waivers=forge.waivers,
        read_debts=debts,
    )


def local_forge(home: ServerHome, ledger: Ledger) -> LocalForge:
    from guard.adapters.local import LocalForge

    return LocalForge(home.settings.git_dir, ledger=ledger, groups=home.settings.groups, clock=system_clock())


def receive(home: ServerHome, ledger: Ledger, updates: Sequence[Update]) -> None:
    """Check a push's updates of the guard's own refs and record its statements; for pre-receive, in git's
    quarantine. Raises Refused with every reason, or the error that kept them from being recorded."""
    from guard.adapters.parcels import BareRepo
    from guard.adapters.signers import read_allowed_signers
    from guard.journeys.receiving import Counter, refusal
    from guard.journeys.receiving import receive as receive_statements

    counter = Counter(
        repository=home.settings.repository,
        signers=read_allowed_signers(home.allowed_signers),
        inbox=BareRepo(home.settings.git_dir, quarantine=True),
        ledger=ledger,
    )
    refused = refusal(receive_statements(updates, counter, now=system_clock().now()))
    if refused is not None:
        raise refused


def clone_sender(
    clone: Path, remote: str, *, repository: str, by: str | None, key: str | None, service: str | None = None
) -> Sender:
    """What a person sends statements with: their name, their key and their clone, to its remote or to the service at
    this URL. Raises UsageError where one is not known."""
    from guard.adapters.http_outbox import HttpOutbox
    from guard.adapters.outbox import GitOutbox
    from guard.adapters.ssh_keys import load_signer
    from guard.journeys.statements import Sender

    outbox = GitOutbox(clone, remote)
    name = by or outbox.config("user.email")
    if not name:
        raise UsageError(
            "nobody is known to sign as", fix="name yourself: --as ann@example.com", code="usage.as"
        )
    signer = load_signer(key, environment=os.environ, config=outbox.config)
    return Sender(repository, name, signer, HttpOutbox(service) if service else outbox)


def open_ledger(home: ServerHome) -> SqlLedger:
    """The home's ledger, its schema brought up to date. Raises LedgerError."""
    from guard.adapters.ledger import SqlLedger

    return SqlLedger(home.ledger, repository=home.settings.repository)


def read_ledger(home: ServerHome) -> SqlLedger:
    """The home's ledger, which has to be there already. Raises LedgerError."""
    from guard.adapters.ledger import SqlLedger

    return SqlLedger(home.ledger, repository=home.settings.repository, create=False)


def restore_backup(file: Path, folder: Path, *, database: str | None) -> Manifest:
    """Put a backup back into a home's folder, its ledger into `database` where one is named. Raises BackupError,
    LedgerError and SettingsError; then no entry was put back."""
    from guard.adapters.backup import ledger_rows, opened_backup, put_files
    from guard.adapters.ledger import SqlLedger
    from guard.core.chain import Checkpoint

    with opened_backup(file) as (manifest, files, lines):
        folder.mkdir(parents=True, exist_ok=True)
        put_files(folder, files)
        home = load_home(folder)
        ledger = SqlLedger(database or home.ledger, repository=manifest.repository)
        if manifest.entries:
            ledger.restore(ledger_rows(lines), end=Checkpoint(manifest.entries, manifest.head))
    return manifest


def sealed_checkpoint(home: ServerHome, ledger: SqlLedger) -> str | None:
    """A sealed checkpoint of now as a line; None of an empty ledger."""
    from guard.adapters.keys import load_signing_key
    from guard.journeys.checkpoints import make_checkpoint

    made = make_checkpoint(ledger, load_signing_key(home.keys, home.jwks), now=system_clock().now())
    return f"{made[1]}\n" if made else None


def send_checkpoints(
    home: ServerHome,
    ledger: SqlLedger,
    *,
    to: Sequence[str] = (),
    comment: Callable[[str, str], None] | None = None,
) -> tuple[Sent, ...]:
    """Leave a checkpoint at each destination of the settings, or at these, that lacks the newest entries. `comment`
    is how the service speaks on the forge. Raises SettingsError for a destination that is none."""
    from guard.adapters.checkpoint_sinks import sinks
    from guard.adapters.keys import load_signing_key
    from guard.journeys.checkpoints import send_checkpoints as send_them

    places = sinks(to or home.settings.checkpoints.to, comment=comment)
    if not places:
        return ()
    return send_them(ledger, load_signing_key(home.keys, home.jwks), places, now=system_clock().now())


def operator_of(home: ServerHome) -> Operator:
    """What the operator of a server side knows and allows, for the kinds of evidence that need it."""
    from guard.adapters.evidence.fetching import Target
    from guard.adapters.evidence.operator import Operator
    from guard.adapters.signers import read_allowed_signers
    from guard.core.model import Known, Unknown

    try:
        signers: Fact[AllowedSigners] = Known(
            read_allowed_signers(home.allowed_signers), "allowed_signers", system_clock().now()
        )
    except SettingsError as error:
        signers = Unknown(error.message, fix=error.fix, who=("operator",))
    targets = {
        name: Target(one.url, one.addresses, one.token, home.path / one.ca if one.ca else None, one.timeout)
        for name, one in home.settings.probes.items()
    }
    return Operator(keys=home.attestation_keys, targets=targets, signers=signers)


def queue_reader(git: Git, clock: Clock) -> QueueReader:
    """How the work queue is read."""
    from guard.adapters.evidence.queue import read_queue

    return lambda queue, candidate: read_queue(queue, git, candidate.upstream, now=clock.now())


def register_reader(git: Git, clock: Clock) -> RegisterReader:
    """How the state of a register's entry is read, for the conditions of gates."""
    from guard.adapters.evidence.register import read_condition

    return lambda when, candidate: read_condition(when, git, candidate.upstream, now=clock.now())


def debt_reader(git: Git, clock: Clock) -> DebtReader:
    """How the tech debt register is read, for waivers that rest on its entries."""

    def read(table: TechDebt, upstream: Commit) -> Fact[tuple[DebtEntry, ...]]:
        from guard.adapters.evidence.debts import read_debts

        return read_debts(table, git, upstream, now=clock.now())

    return read


def evidence_reader(
    git: Git, records: Records, forge: Forge, clock: Clock, *, operator: Operator | None = None
) -> EvidenceReader:
    """How each piece of evidence is read, bound to one repository and its records."""
    from guard.adapters.evidence import EvidenceSources, read_evidence
    from guard.adapters.evidence.operator import NO_OPERATOR

    def read(
        gate: str,
        leaf: Leaf,
        candidate: Candidate,
        members: Mapping[str, Fact[frozenset[str]]],
        submitters: Fact[frozenset[str]],
    ) -> Reading:
        sources = EvidenceSources(
            git=git,
            upstream=candidate.upstream,
            candidate=candidate,
            records=records,
            forge=forge,
            members=members,
            submitters=submitters,
            now=clock.now(),
            operator=operator or NO_OPERATOR,
        )
        return read_evidence(gate, leaf, sources)

    return read


def _bootstrap(path: Path | None) -> tuple[bytes, str] | None:
    return (path.read_bytes(), path.name) if path else None


@dataclass(frozen=True, slots=True)
class Desk:
    """One guarded repository and the clone that somebody works in, ready for questions about promotions."""

    home: ServerHome
    clone: Path
    remote: str
    ledger: SqlLedger
    sources: Sources

    @property
    def repository(self) -> str:
        return self.home.settings.repository

    @property
    def asker(self) -> str:
        """Who asks, as the clone's configuration says; it proves nothing and is recorded as a claim."""
        from guard.adapters.promote_script import asker

        return asker(self.clone)

    def resolve_in_clone(self, name: str) -> Commit | None:
        from guard.adapters.git import GitRepo

        with GitRepo(self.clone) as git:
            return git.resolve(name) or git.resolve(f"refs/remotes/{self.remote}/{name}")

    def commits(self, old: Commit, new: Commit) -> tuple[tuple[Commit, str], ...]:
        """The commits of `old..new` on the server with their subjects, oldest first."""
        from guard.adapters.git import GitRepo

        with GitRepo(self.home.settings.git_dir) as git:
            return tuple((commit, git.commit(commit).subject) for commit in git.range(old, new))

    def tools(self, ref: str, new: Commit, *, tell: Callable[[str], None], quiet: bool) -> Tools:
        """What a promotion of `ref` to `new` works with; `quiet` keeps the script's output off standard output."""
        from guard.adapters.keys import load_signing_key
        from guard.adapters.promote_script import fetch_commit, remote_head
        from guard.journeys.promotion import Tools

        if remote_head(self.clone, self.remote, ref) != self.sources.git.resolve(ref):
            raise UsageError(
                f"the remote {self.remote} is not the guarded repository {self.home.settings.git_dir}, or is behind it",
                fix="name the remote that is: --remote NAME",
                code="usage.remote",
            )
        branch, key = ref.removeprefix("refs/heads/"), load_signing_key(self.home.keys, self.home.jwks)
        fetch_commit(self.clone, self.remote, new, branch=branch)
        asked = Range(self.repository, branch, ref, new)
        return Tools(
            ledger=self.ledger,
            clock=self.sources.clock,
            read_file=self.sources.git.read,
            decide=lambda: gather_and_decide(asked, self.sources),
            read_head=self.sources.git.resolve,
            move=lambda move: self._move(move, stdout=2 if quiet else None),
            sign=lambda permit: sign(permit, key),
            new_id=lambda: secrets.token_urlsafe(18),
            tell=tell,
        )

    def workshop(self, branch: str) -> Workshop:
        """What `guard promote --prepare` makes a proposal into the branch with."""
        from guard.adapters.merging import commit_merge, merge_trees
        from guard.adapters.promote_script import fetch_commit
        from guard.journeys.prepare import Workshop

        def merge(ours: Commit, theirs: Commit) -> tuple[str, tuple[str, ...]]:
            for commit in (ours, theirs):
                fetch_commit(self.clone, self.remote, commit, branch=branch)
            return merge_trees(self.clone, ours, theirs)

        def propose(head: Commit, title: str) -> str:
            fetch_commit(self.clone, self.remote, head, branch=branch)
            claim = ProposalOpened(branch, f"promote-{head[:12]}", head, title)
            sender = clone_sender(self.clone, self.remote, repository=self.repository, by=None, key=None)
            send(claim, sender, now=self.sources.clock.now(), nonce=secrets.token_hex(16))
            return claim.proposal

        return Workshop(
            merge=merge,
            commit=lambda tree, parents, message: commit_merge(self.clone, tree, parents, message),
            propose=propose,
        )

    def _move(self, move: Move, *, stdout: int | None) -> int:
        from guard.adapters.promote_script import permit_environment, push, run_script

        environment = permit_environment(
            os.environ, token=move.token, old=move.old, new=move.new, branch=move.branch, remote=self.remote
        )
        if move.script is None:
            return push(
                self.clone, self.remote, ref=move.ref, new=move.new, environment=environment, stdout=stdout
            )
        return run_script(
            move.script.data,
            name=move.script.path,
            clone=self.clone,
            environment=environment,
            arguments=move.arguments,
            stdout=stdout,
        )


def open_desk(*, server: str | None, clone: Path, remote: str, what: str) -> Desk:
    """The desk for a clone's guarded repository; `what` is the command that wants it. Raises SettingsError where
    the server side is not on this machine."""
    home = server_side(server=server, clone=clone, remote=remote, what=what)
    ledger = open_ledger(home)
    return Desk(home, clone.resolve(), remote, ledger, server_sources(home, ledger))


def server_side(*, server: str | None, clone: Path, remote: str, what: str) -> ServerHome:
    """The server side that is named, or that guards the clone's remote. Raises SettingsError where there is none."""
    from guard.adapters.git import GitRepo

    url = None
    if not server:
        with contextlib.suppress(GitError), GitRepo(clone) as git:
            url = git.remote_url(remote)
    home = find_home(server=server, remote_url=url)
    if home is None:
        raise SettingsError(
            f"{what} needs the server side, and {url or clone} is not a guarded repository on this machine",
            fix="run it there, or name it: --server BARE.git (made by: guard install --server BARE.git)",
            code="settings.no-server-side",
        )
    return home


def only_branch(home: ServerHome, ledger: Ledger) -> str:
    """The one branch that is adopted or that the operator protects. Raises UsageError where it is not just one."""
    adopted = {str(entry.body.get("ref")) for entry in ledger.entries("baseline.adopted")}
    names = {ref.removeprefix("refs/heads/") for ref in adopted} | set(home.settings.protect)
    if len(names) != 1:
        known = f"these are known: {', '.join(sorted(names))}" if names else "none is adopted yet"
        raise UsageError(f"which branch? {known}", fix="say it with --branch", code="usage.branch")
    return names.pop()
