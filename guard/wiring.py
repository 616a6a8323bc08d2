"""The only place that builds adapters, and owns the clock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from guard.core.errors import GitError, UsageError
from guard.journeys.sources import Sources
from guard.ports import Clock, Ledger
from guard.wiring_readers import (
    debt_reader,
    evidence_reader,
    incident_reader,
    operator_of,
    queue_reader,
    register_reader,
)

if TYPE_CHECKING:
    from guard.adapters.backup import Manifest
    from guard.adapters.ledger import SqlLedger
    from guard.adapters.local import LocalForge
    from guard.core.dsse import Signer
    from guard.journeys.checkpoints import Sent
    from guard.journeys.receiving import Update
    from guard.journeys.statements import Sender
    from guard.settings import ServerHome


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
        read_incidents=incident_reader(git, clock),
    )


def origin_url(repo: Path, remote: str = "origin") -> str | None:
    """The URL of the clone's remote; None where there is no repository, or none that has one."""
    from guard.adapters.git import GitRepo

    try:
        with GitRepo(repo) as git:
            return git.remote_url(remote)
    except GitError:
        return None


def server_sources(home: ServerHome, ledger: Ledger) -> Sources:
    """The facts of a guarded bare repository: its refs, its ledger's statements, its submitted reports."""
    from guard.adapters.git import GitRepo
    from guard.journeys.reconcile import expected_head

    git, forge, clock = GitRepo(home.settings.git_dir), local_forge(home, ledger), system_clock()
    bootstrap = home.bootstrap_policy if home.bootstrap_policy.exists() else None
    reader = evidence_reader(git, forge, forge, clock, operator=operator_of(home, now=system_clock().now()))
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
        read_incidents=incident_reader(git, clock),
        read_waivers=forge.waivers,
        read_debts=debts,
        expected_head=lambda ref: expected_head(ledger, ref),
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
    from guard.adapters.backup import kept_parts, ledger_rows, opened_backup, put_files
    from guard.adapters.ledger import SqlLedger
    from guard.core.chain import Checkpoint
    from guard.settings import load_home

    with opened_backup(file) as (manifest, files, lines):
        folder.mkdir(parents=True, exist_ok=True)
        put_files(folder, files)
        home = load_home(folder)
        ledger = SqlLedger(database or home.ledger, repository=manifest.repository)
        if manifest.entries:
            end = Checkpoint(manifest.entries, manifest.head)
            ledger.restore(ledger_rows(lines), end=end, parts=kept_parts(lines))
    return manifest


def signing_key(home: ServerHome) -> Signer:
    """The key that the guard signs with. Raises SettingsError."""
    from guard.adapters.keys import load_signing_key

    return load_signing_key(home.keys, home.jwks)


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


def _bootstrap(path: Path | None) -> tuple[bytes, str] | None:
    return (path.read_bytes(), path.name) if path else None
