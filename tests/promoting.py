"""A world for promotion stories: a bare repository, a clone, a ledger and keys, and a GO without its rules."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from guard.adapters.keys import ensure_signing_key
from guard.adapters.ledger import SqlLedger
from guard.adapters.promote_script import permit_environment, push, run_script
from guard.core.model import Candidate, Commit, Decision, Outcome, Verdict
from guard.core.permit import sign
from guard.journeys.adopt import Baseline, adopt
from guard.journeys.promotion import Move, Request, Tools
from tests.gitrepo import Repo, clean_environment

REPOSITORY = "gpuaas/platform"
BRANCH = "release/platform-control"
REF = f"refs/heads/{BRANCH}"
SCRIPT = "scripts/ci/promote.sh"
PUSHES = '#!/bin/sh\nset -e\ngit push -q "$GUARD_REMOTE" "$GUARD_NEW:refs/heads/$GUARD_BRANCH"\n'
POLICY_DIGEST = "sha256:" + "a" * 64


class Now:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class World:
    """`old` is where the release branch stands, `new` the head of master, one commit further, with the script."""

    folder: Path
    old: str
    new: str

    @property
    def bare(self) -> Path:
        return self.folder / "platform.git"

    @property
    def clone(self) -> Path:
        return self.folder / "dev"

    def ledger(self) -> SqlLedger:
        return SqlLedger(self.folder / "ledger.sqlite3", repository=REPOSITORY)

    def head(self, ref: str = REF) -> Commit | None:
        done = Repo(self.bare).run("rev-parse", "--verify", "--quiet", ref)
        return Commit(done.stdout.decode().strip()) if done.returncode == 0 else None

    def read(self, commit: str, path: str) -> bytes | None:
        done = Repo(self.bare).run("cat-file", "blob", f"{commit}:{path}")
        return done.stdout if done.returncode == 0 else None

    def git(self, *arguments: str) -> str:
        return Repo(self.bare).git(*arguments)


def make_world(folder: Path, *, script: str = PUSHES, baseline: bool = True) -> World:
    """A fresh world below `folder`."""
    bare = Repo.init(folder / "platform.git", "--bare")
    bare.git("config", "receive.advertisePushOptions", "true")
    bare.git("config", "core.logAllRefUpdates", "true")
    dev = bare.clone(folder / "dev")
    old = dev.commit("start", {"README": "hello\n"})
    dev.git("push", "-q", "origin", f"HEAD:{REF}", "HEAD:refs/heads/master")
    new = dev.commit("a fix", {"fix": "fixed\n", SCRIPT: script})
    dev.git("push", "-q", "origin", "HEAD:refs/heads/master")
    world = World(folder, old, new)
    if baseline:
        adopt(world.ledger(), baseline_of(world), now=datetime.now(UTC))
    return world


def baseline_of(world: World) -> Baseline:
    return Baseline(
        ref=REF,
        head=Commit(world.head() or ""),
        upstream="master",
        upstream_head=Commit(world.new),
        drift=(),
        by="ann",
    )


def decision_of(world: World, *, outcome: Outcome = Outcome.PASS) -> Decision:
    """What the engine would say: the branch as it stands now may move to `new`, or not."""
    candidate = Candidate(
        REPOSITORY,
        REF,
        world.head() or Commit(""),
        Commit(world.new),
        Commit(world.new),
        tree=world.git("rev-parse", f"{world.new}^{{tree}}"),
    )
    verdict = Verdict("lineage", "Lineage", outcome, summary="one commit, on master")
    return Decision(candidate, (verdict,), POLICY_DIGEST, "guard.toml", "enforce", datetime.now(UTC))


def request_of(world: World, **changes: object) -> Request:
    plain = Request(
        ref=REF, new=Commit(world.new), by="ann@example.com", script=SCRIPT, permit_life=timedelta(minutes=15)
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def tools_of(world: World, *, decide: Callable[[], Decision] | None = None, **changes: object) -> Tools:
    """Real ledger, git, keys and script; only the decision is given."""
    key = ensure_signing_key(world.folder / "keys", world.folder / "jwks.json")
    tools = Tools(
        ledger=world.ledger(),
        clock=Now(),
        read_file=world.read,
        decide=decide or (lambda: decision_of(world)),
        read_head=world.head,
        move=mover(world),
        sign=lambda permit: sign(permit, key),
        new_id=lambda: secrets.token_urlsafe(18),
        tell=lambda _line: None,
    )
    return replace(tools, **changes)  # type: ignore[arg-type]


def mover(world: World) -> Callable[[Move], int]:
    def move(move: Move) -> int:
        environment = permit_environment(
            clean_environment(),
            token=move.token,
            old=move.old,
            new=move.new,
            branch=move.branch,
            remote="origin",
        )
        if move.script is None:
            return push(world.clone, "origin", ref=move.ref, new=move.new, environment=environment)
        return run_script(
            move.script.data,
            name=SCRIPT,
            clone=world.clone,
            environment=environment,
            arguments=move.arguments,
        )

    return move


def kinds(world: World) -> list[str]:
    """The kinds of all entries but the baseline, in order."""
    return [entry.kind for entry in world.ledger().entries() if entry.kind != "baseline.adopted"]
