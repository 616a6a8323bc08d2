"""The record of a real decision, from the server to an auditor who has nothing but the file and a public key."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from guard.adapters.keys import create_signing_key
from guard.cli.main import status_of
from tests.promotion_world import BRANCH, Done, Server, make_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    made = make_server(tmp_path_factory.mktemp("decision"))
    made.ok("propose", "--target", BRANCH, "--head", "master")
    return made


@pytest.fixture(scope="module")
def record(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record and a copy of the guard's keys, in a folder far from any repository."""
    folder = tmp_path_factory.mktemp("auditor")
    out = folder / "go.json"
    arguments = ("check", "--target", BRANCH, "--head", server.fix, "--server", str(server.bare.path))
    assert server.guard(*arguments, "--record", str(out)).status == 0
    (folder / "jwks.json").write_bytes((server.bare.path / "guard" / "jwks.json").read_bytes())
    return out


def alone(server: Server, record: Path, *arguments: str) -> Done:
    return server.guard("decision", *arguments, cwd=record.parent, PATH="/nonexistent")


def test_who_what_and_when(server: Server, record: Path) -> None:
    done = alone(
        server,
        record,
        "verify",
        "go.json",
        "--jwks",
        "jwks.json",
        "--go",
        "--commit",
        server.fix,
        "--ref",
        BRANCH,
    )
    assert done.status == 0, done.err
    assert "decision:   GO (enforce)" in done.out
    assert f"refs/heads/{BRANCH} from {server.old} to {server.fix}" in done.out
    told = json.loads(
        alone(server, record, "verify", "go.json", "--jwks", "jwks.json", "--format", "json").out
    )
    assert (told["verified"], told["allowed"], told["carries_inputs"]) == (True, True, True)
    assert told["candidate"]["new"] == server.fix


def test_with_one_key_as_pem_that_openssl_verifies_too(server: Server, record: Path) -> None:
    pem = record.with_name("guard.pem")
    (private,) = (server.bare.path / "guard" / "keys").glob("*.pem")
    pem.write_bytes(
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout"], capture_output=True, check=True).stdout
    )
    assert "signed by guard.pem" in alone(server, record, "verify", "go.json", "--key", "guard.pem").out


def test_it_is_made_again_without_repository_network_and_git(server: Server, record: Path) -> None:
    done = alone(server, record, "replay", "go.json", "--jwks", "jwks.json")
    assert (done.status, done.out.splitlines()[0]) == (0, "the same decision: GO")
    unsigned = alone(server, record, "replay", "go.json", "--format", "json")
    assert json.loads(unsigned.out)["signers"] == []
    assert "its signature was not checked" in alone(server, record, "replay", "go.json").out


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        pytest.param(["verify", "go.json"], 64, "usage.key", id="no-key"),
        pytest.param(["verify", "go.json", "--jwks", "jwks.json", "--kid", "x"], 64, "usage.key", id="no-such-id"),
        pytest.param(["verify", "go.json", "--jwks", "jwks.json", "--key", "other.pem"], 64, "usage.key", id="both"),
        pytest.param(["verify", "go.json", "--kid", "x", "--key", "other.pem"], 64, "usage.key", id="an-id-of-no-set"),
        pytest.param(["verify", "none.json", "--jwks", "jwks.json"], 64, "none.json", id="no-file"),
        pytest.param(["verify", "go.json", "--jwks", "other.json"], 1, "record.unsigned", id="other-keys"),
        pytest.param(["replay", "go.json", "--jwks", "other.json"], 1, "record.unsigned", id="replayed"),
        pytest.param(["verify", "go.json", "--jwks", "go.json"], 2, "settings.invalid", id="keys-that-are-none"),
        pytest.param(["verify", "go.json", "--key", "jwks.json"], 2, "dsse.key", id="no-pem"),
        pytest.param(["verify", "jwks.json", "--jwks", "jwks.json"], 1, "record.malformed", id="no-record"),
        pytest.param(["verify", "go.json", "--jwks", "jwks.json", "--commit", "0" * 40], 1, "record.other", id="sha"),
        pytest.param(["verify", "go.json", "--jwks", "jwks.json", "--ref", "master"], 1, "record.other", id="branch"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    record: Path,
    arguments: list[str],
    status: int,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    create_signing_key(record.with_name("keys"), record.with_name("other.json"))
    record.with_name("other.pem").write_text("")
    monkeypatch.chdir(record.parent)
    assert status_of(["decision", *arguments]) == status
    assert code in capsys.readouterr().err


def test_a_record_by_a_replaced_key_verifies_as_long_as_that_is_kept(server: Server, record: Path) -> None:
    record.with_name("both.json").write_bytes(record.with_name("jwks.json").read_bytes())
    create_signing_key(record.with_name("newer"), record.with_name("both.json"))
    both = json.loads(record.with_name("both.json").read_text())["keys"]
    record.with_name("new.json").write_text(json.dumps({"keys": both[:1]}))
    assert alone(server, record, "verify", "go.json", "--jwks", "both.json").status == 0
    old = alone(server, record, "verify", "go.json", "--jwks", "both.json", "--kid", both[1]["kid"])
    assert f"signed by {both[1]['kid']}" in old.out
    gone = alone(server, record, "verify", "go.json", "--jwks", "new.json")
    assert gone.status == 1
    assert both[1]["kid"] in gone.err


def test_a_no_go_is_recorded_and_verifies_but_not_as_a_go(server: Server, record: Path) -> None:
    stray = server.dev.commit("not on master", {"stray": "x\n"})
    server.dev.git("push", "-q", "origin", f"{stray}:refs/heads/stray")
    server.dev.git("reset", "-q", "--hard", "HEAD^")
    out = record.with_name("no-go.json")
    arguments = ("check", "--target", BRANCH, "--head", stray, "--server", str(server.bare.path))
    assert server.guard(*arguments, "--record", str(out)).status == 1
    jwks = ("--jwks", str(server.bare.path / "guard" / "jwks.json"))
    assert "NO-GO" in alone(server, record, "verify", "no-go.json", *jwks).out
    assert alone(server, record, "verify", "no-go.json", *jwks, "--go").status == 1
    assert alone(server, record, "replay", "no-go.json", *jwks).status == 0


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param(["--only", "lineage"], "leave out --only", id="narrowed"),
        pytest.param(["--at", "2999-01-01"], "leave out --only", id="another-moment"),
        pytest.param([], "--server", id="no-server-side"),
    ],
)
def test_only_a_whole_decision_made_now_on_a_server_side_is_recorded(
    server: Server, tmp_path: Path, more: list[str], why: str
) -> None:
    out = tmp_path / "r.json"
    place = ["--server", str(server.bare.path)] if more and more[0] == "--only" else []
    done = server.guard("check", "--target", f"origin/{BRANCH}", *more, *place, "--record", str(out))
    assert done.status == 64
    assert why in done.err
    assert not out.exists()


def test_no_room_for_the_record_is_said(server: Server) -> None:
    arguments = ("check", "--target", BRANCH, "--head", server.fix, "--server", str(server.bare.path))
    done = server.guard(*arguments, "--record", "/dev/null/r.json")
    assert (done.status, "output.failed" in done.err) == (2, True)
    assert "Traceback" not in done.err


def test_what_a_permit_rests_on_is_on_record_and_is_made_again(server: Server, record: Path) -> None:
    """Last in this file: it moves the branch."""
    server.ok("promote", "--yes")
    (permit,) = [str(entry.body["permit"]) for entry in server.ledger.entries("permit.issued")]
    place = ("--server", str(server.bare.path))
    assert "the same decision: GO" in server.ok("audit", "replay", permit, *place)
    whole = record.with_name("promoted.json")
    server.ok("decision", "record", permit, "--out", str(whole), *place)
    jwks = ("--jwks", str(server.bare.path / "guard" / "jwks.json"))
    assert alone(server, record, "verify", "promoted.json", *jwks, "--go", "--commit", server.fix).status == 0
    assert alone(server, record, "replay", "promoted.json", *jwks).status == 0
    lines = server.ok("audit", "export", "--format", "in-toto", *place).splitlines()
    told = [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in lines]
    moved = told[-1]["predicate"]
    assert (moved["kind"], moved["old"], moved["new"]) == ("promotion", server.old, server.fix)
    assert moved["permit"]["decision"] == told[-2]["predicate"]["decision"]["digest"]
    server.ok("audit", "verify", *place)
