"""An incident register on upstream: a Markdown table or YAML with each incident's severity and status.

A word that the policy does not know makes the whole register unknown: an incident that nobody understands is no
incident that is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from guard.adapters.evidence.document import parse_date
from guard.adapters.evidence.headings import name_of
from guard.adapters.evidence.rows import YAML_SUFFIXES, Row, columns_of, rows_of
from guard.adapters.evidence.untrusted import Unreadable, shown
from guard.core.errors import GuardError
from guard.core.facts import Incident
from guard.core.incident_words import severity_key
from guard.core.model import Commit, Fact, Known, Unknown
from guard.core.policy import IncidentRegister
from guard.ports import Git

SEVERITIES = ("severity", "sev", "label")
STATES = ("status", "state")
TITLES = ("title", "summary", "description", "incident", "name")
OPENED = ("opened", "opened_at", "opened_on")
CLOSED = ("closed", "closed_at", "closed_on", "resolved", "resolved_at", "resolved_on")


def read_incident_register(
    register: IncidentRegister, labels: Sequence[str], git: Git, upstream: Commit, *, now: datetime
) -> Fact[tuple[Incident, ...]]:
    """The open incidents of the register with one of the severities. Unknown where it is not there, cannot be read,
    has an id twice, a date that is none, or a word for a severity or status that nobody knows."""
    path = register.path
    try:
        data = git.read(upstream, path)
        if data is None:
            why = f"the incident register {path} is not on upstream ({upstream[:10]})"
            return Unknown(why, fix=f"land {path} on upstream", who=("author",))
        rows = _incident_rows(register, data)
        return Known(tuple(_open(register, rows, labels, now)), f"{path} at {upstream}", now)
    except GuardError as error:
        return Unknown(error.message, fix=error.fix, who=("release-owner",))


def _incident_rows(register: IncidentRegister, data: bytes) -> tuple[Row, ...]:
    """The rows that are incidents; other tables of the document, which lack a severity or a status, are none."""
    path, severity, state = (
        register.path,
        _names(register.severity_field, SEVERITIES),
        _names(register.state_field, STATES),
    )
    rows = rows_of(data, path, id_field=register.id_field)
    if PurePosixPath(path).suffix.lower() in YAML_SUFFIXES:
        found = tuple(row for row in rows if _has(row, severity) or _says(register, row, state))
        if found or _is_empty_list(data, path):
            return found
    else:
        found = tuple(row for row in rows if _has(row, severity) and _has(row, state))
        if found or any(severity & names and state & names for names in columns_of(data, path)):
            return found
    raise Unreadable(
        f"no entry of {path} has both a severity and a status, so that nothing shows which incidents are open",
        fix="name the columns or keys in [[incidents.registers]]: severity_field, state_field",
    )


def _names(field: str | None, usual: Sequence[str]) -> frozenset[str]:
    return frozenset(name_of(name) for name in ((field,) if field else usual))


def _has(row: Row, names: frozenset[str]) -> bool:
    return not names.isdisjoint(row.fields)


def _says(register: IncidentRegister, row: Row, state: frozenset[str]) -> bool:
    """Whether an entry without a severity is one all the same, by a status that incidents have."""
    said = {row.fields[name].casefold() for name in state if name in row.fields}
    return not said.isdisjoint(word.casefold() for word in (*register.open, *register.closed))


def _is_empty_list(data: bytes, path: str) -> bool:
    from guard.adapters.evidence.events import load_yaml

    value = load_yaml(data, path)
    return value == [] or (isinstance(value, dict) and any(one == [] for one in value.values()))


def _open(
    register: IncidentRegister, rows: Sequence[Row], labels: Sequence[str], now: datetime
) -> Iterator[Incident]:
    watched = {severity_key(label) for label in labels}
    known = watched | {severity_key(word) for word in register.milder}
    seen: set[str] = set()
    for row in rows:
        if row.id.casefold() in seen:
            raise _unclear(register, row, "is there more than once", f"leave one entry {row.id} in it")
        seen.add(row.id.casefold())
        if _is_over(register, row, now):
            continue
        severity = _said(register, row, register.severity_field, SEVERITIES)
        if severity_key(severity) not in known:
            words = ", ".join((*labels, *register.milder))
            raise _unclear(
                register,
                row,
                f"has the severity {shown(severity, limit=40) or 'none'}",
                f"write one of {words}",
            )
        if severity_key(severity) in watched:
            title = next((row.fields[name] for name in TITLES if row.fields.get(name)), "")
            yield Incident(
                shown(row.id, limit=60),
                shown(severity, limit=40),
                shown(title, limit=200),
                register=register.path,
            )


def _is_over(register: IncidentRegister, row: Row, now: datetime) -> bool:
    """Whether the incident is closed, and every date that it states is one. Raises Unreadable."""
    state = _said(register, row, register.state_field, STATES)
    over = state.casefold() in {word.casefold() for word in register.closed}
    if not over and state.casefold() not in {word.casefold() for word in register.open}:
        words = ", ".join((*register.open, *register.closed))
        raise _unclear(
            register, row, f"has the status {shown(state, limit=40) or 'none'}", f"write one of {words}"
        )
    for names in (OPENED, CLOSED):
        for name in names:
            _demand_date(register, row, name, now)
    closed = [row.fields[name] for name in CLOSED if name in row.fields]
    if over and closed and not any(map(_day, closed)):
        raise _unclear(
            register, row, f"is {state}, and no date says since when", "write the day on which it ended"
        )
    return over


def _demand_date(register: IncidentRegister, row: Row, name: str, now: datetime) -> None:
    said = _day(row.fields.get(name, ""))
    moment = parse_date(said) if said else None
    if said and (moment is None or moment > now):
        wrong = "is not YYYY-MM-DD" if moment is None else "is in the future"
        raise _unclear(
            register,
            row,
            f"says {name} {shown(said, limit=40)}, which {wrong}",
            f"write {name} as YYYY-MM-DD",
        )


def _day(text: str) -> str:
    """What a cell for a date says, where it says anything."""
    return "" if text.strip("-–— ").casefold() in {"", "null", "none", "~", "n/a"} else text


def _said(register: IncidentRegister, row: Row, field: str | None, usual: Sequence[str]) -> str:
    """The one thing that the entry says there. Raises Unreadable where it says two."""
    said = {row.fields[name] for name in _names(field, usual) if row.fields.get(name)}
    if len(said) > 1:
        words = " and ".join(shown(word, limit=40) for word in sorted(said))
        raise _unclear(
            register, row, f"says both {words}", "name the column that counts in [[incidents.registers]]"
        )
    return next(iter(said), "")


def _unclear(register: IncidentRegister, row: Row, what: str, fix: str) -> Unreadable:
    return Unreadable(
        f"{register.path}: {shown(row.id, limit=60)} {what}",
        fix=f"{fix}, and land {register.path} on upstream",
    )
