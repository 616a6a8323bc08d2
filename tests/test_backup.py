"""Backups: whole or not at all, checked before anything is put back, from one kind of database into the other."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from guard.adapters.keys import load_signing_key
from guard.adapters.ledger import SqlLedger
from guard.cli.main import status_of
from tests.ledgers import new_place
from tests.test_checkpoints import NAME, Home
from tests.test_ledger import NOW


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    made = Home(tmp_path / "guard", capsys)
    (made.path / "allowed_signers").write_text("")
    return made


def run(home: Home, *arguments: str, status: int = 0) -> str:
    home.capsys.readouterr()
    found = status_of(["backup", *arguments])
    told = home.capsys.readouterr()
    assert found == status, told.err + told.out
    return told.err if status else told.out


def saved(home: Home, *options: str) -> Path:
    out = home.path.parent / "backup.tar"
    run(home, "create", "--out", str(out), "--server", str(home.path), *options)
    return out


def test_there_and_back_with_keys(home: Home, tmp_path: Path) -> None:
    home.ledger.append("note", {"text": "grün", "n": [1.5, None, 1e16]}, at=NOW, once="o")
    out = saved(home, "--with-keys")
    assert out.stat().st_mode & 0o777 == 0o600
    assert f"{NAME}, 5 entries, with its signing keys" in run(home, "verify", str(out))
    new = tmp_path / "new"
    for _ in range(2):
        run(home, "restore", str(out), "--home", str(new))
    restored = SqlLedger(new / "ledger.sqlite3", repository=NAME)
    assert list(restored.entries()) == list(home.ledger.entries())
    assert restored.verify() == 5
    key = load_signing_key(new / "keys", new / "jwks.json")
    assert key.kid == load_signing_key(home.path / "keys", home.path / "jwks.json").kid
    restored.append("note", {}, at=NOW)
    assert restored.verify() == 6


def test_without_keys_unless_asked(home: Home) -> None:
    out = saved(home)
    assert json.loads(run(home, "verify", str(out), "--format", "json"))["keys"] is False
    with tarfile.open(out) as tar:
        assert not [name for name in tar.getnames() if "keys" in name]


@pytest.mark.xdist_group("postgresql")
def test_from_the_file_into_postgresql_and_back(home: Home, tmp_path: Path) -> None:
    place = str(new_place("postgresql", tmp_path))
    new = tmp_path / "new"
    run(home, "restore", str(saved(home)), "--home", str(new), "--database", place)
    assert list(SqlLedger(place, repository=NAME).entries()) == list(home.ledger.entries())
    assert SqlLedger(place, repository=NAME).verify() == 4


def test_a_ledger_that_holds_something_else_is_left_alone(home: Home, tmp_path: Path) -> None:
    out = saved(home)
    home.grow(1)
    assert "ledger.not-empty" in run(home, "restore", str(out), "--home", str(home.path), status=2)
    assert home.ledger.verify() == 5


def test_files_that_say_something_else_are_left_alone(home: Home, tmp_path: Path) -> None:
    out, new = saved(home), tmp_path / "new"
    new.mkdir()
    (new / "allowed_signers").write_text("ann@example.com ssh-ed25519 AAAA\n")
    assert "says something else" in run(home, "restore", str(out), "--home", str(new), status=2)
    assert [path.name for path in new.iterdir()] == ["allowed_signers"]


def rewritten(file: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> None:
    """The same archive with members changed or (None) left out."""
    with tarfile.open(file) as tar:
        members = [(one.name, stream.read()) for one in tar if (stream := tar.extractfile(one))]
    with tarfile.open(file, "w") as tar:
        for name, data in filter(None, (change(name, data) for name, data in members)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


CHANGES = [
    pytest.param(lambda n, d: (n, d.replace(b'"number":2', b'"number":7')), "damaged", id="an-entry"),
    pytest.param(lambda n, d: (n, d + b"x" if n == "settings.toml" else d), "settings.toml", id="a-file"),
    pytest.param(lambda n, d: None if n == "jwks.json" else (n, d), "jwks.json", id="a-file-is-gone"),
    pytest.param(
        lambda n, d: None if n == "manifest.json" else (n, d), "no backup of this guard", id="no-manifest"
    ),
    pytest.param(
        lambda n, d: None if n == "ledger.jsonl" else (n, d), "damaged: ledger.jsonl", id="no-ledger"
    ),
    pytest.param(
        lambda n, d: ("../../evil" if n == "allowed_signers" else n, d),
        "what no backup holds",
        id="a-name-that-climbs",
    ),
    pytest.param(
        lambda n, d: (n, d.replace(b'"entries": 4', b'"entries": 3') if n == "manifest.json" else d),
        "not the one that it says",
        id="another-end",
    ),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_damaged_or_hostile_archive_puts_nothing_back(
    home: Home, tmp_path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None], message: str
) -> None:
    out, new = saved(home), tmp_path / "new"
    rewritten(out, change)
    run(home, "verify", str(out), status=2)
    assert message in run(home, "restore", str(out), "--home", str(new), status=2)
    assert not new.exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_an_archive_holds_files_and_nothing_else(home: Home, tmp_path: Path, kind: bytes) -> None:
    out = saved(home)
    with tarfile.open(out, "a") as tar:
        info = tarfile.TarInfo("service.toml")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    assert "what no backup holds" in run(home, "verify", str(out), status=2)


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"\x1f\x8b\x08\x00"])
def test_what_is_no_archive_is_said_so(home: Home, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    assert "backup.failed" in run(home, "verify", str(file), status=2)


def test_a_truncated_archive_is_said_so(home: Home) -> None:
    out = saved(home)
    out.write_bytes(out.read_bytes()[:2000])
    run(home, "verify", str(out), status=2)


def test_a_ledger_that_does_not_add_up_is_not_backed_up(home: Home, tmp_path: Path) -> None:
    home.tamper("UPDATE entries SET body = '{}' WHERE seq = 2")
    out = tmp_path / "backup.tar"
    assert "ledger.broken" in run(home, "create", "--out", str(out), "--server", str(home.path), status=2)
    assert not out.exists()


def test_a_folder_that_is_not_there_is_said_so(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "nowhere" / "backup.tar"
    assert "backup.failed" in run(home, "create", "--out", str(out), "--server", str(home.path), status=2)
