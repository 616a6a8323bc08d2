"""A guarded server, a clone with its hooks, and a developer with a key: promotions through the real command."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
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
        """What `guard` prints where it succeeds; in this very process, since most of a short one is its start."""
        env = {"GUARD_SSH_KEY": str(self.folder / "key"), "NO_COLOR": "1"}
        with chdir(self.dev.path), clean_process(**env), told() as said:
            status = status_of(arguments)
        assert status == 0, said
        return said[0]

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
    server.ok("install", "--server", str(bare.path), *(["--database", database] if database else []))
    give_key(folder)
    (bare.path / "guard" / "allowed_signers").write_text(
        f"ann@example.com {(folder / 'key.pub').read_text()}\n"
    )
    server.ok("install")
    if adopted:
        server.ok("adopt", "--branch", BRANCH)
    return server


@contextmanager
def told() -> Iterator[list[str]]:
    """What this process and its children write to standard output and standard error meanwhile, in this order."""
    said: list[str] = []
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(2)]
        nothing = stack.enter_context(Path(os.devnull).open())
        for number, file in enumerate((nothing, *files)):
            stack.callback(os.close, kept := os.dup(number))
            stack.callback(os.dup2, kept, number)
            os.dup2(file.fileno(), number)
        stack.enter_context(redirect_stdout(files[0]))
        stack.enter_context(redirect_stderr(files[1]))
        yield said
        for file in files:
            file.flush()
            file.seek(0)
            said.append(file.read())


def give_key(folder: Path) -> None:
    private = Ed25519PrivateKey.generate()
    (folder / "key").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    (folder / "key").chmod(0o600)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    (folder / "key.pub").write_bytes(public)
