"""The tables' revisions: which one this version knows, and the way up to it."""

from __future__ import annotations

from sqlalchemy import Connection

from guard.core.errors import LedgerError

REVISION = "0005"
"""The newest revision under `migrations/versions`; a database that is there already is opened without Alembic."""


def upgrade(connection: Connection, where: str) -> None:
    """Bring the tables to the newest revision, within the connection's transaction. Raises LedgerError for a
    database of a newer version, which is left alone."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "guard.adapters:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise LedgerError(
            f"{where} was made by another version of the guard: {error}",
            fix="install the version of release-guard that this server side uses",
            code="ledger.other-version",
        ) from None
