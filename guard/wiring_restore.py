"""Building what a protected branch is put back with: by the service on its forge, or beside the ledger."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guard.core.canonical import digest_of_bytes
from guard.core.errors import ForgeError
from guard.core.model import Commit, Unknown
from guard.core.permit import sign
from guard.core.policy_text import POLICY_PATH
from guard.journeys.restoring import NOBODY, Means
from guard.journeys.sources import Sources
from guard.ports import Forge, Ledger, Voice
from guard.settings import ServerHome

if TYPE_CHECKING:
    from guard.adapters.mirror import Mirror
    from guard.service_settings import ServiceSettings

Push = Callable[[str, str, str, str], str]


def service_means(
    home: ServerHome,
    settings: ServiceSettings,
    ledger: Ledger,
    mirror: Mirror | None,
    *,
    forge: Forge,
    voice: Voice | None,
    sources: Sources,
) -> Callable[[str], Means]:
    """For each branch what the service puts it back with."""

    def means(branch: str) -> Means:
        def read_head() -> Commit | None:
            fact = forge.head(branch)
            if isinstance(fact, Unknown):
                raise ForgeError(fact.why, fix=fact.fix)
            return fact.value

        if mirror is None:
            return beside(home, ledger, sources, branch)

        def push(token: str, ref: str, old: str, new: str) -> str:
            lease = "" if not old.strip("0") else old
            given = "" if settings.hosted else token
            opens = settings.protection == "keep" and bool(lease)
            with _opened(ledger, voice if opens else None, sources, branch, lease, new):
                return mirror.push(ref, lease, new, token=given)

        return _means(home, ledger, sources, read_head, push)

    return means


def beside(home: ServerHome, ledger: Ledger, sources: Sources, branch: str) -> Means:
    """What a branch of the bare repository beside the ledger is put back with: a push through its own hooks."""

    def push(token: str, ref: str, old: str, new: str) -> str:
        from guard.adapters.promote_script import permit_environment, push_back

        branch = ref.removeprefix("refs/heads/")
        environment = permit_environment(os.environ, token=token, old=old, new=new, branch=branch, remote=".")
        return push_back(home.settings.git_dir, ref=ref, old=old, new=new, environment=environment)

    return _means(home, ledger, sources, lambda: sources.git.resolve(f"refs/heads/{branch}"), push)


def _means(
    home: ServerHome, ledger: Ledger, sources: Sources, read_head: Callable[[], Commit | None], push: Push
) -> Means:
    from guard.adapters.keys import ensure_signing_key

    key = ensure_signing_key(home.keys, home.jwks)
    return Means(
        repository=home.settings.repository,
        ledger=ledger,
        clock=sources.clock,
        read_head=read_head,
        tree_of=sources.git.tree_of,
        push=push,
        sign=lambda permit: sign(permit, key),
        new_id=lambda: secrets.token_urlsafe(18),
        policy=lambda commit: digest_of_bytes(sources.git.read(commit, POLICY_PATH) or b""),
    )


@contextmanager
def _opened(
    ledger: Ledger, voice: Voice | None, sources: Sources, branch: str, old: str, new: str
) -> Iterator[None]:
    """Where the guard keeps the protection and the move does not go forward, the forge lets the guard, and nobody else,
    push by force meanwhile."""
    if voice is None or (
        sources.git.resolve(old) is not None and sources.git.descends(Commit(new), Commit(old))
    ):
        yield
        return
    where = {"ref": f"refs/heads/{branch}", "old": old or NOBODY, "new": new}
    ledger.append("protection.opened", where, at=sources.clock.now())
    voice.protect(branch, force_push=True)
    try:
        yield
    finally:
        voice.protect(branch)
        ledger.append("protection.closed", where, at=sources.clock.now())
