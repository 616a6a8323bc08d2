"""A guarded bare repository and a developer's clone of it, for the stories about hooks."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from guard.adapters.gitdir import git_version
from guard.adapters.keys import SigningKey, ensure_signing_key
from guard.adapters.ledger import SqlLedger
from guard.cli.main import status_of
from guard.core.permit import Permit, sign
from tests.gitrepo import Repo, clean_process

BRANCH = "release/platform-control"
REF = f"refs/heads/{BRANCH}"
NAME = "demo/platform"
DOCUMENT = "doc/governance/Promotion_Policy.md"
RULES = '"lineage", "approvals"'


def policy(*, branch: str = BRANCH, mode: str = "enforce", repository: str = NAME, rules: str = RULES) -> str:
    return f"""\
version = 1
mode = "{mode}"
[project]
forge = "local"
repository = "{repository}"
[branches."{branch}"]
upstream = "master"
require = [{rules}]
read_first = ["{DOCUMENT}"]
[roles.platform]
members = ["ann"]
[roles.security]
members = ["bob"]
"""


def guard(*arguments: str | Path) -> int:
    """One `guard` command line in this process; its exit status."""
    with clean_process():
        return status_of([str(argument) for argument in arguments])


@dataclass(frozen=True)
class World:
    """`old` is the release branch; `new` is master, a descendant of it; `side` is not one."""

    bare: Repo
    dev: Repo
    old: str
    new: str
    side: str
    elsewhere: Path | None = None

    @property
    def home(self) -> Path:
        """Where the keys and the ledger are: in the bare repository, or where another guard keeps them."""
        return self.elsewhere or self.bare.path / "guard"

    @property
    def key(self) -> SigningKey:
        return ensure_signing_key(self.home / "keys", self.home / "jwks.json")

    @property
    def ledger(self) -> SqlLedger:
        return SqlLedger(self.home / "ledger.sqlite3", repository=NAME)

    def head(self) -> str:
        return self.bare.rev(REF)

    def permit(self, **changed: object) -> Permit:
        now = int(time.time())
        digest = "sha256:" + "0" * 64
        fields: dict[str, object] = {
            "id": secrets.token_urlsafe(16), "repository": NAME, "ref": REF, "old": self.old, "new": self.new,
            "tree": self.dev.git("rev-parse", f"{self.new}^{{tree}}"), "decision": digest, "policy": digest,
            "by": "ann", "issued": now - 1, "expires": now + 600,
        }  # fmt: skip
        return Permit(**{**fields, **changed})  # type: ignore[arg-type]

    def issue(self, permit: Permit, *, key: SigningKey | None = None) -> str:
        """Sign the permit and put it on record as issued; its token."""
        body = {"permit": permit.id, "ref": permit.ref, "old": permit.old, "new": permit.new}
        self.record("permit.issued", permit, body)
        return sign(permit, key or self.key)

    def record(self, kind: str, permit: Permit, body: Mapping[str, object]) -> None:
        self.ledger.append(kind, body, at=datetime.now(UTC), once=f"{kind}:{permit.id}")


def build(
    folder: Path, *, mode: str = "enforce", env: Mapping[str, str] | None = None, rules: str = RULES
) -> World:
    """A bare repository with a release branch and a master ahead of it, and a clone; no hooks yet."""
    bare = Repo.init(folder / "platform.git", "--bare", env=env)
    dev = bare.clone(folder / "dev")
    dev.git("symbolic-ref", "HEAD", "refs/heads/master")
    old = dev.commit("Start", {"guard.toml": policy(mode=mode, rules=rules), "app.py": "one\n"})
    dev.git("push", "-q", "origin", "master", f"master:{BRANCH}")
    new = dev.commit("Next", {"app.py": "two\n"})
    dev.git("push", "-q", "origin", "master")
    dev.git("switch", "-q", "-c", "side", old)
    side_root = dev.git("commit-tree", "-m", "Unrelated", f"{old}^{{tree}}")
    dev.git("switch", "-q", "master")
    dev.git("fetch", "-q")
    dev.git("remote", "set-head", "origin", "master")
    return World(bare, dev, old, new, side_root)


def guarded(folder: Path, *, mode: str = "enforce", client: bool = True) -> World:
    """The same with the server's hooks and, unless not wanted, the client's."""
    world = build(folder, mode=mode)
    assert guard("install", "--server", world.bare.path) == 0
    if client:
        assert guard("install", "--repo", world.dev.path) == 0
    return world


NO_HOOKS = ("-c", "core.hooksPath=/dev/null", *(
    word
    for hook in ("pre-commit", "pre-merge-commit", "prepare-commit-msg", "pre-push", "reference-transaction")
    for word in ("-c", f"hook.release-guard-{hook}.enabled=false")
))  # fmt: skip
"""What whoever owns the machine can always say."""


def installed(folder: Path, *, mode: str = "enforce") -> World:
    """A clone with hooks, whose remote has none."""
    world = build(folder, mode=mode)
    assert guard("install", "--repo", world.dev.path) == 0
    return world


def standing(folder: Path, *, work_trees: int = 1) -> World:
    """The same on its release branch, with a file that is not git's, a branch `picks` ahead of master and a patch; of
    several work trees, `dev` is a linked one."""
    world = installed(folder)
    dev = world.dev
    dev.git("branch", "-q", "picks", world.new)
    dev.git("worktree", "add", "-q", str(folder / "picks"), "picks")
    picks = Repo(folder / "picks")
    picks.commit("One", {"one.txt": "1\n"})
    picks.commit("Two", {"two.txt": "2\n"})
    (folder / "one.patch").write_text(picks.git("format-patch", "-1", "--stdout", "picks~1") + "\n")
    for number in range(2, work_trees):
        dev.git("worktree", "add", "-q", str(folder / f"lane {number}"), "-b", f"lane/{number}", "master")
    if work_trees > 1:
        dev.git("branch", "-q", "--track", BRANCH, f"origin/{BRANCH}")
        dev.git("worktree", "add", "-q", str(folder / "lane"), BRANCH)
        world = replace(world, dev=Repo(folder / "lane"))
    else:
        dev.git("switch", "-q", "-c", BRANCH, "--track", f"origin/{BRANCH}")
    (world.dev.path / "untracked.txt").write_text("mine\n")
    dev.git("branch", "-q", "picks-free", "picks")
    return world


WORK_TREES = [pytest.param(20, id="twenty-work-trees")]
if os.environ.get("GUARD_TEST_LONG"):
    WORK_TREES.append(pytest.param(1, id="one-work-tree"))
"""How many work trees the tables are run in: of twenty, one is a linked one; with GUARD_TEST_LONG also in the plainest
clone there is."""


def since(major: int, minor: int) -> pytest.MarkDecorator:
    """For what older gits do not have."""
    return pytest.mark.skipif(git_version() < (major, minor), reason=f"git {major}.{minor} brought it")


def keep(world: World, folder: Path, *, only: tuple[str, ...] = ("",)) -> Callable[[], World]:
    """How to have what is below `folder`, where the world stands, once more as it is now, and at the same paths; of
    `only` these parts where the others do not change."""
    kept = folder.with_name(f"{folder.name} as it was")
    for part in only:
        shutil.copytree(folder / part, kept / part, symlinks=True)

    def again() -> World:
        for part in only:
            shutil.rmtree(folder / part)
            shutil.copytree(kept / part, folder / part, symlinks=True)
        return world

    return again
