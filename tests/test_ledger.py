"""The ledger: it only grows, it says when somebody changed it, and it survives crowds and crashes."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from guard.adapters import database
from guard.adapters.ledger import FIRST_PREV, Checkpoint, SqliteLedger, entry_hash, rfc3339
from guard.core.canonical import CanonicalError, canonical_bytes, digest_of
from guard.core.errors import GuardError, LedgerError, Refused

NOW = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
REF = "refs/heads/release/platform-control"
ROOT = Path(__file__).parent.parent


def open_at(folder: Path, *, repository: str = "gpuaas/platform", **options: Any) -> SqliteLedger:
    return SqliteLedger(folder / "ledger.sqlite3", repository=repository, **options)


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return open_at(tmp_path)


def filled(folder: Path, count: int = 5) -> SqliteLedger:
    ledger = open_at(folder)
    for number in range(count):
        ledger.append("note", {"number": number}, at=NOW)
    return ledger


def test_an_entry_is_what_was_appended(ledger: SqliteLedger) -> None:
    entry = ledger.append("note", {"text": "grün"}, at=NOW, once="note:1")
    assert (entry.seq, entry.kind, entry.body, entry.once) == (1, "note", {"text": "grün"}, "note:1")
    assert (entry.at, entry.prev) == ("2026-05-04T12:00:00.123456Z", FIRST_PREV)
    assert list(ledger.entries()) == [entry] == [ledger.find("note:1")] == [ledger.head()]
    assert ledger.find("note:2") is None


def test_its_hash_is_over_the_canonical_json_of_everything_else(ledger: SqliteLedger) -> None:
    for body in ({"ü": [1, None, '\u2028𝄞\\"\x07']}, {}, {"z": {"b": 1.5, "a": True}}):
        entry = ledger.append('no"te', body, at=NOW, once=f"é:{ledger.verify()}")
        rest = {
            name: getattr(entry, name) for name in ("repository", "seq", "at", "kind", "body", "once", "prev")
        }
        assert entry.hash == digest_of(rest)


def test_what_is_said_once_is_there_once(ledger: SqliteLedger) -> None:
    first = ledger.append("permit.spent", {"permit": "x"}, at=NOW, once="permit.spent:x")
    again = ledger.append("permit.spent", {"permit": "x"}, at=NOW + timedelta(days=1), once="permit.spent:x")
    assert again == first
    assert ledger.verify() == 1


@pytest.mark.parametrize(("kind", "body"), [("permit.spent", {"permit": "y"}), ("note", {"permit": "x"})])
def test_the_same_once_for_something_else_is_refused(
    ledger: SqliteLedger, kind: str, body: dict[str, str]
) -> None:
    ledger.append("permit.spent", {"permit": "x"}, at=NOW, once="permit.spent:x")
    assert code_of(lambda: ledger.append(kind, body, at=NOW, once="permit.spent:x")) == "ledger.once-differs"
    assert ledger.verify() == 1


def test_one_chain_for_each_repository(tmp_path: Path) -> None:
    ours, theirs = open_at(tmp_path), open_at(tmp_path, repository="gpuaas/other")
    for ledger in (ours, theirs, ours):
        ledger.append("note", {}, at=NOW, once=f"n:{ledger.verify()}")
    assert (ours.verify(), theirs.verify()) == (2, 1)


def test_entries_by_kind_and_both_ways_over_many_pages(tmp_path: Path) -> None:
    ledger = open_at(tmp_path)
    with closing(raw(tmp_path)) as connection:
        fill_raw(connection, 1203)
    assert [e.seq for e in ledger.entries()] == list(range(1, 1204))
    assert [e.seq for e in ledger.entries(newest_first=True)] == list(range(1203, 0, -1))
    assert [e.seq for e in ledger.entries("even", newest_first=True)][:2] == [1202, 1200]
    assert len(list(ledger.entries("even", "odd"))) == 1203
    assert list(ledger.entries("other")) == []
    assert ledger.verify() == 1203


def test_appending_while_walking_is_seen_and_locks_nobody_out(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 2)
    walk = ledger.entries()
    next(walk)
    ledger.append("note", {"number": 2}, at=NOW)
    assert next(e.seq for e in walk) == 2
    assert ledger.verify() == 3


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"n": 2**53}, id="integer-too-large"),
        pytest.param({"n": float("nan")}, id="not-a-number"),
        pytest.param({"s": "\ud800"}, id="lone-surrogate"),
        pytest.param({1: 2}, id="number-as-name"),
        pytest.param({"s": {1, 2}}, id="a-set"),
    ],
)
def test_what_is_no_json_is_refused(ledger: SqliteLedger, body: Any) -> None:
    with pytest.raises(CanonicalError):
        ledger.append("note", body, at=NOW)
    assert ledger.verify() == 0


def test_times_are_utc_whatever_zone_they_come_in() -> None:
    assert rfc3339(NOW.astimezone(timezone(timedelta(hours=5)))) == "2026-05-04T12:00:00.123456Z"
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(datetime(2026, 5, 4))  # noqa: DTZ001


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(body=st.dictionaries(st.text(max_size=8), json_values, max_size=4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_goes_in_and_comes_out_the_same(ledger: SqliteLedger, body: dict[str, Any]) -> None:
    entry = ledger.append("note", body, at=NOW)
    assert canonical_bytes(entry.body) == canonical_bytes(body)
    assert ledger.head() == entry
    assert ledger.verify() == entry.seq


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
    assert code_of(lambda: ledger.verify_to_head(checkpoint=mark)) == "ledger.broken"
    for number in (7, 8):
        ledger.append("note", {"number": number}, at=NOW)
    assert code_of(lambda: ledger.verify_to_head(checkpoint=mark)) == "ledger.broken"


def test_a_chain_that_grew_since_fits_its_checkpoint(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    mark = Checkpoint(*ledger.verify_to_head())
    ledger.append("note", {}, at=NOW)
    assert ledger.verify_to_head(checkpoint=mark)[0] == 6


# Crowds and crashes.


def _append_many(folder: str, name: str, count: int) -> None:
    ledger = open_at(Path(folder))
    for number in range(count):
        ledger.append("note", {"from": name, "number": number}, at=NOW)
        ledger.append("shared", {"number": number}, at=NOW, once=f"shared:{number}")


def test_several_processes_open_and_append_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(str(tmp_path), str(n), 25)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    ledger = open_at(tmp_path)
    assert ledger.verify() == 3 * 25 + 25
    for name in "012":
        assert [e.body["number"] for e in ledger.entries("note") if e.body["from"] == name] == list(range(25))


def test_killed_while_appending_the_chain_stays_whole(tmp_path: Path) -> None:
    open_at(tmp_path)
    code = (
        "import itertools; from pathlib import Path; from tests.test_ledger import NOW, open_at; "
        f"ledger = open_at(Path({str(tmp_path)!r}))\n"
        "for n in itertools.count(): print(ledger.append('note', {'n': n, 'pad': 'x' * 5000}, at=NOW).seq, flush=True)"
    )
    acknowledged = 0
    for delay in (0.0, 0.013, 0.031):
        with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            acknowledged = int(process.stdout.readline())
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
            acknowledged = int(rest[-1]) if rest else acknowledged
        assert open_at(tmp_path).verify() >= acknowledged
    open_at(tmp_path).append("note", {}, at=NOW)


def test_the_lock_of_a_branch_is_held_by_one(tmp_path: Path) -> None:
    first, second = open_at(tmp_path), open_at(tmp_path)
    with first.branch_lock(REF):
        with pytest.raises(Refused, match=f"process {os.getpid()}") as caught, second.branch_lock(REF):
            pass
        assert caught.value.code == "promotion.locked"
        with second.branch_lock(REF + "-other"), open_at(tmp_path, repository="other").branch_lock(REF):
            pass
    with second.branch_lock(REF):
        pass


def test_the_lock_is_free_when_its_holder_is_killed_though_its_child_lives(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; from pathlib import Path; from tests.test_ledger import REF, open_at\n"
        f"with open_at(Path({str(tmp_path)!r})).branch_lock(REF):\n"
        "    child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert code_of(lambda: open_at(tmp_path).branch_lock(REF).__enter__()) == "promotion.locked"
            process.kill()
            process.wait()
            with open_at(tmp_path).branch_lock(REF):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


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
