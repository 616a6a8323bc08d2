"""Stories of the wall: what the server's hooks refuse, what they let in, and what they put on record."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guard.adapters.keys import create_signing_key
from guard.core.permit import sign
from tests.gitrepo import Repo
from tests.hook_world import BRANCH, DOCUMENT, REF, World, guard, guarded, policy

OTHER = "refs/heads/release/other"


def push(
    world: World, *refs: str, tokens: tuple[str, ...] = (), words: tuple[str, ...] = ()
) -> tuple[bool, str]:
    """Push past the client's hooks; whether it was taken, and what was said."""
    options = [word for token in tokens for word in ("-o", f"guard-permit={token}")]
    done = world.dev.run("push", "--no-verify", *options, *words, "origin", *refs)
    return done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> World:
    """For the pushes that are refused, and so change nothing."""
    return guarded(tmp_path_factory.mktemp("wall"), client=False)


FORMS = [
    pytest.param(["{new}:" + REF], [], "refs.protected", id="by-commit"),
    pytest.param(["HEAD:" + BRANCH], [], "refs.protected", id="from-head"),
    pytest.param(["master:" + REF, "master:refs/heads/f1"], [], "refs.protected", id="one-of-several"),
    pytest.param(["master:" + REF, "master:refs/heads/f1"], ["--atomic"], "refs.protected", id="atomic"),
    pytest.param(["{side}:" + REF], ["--force"], "refs.protected", id="forced"),
    pytest.param([":" + REF], [], "refs.deletion", id="deleted"),
    pytest.param([BRANCH], ["--delete"], "refs.deletion", id="deleted-by-name"),
    pytest.param(["refs/heads/m*:refs/heads/*"], ["--prune"], "refs.deletion", id="pruned"),
    pytest.param([], ["--mirror"], "refs.", id="mirrored"),
    pytest.param(["master:refs/heads/RELEASE/Platform-Control"], [], "refs.case", id="in-another-case"),
    pytest.param(
        ["master:refs/Heads/release/platform-control"], [], "refs.case", id="namespace-in-another-case"
    ),
    pytest.param([f"master:{REF}/x"], [], "refs.shadow", id="below-it"),
    pytest.param([f"master:refs/tags/{BRANCH}"], [], "refs.lookalike", id="a-tag-of-its-name"),
    pytest.param([f"master:refs/{BRANCH}"], [], "refs.lookalike", id="a-ref-of-its-name"),
    pytest.param([f"master:refs/heads/{REF}"], [], "refs.lookalike", id="a-branch-of-its-full-name"),
    pytest.param([f"master:refs/tags/{REF}"], [], "refs.lookalike", id="a-tag-of-its-full-name"),
]


@pytest.mark.parametrize(("refs", "words", "code"), FORMS)
def test_a_push_without_a_permit(wall: World, refs: list[str], words: list[str], code: str) -> None:
    names = {"new": wall.new, "side": wall.side}
    taken, said = push(wall, *(ref.format(**names) for ref in refs), words=tuple(words))
    assert not taken
    assert f"remote: {code}" in said, said
    assert wall.head() == wall.old
    assert "refs/heads/f1" not in wall.bare.git("for-each-ref"), "one refused ref refuses the whole push"


def test_the_refusal_names_the_way_and_what_to_read(wall: World) -> None:
    _, said = push(wall, f"master:{REF}")
    assert (
        f'refs.protected: {BRANCH} takes no direct push. Merge to master first, then run "guard promote".'
        in said
    )
    assert f"Read first: {DOCUMENT}" in said


def refused_permits(world: World) -> dict[str, tuple[str, ...]]:
    now = int(time.time())
    issue, permit = world.issue, world.permit
    spent, revoked = permit(), permit()
    tokens: dict[str, tuple[str, ...]] = {
        "permit.malformed": ("garbage",),
        "permit.expired": (issue(permit(issued=now - 900, expires=now - 1)),),
        "permit.other-ref": (issue(permit(ref=OTHER)),),
        "permit.other-new": (issue(permit(new=world.side)),),
        "permit.other-old": (issue(permit(old=world.new)),),
        "permit.other-repository": (issue(permit(repository="demo/other")),),
        "permit.not-issued": (sign(permit(), world.key),),
        "permit.spent": (issue(spent),),
        "permit.revoked": (issue(revoked),),
    }
    world.record("permit.spent", spent, {"permit": spent.id, "ref": REF, "old": world.old, "new": world.new})
    world.record("permit.revoked", revoked, {"permit": revoked.id, "why": "the security owner withdrew"})
    return tokens


def test_a_permit_that_gives_no_leave(wall: World, tmp_path: Path) -> None:
    stranger = create_signing_key(tmp_path / "keys", tmp_path / "jwks.json")
    tokens = refused_permits(wall)
    tokens["permit.unknown-key"] = (wall.issue(wall.permit(), key=stranger),)
    head, body, signature = wall.issue(wall.permit()).split(".")
    forged = f"{head}.{body}.{signature[::-1] if signature[::-1] != signature else 'A' * len(signature)}"
    tokens["permit."] = (forged,)
    for code, given in tokens.items():
        taken, said = push(wall, f"{wall.new}:{REF}", tokens=given)
        assert not taken, code
        assert f"remote: {code}" in said, said
        assert all(token not in said for token in given if token != "garbage"), (
            "a token is a secret until it is spent"
        )
    assert wall.head() == wall.old


def test_a_permit_allows_neither_going_back_nor_deleting(wall: World) -> None:
    back = wall.issue(wall.permit(new=wall.side, tree=wall.dev.git("rev-parse", f"{wall.side}^{{tree}}")))
    taken, said = push(wall, f"{wall.side}:{REF}", tokens=(back,), words=("--force",))
    assert not taken
    assert "refs.non-fast-forward" in said
    taken, said = push(wall, f":{REF}", tokens=(wall.issue(wall.permit()),))
    assert not taken
    assert "refs.deletion" in said


def test_the_permits_one_move_is_recorded_and_cannot_be_repeated(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    permit = world.permit()
    token = world.issue(permit)
    taken, said = push(world, f"{world.new}:{REF}", tokens=("garbage", token))
    assert taken, said
    assert world.head() == world.new
    moved = {"permit": permit.id, "ref": REF, "old": world.old, "new": world.new}
    recorded = [(entry.kind, entry.body) for entry in world.ledger.entries("permit.spent", "branch.moved")]
    assert recorded == [("permit.spent", moved), ("branch.moved", moved)]
    world.bare.git("update-ref", REF, world.old)
    taken, said = push(world, f"{world.new}:{REF}", tokens=(token,))
    assert not taken
    assert "permit.spent" in said


def test_ordinary_refs_pass_and_start_no_python(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    for hook in ("pre-receive", "post-receive"):
        file = world.bare.path / "hooks" / hook
        line = next(x for x in file.read_text().splitlines() if x.startswith("guard_python="))
        file.write_text(file.read_text().replace(line, "guard_python=/nowhere/python"))
    assert push(world, "master:refs/heads/feature", "master:refs/tags/v1")[0]
    assert push(world, ":refs/heads/feature")[0]
    taken, said = push(world, f"master:{REF}")
    assert not taken
    assert "hooks.broken" in said


@pytest.mark.parametrize("broken", ["ledger.sqlite3", "jwks.json", "hooks.json"])
def test_what_cannot_be_read_refuses(tmp_path: Path, broken: str) -> None:
    world = guarded(tmp_path, client=False)
    token = world.issue(world.permit())
    (world.home / broken).write_bytes(b"\0garbage")
    taken, said = push(world, f"{world.new}:{REF}", tokens=(token,))
    assert not taken
    assert any(code in said for code in ("ledger.unreadable", "permit.keys-unreadable", "hooks.config")), said
    assert "Traceback" not in said
    assert world.head() == world.old


def test_a_home_that_is_gone_refuses_and_nothing_else_notices(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    shutil.rmtree(world.home)
    taken, said = push(world, f"master:{REF}")
    assert not taken
    assert "hooks.config" in said
    assert push(world, "master:refs/heads/feature")[0]


def test_observing_lets_pass_and_records(tmp_path: Path) -> None:
    world = guarded(tmp_path, mode="observe", client=False)
    taken, said = push(world, f"master:{REF}")
    assert taken
    assert "refs.protected" in said
    assert "goes on record" in said
    (entry,) = world.ledger.entries("branch.moved")
    assert entry.body == {"ref": REF, "old": world.old, "new": world.new, "permit": None}


def test_a_push_can_add_protection_and_never_take_it_away(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    world.dev.commit("Another release branch", {"guard.toml": policy(branch="release/other")})
    assert push(world, "master", f"master:{OTHER}")[0], "nothing protected it yet"
    taken, said = push(world, f"{world.old}:{OTHER}", words=("--force",))
    assert not taken
    assert "refs.protected: release/other" in said
    assert not push(world, f"master:{REF}")[0], "the release branch keeps its own policy"
    world.dev.commit("Forget both", {"guard.toml": policy(branch="release/nowhere")})
    assert push(world, "master")[0]
    assert not push(world, f"master:{REF}")[0]
    assert not push(world, f"master:{OTHER}")[0]


@pytest.mark.parametrize(
    "what", [f"{REF}:guard.toml", f"{REF}^{{tree}}", REF], ids=["file", "tree", "commit"]
)
def test_a_replacement_object_cannot_lend_the_branch_a_milder_policy(tmp_path: Path, what: str) -> None:
    world = guarded(tmp_path, client=False)
    observing = world.dev.commit("Observe", {"guard.toml": policy(mode="observe")})
    forged = world.dev.git("rev-parse", what.replace(REF, observing))
    assert push(world, f"{forged}:refs/replace/{world.bare.git('rev-parse', what)}")[0], (
        "nothing keeps it from standing there"
    )
    assert push(world, "master:refs/heads/master")[0], "a push that has the policy compiled anew"
    taken, said = push(world, f"master:{REF}")
    assert not taken
    assert "refs.protected" in said
    assert world.head() == world.old


def test_another_name_of_a_protected_branch_takes_no_push_either(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    world.bare.git("symbolic-ref", "refs/heads/alias", REF)
    world.bare.git("symbolic-ref", "refs/heads/second", "refs/heads/alias")
    world.dev.commit("More", {"more": "1"})
    assert push(world, "master:refs/heads/master")[0], "a push that has the policy compiled anew"
    for name in ("alias", "second"):
        taken, said = push(world, f"master:refs/heads/{name}")
        assert not taken, name
        assert "refs.protected" in said
    assert world.head() == world.old


def test_a_protected_branch_cannot_be_created_by_a_push(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    world.bare.git("update-ref", "-d", REF)
    assert guard("install", "--server", world.bare.path) == 0
    taken, said = push(world, f"master:{REF}")
    assert not taken
    assert "refs.creation" in said
    taken, said = push(world, "master:refs/heads/release")
    assert not taken
    assert "refs.shadow" in said


def test_the_hook_that_stood_there_runs_first_and_sees_everything(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    assert guard("uninstall", "--server", world.bare.path) == 0
    seen = tmp_path / "seen"
    for hook in ("pre-receive", "post-receive"):
        file = world.bare.path / "hooks" / hook
        file.write_text(
            f'#!/bin/sh\necho "{hook}" >>"{seen}"\ncat >>"{seen}"\ntest ! -e "{tmp_path}/refuse"\n'
        )
        file.chmod(0o755)
    assert guard("install", "--server", world.bare.path) == 0
    assert push(world, "master:refs/heads/feature")[0]
    line = f"{'0' * 40} {world.new} refs/heads/feature\n"
    assert seen.read_text() == f"pre-receive\n{line}post-receive\n{line}"
    assert not push(world, f"master:{REF}")[0]
    (tmp_path / "refuse").touch()
    token = world.issue(world.permit())
    assert not push(world, "master:refs/heads/another")[0]
    assert not push(world, f"{world.new}:{REF}", tokens=(token,))[0]
    assert world.head() == world.old


def test_the_repository_and_its_home_may_move_together(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    world.bare.path.rename(tmp_path / "moved.git")
    world.dev.git("remote", "set-url", "origin", str(tmp_path / "moved.git"))
    taken, said = push(world, f"master:{REF}")
    assert not taken
    assert "refs.protected" in said


def test_two_pushes_with_one_permit_move_it_once(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    token = world.issue(world.permit())
    other = world.bare.clone(tmp_path / "other")
    command = ["git", "push", "-q", "-o", f"guard-permit={token}", "origin", f"{world.new}:{REF}"]
    running = [
        subprocess.Popen(command, cwd=repo.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for repo in (world.dev, other)
    ]
    for process in running:
        process.wait(timeout=60)
    assert world.head() == world.new
    assert len(list(world.ledger.entries("permit.spent"))) == 1
    assert len(list(world.ledger.entries("branch.moved"))) == 1


def test_a_move_that_cannot_be_recorded_is_said_loudly(tmp_path: Path) -> None:
    world = guarded(tmp_path, mode="observe", client=False)
    (world.home / "ledger.sqlite3").write_bytes(b"\0garbage")
    taken, said = push(world, f"master:{REF}")
    assert taken
    assert "hooks.not-recorded" in said
    assert "Traceback" not in said


def test_the_wall_stands_without_site_packages(tmp_path: Path) -> None:
    """`-ISE` and an empty environment: whatever PYTHONPATH says, the hook judges with its own code."""
    world = guarded(tmp_path, client=False)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nowhere"}
    (tmp_path / "json.py").write_text("raise SystemExit(0)\n")
    line = f"{world.old} {world.new} {REF}\n".encode()
    hook = [world.bare.path / "hooks/pre-receive"]
    done = subprocess.run(hook, input=line, cwd=world.bare.path, env=env, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"refs.protected")
    assert sys.executable.encode() in hook[0].read_bytes()


def test_a_clone_of_a_clone_is_no_server(tmp_path: Path) -> None:
    world = guarded(tmp_path, client=False)
    mirror = Repo(tmp_path / "mirror.git")
    world.bare.git("clone", "-q", "--mirror", str(world.bare.path), str(mirror.path))
    world.dev.git("remote", "add", "mirror", str(mirror.path))
    assert world.dev.run("push", "mirror", f"master:{REF}").returncode == 0


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        pytest.param("refs/guard/jwks", "refs.guard", id="the-published-keys"),
        pytest.param("refs/guard/anything", "refs.guard", id="an-unknown-one"),
        pytest.param("refs/GUARD/jwks", "refs.guard", id="in-another-case"),
        pytest.param("refs/guard/statements/" + "0" * 64, "statement.", id="a-statement-that-is-none"),
        pytest.param("refs/proposals/release/platform-control/1", "proposal.", id="an-unsigned-proposal"),
    ],
)
def test_the_guards_own_refs_go_to_the_full_guard(wall: World, ref: str, code: str) -> None:
    before = wall.bare.git("for-each-ref")
    taken, said = push(wall, f"+master:{ref}")
    assert not taken
    assert f"remote: {code}" in said, said
    assert "Traceback" not in said
    taken, _ = push(wall, f"+master:{ref}", "master:refs/heads/f2")
    assert not taken
    assert wall.bare.git("for-each-ref") == before
