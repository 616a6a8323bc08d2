"""A guarded repository and the clone that somebody works in, on one machine."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from guard.core.claims import ProposalOpened
from guard.core.errors import GitError, SettingsError, UsageError
from guard.core.model import Commit
from guard.core.permit import sign
from guard.journeys.gather import gather_and_decide
from guard.journeys.sources import Range, Sources
from guard.journeys.statements import send
from guard.ports import Ledger
from guard.settings import ServerHome, find_home
from guard.wiring import clone_sender, open_ledger, server_sources

if TYPE_CHECKING:
    from guard.adapters.ledger import SqlLedger
    from guard.core.policy_branch import Branch
    from guard.journeys.alarm import Alarm
    from guard.journeys.prepare import Workshop
    from guard.journeys.promotion import Move, Tools


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

    def permit_life(self, rules: Branch) -> timedelta:
        """How long a permit lives; where a verifier asks nobody whether it was taken back, two minutes at most."""
        from guard.journeys.permitting import OFFLINE_LIFE

        life = rules.permit_ttl
        return min(life, OFFLINE_LIFE) if self.home.settings.offline_verifiers else life

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

    def end_alarm(self, branch: str) -> Alarm | None:
        """Look at the branch, raise the alarm where it was moved without a permit, and end an open one as its two
        people said; the newest. Raises GuardError."""
        from guard.journeys.watching_here import look_here
        from guard.wiring_restore import beside

        return look_here(
            branch, self.sources, self.ledger, means=beside(self.home, self.ledger, self.sources, branch)
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
