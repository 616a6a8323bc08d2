"""The server side's database on PostgreSQL: the guard connects as a role that can only add to the ledger.

The tables belong to another role, the owner, who makes them once (`make_tables`); a role that owns the ledger could
switch its triggers off, so it is refused.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from guard.adapters.revisions import REVISION, upgrade
from guard.core.errors import LedgerError, SettingsError

SCHEME = "postgresql://"
TRIGGERS = frozenset(
    {"entries_no_change", "entries_no_truncate", "entries_in_order", "decision_inputs_no_change",
     "decision_inputs_no_truncate"}
)  # fmt: skip
"""What keeps the ledger append-only; see the migrations."""

APPEND_ONLY = frozenset({"entries", "decision_inputs"})
READ_ONLY = frozenset({"alembic_version"})

_WRITE_LOCK = 0x67756172_64000001
"""The advisory lock that writers take one after the other (PostgreSQL manual, 13.3.5)."""

_SAID: tuple[tuple[str, str, str, str], ...] = (
    # the start of the SQLSTATE, our code, what it means, what helps
    ("55P03", "ledger.locked", "another process holds it", "try again; or find who holds it: pg_locks"),
    ("57014", "ledger.locked", "the statement was cancelled", "try again"),
    ("53100", "ledger.disk-full", "the disk is full", "free some space on the database's disk"),
    ("53", "ledger.locked", "the database has no room for this", "try again; or raise its limits"),
    ("25006", "ledger.read-only", "it cannot be written", "connect to the primary, not to a standby"),
    ("42501", "ledger.read-only", "the role may not do this", "run guard database prepare again as the owner"),
    ("42P01", "ledger.not-prepared", "the tables are not there", "run guard database prepare as the owner"),
    ("3F", "ledger.not-prepared", "the schema is not there", "run guard database prepare as the owner"),
    ("GD001", "ledger.append-only", "it only takes new entries", "add an entry instead"),
    ("28", "ledger.cannot-open", "the role is not let in", "mend the role's password (PGPASSFILE) or pg_hba.conf"),
    ("3D", "ledger.cannot-open", "there is no such database", "create it, then run guard database prepare"),
    ("08", "ledger.cannot-open", "it cannot be reached", "check that the server runs and is reachable"),
    ("57P", "ledger.cannot-open", "the server is going down or starting", "try again"),
)  # fmt: skip

_ROLE = text(
    "SELECT current_user AS name, r.rolsuper OR pg_has_role(current_user, c.relowner, 'MEMBER') AS owns,"
    " has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')"
    " OR has_table_privilege('decision_inputs', 'UPDATE, DELETE, TRUNCATE, TRIGGER') AS changes"
    " FROM pg_class c, pg_roles r WHERE c.oid = to_regclass('entries') AND r.rolname = current_user"
)


def open_url(url: str, *, patience: timedelta) -> Engine:
    """The engine for a prepared database. Raises LedgerError where its tables are of another version, or where the
    role could change what was recorded; SettingsError for what is no URL."""
    engine = _engine(url, patience)
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        if found != REVISION:
            raise LedgerError(
                f"{shown(url)} has tables of revision {found}, and this version works with {REVISION}",
                fix="run guard database prepare as the owner, with this version of release-guard",
                code="ledger.other-version",
            )
        role = connection.execute(_ROLE).one()
    if role.owns or role.changes:
        raise LedgerError(
            f"{shown(url)}: the role {role.name} could change what was recorded",
            fix="connect as a role that owns no table: guard database prepare --role NAME as the owner",
            code="ledger.owner",
        )
    return engine


def make_tables(url: str, *, role: str, patience: timedelta) -> tuple[str, ...]:
    """As the owner: bring the tables to the newest revision and let `role` work with them; what was done, line by
    line. Repeatable. Raises LedgerError, and SettingsError for what is no URL."""
    engine = _engine(url, patience)
    quoted = engine.dialect.identifier_preparer.quote_identifier(role)
    with engine.begin() as connection:
        take_write_lock(connection)
        upgrade(connection, shown(url))
        _refuse_owner(connection, role, shown(url))
        tables = _grant(connection, quoted)
    return (
        f"the tables of {shown(url)} are at revision {REVISION}",
        f"{role} may add to {', '.join(sorted(APPEND_ONLY))} and work with {', '.join(tables)}",
    )


def take_write_lock(connection: Connection) -> None:
    """Wait for the one write lock, which is held until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITE_LOCK})


def triggers(connection: Connection) -> frozenset[str]:
    """The ledger's triggers that fire for everybody, replication roles included."""
    rows = connection.exec_driver_sql(
        "SELECT tgname FROM pg_trigger WHERE tgrelid IN (to_regclass('entries'), to_regclass('decision_inputs'))"
        " AND NOT tgisinternal AND tgenabled = 'A'"
    )
    return frozenset(str(name) for name in rows.scalars())


def put(error: Exception, where: str) -> LedgerError:
    """This database's error in our words: what is wrong with which database, and what helps."""
    state = (
        getattr(error, "sqlstate", None) or getattr(getattr(error, "diag", None), "sqlstate", None) or "08"
    )
    said = " ".join(str(error).split())
    for start, code, what, fix in _SAID:
        if str(state).startswith(start):
            return LedgerError(f"{where}: {what} ({said})", fix=fix, code=code)
    return LedgerError(f"{where}: {said}", fix="see docs/ledger.md")


def shown(url: str | URL) -> str:
    """The URL without its password and options."""
    try:
        return make_url(url).set(query={}, drivername="postgresql").render_as_string(hide_password=True)
    except ArgumentError:
        return "the database URL"


def _engine(url: str, patience: timedelta) -> Engine:
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise SettingsError(
            "the database is no URL", fix="write it as postgresql://ROLE@HOST/NAME", code="settings.database"
        ) from None
    # No pool, as with SQLite: nothing stays open between calls.
    engine = create_engine(
        parsed, poolclass=NullPool, connect_args={"connect_timeout": 10, "application_name": "release-guard"}
    )
    milliseconds = int(patience.total_seconds() * 1000)

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")

    event.listen(engine, "begin", begin)
    return engine


def _refuse_owner(connection: Connection, role: str, where: str) -> None:
    sql = (
        "SELECT r.rolsuper OR pg_has_role(r.oid, c.relowner, 'MEMBER') FROM pg_roles r, pg_class c"
        " WHERE r.rolname = :role AND c.oid = to_regclass('entries')"
    )
    owns = connection.execute(text(sql), {"role": role}).scalar()
    if owns is None:
        raise LedgerError(
            f"{where}: there is no role {role}",
            fix=f"create it first: CREATE ROLE {role} LOGIN",
            code="ledger.no-role",
        )
    if owns:
        raise LedgerError(
            f"{where}: the role {role} owns the tables, or is as good as their owner",
            fix="name another role, one that owns nothing and is no superuser",
            code="ledger.owner",
        )


def _grant(connection: Connection, role: str) -> tuple[str, ...]:
    """Give the role what it needs and take the rest away; the tables that it may change."""
    schema, database = connection.exec_driver_sql("SELECT current_schema(), current_database()").one()
    quote = connection.dialect.identifier_preparer.quote_identifier
    names = connection.execute(
        text("SELECT tablename FROM pg_tables WHERE schemaname = :schema"), {"schema": schema}
    ).scalars()
    for name in (tables := sorted(names)):
        connection.exec_driver_sql(f"REVOKE ALL ON {quote(name)} FROM PUBLIC, {role}")
        connection.exec_driver_sql(f"GRANT {_privileges(name)} ON {quote(name)} TO {role}")
    for kind, name, what in (("DATABASE", database, "CONNECT"), ("SCHEMA", schema, "USAGE")):
        connection.exec_driver_sql(f"GRANT {what} ON {kind} {quote(name)} TO {role}")
    connection.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {quote(schema)} TO {role}")
    return tuple(name for name in tables if name not in APPEND_ONLY | READ_ONLY)


def _privileges(table: str) -> str:
    if table in READ_ONLY:
        return "SELECT"
    return "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
