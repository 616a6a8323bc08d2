"""Checkpoints leave the ledger's host, and an auditor who kept them finds what its owner did afterwards."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.adapters.keys import create_signing_key, load_signing_key, public_keys
from guard.adapters.ledger import SqlLedger
from guard.cli.main import status_of
from guard.core.chain import Checkpoint
from guard.core.checkpoint import CheckpointError, seal, unseal
from guard.core.errors import SettingsError
from guard.settings import load_home
from tests.service_world import ServiceWorld
from tests.test_ledger import NOW, without_triggers
from webhook_app.checkpoints import Checkpointer

NAME = "gpuaas/platform"


class Home:
    """A server side's folder with keys and a ledger, and the commands of an auditor on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = folder
        self.capsys = capsys
        folder.mkdir()
        self.write("")
        create_signing_key(folder / "keys", folder / "jwks.json")
        self.ledger = SqlLedger(folder / "ledger.sqlite3", repository=NAME)
        self.grow(4)

    def write(self, more: str) -> None:
        (self.path / "settings.toml").write_text(f'repository = "{NAME}"\ngit_dir = "{self.path}"\n{more}')

    def grow(self, count: int) -> None:
        for number in range(count):
            self.ledger.append("note", {"number": number}, at=NOW)

    def audit(self, *arguments: str, status: int = 0) -> str:
        """`guard audit …` on this home; standard output, or with another status what went to standard error."""
        self.capsys.readouterr()
        found = status_of(["audit", *arguments, "--server", str(self.path)])
        told = self.capsys.readouterr()
        assert found == status, told.err + told.out
        return told.err if status else told.out

    def tamper(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path / "ledger.sqlite3", isolation_level=None)) as connection:
            without_triggers(connection, lambda c: [c.execute(statement) for statement in statements])


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path / "guard", capsys)


def test_a_file_of_checkpoints_grows_only_when_the_ledger_does(home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert home.audit("checkpoint", "--to", f"file:{kept}") == f"sent to file:{kept}: 4 entries\n"
    assert (
        home.audit("checkpoint", "--to", f"file:{kept}") == "every place has the newest checkpoint already\n"
    )
    home.grow(1)
    told = json.loads(home.audit("checkpoint", "--to", f"file:{kept}", "--format", "json"))
    assert told == {"sent": [{"to": f"file:{kept}", "entries": 6, "failed": None}]}
    assert len(kept.read_text().splitlines()) == 2
    assert [entry.body["count"] for entry in home.ledger.entries("checkpoint.sent")] == [4, 6]
    assert "adds up: 7 entries" in home.audit("verify", "--checkpoint", str(kept))


CUT = "DELETE FROM entries WHERE seq > 3"


@pytest.mark.parametrize(
    ("after", "message"),
    [
        pytest.param([CUT], "its end was cut off", id="cut-off"),
        pytest.param(
            [
                CUT,
                "INSERT INTO entries SELECT repository, 4, at, kind, body, 'x', hash, hash FROM entries WHERE seq=3",
            ],
            "entry 4 is not",
            id="another-in-its-place",
        ),
    ],
)
def test_a_ledger_that_was_cut_does_not_fit_its_checkpoints(
    home: Home, tmp_path: Path, after: list[str], message: str
) -> None:
    kept = tmp_path / "kept"
    home.audit("checkpoint", "--to", f"file:{kept}")
    home.tamper(*after)
    assert message in home.audit("verify", "--checkpoint", str(kept), status=1)


def test_a_chain_written_anew_does_not_fit_its_checkpoints(home: Home, tmp_path: Path) -> None:
    """Whoever owns the file can make a chain that adds up by itself; not one that others have seen."""
    kept = tmp_path / "kept"
    home.audit("checkpoint", "--to", f"file:{kept}")
    (home.path / "ledger.sqlite3").unlink()
    home.ledger = SqlLedger(home.path / "ledger.sqlite3", repository=NAME)
    for number in range(9):
        home.ledger.append("note", {"another": number}, at=NOW)
    home.audit("verify")
    assert "entry 4 is not the one that a checkpoint names" in home.audit(
        "verify", "--checkpoint", str(kept), status=1
    )


def test_an_export_is_verified_with_nothing_but_kept_keys(home: Home, tmp_path: Path) -> None:
    out, kept, keys = tmp_path / "ledger.jsonl", tmp_path / "kept", tmp_path / "jwks.json"
    home.ledger.append("note", {"text": "grün", "n": [1.5, None, 1e16]}, at=NOW, once="o")
    home.audit("checkpoint", "--to", f"file:{kept}")
    home.audit("export", "--out", str(out))
    keys.write_bytes((home.path / "jwks.json").read_bytes())
    offline = ["audit", "verify", "--file", str(out), "--checkpoint", str(kept), "--jwks", str(keys)]
    assert status_of(offline) == 0
    lines = out.read_text().splitlines(keepends=True)
    for changed, message in (
        (lines[:-2], "cut off"),
        ([lines[1], lines[0], *lines[2:]], "entry 1 is missing"),
        ([*lines[:2], lines[2].replace('"number":2', '"number":9'), *lines[3:]], "entry 3 is not"),
        ([*lines, "{}\n"], "line 7"),
        ([*lines, lines[-1].replace(NAME, "other/one")], "another repository"),
        ([], "no entry"),
    ):
        out.write_text("".join(changed))
        home.capsys.readouterr()
        assert status_of(offline) == 1, message
        assert message in home.capsys.readouterr().err


def test_an_export_cannot_be_written_half(home: Home, tmp_path: Path) -> None:
    assert "output.failed" in home.audit("export", "--out", str(tmp_path / "nowhere" / "x"), status=2)
    out = tmp_path / "out"
    home.audit("export", "--out", str(out))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert home.audit("export") == out.read_text()


def test_a_foreign_guard_s_checkpoint_proves_nothing(home: Home, tmp_path: Path) -> None:
    other = create_signing_key(tmp_path / "keys", tmp_path / "jwks.json")
    head = home.ledger.head()
    assert head is not None
    kept = tmp_path / "kept"
    kept.write_text(seal(Checkpoint(4, head.hash, NAME, "2026-05-04T12:00:00Z"), other) + "\n")
    assert "checkpoint.unsigned" in home.audit("verify", "--checkpoint", str(kept), status=1)
    home.audit("verify", "--checkpoint", str(kept), "--jwks", str(tmp_path / "jwks.json"))


def test_what_a_log_daemon_put_before_it_is_passed_over(home: Home, tmp_path: Path) -> None:
    line = home.audit("checkpoint", "--print")
    kept = tmp_path / "syslog"
    kept.write_text(f"Nov 28 19:00:00 guard1 release-guard: {line}")
    home.audit("verify", "--checkpoint", str(kept))
    kept.write_text("Nov 28 19:00:00 guard1 sshd: a line of somebody else's\n")
    assert "line 1" in home.audit("verify", "--checkpoint", str(kept), status=1)


def test_a_place_that_fails_keeps_the_others_from_nothing_and_is_tried_again(
    home: Home, tmp_path: Path
) -> None:
    kept, late = tmp_path / "kept", tmp_path / "mount" / "kept"
    home.write(f'[checkpoints]\nto = ["file:{late}", "file:{kept}"]\n')
    told = home.audit("checkpoint", status=2)
    assert told == ""
    late.parent.mkdir()
    assert home.audit("checkpoint") == f"sent to file:{late}: 5 entries\n"
    assert len(kept.read_text().splitlines()) == 1


def test_syslog_gets_one_message(home: Home) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        home.audit("checkpoint", "--to", f"syslog://127.0.0.1:{server.getsockname()[1]}")
        message = server.recv(4096).rstrip(b"\0").decode()
    assert "release-guard: {" in message
    mark = unseal(message[message.index("{") :], public_keys(home.path / "jwks.json"))
    assert (mark.count, mark.repository) == (4, NAME)


@contextmanager
def receiver(status: int) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTP server that answers every POST with this status; its URL, and the bodies that it got."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/in?token=secret", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_gets_it_and_its_address_stays_out_of_the_ledger(home: Home) -> None:
    with receiver(204) as (url, got):
        home.audit("checkpoint", "--to", url)
        home.audit("checkpoint", "--to", url)
    assert [unseal(body.decode(), public_keys(home.path / "jwks.json")).count for body in got] == [4]
    assert "secret" not in home.audit("log", "--format", "json")


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_webhook_that_did_not_keep_it_is_tried_again(home: Home, status: int) -> None:
    with receiver(status) as (url, got):
        home.audit("checkpoint", "--to", url, status=2)
        home.audit("checkpoint", "--to", url, status=2)
    assert len(got) == 2


@pytest.mark.parametrize(
    "place",
    [
        "file:relative",
        "http://example.com/x",
        "ftp://x/y",
        "https://u:p@example.com/x",
        "comment:one",
        "nonsense",
        "",
    ],
)
def test_a_place_that_is_none_is_refused(home: Home, place: str) -> None:
    assert "settings.checkpoints" in home.audit("checkpoint", "--to", place, status=2)


def test_wrong_usage_is_said_so(home: Home, tmp_path: Path) -> None:
    assert "usage.to" in home.audit("checkpoint", status=64)
    assert "neither COUNT:HASH" in home.audit("verify", "--checkpoint", "5:sha256:x", status=64)
    home.write('[checkpoints]\nevery = "soon"\n')
    assert "checkpoints.every" in home.audit("verify", status=2)


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://u:p@h/x", "postgresql://h/x?password=p"])
def test_a_database_url_with_a_password_or_of_another_kind_is_refused(home: Home, url: str) -> None:
    home.write(f'database = "{url}"\n')
    with pytest.raises(SettingsError, match="database"):
        load_home(home.path)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_anything_else_is_no_checkpoint(text: str) -> None:
    with pytest.raises(CheckpointError):
        unseal(text, {})


def test_checkpoints_of_two_chains_contradict_each_other(home: Home, tmp_path: Path) -> None:
    """The guard signed two different entries 4: its ledger was replaced, whichever of the two is there now."""
    kept = tmp_path / "kept"
    home.audit("checkpoint", "--to", f"file:{kept}")
    key = load_signing_key(home.path / "keys", home.path / "jwks.json")
    forged = seal(Checkpoint(4, "sha256:" + "7" * 64, NAME, "2026-05-04T12:00:00Z"), key)
    kept.write_text(f"{kept.read_text()}{forged}\n")
    assert "two checkpoints name different entries 4" in home.audit(
        "verify", "--checkpoint", str(kept), status=1
    )


@pytest.mark.parametrize("forge", ["gitlab", "github"])
def test_the_service_leaves_them_as_comments_too(forge: str, tmp_path: Path) -> None:
    world = ServiceWorld(tmp_path, forge)
    try:
        create_signing_key(world.home / "keys", world.home / "jwks.json")
        with world.serving() as url:
            proposal = world.side.propose(world.commit("a fix", {"app": "2\n"}))
            world.settle(url)
            settings = world.home / "settings.toml"
            kept = tmp_path / "kept"
            settings.write_text(
                f'{settings.read_text()}[checkpoints]\nto = ["comment:{proposal}", "file:{kept}"]\n'
            )
            sender = Checkpointer(world.open(), stop=threading.Event())
            sender.step()
            sender.step()
            bodies = [body for _, body in world.side.comments(proposal) if "A checkpoint" in body]
            (body,) = bodies
            mark = unseal(body.split("```json\n")[1].split("\n```")[0], public_keys(world.home / "jwks.json"))
            assert kept.read_text().strip() == body.split("```json\n")[1].split("\n```")[0]
            entries = list(world.service.ledger.entries())
            assert entries[mark.count - 1].hash == mark.hash
            world.settle(url)
            assert len(world.side.comments(proposal)) == 2, "its own comment wakes nothing to be said"
    finally:
        world.close()
