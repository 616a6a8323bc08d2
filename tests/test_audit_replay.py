"""What decisions were made of is kept with the ledger: they are made again from it, and a change of it is found."""

from __future__ import annotations

import json
import sqlite3
import tarfile
import zlib
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from guard.adapters.decision_inputs import DecisionInputs
from guard.adapters.ledger import SqlLedger
from guard.adapters.postgresql import make_tables
from guard.cli.main import status_of
from guard.core.canonical import canonical_bytes, digest_of
from guard.core.decide import decide
from guard.core.errors import LedgerError, UsageError
from guard.core.model import Decision, Unknown
from guard.core.replay import pack
from guard.core.snapshot import SnapshotError
from guard.journeys.keeping import kept_with
from guard.journeys.records import RecordError, open_record, replay_record, seal
from guard.journeys.replaying import find_decision, replay_entry, statement_of
from guard.ports import Entry
from guard.render.decision_json import decision_document
from tests.decision_world import NOW, QUESTION, loaded, new_key, public, whole_decision, whole_facts
from tests.ledgers import BOTH, Place, new_place, open_place
from tests.postgres import fresh_database
from tests.test_backup import run, saved
from tests.test_checkpoints import Home
from tests.test_ledger import without_triggers

KEY = new_key()


def put(ledger: SqlLedger, decision: Decision, **more: object) -> Entry:
    """A decision on record, as every journey puts it there."""
    document = decision_document(decision)
    kept, parts = kept_with(decision)
    body = {"digest": digest_of(document), "decision": document, **kept, **more}
    return ledger.append("decision.recorded", body, at=NOW, parts=parts)


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return new_place(request.param, tmp_path)


@pytest.fixture
def ledger(place: Place) -> SqlLedger:
    return open_place(place)


def test_a_decision_on_record_is_made_again(ledger: SqlLedger) -> None:
    entry = put(ledger, whole_decision())
    again = replay_entry(entry, ledger.part, engine="0.1.0")
    assert (again.same, again.recorded, again.differences) == (True, entry.body["digest"], ())
    assert ledger.verify() == 1


def test_what_two_decisions_share_is_kept_once(ledger: SqlLedger) -> None:
    for hour in (12, 13, 14):
        put(ledger, decide(QUESTION, loaded(), whole_facts(), now=NOW.replace(hour=hour)))
    # Three moments, one policy, the same facts.
    assert len(list(ledger.inputs.parts())) == 3 + 2
    put(ledger, decide(QUESTION, Unknown("none"), whole_facts(), now=NOW))
    assert len(list(ledger.inputs.parts())) == 4 + 2
    assert list(DecisionInputs(ledger._engine, repository="gpuaas/other").parts()) == []
    assert ledger.verify() == 4


def test_an_entry_that_is_refused_keeps_nothing(ledger: SqlLedger) -> None:
    ledger.append("note", {}, at=NOW, once="o")
    with pytest.raises(LedgerError):
        ledger.append("note", {"other": 1}, at=NOW, once="o", parts=[b"part"])
    assert list(ledger.inputs.parts()) == []


def _facts_part() -> str:
    made_of = whole_decision().made_of
    assert made_of is not None
    return next(digest for digest, data in pack(made_of).parts.items() if data.startswith(b"{"))


FACTS = _facts_part()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        pytest.param("UPDATE decision_inputs SET data = {other}", "was changed", id="changed"),
        pytest.param("UPDATE decision_inputs SET data = {cut}", "was changed", id="cut-off"),
        pytest.param("DELETE FROM decision_inputs WHERE digest = '{facts}'", "is gone", id="a-part-removed"),
        pytest.param("DELETE FROM decision_inputs", "entry 2 was made of is gone", id="all-removed"),
        pytest.param(
            "UPDATE decision_inputs SET digest = 'sha256:{zero}' WHERE digest = '{facts}'", "is gone", id="another-name"
        ),
    ],
)  # fmt: skip
def test_verify_notices_a_changed_input(tmp_path: Path, statement: str, message: str) -> None:
    ledger = open_place(tmp_path / "ledger.sqlite3")
    ledger.append("note", {}, at=NOW)
    put(ledger, whole_decision())
    other, whole = zlib.compress(b"{}"), zlib.compress(b"{}")[:-3]
    sql = statement.format(other=f"x'{other.hex()}'", cut=f"x'{whole.hex()}'", facts=FACTS, zero="0" * 64)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as connection:
        without_triggers(connection, lambda c: c.execute(sql))
    with pytest.raises(LedgerError, match=message) as caught:
        ledger.verify()
    assert caught.value.code == "ledger.broken"
    entry = next(ledger.entries("decision.recorded"))
    with pytest.raises((LedgerError, RecordError, SnapshotError)):
        replay_entry(entry, ledger.part, engine="0.1.0")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE decision_inputs SET data = x''",
        "DELETE FROM decision_inputs",
        "INSERT OR REPLACE INTO decision_inputs SELECT repository, digest, x'' FROM decision_inputs",
    ],
    ids=["update", "delete", "replace"],
)
def test_a_file_refuses_changes_by_itself(tmp_path: Path, statement: str) -> None:
    ledger = open_place(tmp_path / "ledger.sqlite3")
    put(ledger, whole_decision())
    with (
        closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement)
    assert ledger.verify() == 1


@pytest.mark.xdist_group("postgresql")
def test_postgresql_refuses_changes_by_itself_and_verify_finds_an_owner_s() -> None:
    database = fresh_database()
    make_tables(database.owner, role=database.role, patience=timedelta(seconds=10))
    ledger = open_place(database.url)
    put(ledger, whole_decision())
    for statement in (
        "UPDATE decision_inputs SET data = ''",
        "DELETE FROM decision_inputs",
        "TRUNCATE decision_inputs",
    ):
        for role, states in (("url", {"42501"}), ("owner", {"GD001"})):
            with pytest.raises(psycopg.Error) as caught:
                database.run(statement, as_=role)
            assert caught.value.sqlstate in states
    assert ledger.verify() == 1
    off = "ALTER TABLE decision_inputs DISABLE TRIGGER decision_inputs_no_change"
    database.run(off, as_="owner")
    with pytest.raises(LedgerError, match="decision_inputs_no_change"):
        ledger.verify()
    database.run("UPDATE decision_inputs SET data = ''", as_="owner")
    database.run("ALTER TABLE decision_inputs ENABLE ALWAYS TRIGGER decision_inputs_no_change", as_="owner")
    with pytest.raises(LedgerError, match="was changed"):
        ledger.verify()


def test_it_is_found_by_each_of_its_names(tmp_path: Path) -> None:
    ledger = open_place(tmp_path / "ledger.sqlite3")
    first = put(ledger, whole_decision(), proposal="7")
    mine = put(ledger, decide(QUESTION, loaded(), whole_facts(), now=NOW.replace(hour=13)), promotion="p-1")
    ledger.append("permit.issued", {"permit": "x-1", "promotion": "p-1"}, at=NOW, once="permit.issued:x-1")
    digest = str(mine.body["digest"])
    for name in ("2", digest, digest[7:], digest[:15], "p-1", "x-1"):
        assert find_decision(ledger, name) == mine
    assert find_decision(ledger, str(first.body["digest"])) == first
    for name in ("3", "0", "none", "sha256:" + "0" * 64, "", "²", "9" * 5000):
        with pytest.raises(UsageError) as caught:
            find_decision(ledger, name)
        assert caught.value.code == "audit.no-decision"


def test_one_of_which_nothing_was_kept_says_so(tmp_path: Path) -> None:
    ledger = open_place(tmp_path / "ledger.sqlite3")
    entry = put(ledger, replace(whole_decision(), made_of=None))
    with pytest.raises(RecordError) as caught:
        replay_entry(entry, ledger.part, engine="1")
    assert (caught.value.code, caught.value.exit_status) == ("record.no-inputs", 2)
    assert ledger.verify() == 1


@pytest.mark.parametrize("whole", [True, False])
def test_its_record_tells_where_it_stands_in_the_ledger(tmp_path: Path, whole: bool) -> None:
    ledger = open_place(tmp_path / "ledger.sqlite3")
    entry = put(ledger, whole_decision())
    record = open_record(seal(statement_of(entry, ledger.part, whole=whole), KEY), public(KEY))
    assert record.predicate["ledger"] == {"seq": 1, "hash": entry.hash, "at": entry.at}
    assert record.predicate["inputs"]["digest"]["sha256"] == str(entry.body["inputs"])[7:]
    assert (
        record.predicate["gates"] == statement_of(entry, ledger.part, whole=not whole)["predicate"]["gates"]
    )
    if whole:
        assert replay_record(record, engine="0.1.0").same


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    made = Home(tmp_path / "guard", capsys)
    (made.path / "allowed_signers").write_text("")
    put(made.ledger, whole_decision())
    return made


def test_the_command(home: Home) -> None:
    assert "the same decision: NO-GO" in home.audit("replay", "5")
    told = json.loads(home.audit("replay", "5", "--format", "json"))
    assert (told["entry"], told["same"], told["differences"]) == (5, True, [])
    assert "no such decision" in home.audit("replay", "1", status=64)


def test_a_decision_that_comes_out_differently_now_is_told(home: Home) -> None:
    decision = whole_decision()
    document = json.loads(json.dumps(decision_document(decision)))
    document["verdicts"][0].update(outcome="fail", summary="said otherwise")
    kept, parts = kept_with(decision)
    body = {"digest": digest_of(document), "decision": document, **kept, "engine": "0.0.1"}
    home.ledger.append("decision.recorded", body, at=NOW, parts=parts)
    home.capsys.readouterr()
    assert status_of(["audit", "replay", "6", "--server", str(home.path)]) == 1
    out = home.capsys.readouterr().out
    assert "candidate: outcome: fail → pass" in out
    assert "release-guard 0.0.1 decided it" in out


def test_a_backup_keeps_it_and_a_restored_ledger_replays(home: Home, tmp_path: Path) -> None:
    out = saved(home)
    run(home, "verify", str(out))
    for _ in range(2):
        run(home, "restore", str(out), "--home", str(tmp_path / "new"))
    restored = open_place(tmp_path / "new" / "ledger.sqlite3")
    assert list(restored.inputs.parts()) == list(home.ledger.inputs.parts())
    assert restored.verify() == 5
    assert replay_entry(find_decision(restored, "5"), restored.part, engine="0.1.0").same
    line = _lines(out)[0]
    out.write_bytes(out.read_bytes().replace(line, b"A" * 8 + line[8:]))
    assert "inputs.jsonl" in run(home, "verify", str(out), status=2)


def _lines(archive: Path) -> list[bytes]:
    with tarfile.open(archive) as tar:
        stream = tar.extractfile("inputs.jsonl")
        assert stream is not None
        return stream.readlines()


def test_canonical_inputs_are_small_beside_the_decision() -> None:
    decision = whole_decision()
    assert decision.made_of is not None
    kept = sum(len(zlib.compress(part, 6)) for part in pack(decision.made_of).all)
    assert kept < 2 * len(canonical_bytes(decision_document(decision)))
