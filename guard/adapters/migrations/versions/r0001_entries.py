"""The ledger's entries, append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_OUT_OF_ORDER = """NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM entries WHERE repository = NEW.repository) OR
EXISTS (SELECT 1 FROM entries WHERE repository = NEW.repository AND once = NEW.once)"""

SQLITE = (
    *(
        f"CREATE TRIGGER entries_no_{event.lower()} BEFORE {event} ON entries "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        for event in ("UPDATE", "DELETE")
    ),
    # INSERT OR REPLACE deletes without the DELETE trigger where a client left recursive_triggers off.
    f"CREATE TRIGGER entries_in_order BEFORE INSERT ON entries WHEN {_OUT_OF_ORDER} "
    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
)
_TRIGGERS = (
    ("entries_no_change", "UPDATE OR DELETE", "STATEMENT", "true"),
    ("entries_no_truncate", "TRUNCATE", "STATEMENT", "true"),
    ("entries_in_order", "INSERT", "ROW", _OUT_OF_ORDER),
)
POSTGRESQL = (
    *(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'GD001'; END IF; "
        "RETURN NEW; END $$"
        for name, _, _, condition in _TRIGGERS
    ),
    *(
        f"CREATE TRIGGER {name} BEFORE {event} ON entries FOR EACH {scope} EXECUTE FUNCTION {name}()"
        for name, event, scope, _ in _TRIGGERS
    ),
    # ALWAYS: also in a session that calls itself a replica, where ordinary triggers are off.
    *(f"ALTER TABLE entries ENABLE ALWAYS TRIGGER {name}" for name, *_ in _TRIGGERS),
)


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("once", sa.Text, nullable=True),
        sa.Column("prev", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("repository", "seq"),
        sa.UniqueConstraint("repository", "once"),
    )
    op.create_index("entries_by_kind", "entries", ["repository", "kind", "seq"])
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("a ledger is never taken back")
