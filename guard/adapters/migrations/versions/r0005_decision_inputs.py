"""What decisions were made of, each part once under its digest, append-only like the ledger that names them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_THERE = """EXISTS (SELECT 1 FROM decision_inputs
WHERE repository = NEW.repository AND digest = NEW.digest)"""
SQLITE = (
    *(
        f"CREATE TRIGGER decision_inputs_no_{event.lower()} BEFORE {event} ON decision_inputs "
        "BEGIN SELECT RAISE(ABORT, 'what decisions were made of is append-only'); END"
        for event in ("UPDATE", "DELETE")
    ),
    # INSERT OR REPLACE deletes without the DELETE trigger where a client left recursive_triggers off.
    f"CREATE TRIGGER decision_inputs_once BEFORE INSERT ON decision_inputs WHEN {_THERE} "
    "BEGIN SELECT RAISE(ABORT, 'what decisions were made of is append-only'); END",
)
_TRIGGERS = (("decision_inputs_no_change", "UPDATE OR DELETE"), ("decision_inputs_no_truncate", "TRUNCATE"))
POSTGRESQL = (
    "CREATE FUNCTION decision_inputs_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ "
    "BEGIN RAISE EXCEPTION 'what decisions were made of is append-only' USING ERRCODE = 'GD001'; END $$",
    *(
        f"CREATE TRIGGER {name} BEFORE {event} ON decision_inputs "
        "FOR EACH STATEMENT EXECUTE FUNCTION decision_inputs_append_only()"
        for name, event in _TRIGGERS
    ),
    # ALWAYS: also in a session that calls itself a replica, where ordinary triggers are off.
    *(f"ALTER TABLE decision_inputs ENABLE ALWAYS TRIGGER {name}" for name, _ in _TRIGGERS),
)


def upgrade() -> None:
    op.create_table(
        "decision_inputs",
        sa.Column("repository", sa.String(300), primary_key=True),
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("a ledger is never taken back")
