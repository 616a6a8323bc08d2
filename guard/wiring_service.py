"""Building the webhook service: what it reads, speaks on and remembers, made of one server side's folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from guard import wiring
from guard.core.errors import SettingsError
from guard.core.facts import Proposal
from guard.core.forge_facts import Wake
from guard.core.model import Commit
from guard.core.statements import StatementError, parse_statement
from guard.journeys.decisions import Due, changes_due
from guard.journeys.delivery import Office
from guard.journeys.sources import MembersReader, Sources
from guard.ports import Chat, Clock, Forge, Ledger, Voice
from guard.service_settings import Secrets, ServiceSettings, load_secrets, load_service_settings
from guard.settings import ServerHome, load_home
from guard.wiring_readers import (
    debt_reader,
    evidence_reader,
    incident_reader,
    operator_of,
    queue_reader,
    register_reader,
)
from guard.wiring_restore import service_means

if TYPE_CHECKING:
    from guard.adapters.inbox import DeliveryInbox
    from guard.adapters.ledger import SqlLedger
    from guard.adapters.lineage_facts import KeptFacts
    from guard.adapters.memberships import Memberships
    from guard.adapters.mirror import Mirror
    from guard.adapters.told import ToldMemory
    from guard.journeys.checkpoints import Sent
    from guard.journeys.debt import Told
    from guard.journeys.permits import Question

ELSEWHERE = frozenset(
    {
        "evidence", "signoff", "waiver-requested", "waiver-approved", "waiver-withdrawn", "hold-placed", "hold-lifted",
    }
)  # fmt: skip
"""The statements that count where a forge knows the rest: people approve on the forge itself."""

STATEMENTS = tuple(
    f"statement.{name}"
    for name in (
        "approval", "approval-withdrawn", "incident-opened", "incident-closed", "proposal-opened",
        "proposal-closed", "signoff", "evidence", "hold-placed", "hold-lifted",
    )
)  # fmt: skip


class SpeakingForge(Forge, Voice, Protocol):
    """A forge that the guard reads and speaks on."""


@dataclass(frozen=True, slots=True)
class Update:
    """One ref as a push would move it."""

    ref: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Service:
    """One repository's service. Everything here may be used from several threads."""

    home: ServerHome
    settings: ServiceSettings
    secrets: Secrets
    branches: tuple[str, ...]
    inbox: DeliveryInbox
    ledger: SqlLedger
    memory: ToldMemory
    mirror: Mirror | None
    clock: Clock
    facts: KeptFacts | None = None
    memberships: Memberships | None = None

    @property
    def repository(self) -> str:
        return self.home.settings.repository

    @contextmanager
    def office(
        self, *, check: Callable[[], None], tell: Callable[[str], None], remembering: bool = False
    ) -> Iterator[Office]:
        """What one delivery is worked on with: a forge's client and a view of the repository of its own. With
        `remembering` who belongs to a group may have been read a moment ago (`members_age`)."""
        from guard.adapters.git import GitRepo

        if self.mirror is not None:
            self.mirror.prepare()
        records = wiring.local_forge(self.home, self.ledger)
        speaking = FORGES[self.settings.forge](self)
        forge: Forge = records if speaking is None else speaking
        with GitRepo(self.home.settings.git_dir, memory=self.facts) as git:
            operator = operator_of(self.home, now=wiring.system_clock().now())
            reader = evidence_reader(git, records, forge, self.clock, operator=operator)
            registers = register_reader(git, self.clock)
            queue = queue_reader(git, self.clock)
            sources = Sources(
                git,
                forge,
                reader,
                self.clock,
                self._bootstrap(),
                registers,
                self._remembered(forge) if remembering else None,
                read_asks=records.break_glass,
                read_holds=records.holds,
                read_queue=queue,
                read_incidents=incident_reader(git, self.clock),
                read_waivers=records.waivers,
                read_debts=debt_reader(git, self.clock),
            )
            yield Office(
                repository=self.repository,
                branches=self.branches,
                forge=forge,
                voice=speaking,
                sources=sources,
                ledger=self.ledger,
                memory=self.memory,
                clock=self.clock,
                refresh=self._refresh,
                check=check,
                tell=tell,
                url=self.settings.public_url if self.settings.pages else "",
                chat=self._chat(),
                history=git,
                keeps=self.settings.protection == "keep",
                means=service_means(
                    self.home,
                    self.settings,
                    self.ledger,
                    self.mirror,
                    forge=forge,
                    voice=speaking,
                    sources=sources,
                ),
            )

    def _chat(self) -> Chat | None:
        from guard.adapters.chat import WebhookChat

        return WebhookChat(self.secrets.chat) if self.secrets.chat else None

    def members_changed(self) -> None:
        """Who belongs to a group is read anew from now on. Raises LedgerError."""
        if self.memberships is not None:
            self.memberships.end()

    def _remembered(self, forge: Forge) -> MembersReader | None:
        kept = self.memberships
        if kept is None or self.settings.forge == "local":
            return None
        return lambda names, inherited: kept.read(forge, names, inherited=inherited)

    def public_keys(self) -> bytes:
        """The JWK Set of the keys that the guard signs with. Raises SettingsError where there is none yet."""
        from guard.adapters.keys import read_jwks

        read_jwks(self.home.jwks)
        return self.home.jwks.read_bytes()

    def send_checkpoints(self) -> tuple[Sent, ...]:
        """Leave checkpoints of the ledger where the settings say. Raises SettingsError, LedgerError."""
        speaking = FORGES[self.settings.forge](self)

        def comment(number: str, text: str) -> None:
            if speaking is None:
                raise SettingsError(
                    "there is no forge to comment on", fix="name another place in [checkpoints]"
                )
            speaking.add_comment(_numbered(number), text)

        return wiring.send_checkpoints(self.home, self.ledger, comment=comment)

    def permit_for(self, question: Question) -> str:
        """The id of the permit that covers the move now. Raises Refused with the reason when none does."""
        from guard.adapters.keys import read_jwks
        from guard.journeys.permits import permit_for
        from guard.journeys.rechecking import check_still_go

        keys = read_jwks(self.home.jwks)

        def standing() -> str:
            now = self.clock.now()
            return permit_for(question, repository=self.repository, ledger=self.ledger, keys=keys, now=now)

        permit = standing()
        with self.office(check=lambda: None, tell=lambda _line: None) as office:
            check_still_go(permit, question, office)
        return standing()  # deciding took its time: it may have ended or been taken back meanwhile

    def tell_debt(self, branch: str) -> Told:
        """Put a protected branch's backport debt on record, and into a comment where the settings name a place.
        Raises GuardError."""
        from guard.journeys.debt import put_debt_comment, tell_debt
        from guard.journeys.judging import upstream_of

        with self.office(check=lambda: None, tell=lambda _line: None) as office:
            office.refresh((branch,), ())
            if (upstream := upstream_of(office.sources, branch)) is not None:
                office.refresh((upstream,), ())
            told = tell_debt(branch, office.sources, self.ledger, now=self.clock.now())
            if self.settings.debt_comment and office.voice is not None:
                put_debt_comment(office.voice, _numbered(self.settings.debt_comment), told.found)
        return told

    def receive(self, statement: bytes, signature: bytes, report: bytes | None) -> str:
        """Check a statement as a push would be, record it, keep its report, and look at everything again; its name.

        Raises Refused or StatementError when it is not taken, LedgerError and GitError when it cannot be kept.
        """
        from guard.adapters.posting import Posted
        from guard.adapters.signers import read_allowed_signers
        from guard.journeys.receiving import Counter, receive, refusal

        posted = Posted(self.home.settings.git_dir, statement=statement, signature=signature, report=report)
        self._check_place(statement)
        if self.mirror is not None:
            self.mirror.prepare()
        signers = read_allowed_signers(self.home.allowed_signers)
        counter = Counter(self.repository, signers, posted, self.ledger)
        update = Update(posted.own_ref, "0" * 40, posted.name)
        if (refused := refusal(receive([update], counter, now=self.clock.now()))) is not None:
            raise refused
        posted.keep()
        self.inbox.wake([Wake("everything", "")], now=self.clock.now())
        return posted.name

    def changes_due(self) -> tuple[Due, ...]:
        """The proposals whose decision time alone has changed by now. Raises LedgerError."""
        return changes_due(self.branches, self.memory, self.ledger, now=self.clock.now())

    def fingerprint(self) -> str:
        """Changes when anything that a local forge's decisions rest on has changed."""
        from guard.adapters.parcels import BareRepo

        repo = BareRepo(self.home.settings.git_dir)
        refs = {**repo.refs("refs/heads"), **repo.refs("refs/proposals")}
        latest = next(iter(self.ledger.entries(*STATEMENTS, newest_first=True)), None)
        return repr((sorted(refs.items()), latest.seq if latest else 0))

    def _check_place(self, statement: bytes) -> None:
        kind = parse_statement(statement).type
        if self.settings.forge != "local" and kind not in ELSEWHERE:
            raise StatementError(
                f"a statement {kind} does not count here: {self.settings.forge} knows that itself",
                fix="approve, propose and open incidents on the forge; sign-offs and evidence are taken here",
                code="statement.not-here",
            )

    def _refresh(self, branches: Iterable[str], proposals: Sequence[Proposal]) -> None:
        if self.mirror is not None:
            self.mirror.refresh(branches, proposals)

    def _bootstrap(self) -> tuple[bytes, str] | None:
        file = self.home.bootstrap_policy
        return (file.read_bytes(), file.name) if file.exists() else None


def open_service(
    folder: Path, environ: Mapping[str, str] | None = None, *, clock: Clock | None = None
) -> Service:
    """The service of a server side's folder; `clock` is the system's own unless it is given. Raises SettingsError for
    whatever is missing, LedgerError."""
    from guard.adapters.database import open_database
    from guard.adapters.inbox import DeliveryInbox
    from guard.adapters.lineage_facts import KeptFacts
    from guard.adapters.memberships import Memberships
    from guard.adapters.told import ToldMemory

    if not (folder / "settings.toml").exists():
        raise SettingsError(
            f"{folder} is no service's folder: there is no settings.toml",
            fix="write settings.toml and service.toml there; docs/service.md shows both",
        )
    home = load_home(folder)
    settings = load_service_settings(home.path)
    secrets = load_secrets(settings, os.environ if environ is None else environ)
    ledger = wiring.open_ledger(home)
    engine, name = open_database(home.ledger), home.settings.repository
    clock = clock or wiring.system_clock()
    return Service(
        home=home,
        settings=settings,
        secrets=secrets,
        branches=_branches(home, ledger),
        inbox=DeliveryInbox(engine, repository=name),
        ledger=ledger,
        memory=ToldMemory(engine, repository=name),
        mirror=_mirror(home, settings, secrets),
        clock=clock,
        facts=KeptFacts(engine),
        memberships=Memberships(engine, repository=name, longest=settings.members_age, clock=clock),
    )


def _numbered(number: str) -> Proposal:
    """A merge request (GitHub: an issue or pull request) of which nothing but the number matters."""
    return Proposal(id=number, target="", head=Commit("0" * 40), title="", proposer=None)


def _branches(home: ServerHome, ledger: Ledger) -> tuple[str, ...]:
    adopted = {str(entry.body.get("ref")) for entry in ledger.entries("baseline.adopted")}
    names = {ref.removeprefix("refs/heads/") for ref in adopted} | set(home.settings.protect)
    if not names:
        raise SettingsError(
            "no protected branch is known",
            fix=f'name them in {home.path / "settings.toml"}: protect = ["release/platform-control"]',
            code="settings.no-branch",
        )
    return tuple(sorted(names))


def _mirror(home: ServerHome, settings: ServiceSettings, secrets: Secrets) -> Mirror | None:
    from guard.adapters.mirror import HEAD_REFS, Mirror

    if settings.forge == "local":
        return None
    head_ref = HEAD_REFS[settings.forge]
    git_dir = home.settings.git_dir
    return Mirror(git_dir, settings.git_url, head_ref=head_ref, credentials=secrets.git)


def _gitlab(service: Service) -> SpeakingForge:
    from guard.adapters.gitlab import GitLabForge, connect

    client = connect(service.settings.api_url, service.secrets.token)
    return GitLabForge(client, service.repository, clock=service.clock)


def _github(service: Service) -> SpeakingForge:
    from github import Auth

    from guard.adapters.github import GitHubForge
    from guard.adapters.github_client import github_client

    client = github_client(Auth.Token(service.secrets.token), api=service.settings.api_url)
    return GitHubForge(client, service.repository, clock=service.clock)


FORGES: Mapping[str, Callable[[Service], SpeakingForge | None]] = {
    "gitlab": _gitlab,
    "github": _github,
    "local": lambda _service: None,
}
"""How each forge is reached; the local one is the repository itself, and nobody listens there."""
