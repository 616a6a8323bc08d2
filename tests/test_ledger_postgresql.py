"""The ledger on PostgreSQL: what its roles may do, and what is found when an owner did more."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from guard.adapters.ledger import SqlLedger
from guard.adapters.postgresql import make_tables
from guard.core.chain import Checkpoint, entry_hash
from guard.core.errors import LedgerError
from tests.ledgers import open_place
from tests.postgres import Database, fresh_database
from tests.test_ledger import NOW, code_of

pytestmark = pytest.mark.xdist_group("postgresql")
PATIENCE = timedelta(seconds=10)


@pytest.fixture
def database() -> Database:
    made = fresh_database()
    make_tables(made.owner, role=made.role, patience=PATIENCE)
    return made


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    ledger = open_place(database.url)
    for number in range(4):
        ledger.append("note", {"number": number}, at=NOW)
    ledger.append("note", {}, at=NOW, once="o")
    return ledger


CHANGES = [
    pytest.param("UPDATE entries SET body = '{}' WHERE seq = 2", id="update"),
    pytest.param("UPDATE entries SET body = '{}' WHERE false", id="update-of-nothing"),
    pytest.param("DELETE FROM entries WHERE seq = 5", id="delete"),
    pytest.param("TRUNCATE entries", id="truncate"),
    pytest.param(
        "INSERT INTO entries SELECT repository, seq, at, kind, '{}', once, prev, hash FROM entries WHERE seq = 2 "
        "ON CONFLICT (repository, seq) DO UPDATE SET body = '{}'",
        id="upsert",
    ),
    pytest.param(
        "INSERT INTO entries VALUES ('gpuaas/platform', 9, '', '', '{}', NULL, '', '')", id="leave-a-gap"
    ),
    pytest.param(
        "INSERT INTO entries VALUES ('gpuaas/platform', 0, '', '', '{}', NULL, '', '')", id="before-the-first"
    ),
    pytest.param(
        "INSERT INTO entries VALUES ('gpuaas/platform', 6, '', '', '{}', 'o', '', '')", id="the-same-once"
    ),
    pytest.param(
        "MERGE INTO entries USING (SELECT 2 AS n) s ON entries.seq = s.n WHEN MATCHED THEN UPDATE SET body = '{}'",
        id="merge",
    ),
]


@pytest.mark.parametrize("role", ["url", "owner", "admin"])
@pytest.mark.parametrize("statement", CHANGES)
def test_the_database_itself_refuses_changes(
    database: Database, ledger: SqlLedger, statement: str, role: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        database.run(statement, as_=role)
    # The guard's own role is not even allowed to try what is no insertion; the owner is stopped by the triggers.
    assert caught.value.sqlstate in {"GD001"} | ({"42501"} if role == "url" else set())
    assert ledger.verify() == 5


def test_who_calls_itself_a_replica_is_refused_too(database: Database, ledger: SqlLedger) -> None:
    with psycopg.connect(database.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.Error, match="append-only"):
            connection.execute("DELETE FROM entries")
    assert ledger.verify() == 5


def test_the_guard_s_role_cannot_switch_the_triggers_off_or_drop_the_table(
    database: Database, ledger: SqlLedger
) -> None:
    for statement in (
        "ALTER TABLE entries DISABLE TRIGGER ALL",
        "DROP TRIGGER entries_no_change ON entries",
        "DROP TABLE entries",
        "CREATE OR REPLACE FUNCTION entries_no_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
        "SET session_replication_role = replica",
        "UPDATE alembic_version SET version_num = '1'",
    ):
        with pytest.raises(psycopg.Error) as caught:
            database.run(statement, as_="url")
        assert caught.value.sqlstate in {"42501", "42P13", "42809"}, statement
    assert ledger.verify() == 5


OFF, ON = (
    "ALTER TABLE entries DISABLE TRIGGER ALL",
    [
        f"ALTER TABLE entries ENABLE ALWAYS TRIGGER {name}"
        for name in ("entries_no_change", "entries_no_truncate", "entries_in_order")
    ],
)


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        pytest.param(
            ["UPDATE entries SET body = '{\"number\":7}' WHERE seq = 3"], "entry 3 is not", id="changed"
        ),
        pytest.param(["DELETE FROM entries WHERE seq = 3"], "entry 3 is missing", id="removed"),
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
                "INSERT INTO entries SELECT repository, 3, at, kind, body, 'n', hash, hash FROM entries WHERE seq = 2",
            ],
            "entry 3 is not",
            id="inserted",
        ),
    ],
)
def test_an_owner_s_tampering_is_found_and_named(
    database: Database, ledger: SqlLedger, statements: list[str], message: str
) -> None:
    database.run(OFF, *statements, *ON)
    with pytest.raises(LedgerError, match=message) as caught:
        ledger.verify()
    assert caught.value.code == "ledger.broken"


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(OFF, id="switched-off"),
        pytest.param("ALTER TABLE entries ENABLE TRIGGER entries_no_change", id="no-more-for-replicas"),
        pytest.param("DROP TRIGGER entries_no_truncate ON entries", id="dropped"),
    ],
)
def test_a_trigger_that_does_not_fire_is_missed(
    database: Database, ledger: SqlLedger, statement: str
) -> None:
    database.run(statement)
    with pytest.raises(LedgerError, match="triggers"):
        ledger.verify()


def test_a_cut_end_shows_against_a_checkpoint(database: Database, ledger: SqlLedger) -> None:
    mark = Checkpoint(*ledger.verify_to_head())
    database.run(OFF, "DELETE FROM entries WHERE seq > 3", *ON)
    assert ledger.verify() == 3
    assert code_of(lambda: ledger.verify_to_head(checkpoints=[mark])) == "ledger.broken"


def test_an_insertion_with_a_forged_hash_breaks_the_chain(database: Database, ledger: SqlLedger) -> None:
    last = ledger.head()
    assert last is not None
    forged = entry_hash(
        repository=last.repository,
        seq=6,
        at=last.at,
        kind="permit.spent",
        body="{}",
        once=None,
        prev=last.prev,
    )
    values = f"('gpuaas/platform', 6, '{last.at}', 'permit.spent', '{{}}', NULL, '{last.prev}', '{forged}')"
    database.run(f"INSERT INTO entries VALUES {values}", as_="url")
    with pytest.raises(LedgerError, match="entry 6 does not follow entry 5"):
        ledger.verify()


@pytest.mark.parametrize("who", ["owner", "admin"])
def test_a_role_that_could_change_what_is_recorded_is_not_worked_with(database: Database, who: str) -> None:
    assert code_of(lambda: open_place(getattr(database, who))) == "ledger.owner"


def test_a_role_that_was_given_too_much_is_not_worked_with(database: Database) -> None:
    database.run(f"GRANT DELETE ON entries TO {database.role}")
    assert code_of(lambda: open_place(database.url)) == "ledger.owner"
    make_tables(database.owner, role=database.role, patience=PATIENCE)
    assert open_place(database.url).verify() == 0


def test_a_database_that_nobody_prepared_is_said_so() -> None:
    assert code_of(lambda: open_place(fresh_database().url)) == "ledger.not-prepared"


def test_tables_of_another_version_are_left_alone(database: Database) -> None:
    database.run("UPDATE alembic_version SET version_num = '9999'")
    assert code_of(lambda: open_place(database.url)) == "ledger.other-version"
    assert (
        code_of(lambda: make_tables(database.owner, role=database.role, patience=PATIENCE))
        == "ledger.other-version"
    )


@pytest.mark.parametrize(
    ("role", "code"),
    [
        pytest.param("nobody_of_this_name", "ledger.no-role", id="no-such-role"),
        pytest.param("{name}_owner", "ledger.owner", id="the-owner"),
        pytest.param("postgres", "ledger.owner", id="a-superuser"),
        pytest.param('x"; DROP TABLE entries; --', "ledger.no-role", id="an-injection"),
    ],
)
def test_preparing_for_a_role_that_will_not_do_changes_nothing(
    database: Database, role: str, code: str
) -> None:
    wanted = role.format(name=database.name)
    assert code_of(lambda: make_tables(database.owner, role=wanted, patience=PATIENCE)) == code
    assert open_place(database.url).append("note", {}, at=NOW).seq == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        pytest.param("postgresql://r@localhost:1/x", "ledger.cannot-open", id="nobody-listens"),
        pytest.param("postgresql://r@/x?host=/nowhere", "ledger.cannot-open", id="no-socket"),
        pytest.param("no url", "settings.database", id="no-url"),
    ],
)
def test_a_server_that_is_not_there_is_said_so(url: str, code: str) -> None:
    assert code_of(lambda: open_place(url)) == code


def test_a_database_that_is_not_there_is_said_so(database: Database) -> None:
    gone = database.url.replace(f"/{database.name}?", "/not_there?")
    assert code_of(lambda: open_place(gone)) == "ledger.cannot-open"


def test_no_message_holds_a_password(database: Database) -> None:
    with pytest.raises(LedgerError) as caught:
        open_place(database.owner)
    assert ":owner@" not in str(caught.value)
