"""The ledger: it only grows, it says when somebody changed it, and it survives crowds and crashes."""

from __future__ import annotations

import json
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from guard.adapters import database
from guard.adapters.ledger import SqlLedger, rfc3339
from guard.core.chain import FIRST_PREV, Checkpoint, entry_hash
from guard.core.errors import GuardError, LedgerError

NOW = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
REF = "refs/heads/release/platform-control"
ROOT = Path(__file__).parent.parent


def open_at(folder: Path, *, repository: str = "gpuaas/platform", **options: Any) -> SqlLedger:
    return SqlLedger(folder / "ledger.sqlite3", repository=repository, **options)


@pytest.fixture
def ledger(tmp_path: Path) -> SqlLedger:
    return open_at(tmp_path)


def filled(folder: Path, count: int = 5) -> SqlLedger:
    ledger = open_at(folder)
    for number in range(count):
        ledger.append("note", {"number": number}, at=NOW)
    return ledger


def test_times_are_utc_whatever_zone_they_come_in() -> None:
    assert rfc3339(NOW.astimezone(timezone(timedelta(hours=5)))) == "2026-05-04T12:00:00.123456Z"
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(datetime(2026, 5, 4))  # noqa: DTZ001


# What a program with the file in its hands can do.


def raw(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)


def without_triggers(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], object]) -> None:
    """Do this as an owner of the file would: triggers dropped, then put back."""
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    work(connection)
    for _, sql in triggers:
        connection.execute(sql)


def fill_raw(connection: sqlite3.Connection, count: int) -> None:
    def rows() -> Iterator[tuple[Any, ...]]:
        prev = FIRST_PREV
        for seq in range(1, count + 1):
            kind, body = ("odd" if seq % 2 else "even"), json.dumps({"number": seq}, separators=(",", ":"))
            fields: dict[str, Any] = {
                "repository": "gpuaas/platform", "seq": seq, "at": rfc3339(NOW), "kind": kind, "body": body,
                "once": None, "prev": prev,
            }  # fmt: skip
            prev = entry_hash(**fields)
            yield (*fields.values(), prev)

    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO entries(repository, seq, at, kind, body, once, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        rows(),
    )
    connection.execute("COMMIT")


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE entries SET body = '{}' WHERE seq = 2", id="update"),
        pytest.param("UPDATE OR REPLACE entries SET seq = 3 WHERE seq = 2", id="update-or-replace"),
        pytest.param("DELETE FROM entries WHERE seq = 5", id="delete"),
        pytest.param("DELETE FROM entries", id="delete-all"),
        pytest.param(
            "INSERT OR REPLACE INTO entries SELECT repository, seq, at, kind, '{}', once, prev, hash FROM entries",
            id="replace",
        ),
        pytest.param(
            "INSERT OR REPLACE INTO entries VALUES ('gpuaas/platform', 6, '', '', '{}', 'o', '', '')",
            id="replace-by-once",
        ),
        pytest.param(
            "INSERT INTO entries VALUES ('gpuaas/platform', 9, '', '', '{}', NULL, '', '')", id="leave-a-gap"
        ),
        pytest.param(
            "INSERT INTO entries VALUES ('gpuaas/platform', 0, '', '', '{}', NULL, '', '')",
            id="before-the-first",
        ),
        pytest.param(
            "INSERT INTO entries VALUES ('gpuaas/platform', 6, '', '', '{}', NULL, '', ''), "
            "('gpuaas/platform', 6, '', '', '{}', NULL, '', '')",
            id="the-same-place-twice",
        ),
    ],
)
def test_the_database_itself_refuses_changes(tmp_path: Path, statement: str) -> None:
    ledger = filled(tmp_path, 4)
    ledger.append("note", {}, at=NOW, once="o")
    with closing(raw(tmp_path)) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    assert ledger.verify() == 5


TAMPERINGS = [
    pytest.param(
        ["UPDATE entries SET body = '{\"number\":7}' WHERE seq = 3"], "entry 3 is not", id="body-changed"
    ),
    pytest.param(
        ["UPDATE entries SET body = '{\"number\": 2}' WHERE seq = 3"], "entry 3 is not", id="body-respelled"
    ),
    pytest.param(["UPDATE entries SET body = 'no json' WHERE seq = 3"], "entry 3 is not", id="body-broken"),
    pytest.param(["UPDATE entries SET body = x'ff00' WHERE seq = 3"], "entry 3 is not", id="body-is-bytes"),
    pytest.param(["UPDATE entries SET kind = 'other' WHERE seq = 1"], "entry 1 is not", id="kind-changed"),
    pytest.param(
        ["UPDATE entries SET at = '2020' WHERE seq = 5"], "entry 5 is not", id="time-of-the-last-changed"
    ),
    pytest.param(["UPDATE entries SET once = 'x' WHERE seq = 2"], "entry 2 is not", id="once-changed"),
    pytest.param(["UPDATE entries SET hash = prev WHERE seq = 4"], "entry 4 is not", id="hash-changed"),
    pytest.param(["UPDATE entries SET hash = 7 WHERE seq = 4"], "entry 4 is not", id="hash-is-a-number"),
    pytest.param(["DELETE FROM entries WHERE seq = 3"], "entry 3 is missing", id="one-removed"),
    pytest.param(["DELETE FROM entries WHERE seq = 1"], "entry 1 is missing", id="the-first-removed"),
    pytest.param(
        ["DELETE FROM entries WHERE seq = 3", "UPDATE entries SET seq = seq - 1 WHERE seq > 3"],
        "entry 3 is not",
        id="removed-and-closed-up",
    ),
    pytest.param(
        [
            "UPDATE entries SET seq = 99 WHERE seq = 2",
            "UPDATE entries SET seq = 2 WHERE seq = 3",
            "UPDATE entries SET seq = 3 WHERE seq = 99",
        ],
        "entry 2 is not",
        id="reordered",
    ),
    pytest.param(
        [
            "UPDATE entries SET seq = seq + 100 WHERE seq > 2",
            "UPDATE entries SET seq = seq - 99 WHERE seq > 2",
            "INSERT INTO entries SELECT repository, 3, at, kind, body, 'new', hash, hash FROM entries WHERE seq = 2",
        ],
        "entry 3 is not",
        id="inserted",
    ),
    pytest.param(["DROP TRIGGER entries_no_delete"], "triggers", id="a-trigger-dropped"),
]


@pytest.mark.parametrize(("statements", "message"), TAMPERINGS)
def test_tampering_is_found_and_named(tmp_path: Path, statements: list[str], message: str) -> None:
    ledger = filled(tmp_path)
    with closing(raw(tmp_path)) as connection:
        if "TRIGGER" in statements[0]:
            connection.execute(statements[0])
        else:
            without_triggers(connection, lambda c: [c.execute(statement) for statement in statements])
    with pytest.raises(LedgerError, match=message) as caught:
        ledger.verify()
    assert caught.value.code == "ledger.broken"


def test_an_entry_rehashed_in_place_breaks_the_next_one(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    third = list(ledger.entries())[2]
    fields = {name: getattr(third, name) for name in ("repository", "seq", "at", "once", "prev")}
    body = '{"number":99}'
    hash_ = entry_hash(**fields, kind="note", body=body)
    with closing(raw(tmp_path)) as connection:
        without_triggers(
            connection,
            lambda c: c.execute("UPDATE entries SET body = ?, hash = ? WHERE seq = 3", (body, hash_)),
        )
    with pytest.raises(LedgerError, match="entry 4 does not follow entry 3"):
        ledger.verify()


def test_a_cut_end_shows_against_a_checkpoint_only(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    count, last = ledger.verify_to_head()
    mark = Checkpoint(count, last)
    with closing(raw(tmp_path)) as connection:
        without_triggers(connection, lambda c: c.execute("DELETE FROM entries WHERE seq > 3"))
    assert ledger.verify() == 3
    assert code_of(lambda: ledger.verify_to_head(checkpoints=[mark])) == "ledger.broken"
    for number in (7, 8):
        ledger.append("note", {"number": number}, at=NOW)
    assert code_of(lambda: ledger.verify_to_head(checkpoints=[mark])) == "ledger.broken"


def test_a_chain_that_grew_since_fits_its_checkpoint(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    mark = Checkpoint(*ledger.verify_to_head())
    ledger.append("note", {}, at=NOW)
    assert ledger.verify_to_head(checkpoints=[mark])[0] == 6


# What the world does to a file.


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"this is no database at all" * 100)
    assert code_of(lambda: open_at(tmp_path)) == "ledger.not-a-database"


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert code_of(lambda: open_at(tmp_path / "nowhere")) == "ledger.cannot-open"


def test_reading_makes_no_ledger_where_there_is_none(tmp_path: Path) -> None:
    assert code_of(lambda: open_at(tmp_path, create=False)) == "ledger.failed"
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_never_ends_is_given_up_on(tmp_path: Path) -> None:
    ledger = open_at(tmp_path, patience=timedelta(milliseconds=50))
    with closing(raw(tmp_path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert code_of(lambda: ledger.append("note", {}, at=NOW)) == "ledger.locked"
        assert ledger.verify() == 0


def test_a_full_disk_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    event.listen(
        ledger._engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 1")
    )
    assert code_of(lambda: ledger.append("note", {"pad": "x" * 100_000}, at=NOW)) == "ledger.disk-full"
    assert open_at(tmp_path).verify() == 5


def test_a_disk_full_to_the_last_block_is_said_so(tmp_path: Path) -> None:
    filled(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (0, hard)
    )  # Python ignores the signal, so that writing just fails
    try:
        said = code_of(lambda: open_at(tmp_path).append("note", {"pad": "x" * 100_000}, at=NOW))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said == "ledger.disk-error"
    assert open_at(tmp_path).verify() == 5


def test_a_read_only_file_is_said_so(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    event.listen(
        ledger._engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON")
    )
    assert code_of(lambda: ledger.append("note", {}, at=NOW)) == "ledger.read-only"


def test_a_ledger_from_another_version_is_left_alone(tmp_path: Path) -> None:
    filled(tmp_path)
    with closing(raw(tmp_path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert code_of(lambda: open_at(tmp_path)) == "ledger.other-version"


def test_the_newest_revision_is_the_one_that_the_code_knows() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "guard.adapters:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == database.REVISION


def test_a_hook_can_read_it_with_the_standard_library(tmp_path: Path) -> None:
    filled(tmp_path)
    uri = f"file:{tmp_path / 'ledger.sqlite3'}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (5,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_verifying_is_quick_and_frugal(tmp_path: Path) -> None:
    """A million entries are to take under 20 s in constant memory; 20,000 here, with room for a slow machine."""
    ledger = open_at(tmp_path)
    with closing(raw(tmp_path)) as connection:
        fill_raw(connection, 20_000)
    started = time.process_time()
    assert ledger.verify() == 20_000
    assert time.process_time() - started < 2


def code_of(call: Callable[[], object]) -> str | None:
    with pytest.raises(GuardError) as caught:
        call()
    assert caught.value.fix
    return caught.value.code
