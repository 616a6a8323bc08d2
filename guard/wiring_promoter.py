"""Building what a promoter asks the guard's service with: a clone, its owner's key, and the clone's note."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from guard import wiring
from guard.adapters import promote_script
from guard.adapters.git import GitRepo
from guard.adapters.promotion_client import PromotionClient
from guard.adapters.promotion_note import Note, PromotionNote
from guard.core.claims import PromotionRequested
from guard.core.errors import GuardError, UsageError
from guard.core.model import Commit
from guard.core.promotion_api import Promotion
from guard.journeys.promoting import Promoter
from guard.journeys.promotion import Move
from guard.journeys.remote_policy import RemotePolicies
from guard.render.safe import plain


class Wishes(Protocol):
    """The command line, as far as it matters here."""

    @property
    def branch(self) -> str | None: ...
    @property
    def wanted(self) -> str | None: ...
    @property
    def remote(self) -> str: ...
    @property
    def repo(self) -> Path: ...
    @property
    def form(self) -> str: ...
    @property
    def by(self) -> str | None: ...
    @property
    def key(self) -> str | None: ...


@contextmanager
def open_promoter(url: str, wishes: Wishes, *, tell: Callable[[str], None]) -> Iterator[tuple[Promoter, str]]:
    """The promoter of a clone, and the branch that is meant. Raises UsageError where something is not known."""
    clone, remote = wishes.repo.resolve(), wishes.remote
    client = PromotionClient(url)
    with GitRepo(clone) as git:
        prefix = f"refs/remotes/{remote}/"
        heads = {ref.removeprefix(prefix): Commit(name) for ref, name in git.refs(prefix).items()}
        policies = RemotePolicies(git, heads)
        branch = wishes.branch or policies.target()
        repository = policies.repository(target=branch)
        sender = wiring.clone_sender(clone, remote, repository=repository, by=wishes.by, key=wishes.key)
        note = PromotionNote(git.common_dir())

        def read_file(commit: Commit, path: str) -> bytes | None:
            promote_script.fetch_commit(clone, remote, commit, branch=branch)
            with GitRepo(clone) as fresh:
                return fresh.read(commit, path)

        def write(claim: PromotionRequested) -> None:
            told = (claim.target, claim.old, claim.commit, claim.policy, claim.request, claim.read)
            note.write(Note(client.url, repository, *told))

        def read_note() -> Note | None:
            found = note.read()
            if found is not None and found.service != client.url:
                raise GuardError(
                    f"a promotion that {found.service} gave a permit for was cut off here, and this is {client.url}",
                    fix=f"end that one first: guard promote --service {found.service}",
                    code="promotion.note",
                )
            return found

        yield (
            Promoter(
                repository=repository,
                by=sender.by,
                signer=sender.signer,
                service=client,
                read_note=read_note,
                write_note=write,
                forget=note.forget,
                read_script=read_file,
                move=lambda move, given: _move(
                    clone, remote, move, given, client, quiet=wishes.form == "json"
                ),
                remote_head=lambda ref: promote_script.remote_head(clone, remote, ref),
                now=wiring.system_clock().now,
                nonce=lambda: secrets.token_hex(16),
                tell=tell,
            ),
            branch,
        )


def resolved(wishes: Wishes) -> Commit:
    """The commit behind --to. Raises UsageError."""
    name = wishes.wanted or ""
    with GitRepo(wishes.repo) as git:
        found = git.resolve(name) or git.resolve(f"refs/remotes/{wishes.remote}/{name}")
    if found is None:
        raise UsageError(
            f"--to: there is no commit {plain(name)!r} in this clone", fix="check the spelling, or git fetch"
        )
    return found


def _move(
    clone: Path, remote: str, move: Move, given: Promotion, client: PromotionClient, *, quiet: bool
) -> int:
    by_service = given.moved_by == "service"
    if move.script is None and by_service:
        return 0 if client.push(given.promotion, move.token).state == "finished" else 1
    promote_script.fetch_commit(clone, remote, move.new, branch=move.branch)
    environment = promote_script.permit_environment(
        os.environ,
        token=move.token,
        old=move.old,
        new=move.new,
        branch=move.branch,
        remote=remote,
        options=not by_service,
        more={
            "GUARD_PROMOTION": given.promotion,
            "GUARD_SERVICE_URL": client.url,
            "GUARD_MOVED_BY": given.moved_by,
            # Last, so that it only helps a script whose own path has no guard.
            "PATH": os.pathsep.join(filter(None, (os.environ.get("PATH"), str(Path(sys.executable).parent)))),
        },
    )
    stdout = 2 if quiet else None
    if move.script is None:
        return promote_script.push(
            clone, remote, ref=move.ref, new=move.new, environment=environment, stdout=stdout
        )
    return promote_script.run_script(
        move.script.data,
        name=move.script.path,
        clone=clone,
        environment=environment,
        arguments=move.arguments,
        stdout=stdout,
    )
