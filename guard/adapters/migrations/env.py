"""Where Alembic finds its connection: the one that the ledger opened, inside the transaction it holds."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
