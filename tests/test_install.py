"""Stories of `guard install` and `guard uninstall`: nothing that stood there is lost, and it can be done twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from guard.core.hookconfig import Found, protections
from guard.core.policy_text import parse_policy
from tests.gitrepo import Repo
from tests.hook_world import BRANCH, NAME, REF, World, build, guard, policy

CLIENT = ("pre-commit", "pre-merge-commit", "pre-push")


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, bool]]:
    """Every file below: content, mode, and whether it is a link."""
    found = {}
    for file in folder.rglob("*"):
        if file.is_symlink() or file.is_file():
            content = str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
            found[str(file.relative_to(folder))] = (content, file.lstat().st_mode, file.is_symlink())
    return found


def hook(folder: Path, name: str, text: str, *, mode: int = 0o755) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


def install(world: World, *more: str) -> int:
    return guard("install", "--repo", world.dev.path, *more)


def is_refused(world: World) -> bool:
    return b"refs.protected" in world.dev.run("push", "--dry-run", "origin", f"master:{REF}").stderr


def test_twice_is_once_and_uninstall_restores_byte_for_byte(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    git_dir = world.dev.path / ".git"
    hook(git_dir / "hooks", "pre-push", "#!/bin/sh\necho mine >&2\nexit 0\n", mode=0o750)
    hook(git_dir / "hooks", "pre-commit", "#!/usr/bin/env python3\n", mode=0o644)
    (git_dir / "hooks/pre-merge-commit").symlink_to("pre-commit")
    before = snapshot(git_dir / "hooks")
    assert install(world) == 0
    assert f"protected: {BRANCH}" in capsys.readouterr().out
    after = snapshot(git_dir / "hooks")
    assert install(world) == 0
    assert snapshot(git_dir / "hooks") == after
    assert "pre-push: is as it should be" in capsys.readouterr().out
    assert is_refused(world)
    assert guard("uninstall", "--repo", world.dev.path) == 0
    assert snapshot(git_dir / "hooks") == before
    assert not (git_dir / "guard").exists()
    assert not is_refused(world)


@pytest.mark.parametrize(
    "shebang",
    ["#!/bin/sh", "#!/usr/bin/env sh", "#!/usr/bin/env bash", "#!/bin/sh -eu", "#!/usr/bin/env python3"],
)
def test_a_chained_hook_gets_the_same_arguments_and_input(world: World, tmp_path: Path, shebang: str) -> None:
    if "bash" in shebang and shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    seen = tmp_path / "seen"
    body = f'printf "%s\\n" "$(basename "$0")" "$@" >"{seen}"\ncat >>"{seen}"\n'
    if "python" in shebang:
        said = "'\\n'.join(['pre-push', *sys.argv[1:], sys.stdin.read()])"
        body = f"import sys; open({str(seen)!r}, 'w').write({said})\n"
    hook(world.dev.path / ".git/hooks", "pre-push", f"{shebang}\n{body}")
    assert install(world) == 0
    world.dev.git("push", "-q", "origin", "master:refs/heads/feature", "master:refs/heads/more")
    name, remote, url, *lines = seen.read_text().splitlines()
    assert (remote, url) == ("origin", str(world.bare.path))
    if shebang != "#!/bin/sh -eu":
        assert name == "pre-push"
    assert [line.split()[2] for line in lines] == ["refs/heads/feature", "refs/heads/more"]
    seen.unlink()
    assert is_refused(world)
    assert not seen.exists(), "what is refused does not start the other hook"


def test_a_chained_hook_still_refuses(world: World) -> None:
    hook(world.dev.path / ".git/hooks", "pre-push", "#!/bin/sh\nexit 3\n")
    hook(world.dev.path / ".git/hooks", "pre-commit", "#!/bin/sh\necho no >&2\nexit 1\n")
    assert install(world) == 0
    assert world.dev.run("push", "origin", "master:refs/heads/feature").returncode != 0
    assert b"no\n" in world.dev.run("commit", "--allow-empty", "-m", "x").stderr


def test_a_chained_hook_that_reads_nothing_of_a_long_push(world: World) -> None:
    hook(world.dev.path / ".git/hooks", "pre-push", "#!/bin/sh\nexit 0\n")
    assert install(world) == 0
    refs = "".join(f"create refs/heads/many/{n:04} {world.new}\n" for n in range(1500))
    world.dev.git("update-ref", "--stdin", stdin=refs.encode())
    done = world.dev.run("push", "-q", "origin", "refs/heads/many/*:refs/heads/many/*")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "name", ["plain", "with space", 'it\'s "quoted"', "new\nline", "$(touch pwned)`x`", "-dash", "ünï"]
)
def test_any_path_is_safe(tmp_path: Path, name: str) -> None:
    world = build(tmp_path / name)
    hook(world.dev.path / ".git/hooks", "pre-push", f'#!/bin/sh\ncat >>"{tmp_path}/seen"\n')
    assert install(world) == 0
    assert is_refused(world)
    assert world.dev.run("push", "-q", "origin", "master:refs/heads/feature").returncode == 0
    assert (tmp_path / "seen").exists()
    assert not list(tmp_path.rglob("pwned"))
    assert guard("install", "--server", world.bare.path) == 0
    done = world.dev.run("push", "--no-verify", "origin", f"master:{REF}")
    assert b"remote: refs.protected" in done.stderr


def test_core_hooks_path_is_respected(world: World) -> None:
    world.dev.git("config", "core.hooksPath", ".githooks")
    hook(world.dev.path / ".githooks", "pre-push", "#!/bin/sh\nexit 0\n")
    lane = Repo(world.dev.path.parent / "lane")
    world.dev.git("worktree", "add", "-q", str(lane.path), "-b", "lane")
    assert install(world) == 0
    assert is_refused(world)
    assert b"refs.protected" in lane.run("push", "--dry-run", "origin", f"lane:{REF}").stderr
    assert (world.dev.path / ".githooks/pre-push.guard-chained").exists()
    assert not (world.dev.path / ".git/hooks/pre-push").exists()
    assert guard("uninstall", "--repo", lane.path) == 0
    assert (world.dev.path / ".githooks/pre-push").read_text() == "#!/bin/sh\nexit 0\n"


def test_a_hook_folder_that_all_repositories_share(world: World, tmp_path: Path) -> None:
    shared = tmp_path / "shared hooks"
    hook(shared, "pre-commit", "#!/bin/sh\nexit 0\n")
    other = build(tmp_path / "elsewhere").dev
    for repo in (world.dev, other):
        repo.git("config", "core.hooksPath", str(shared))
    assert install(world) == 0
    assert is_refused(world)
    assert other.run("push", "--dry-run", "origin", f"master:{REF}").returncode == 0, (
        "it was not installed there"
    )
    assert guard("install", "--repo", other.path) == 0
    assert guard("uninstall", "--repo", world.dev.path) == 0
    assert not is_refused(world)
    assert b"refs.protected" in other.run("push", "--dry-run", "origin", f"master:{REF}").stderr


def test_husky_keeps_running_by_its_own_name(world: World, tmp_path: Path) -> None:
    """Husky's stubs find the user's script by the name they were called with."""
    world.dev.git("config", "core.hooksPath", ".husky/_")
    hook(
        world.dev.path / ".husky/_",
        "h",
        'n=$(basename "$0")\ns=$(dirname "$(dirname "$0")")/$n\n[ ! -f "$s" ] && exit 0\nsh -e "$s" "$@"\n',
    )
    hook(world.dev.path / ".husky/_", "pre-push", '#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n')
    hook(world.dev.path / ".husky", "pre-push", f'echo "husky $1" >"{tmp_path}/seen"\n')
    assert install(world) == 0
    world.dev.git("push", "-q", "origin", "master:refs/heads/feature")
    assert (tmp_path / "seen").read_text() == "husky origin\n"
    assert is_refused(world)


def test_a_hook_put_over_ours_is_chained_and_the_older_one_kept(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    hooks = world.dev.path / ".git/hooks"
    hook(hooks, "pre-push", "#!/bin/sh\n# first\n")
    assert install(world) == 0
    hook(hooks, "pre-push", "#!/bin/sh\n# second\n")
    assert install(world) == 0
    assert "pre-push.guard-chained.1" in capsys.readouterr().out
    assert "# first" in (hooks / "pre-push.guard-chained.1").read_text()
    assert guard("uninstall", "--repo", world.dev.path) == 0
    assert "# second" in (hooks / "pre-push").read_text()


def test_nothing_to_protect_is_said_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = Repo.init(tmp_path / "b.git", "--bare")
    dev = bare.clone(tmp_path / "dev")
    dev.commit("No policy")
    dev.git("push", "-q", "origin", "HEAD:master")
    assert guard("install", "--repo", dev.path) == 2
    assert "install.nothing-protected" in capsys.readouterr().err
    assert not (dev.path / ".git/guard").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--repo", "{}/nowhere"], "does not exist", id="no-folder"),
        pytest.param(["--repo", "{}"], "no git repository", id="no-repository"),
        pytest.param(["--repo", "{}/dev", "--remote", "other"], "no remote 'other'", id="no-such-remote"),
        pytest.param(["--repo", "{}/dev", "--protect", "x"], "only with --server", id="a-servers-option"),
        pytest.param(["--server", "{}/dev"], "not a bare repository", id="a-clone-is-no-server"),
    ],
)
def test_wrong_usage(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    folder = world.dev.path.parent
    assert guard("install", *(argument.format(folder) for argument in arguments)) == 64
    assert said in capsys.readouterr().err


def found(
    default: str | None = "master", named: tuple[str, ...] = (), bootstrap: str = "", **texts: str
) -> Found:
    valid = {
        name.replace("_", "/"): parse_policy(text.encode(), where=name).policy for name, text in texts.items()
    }
    operator = parse_policy(bootstrap.encode(), where="bootstrap").policy if bootstrap else None
    return Found(valid, {}, default, operator, named)


A, B = policy(branch="release/a"), policy(branch="release/b", mode="observe")


@pytest.mark.parametrize(
    ("facts", "modes"),
    [
        pytest.param(found(), {}, id="nothing"),
        pytest.param(found(master=A), {"release/a": "enforce"}, id="named-by-the-default-branch"),
        pytest.param(found(release_b=B), {"release/b": "observe"}, id="names-itself"),
        pytest.param(found(feature=A), {}, id="a-feature-branch-names-nobody-else"),
        pytest.param(
            found(master=A, release_b=B), {"release/a": "enforce", "release/b": "observe"}, id="both"
        ),
        pytest.param(found(master=B), {"release/b": "enforce"}, id="another-branchs-mode-does-not-loosen"),
        pytest.param(found(master=B, release_b=A), {"release/b": "enforce"}, id="its-own-policy-forgets-it"),
        pytest.param(found(bootstrap=B), {"release/b": "observe"}, id="the-operators"),
        pytest.param(found(named=("x",)), {"x": "enforce"}, id="named-in-the-settings"),
        pytest.param(
            Found({}, {"master": frozenset({"r"})}, "master"), {"r": "enforce"}, id="a-broken-policy-protects"
        ),
        pytest.param(
            Found({}, {"f": frozenset({"r"})}, "master"), {}, id="a-broken-policy-of-a-feature-branch"
        ),
    ],
)
def test_which_branches_are_protected(facts: Found, modes: dict[str, str]) -> None:
    assert {entry.branch: entry.mode for entry in protections(facts)} == modes


def test_a_policy_that_broke_takes_no_protection_away(world: World) -> None:
    assert install(world) == 0
    world.dev.commit("Break it", {"guard.toml": "version = = 1\n"})
    world.dev.git("push", "-q", "--no-verify", "origin", "master", f"master:{BRANCH}")
    assert install(world) == 0
    assert is_refused_anew(world)


def is_refused_anew(world: World) -> bool:
    world.dev.commit("More")
    return is_refused(world)


class TestAServer:
    def test_its_home(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        assert guard("install", "--server", world.bare.path) == 0
        home = world.home
        wanted = {"settings.toml", "allowed_signers", "jwks.json", "ledger.sqlite3", "keys"}
        assert wanted <= {file.name for file in home.iterdir()}
        assert (home / "keys").stat().st_mode & 0o077 == 0
        assert world.bare.git("config", "receive.advertisePushOptions") == "true"
        assert (
            world.bare.git("cat-file", "blob", "refs/guard/jwks") == (home / "jwks.json").read_text().strip()
        )
        told = capsys.readouterr().out
        assert f"made the server side of {NAME}" in told
        assert f"list who signs with which SSH key in {home / 'allowed_signers'}" in told
        before = snapshot(home)
        assert guard("install", "--server", world.bare.path, "--repository", NAME) == 0
        assert {k: v for k, v in snapshot(home).items() if "sqlite" not in k} == {
            k: v for k, v in before.items() if "sqlite" not in k
        }
        (home / "allowed_signers").write_text("ann@example.com ssh-ed25519 AAAA\n")
        capsys.readouterr()
        assert guard("install", "--server", world.bare.path) == 0
        assert "allowed_signers" not in capsys.readouterr().out

    def test_elsewhere_with_a_bootstrap_policy(self, tmp_path: Path) -> None:
        bare = Repo.init(tmp_path / "b.git", "--bare")
        file, home = tmp_path / "policy.toml", tmp_path / "operator's home"
        file.write_text(policy())
        options = ("--server", bare.path, "--home", home, "--policy", file, "--protect", "release/next")
        assert guard("install", *options) == 0
        dev = bare.clone(tmp_path / "dev")
        dev.commit("Start")
        for name in (BRANCH, "release/next"):
            assert b"refs.creation" in dev.run("push", "origin", f"HEAD:refs/heads/{name}").stderr
        assert guard("uninstall", "--server", bare.path, "--home", home) == 0
        assert (home / "ledger.sqlite3").exists()
        assert not (bare.path / "hooks/pre-receive").exists()

    @pytest.mark.parametrize(
        ("option", "value"), [("--repository", "another/name"), ("--protect", "release/unlisted")]
    )
    def test_what_contradicts_its_settings(self, world: World, option: str, value: str) -> None:
        assert guard("install", "--server", world.bare.path) == 0
        assert guard("install", "--server", world.bare.path, option, value) == 64

    def test_without_a_name(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        bare = Repo.init(tmp_path / "b.git", "--bare")
        assert guard("install", "--server", bare.path) == 64
        assert "--repository" in capsys.readouterr().err


def test_a_clone_takes_the_published_keys(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(world) == 0
    assert "publishes no keys" in capsys.readouterr().out
    assert guard("install", "--server", world.bare.path) == 0
    assert install(world) == 0
    assert "publishes no keys" not in capsys.readouterr().out
    assert world.key.kid in (world.dev.path / ".git/guard/hooks.json").read_text()
    assert "refs/guard" not in world.dev.git("for-each-ref")


def test_a_remote_that_cannot_be_reached_is_no_reason_not_to_install(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(world.bare.path, world.bare.path.with_name("away.git"))
    assert install(world) == 0
    assert "warning: the keys of origin could not be read" in capsys.readouterr().out


def test_a_clone_whose_git_directory_is_elsewhere(tmp_path: Path) -> None:
    world = build(tmp_path)
    away = Repo.init(tmp_path / "away", "--separate-git-dir", str(tmp_path / "git dir"))
    away.git("remote", "add", "origin", str(world.bare.path))
    away.git("fetch", "-q", "origin")
    assert guard("install", "--repo", away.path) == 0
    done = away.run("push", "--dry-run", "origin", f"origin/master:{REF}")
    assert b"refs.protected" in done.stderr
    outside = Repo(tmp_path).run(
        f"--git-dir={tmp_path}/git dir", "push", "--dry-run", "origin", f"origin/master:{REF}"
    )
    assert b"refs.protected" in outside.stderr


def test_a_bare_repository_may_be_somebodys_clone(tmp_path: Path) -> None:
    world = build(tmp_path)
    mine = Repo.init(tmp_path / "mine.git", "--bare")
    mine.git("remote", "add", "origin", str(world.bare.path))
    mine.git("fetch", "-q", "origin")
    assert guard("install", "--repo", mine.path) == 0
    assert b"refs.protected" in mine.run("push", "--dry-run", "origin", f"origin/master:{REF}").stderr


def test_many_branches_and_a_policy_too_big(world: World) -> None:
    assert install(world) == 0
    refs = "".join(f"create refs/remotes/origin/many/{n:04} {world.new}\n" for n in range(2000))
    world.dev.git("update-ref", "--stdin", stdin=refs.encode())
    huge = world.dev.commit("Huge", {"guard.toml": "# " + "x" * (1 << 20) + "\n"})
    world.dev.git("update-ref", "refs/remotes/origin/master", huge)
    world.dev.git("update-ref", f"refs/remotes/origin/{BRANCH}", huge)
    assert install(world) == 0
    assert is_refused_anew(world), "what cannot be read takes no protection away"
