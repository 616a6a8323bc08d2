"""What the ledger promises, on each of its databases: it only grows, and it survives crowds and crashes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from guard.adapters.database import writing
from guard.adapters.ledger import SqlLedger, entries_table, rfc3339
from guard.core.canonical import CanonicalError, canonical_bytes, digest_of
from guard.core.chain import FIRST_PREV, entry_hash
from guard.core.errors import Refused
from tests.ledgers import BOTH, ON_POSTGRESQL, Place, new_place, open_place
from tests.test_ledger import NOW, REF, ROOT, code_of


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return new_place(request.param, tmp_path)


@pytest.fixture
def ledger(place: Place) -> SqlLedger:
    return open_place(place)


def fill(ledger: SqlLedger, count: int) -> None:
    """So many entries, `odd` and `even`, in one transaction."""

    def rows() -> Iterator[dict[str, Any]]:
        prev = FIRST_PREV
        for seq in range(1, count + 1):
            fields: dict[str, Any] = {
                "repository": ledger.repository, "seq": seq, "at": rfc3339(NOW), "kind": "odd" if seq % 2 else "even",
                "body": f'{{"number":{seq}}}', "once": None, "prev": prev,
            }  # fmt: skip
            prev = entry_hash(**fields)
            yield {**fields, "hash": prev}

    with writing(ledger._engine) as connection:
        connection.execute(insert(entries_table), list(rows()))


def test_an_entry_is_what_was_appended(ledger: SqlLedger) -> None:
    entry = ledger.append("note", {"text": "grün"}, at=NOW, once="note:1")
    assert (entry.seq, entry.kind, entry.body, entry.once) == (1, "note", {"text": "grün"}, "note:1")
    assert (entry.at, entry.prev) == ("2026-05-04T12:00:00.123456Z", FIRST_PREV)
    assert list(ledger.entries()) == [entry] == [ledger.find("note:1")] == [ledger.head()]
    assert ledger.find("note:2") is None


def test_its_hash_is_over_the_canonical_json_of_everything_else(ledger: SqlLedger) -> None:
    for body in ({"ü": [1, None, '\u2028𝄞\\"\x07']}, {}, {"z": {"b": 1.5, "a": True}}):
        entry = ledger.append('no"te', body, at=NOW, once=f"é:{ledger.verify()}")
        rest = {
            name: getattr(entry, name) for name in ("repository", "seq", "at", "kind", "body", "once", "prev")
        }
        assert entry.hash == digest_of(rest)


def test_what_is_said_once_is_there_once(ledger: SqlLedger) -> None:
    first = ledger.append("permit.spent", {"permit": "x"}, at=NOW, once="permit.spent:x")
    again = ledger.append("permit.spent", {"permit": "x"}, at=NOW + timedelta(days=1), once="permit.spent:x")
    assert again == first
    assert ledger.verify() == 1


def test_the_same_once_for_something_else_is_refused(ledger: SqlLedger) -> None:
    ledger.append("permit.spent", {"permit": "x"}, at=NOW, once="permit.spent:x")
    for kind, body in (("permit.spent", {"permit": "y"}), ("note", {"permit": "x"})):
        told = code_of(lambda: ledger.append(kind, body, at=NOW, once="permit.spent:x"))  # noqa: B023
        assert told == "ledger.once-differs"
    assert ledger.verify() == 1


def test_one_chain_for_each_repository(place: Place) -> None:
    ours, theirs = open_place(place), open_place(place, repository="gpuaas/other")
    for ledger in (ours, theirs, ours):
        ledger.append("note", {}, at=NOW, once=f"n:{ledger.verify()}")
    assert (ours.verify(), theirs.verify()) == (2, 1)


def test_entries_by_kind_and_both_ways_over_many_pages(ledger: SqlLedger) -> None:
    fill(ledger, 1203)
    assert [e.seq for e in ledger.entries()] == list(range(1, 1204))
    assert [e.seq for e in ledger.entries(newest_first=True)] == list(range(1203, 0, -1))
    assert [e.seq for e in ledger.entries("even", newest_first=True)][:2] == [1202, 1200]
    assert len(list(ledger.entries("even", "odd"))) == 1203
    assert list(ledger.entries("other")) == []
    assert ledger.verify() == 1203


def test_appending_while_walking_is_seen_and_locks_nobody_out(ledger: SqlLedger) -> None:
    for number in range(2):
        ledger.append("note", {"number": number}, at=NOW)
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
def test_what_is_no_json_is_refused(ledger: SqlLedger, body: Any) -> None:
    with pytest.raises(CanonicalError):
        ledger.append("note", body, at=NOW)
    assert ledger.verify() == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(body=st.dictionaries(st.text(max_size=8), json_values, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_goes_in_and_comes_out_the_same(ledger: SqlLedger, body: dict[str, Any]) -> None:
    entry = ledger.append("note", body, at=NOW)
    assert canonical_bytes(entry.body) == canonical_bytes(body)
    assert ledger.head() == entry
    assert ledger.verify() == entry.seq


def _append_many(place: Place, name: str, count: int) -> None:
    ledger = open_place(place)
    for number in range(count):
        ledger.append("note", {"from": name, "number": number}, at=NOW)
        ledger.append("shared", {"number": number}, at=NOW, once=f"shared:{number}")


def test_several_processes_open_and_append_at_once(place: Place) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(place, str(n), 25)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    ledger = open_place(place)
    assert ledger.verify() == 3 * 25 + 25
    for name in "012":
        assert [e.body["number"] for e in ledger.entries("note") if e.body["from"] == name] == list(range(25))


def test_killed_while_appending_the_chain_stays_whole(place: Place) -> None:
    open_place(place)
    code = (
        "import itertools; from pathlib import Path, PosixPath; from tests.ledgers import open_place\n"
        f"from tests.test_ledger import NOW; ledger = open_place({place!r})\n"
        "for n in itertools.count(): print(ledger.append('note', {'n': n, 'pad': 'x' * 5000}, at=NOW).seq, flush=True)"
    )
    acknowledged = 0
    for delay in (0.0, 0.031):
        with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            acknowledged = int(process.stdout.readline())
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
            acknowledged = int(rest[-1]) if rest else acknowledged
        assert open_place(place).verify() >= acknowledged
    open_place(place).append("note", {}, at=NOW)


def test_the_lock_of_a_branch_is_held_by_one(place: Place) -> None:
    first, second = open_place(place), open_place(place)
    with first.branch_lock(REF):
        with pytest.raises(Refused, match="process") as caught, second.branch_lock(REF):
            pass
        assert caught.value.code == "promotion.locked"
        other = open_place(place, repository="other")
        with second.branch_lock(REF + "-other"), other.branch_lock(REF):
            pass
    with second.branch_lock(REF):
        pass


def test_the_lock_is_free_when_its_holder_is_killed_though_its_child_lives(place: Place) -> None:
    code = (
        "import subprocess, sys; from pathlib import PosixPath; from tests.ledgers import open_place\n"
        f"with open_place({place!r}).branch_lock({REF!r}):\n"
        "    child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert code_of(lambda: open_place(place).branch_lock(REF).__enter__()) == "promotion.locked"
            process.kill()
            process.wait()
            _take_within(place, seconds=5)
        finally:
            os.kill(child, signal.SIGKILL)


def _take_within(place: Place, *, seconds: float) -> None:
    """Take the lock; a database notices only after a moment that its client is gone."""
    ends = time.monotonic() + seconds
    while True:
        try:
            with open_place(place).branch_lock(REF):
                return
        except Refused:
            if time.monotonic() > ends:
                raise
            time.sleep(0.02)


@pytest.mark.parametrize("kind", [ON_POSTGRESQL])
def test_a_writer_waits_for_another_machine_s_and_gives_up_in_time(kind: str, tmp_path: Path) -> None:
    place = new_place(kind, tmp_path)
    ledger, hasty = open_place(place), open_place(place, patience=timedelta(milliseconds=50))
    with writing(ledger._engine):
        assert code_of(lambda: hasty.append("note", {}, at=NOW)) == "ledger.locked"
        assert hasty.verify() == 0
    assert hasty.append("note", {}, at=NOW).seq == 1
