"""The service's inbox: deliveries, each kept once, the work that they ask for, and what was told of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("forge", sa.String(20), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("received_at", sa.String(30), nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=True),
        sa.Column("wakes", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("forge", "id"),
    )
    op.create_index("deliveries_by_time", "deliveries", ["received_at"])
    op.create_table(
        "jobs",
        sa.Column("repository", sa.String(300), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        sa.Column("due_at", sa.String(30), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("claim", sa.String(100), nullable=True),
        sa.Column("lease_until", sa.String(30), nullable=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("repository", "kind", "subject"),
    )
    op.create_index("jobs_by_due", "jobs", ["repository", "due_at"])
    op.create_table(
        "told",
        sa.Column("repository", sa.String(300), nullable=False),
        sa.Column("branch", sa.String(300), nullable=False),
        sa.Column("proposal", sa.String(300), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("repository", "branch", "proposal"),
    )


def downgrade() -> None:
    raise RuntimeError("what was delivered is never taken back")
