"""The ledger and its audit in a database: both can only be added to, and each step of the schema can be taken back."""

import sqlite3

STEPS = (
    (
        "CREATE TABLE entries (reference TEXT PRIMARY KEY, account TEXT NOT NULL, cents INTEGER NOT NULL)",
        "DROP TABLE entries",
    ),
    ("CREATE TABLE audit (seq INTEGER PRIMARY KEY, what TEXT NOT NULL)", "DROP TABLE audit"),
    (
        "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit stays'); END",
        "DROP TRIGGER audit_stays",
    ),
    (
        "CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit stays'); END",
        "DROP TRIGGER audit_is_kept",
    ),
)


def forward(database: sqlite3.Connection) -> None:
    for step, _ in STEPS:
        database.execute(step)


def rollback(database: sqlite3.Connection) -> None:
    for _, back in reversed(STEPS):
        database.execute(back)


def schema(database: sqlite3.Connection) -> list[str]:
    return sorted(name for (name,) in database.execute("SELECT name FROM sqlite_master"))
