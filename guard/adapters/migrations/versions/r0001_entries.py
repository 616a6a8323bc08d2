"""The ledger's entries, append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


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
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER entries_no_{event.lower()} BEFORE {event} ON entries "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )
    # INSERT OR REPLACE deletes without the DELETE trigger where a client left recursive_triggers off.
    op.execute(
        "CREATE TRIGGER entries_in_order BEFORE INSERT ON entries WHEN "
        "NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM entries WHERE repository = NEW.repository) OR "
        "EXISTS (SELECT 1 FROM entries WHERE repository = NEW.repository AND once = NEW.once) "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    )


def downgrade() -> None:
    raise RuntimeError("a ledger is never taken back")
