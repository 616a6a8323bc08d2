"""`guard install --global`: the hooks of all repositories look where they run (git >= 2.54)."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.adapters.gitdir import git_version
from guard.cli.main import status_of
from tests.gitrepo import Repo, clean_process
from tests.hook_world import BRANCH, REF, World, build, guard

CONFIGURED = git_version() >= (2, 54)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "gitconfig").touch()
    return {
        "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
    }  # fmt: skip


def with_home(home: dict[str, str], *words: str | Path) -> int:
    with clean_process(**home):
        return status_of([str(word) for word in words])


def wide(tmp_path: Path, home: dict[str, str]) -> World:
    """A developer whose git runs the hooks everywhere, and a server with its own."""
    world = build(tmp_path / "world")
    world.dev.env.update(home)
    assert guard("install", "--server", world.bare.path) == 0
    assert with_home(home, "install", "--global") == 0
    return world


@pytest.mark.skipif(CONFIGURED, reason="this git runs hooks from its configuration")
def test_an_older_git_is_told(
    tmp_path: Path, home: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert with_home(home, "install", "--global") == 2
    assert "install.git-too-old" in capsys.readouterr().err
    assert not (tmp_path / "config").exists()


def test_what_does_not_go_together(home: dict[str, str], tmp_path: Path) -> None:
    assert with_home(home, "install", "--global", "--server", tmp_path) == 64
    assert with_home(home, "uninstall", "--system", "--home", tmp_path) == 64


@pytest.mark.skipif(not CONFIGURED, reason="this git knows no hooks in configuration (2.54 and newer do)")
class TestEverywhere:
    def test_a_new_clone_is_guarded_from_its_checkout_on(
        self, tmp_path: Path, home: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        world = wide(tmp_path, home)
        world.bare.git("symbolic-ref", "HEAD", "refs/heads/master")
        other = Repo(tmp_path / "new", env=home)
        world.dev.git("clone", "-q", str(world.bare.path), str(other.path))
        assert (other.path / ".git/guard/hooks.json").exists()
        done = other.run("-c", "core.hooksPath=/dev/null", "branch", BRANCH, "origin/master")
        assert done.stderr.startswith(b"refs.protected: ")
        assert with_home(home, "doctor", "--repo", other.path, "--section", "hooks") == 0, (
            capsys.readouterr().out
        )
        other.git("push", "-q", "origin", "HEAD:refs/heads/feature")

    def test_other_repositories_notice_nothing(self, tmp_path: Path, home: dict[str, str]) -> None:
        wide(tmp_path, home)
        mine = Repo.init(tmp_path / "mine", env=home)
        mine.commit("x", {"guard.toml": "version = 1\n"})
        mine.git("branch", BRANCH)
        mine.git("switch", "-q", BRANCH)
        mine.git("commit", "-q", "--allow-empty", "-m", "x")
        backup = Repo.init(tmp_path / "backup.git", "--bare", env=home)
        mine.git("push", "-q", "--mirror", str(backup.path))

    def test_in_the_servers_repository_its_own_hooks_decide(
        self, tmp_path: Path, home: dict[str, str]
    ) -> None:
        world = wide(tmp_path, home)
        assert guard("install", "--repo", world.dev.path) == 0
        token = world.issue(world.permit())
        done = world.dev.run(
            "push", "origin", f"master:{REF}", GUARD_PERMIT=token, GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0="push.pushOption", GIT_CONFIG_VALUE_0=f"guard-permit={token}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        refused = world.dev.run("push", "--no-verify", "--force", "origin", f"{world.side}:{REF}")
        assert b"remote: refs.protected" in refused.stderr

    def test_uninstall(self, tmp_path: Path, home: dict[str, str]) -> None:
        world = wide(tmp_path, home)
        assert with_home(home, "uninstall", "--global") == 0
        assert "release-guard" not in (tmp_path / "gitconfig").read_text()
        assert not list((tmp_path / "config/release-guard/hooks").iterdir())
        world.dev.git("commit", "-q", "--allow-empty", "-m", "x")
