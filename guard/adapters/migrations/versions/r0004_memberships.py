"""Who belonged to which groups a moment ago, so that a burst of events does not ask the forge each time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "memberships",
        sa.Column("repository", sa.String(255), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("people", sa.Text, nullable=False),
        sa.Column("read_at", sa.String(40), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("memberships")
