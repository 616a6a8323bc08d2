"""The entries of the tech debt register on upstream, for waivers that rest on them."""

from __future__ import annotations

from datetime import datetime

from guard.adapters.evidence.document import parse_date
from guard.adapters.evidence.rows import Row, rows_of, state_of
from guard.adapters.evidence.untrusted import shown
from guard.core.errors import GuardError
from guard.core.facts import DebtEntry
from guard.core.model import Commit, Fact, Known, Unknown
from guard.core.policy import TechDebt
from guard.ports import Git

REASONS = ("reason", "title", "description")


def read_debts(table: TechDebt, git: Git, upstream: Commit, *, now: datetime) -> Fact[tuple[DebtEntry, ...]]:
    """Every entry with its state, and what its columns `gate`, `finding` and `expires` say. An entry whose date is no
    date carries no waiver by itself."""
    try:
        data = git.read(upstream, table.path)
        if data is None:
            return Unknown(f"{table.path} is not on upstream ({upstream[:10]})")
        rows = rows_of(data, table.path, id_field=table.id_field)
        entries = tuple(_entry(row, table) for row in rows)
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    return Known(entries, f"{table.path} at {upstream}", now)


def _entry(row: Row, table: TechDebt) -> DebtEntry:
    expires = parse_date(row.fields.get("expires", ""))
    reason = next((row.fields[name] for name in REASONS if row.fields.get(name)), "")
    return DebtEntry(
        id=row.id,
        state=shown(state_of(row, table.state_field) or "", limit=80),
        reason=shown(reason, limit=500),
        gate=row.fields.get("gate", ""),
        finding=row.fields.get("finding", ""),
        expires_at=expires,
    )
