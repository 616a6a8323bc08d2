"""A guarded server, a clone with its hooks, and a developer with a key: promotions through the real command."""

from __future__ import annotations

import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from guard.adapters.ledger import SqlLedger
from guard.cli.main import status_of
from guard.core.model import Commit
from tests.gitrepo import ISOLATION, Repo, clean_environment, clean_process

BRANCH = "release/platform-control"
REF = f"refs/heads/{BRANCH}"
NAME = "gpuaas/platform"
SCRIPT = "scripts/ci/promote.sh"
READ_FIRST = "doc/Promotion_Policy.md"
POLICY = f"""\
version = 1
[project]
forge = "local"
repository = "{NAME}"
[branches."{BRANCH}"]
upstream = "master"
promote = "{SCRIPT}"
require = ["lineage"]
read_first = ["{READ_FIRST}"]
"""
PUSHES = (
    '#!/bin/sh\nset -e\necho "the script says: $*"\n'
    'git push -q "$GUARD_REMOTE" "$GUARD_NEW:refs/heads/$GUARD_BRANCH"\n'
)


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Server:
    """`old` is the adopted head of the release branch, `fix` the head of master, one commit further."""

    folder: Path
    bare: Repo
    dev: Repo
    old: str
    fix: str
    database: str | None = None

    def guard(self, *arguments: str, cwd: Path | None = None, stdin: str = "", **extra: str) -> Done:
        """`guard` in a process of its own, in the clone."""
        env = clean_environment(GUARD_SSH_KEY=str(self.folder / "key"), NO_COLOR="1", **extra)
        done = subprocess.run(
            [sys.executable, "-m", "guard.cli.main", *arguments],
            cwd=cwd or self.dev.path, env=env, input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str) -> str:
        done = self.guard(*arguments)
        assert done.status == 0, done.out + done.err
        return done.out

    @property
    def ledger(self) -> SqlLedger:
        return SqlLedger(self.database or self.bare.path / "guard" / "ledger.sqlite3", repository=NAME)

    def head(self, ref: str = REF) -> Commit:
        return Commit(self.bare.rev(ref))

    def kinds(self) -> list[str]:
        """The ledger's kinds in order, without people's statements."""
        return [entry.kind for entry in self.ledger.entries() if not entry.kind.startswith("statement.")]


def make_server(
    folder: Path,
    *,
    policy: str = POLICY,
    script: str = PUSHES,
    adopted: bool = True,
    database: str | None = None,
) -> Server:
    """A fresh one below `folder`, its ledger in a file or in `database`; one commit on master waits to be promoted,
    and nothing is proposed."""
    bare = Repo.init(folder / "platform.git", "--bare", env=ISOLATION)
    bare.git("config", "core.logAllRefUpdates", "true")
    dev = bare.clone(folder / "dev")
    dev.git("symbolic-ref", "HEAD", "refs/heads/master")
    dev.git("config", "user.name", "Ann")
    dev.git("config", "user.email", "ann@example.com")
    files = {"guard.toml": policy, SCRIPT: script, READ_FIRST: "Read me.\n", "app": "one\n"}
    old = dev.commit("start", files)
    dev.git("push", "-q", "origin", "master", f"master:{REF}")
    fix = dev.commit("a fix", {"app": "two\n"})
    dev.git("push", "-q", "origin", "master")
    server = Server(folder, bare, dev, old, fix, database)
    _set_up(server, "install", "--server", str(bare.path), *(["--database", database] if database else []))
    _give_key(folder)
    (bare.path / "guard" / "allowed_signers").write_text(
        f"ann@example.com {(folder / 'key.pub').read_text()}\n"
    )
    _set_up(server, "install")
    if adopted:
        _set_up(server, "adopt", "--branch", BRANCH)
    return server


def _set_up(server: Server, *arguments: str) -> None:
    """`guard` in this process: what a story only begins with need not be paid for with an interpreter each."""
    with chdir(server.dev.path), clean_process(GUARD_SSH_KEY=str(server.folder / "key")):
        assert status_of(arguments) == 0, arguments


def _give_key(folder: Path) -> None:
    private = Ed25519PrivateKey.generate()
    (folder / "key").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    (folder / "key").chmod(0o600)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    (folder / "key.pub").write_bytes(public)
