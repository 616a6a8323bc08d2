"""Building what the service gives permits and moves branches with."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guard.core.errors import GuardError, Refused
from guard.core.model import Commit
from guard.core.permit import sign
from guard.journeys.bureau import Bureau

if TYPE_CHECKING:
    from guard.journeys.granting import Asked
    from guard.journeys.office import Office
    from guard.settings import ServerHome
    from guard.wiring_service import Service

log = logging.getLogger("guard.service")


@contextmanager
def open_bureau(service: Service) -> Iterator[Bureau]:
    """Everything fresh, with a forge's client and a view of the repository of its own."""
    from guard.adapters.keys import ensure_signing_key, read_jwks

    key = ensure_signing_key(service.home.keys, service.home.jwks)
    with service.office(check=lambda: None, tell=log.info) as office:
        if office.history is None:
            raise GuardError("the repository cannot be read here", code="git.failed")
        yield Bureau(
            repository=service.repository,
            ledger=service.ledger,
            clock=service.clock,
            sources=office.sources,
            history=office.history,
            refresh=office.refresh,
            sign=lambda permit: sign(permit, key),
            new_id=lambda: secrets.token_urlsafe(18),
            push=lambda ref, old, new: _push(service, ref, old, new),
            keys=read_jwks(service.home.jwks),
            hosted=service.settings.hosted,
            offline=service.home.settings.offline_verifiers,
        )


def fetch_hosted(home: ServerHome, branch: str | None) -> None:
    """Bring a protected branch (None: all of them) and its upstream here from the forge, where one has the repository.
    Raises SettingsError, GitError."""
    from guard.journeys.judging import upstream_of
    from guard.wiring_service import open_service

    if not (home.path / "service.toml").exists():
        return
    service = open_service(home.path)
    if service.mirror is None:
        return
    branches = (branch,) if branch else service.branches
    service.mirror.refresh(branches)
    with service.office(check=lambda: None, tell=log.info) as office:
        found = [upstream_of(office.sources, name) for name in branches if _is_there(office, name)]
    service.mirror.refresh(tuple(filter(None, found)))


def _is_there(office: Office, branch: str) -> bool:
    return office.sources.git.resolve(f"refs/heads/{branch}") is not None


def authenticate(service: Service, statement: bytes, signature: bytes) -> Asked:
    """Who asks for a promotion. Raises StatementError, SignatureError, SettingsError."""
    from guard.adapters.signers import read_allowed_signers
    from guard.journeys.granting import authenticate as judge

    signers = read_allowed_signers(service.home.allowed_signers)
    return judge(
        statement, signature, signers=signers, repository=service.repository, now=service.clock.now()
    )


def end_what_is_over(service: Service, *, branches: tuple[str, ...] = ()) -> None:
    """Bring the ledger in line with promotions that have moved their branch or can no longer. Whatever cannot be looked
    at now is looked at again. Raises Refused `promotion.locked` while somebody is at one of them, GuardError."""
    from guard.journeys.moving import look
    from guard.journeys.underway import latest

    refs = [f"refs/heads/{branch}" for branch in branches or service.branches]
    waiting = [ref for ref in refs if latest(service.ledger, ref) is not None]
    if not waiting:
        return
    with open_bureau(service) as bureau:
        for ref in waiting:
            ended = look(ref, bureau)
            if ended is not None:
                log.info("the promotion of %s by %s has %s: %s", ref, ended.by, ended.stage, ended.note)


def _push(service: Service, ref: str, old: Commit, new: Commit) -> str:
    if service.mirror is None:
        raise Refused("there is no forge to push to", code="promotion.not-hosted")
    return service.mirror.push(ref, old, new)
