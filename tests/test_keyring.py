"""Keys replaced, retired, lost and stolen: what is out stays good as long as it may, and no longer."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guard.adapters.keyring import Keyring
from guard.adapters.keys import load_signing_key
from guard.core.errors import Refused
from guard.core.permit import sign
from guard.journeys.keys import Locksmith, retire
from tests.gitrepo import Repo
from tests.hook_world import REF, World, guard
from tests.verifying import by_ledger, offline


def push(world: World, token: str) -> tuple[bool, str]:
    dev = Repo(world.dev.path, env=world.dev.env)
    done = dev.run("push", "--no-verify", "-o", f"guard-permit={token}", "origin", f"{world.new}:{REF}")
    return done.returncode == 0, done.stderr.decode()


def keys(world: World, *words: str, capsys: pytest.CaptureFixture[str], status: int = 0) -> str:
    capsys.readouterr()
    assert guard("keys", *words, "--server", world.bare.path) == status
    said = capsys.readouterr()
    return said.out + said.err


def ring_of(world: World) -> Keyring:
    return Keyring(world.home / "keys", world.home / "jwks.json")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return by_ledger(tmp_path / "w")


def test_replaced_and_retired(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The permits that are out stay good; the old key is retired when none can be, and its public half is kept."""
    old = world.key.kid
    token = world.issue(world.permit())
    made = json.loads(keys(world, "rotate", "--format", "json", capsys=capsys))["kid"]
    assert [(row.kid, row.state, row.private) for row in ring_of(world).rows()] == [
        (made, "signs", True),
        (old, "verifies", True),
    ]
    assert load_signing_key(world.home / "keys", world.home / "jwks.json").kid == made
    published = json.loads(world.bare.git("cat-file", "blob", "refs/guard/jwks"))
    assert [key["kid"] for key in published["keys"]] == [made, old]
    assert "keys.signs: " in keys(world, "retire", made, capsys=capsys, status=1)
    assert "keys.permits-live: " in keys(world, "retire", old, capsys=capsys, status=1)
    assert "keys.unknown: " in keys(world, "retire", "../../etc/passwd", capsys=capsys, status=64)
    taken, said = push(world, token)
    assert taken, said

    published_again: list[bool] = []
    later = datetime.now(UTC) + timedelta(hours=1, seconds=10)
    smith = Locksmith(ring_of(world), world.ledger, lambda: published_again.append(True), later)
    with pytest.raises(Refused, match="key that signs"):
        retire(made, smith)
    retire(old, smith)
    retire(old, smith)
    assert published_again == [True]
    assert not (world.home / "keys" / f"{old}.pem").exists()
    assert [row.state for row in ring_of(world).rows()] == ["signs", "retired"]
    exported = json.loads(keys(world, "export", capsys=capsys))["keys"]
    assert [(key["kid"], key.get("state")) for key in exported] == [(made, None), (old, "retired")]
    assert "retired: verifies old checkpoints" in keys(world, "list", capsys=capsys)


def test_stolen(world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """At once: what is out gives no leave, nor what the thief signs; what was sealed before still verifies."""
    stolen = world.key
    out = world.permit()
    token = world.issue(out)
    kept = tmp_path / "guard.checkpoints"
    assert guard("audit", "checkpoint", "--server", world.bare.path, "--to", f"file:{kept}") == 0
    assert "--because" in keys(world, "revoke", stolen.kid, capsys=capsys, status=64)
    said = json.loads(
        keys(
            world, "revoke", stolen.kid, "--because", "a backup was stolen", "--format", "json", capsys=capsys
        )
    )
    assert said["signs"] != stolen.kid
    taken, told = push(world, token)
    assert not taken
    assert "permit.unknown-key: " in told
    thiefs = world.issue(world.permit(), key=stolen)
    assert "permit.unknown-key: " in push(world, thiefs)[1], "even where its issue were on record"
    revoked = world.ledger.find(f"permit.revoked:{out.id}")
    assert revoked is not None
    assert "a backup was stolen" in str(revoked.body["why"])
    assert guard("audit", "verify", "--server", world.bare.path, "--checkpoint", kept) == 0
    assert guard("audit", "verify", "--server", world.bare.path) == 0
    assert not (world.home / "keys" / f"{stolen.kid}.pem").exists()
    before = len(list(world.ledger.entries()))
    keys(world, "revoke", stolen.kid, "--because", "once more", capsys=capsys)
    assert len(list(world.ledger.entries("key.revoked"))) == 1
    assert len(list(world.ledger.entries())) <= before + 1, (
        "the thief's permit is taken back too, and that is all"
    )
    fresh = load_signing_key(world.home / "keys", world.home / "jwks.json")
    taken, told = push(world, world.issue(world.permit(), key=fresh))
    assert taken, told


def test_lost(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The private half is gone: nothing can be signed, until a new one is made; what is out stays good."""
    token = world.issue(world.permit())
    (world.home / "keys" / f"{world.key.kid}.pem").unlink()
    assert guard("audit", "checkpoint", "--server", world.bare.path, "--print") == 2
    assert "its private half is not here" in keys(world, "list", capsys=capsys)
    assert "signs from now on" in keys(world, "rotate", capsys=capsys)
    assert guard("audit", "checkpoint", "--server", world.bare.path, "--print") == 0
    taken, said = push(world, token)
    assert taken, said


def test_who_only_verifies_has_no_keys_to_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And believes a stolen key until it gets the public keys anew, which is why its permits are short."""
    world = offline(tmp_path / "w")
    assert "keys.elsewhere: " in keys(world, "rotate", capsys=capsys, status=2)
    stolen = world.key
    there = Keyring(world.home / "keys", world.home / "jwks.json")
    now = datetime.now(UTC)
    there.make()
    there.take_out(stolen.kid, state="revoked", why="stolen", now=now)
    token = sign(world.permit(issued=int(time.time()), expires=int(time.time()) + 100), stolen)
    with_new = ("install", "--server", world.bare.path, "--offline", "--jwks", world.home / "jwks.json")
    assert guard(*with_new) == 0
    taken, said = push(world, token)
    assert not taken
    assert "permit.unknown-key: " in said


def test_a_change_that_was_cut_off_is_made_again(world: World) -> None:
    """Between the archive and jwks.json, say: the key is in both, verifies nothing more afterwards, and is not lost."""
    ring, now = ring_of(world), datetime.now(UTC)
    old = world.key.kid
    ring.make()
    ring.take_out(old, state="retired", why="", now=now)
    archive = (world.home / "keys.retired.json").read_text()
    ring = ring_of(world)
    listed = json.loads((world.home / "jwks.json").read_text())
    listed["keys"].append(
        {k: v for k, v in json.loads(archive)["keys"][0].items() if k not in {"state", "at", "why"}}
    )
    (world.home / "jwks.json").write_text(json.dumps(listed))
    ring.take_out(old, state="revoked", why="stolen", now=now)
    assert [row.state for row in ring.rows()] == ["signs", "revoked"]
    assert replace(ring.rows()[1], since="").why == "stolen"
