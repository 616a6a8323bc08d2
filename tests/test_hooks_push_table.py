"""Every form of a push that touches the protected branch, with its checks and after `--no-verify`: what is refused,
what is detected afterwards, and what only a server can see."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from guard.adapters.gitdir import git_version
from tests.gitrepo import Repo
from tests.hook_world import BRANCH, NO_HOOKS, REF, WORK_TREES, World, guard, keep, standing

TOLD, UNSEEN, NOTHING = "push.unverified", "out of reach", "nothing to see"
"""What becomes of a push without its checks: told and recorded; it moved the branch, and this clone cannot know; it
moves no protected branch."""

PUSHES = [
    # (words, code, after --no-verify); HEAD is on the protected branch, which was moved to master with the hooks off
    pytest.param("push {nv} origin {branch}", "refs.protected", TOLD, id="by-name"),
    pytest.param("push {nv} origin {new}:{ref}", "refs.protected", TOLD, id="by-commit"),
    pytest.param("push {nv} origin HEAD", "refs.protected", TOLD, id="head"),
    pytest.param("push {nv} origin HEAD:{branch}", "refs.protected", TOLD, id="from-head"),
    pytest.param("push {nv} origin @:{ref}", "refs.protected", TOLD, id="from-at"),
    pytest.param("push {nv} origin v1^{{commit}}:{ref}", "refs.protected", TOLD, id="from-a-tag"),
    pytest.param("push {nv} origin HEAD@{{0}}:{ref}", "refs.protected", TOLD, id="from-the-reflog"),
    pytest.param("push {nv} origin master~0:{branch} picks", "refs.protected", TOLD, id="one-of-several"),
    pytest.param("push {nv} origin refs/heads/*:refs/heads/*", "refs.protected", TOLD, id="by-a-pattern"),
    pytest.param("push {nv}", "refs.protected", TOLD, id="to-its-upstream"),
    pytest.param("-c push.default=current push {nv} origin", "refs.protected", TOLD, id="default-current"),
    pytest.param("-c push.default=matching push {nv} origin", "refs.protected", TOLD, id="default-matching"),
    pytest.param("push {nv} origin :", "refs.protected", TOLD, id="matching"),
    pytest.param("push {nv} --force origin +:", "refs.protected", TOLD, id="matching-forced"),
    pytest.param("-c remote.origin.push=refs/heads/*:refs/heads/* push {nv}", "refs.protected", TOLD, id="configured"),
    pytest.param("-c remote.origin.push=master:{ref} push {nv} origin", "refs.protected", TOLD, id="configured-one"),
    pytest.param("push {nv} --all origin", "refs.protected", TOLD, id="all"),
    pytest.param("push {nv} --atomic origin master {branch}", "refs.protected", TOLD, id="atomic"),
    pytest.param("push {nv} --force origin {side}:{ref}", "refs.protected", TOLD, id="forced"),
    pytest.param("push {nv} origin +{side}:{ref}", "refs.protected", TOLD, id="forced-by-a-plus"),
    pytest.param("push {nv} --force-with-lease origin {side}:{ref}", "refs.protected", TOLD, id="with-a-lease"),
    pytest.param(
        "push {nv} --force-with-lease={branch}:{old} origin {side}:{ref}", "refs.protected", TOLD, id="a-lease-by-value"
    ),
    pytest.param("push {nv} --delete origin {branch}", "refs.protected", TOLD, id="deleted"),
    pytest.param("push {nv} origin :{ref}", "refs.protected", TOLD, id="deleted-by-an-empty-source"),
    pytest.param("push {nv} --prune origin refs/heads/x*:refs/heads/r*", "refs.protected", TOLD, id="pruned"),
    pytest.param("push {nv} --mirror origin", "refs.", TOLD, id="mirror"),
    pytest.param("push {nv} -u origin {branch}", "refs.protected", TOLD, id="set-upstream"),
    pytest.param("push {nv} --follow-tags origin {branch}", "refs.protected", TOLD, id="follow-tags"),
    pytest.param("push {nv} --recurse-submodules=check origin {branch}", "refs.protected", TOLD, id="submodules"),
    pytest.param("push {nv} {bare} master:{ref}", "refs.protected", UNSEEN, id="by-url"),
    pytest.param("push {nv} file://{bare} master:{ref}", "refs.protected", UNSEEN, id="by-file-url"),
    pytest.param("-c remote.origin.pushurl={bare} push {nv} origin {branch}", "refs.protected", TOLD, id="pushurl"),
    pytest.param("-c url.file://{bare}.pushInsteadOf={bare} push {nv} origin", "refs.protected", TOLD, id="instead-of"),
    pytest.param("{current} -c remote.pushDefault=copy push {nv}", "refs.protected", UNSEEN, id="push-default"),
    pytest.param("{current} -c branch.{branch}.pushRemote=copy push {nv}", "refs.protected", UNSEEN, id="push-remote"),
    pytest.param("push {nv} copy {branch}", "refs.protected", UNSEEN, id="another-name-of-the-remote"),
    pytest.param("-c alias.p=push p {nv} origin {branch}", "refs.protected", TOLD, id="by-an-alias"),
    pytest.param("push {nv} origin master:refs/heads/RELEASE/Platform-Control", "refs.case", NOTHING, id="other-case"),
    pytest.param("push {nv} origin v1:refs/tags/{branch}", "refs.lookalike", NOTHING, id="a-tag-of-its-name"),
    pytest.param("push {nv} --tags origin", "refs.lookalike", NOTHING, id="all-tags"),
    pytest.param("push {nv} --follow-tags origin master", "refs.lookalike", NOTHING, id="a-tag-that-follows"),
    pytest.param("push {nv} origin master:refs/heads/feature", None, NOTHING, id="a-feature-branch"),
    pytest.param("push {nv} origin v1", None, NOTHING, id="a-tag"),
    pytest.param("push {nv} origin master:refs/heads/hotfix/{branch}", None, NOTHING, id="a-longer-name"),
    pytest.param("push {nv} origin master:refs/proposals/{branch}/1", None, NOTHING, id="a-proposal"),
    pytest.param("push {nv} origin master:refs/guard/statements/abc", None, NOTHING, id="a-statement"),
    pytest.param("push {nv} origin {old}:{ref}", None, NOTHING, id="nothing-to-push"),
    pytest.param("push {nv} --dry-run origin picks", None, NOTHING, id="dry-run"),
    pytest.param("send-pack {bare} master:{ref}", None, UNSEEN, id="send-pack"),
]  # fmt: skip
"""`git http-push` (WebDAV) runs no hook of the client's either, and updates nothing here: it is like send-pack."""


@pytest.fixture(scope="module", params=WORK_TREES)
def again(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], World]:
    folder = tmp_path_factory.mktemp("pushes") / "here"
    world = standing(folder, work_trees=request.param)
    dev = world.dev
    dev.git(*NO_HOOKS, "reset", "-q", "--hard", "master")
    dev.git("tag", "v1", "master")
    dev.git("tag", "-a", "-m", "x", "Release/platform-control", "master")
    dev.git("config", "remote.copy.url", str(world.bare.path))
    dev.git("config", "push.default", "upstream")
    return keep(world, folder, only=("platform.git", "dev/.git"))


def both_ways() -> list[object]:
    rows: list[object] = []
    for row in PUSHES:
        words, code, after = row.values
        ways = {"": code, "--no-verify": None} if "{nv}" in str(words) else {"": code}
        for option, refused in ways.items():
            name = f"{row.id}-no-verify" if option else row.id
            rows.append(pytest.param(str(words).replace("{nv}", option), refused, after, id=name))
    return rows


@pytest.mark.parametrize(("command", "code", "after"), both_ways())
def test_a_push(again: Callable[[], World], command: str, code: str | None, after: str) -> None:
    world = again()
    names = {
        "branch": BRANCH, "ref": REF, "new": world.new, "old": world.old, "side": world.side, "bare": world.bare.path,
        "current": "-c push.default=current",
    }  # fmt: skip
    done = world.dev.run(*command.format(**names).split())
    said = done.stderr.decode()
    assert (done.returncode == 0) is (code is None), said
    moved = world.bare.git("for-each-ref", "--format=%(objectname)", REF) != world.old
    if code is not None:
        assert f"{code}" in said, said
        assert not moved
        return
    assert moved is (after in {TOLD, UNSEEN}), said
    assert (TOLD in said) is (after == TOLD), said
    assert bool(notes(world)) is (after == TOLD)


def notes(world: World) -> list[dict[str, str]]:
    """What is on record of unchecked pushes in this clone."""
    common = Path(world.dev.git("rev-parse", "--path-format=absolute", "--git-common-dir"))
    file = common / "guard/pushes.unverified"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_shallow_and_a_partial_clone(again: Callable[[], World], tmp_path: Path) -> None:
    world = again()
    for number, option in enumerate(("--depth=1", "--filter=blob:none")):
        clone = Repo(tmp_path / f"clone{number}")
        url = f"file://{world.bare.path}"
        world.bare.git("config", "uploadpack.allowFilter", "true")
        world.dev.git("clone", "-q", option, "--no-single-branch", url, str(clone.path))
        assert guard("install", "--repo", clone.path) == 0
        for words in (
            ["--force", "origin", f"origin/master:{REF}"],
            ["origin", f":{REF}"],
            ["--mirror", "origin"],
        ):
            done = clone.run("push", *words)
            assert done.returncode == 1, done.stderr
            assert b"refs." in done.stderr
        clone.git("push", "-q", "origin", f"HEAD:refs/heads/feature{number}")
    assert world.head() == world.old


def test_http_push_runs_no_hook_of_the_clones(again: Callable[[], World]) -> None:
    """It is old, and where git was built without it there is no such way."""
    world = again()
    git = world.dev.git("--exec-path")
    if not shutil.which("git-http-push", path=git):
        pytest.skip(f"git {git_version()} was built without http-push")
    done = world.dev.run("http-push", "http://127.0.0.1:9/x.git", f"master:{REF}")
    assert done.returncode != 0
    assert b"refs.protected" not in done.stderr, "no hook was asked: the server is the wall"
