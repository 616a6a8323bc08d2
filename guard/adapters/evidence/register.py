"""Evidence kind `register`: one entry of a Markdown table or YAML register on upstream, in a wanted state."""

from __future__ import annotations

from datetime import datetime

from guard.adapters.evidence.document import parse_date
from guard.adapters.evidence.headings import name_of
from guard.adapters.evidence.rows import Row, rows_of, state_of
from guard.adapters.evidence.sources import EvidenceSources
from guard.adapters.evidence.untrusted import Unreadable, digest_of, shown
from guard.core.errors import GuardError
from guard.core.evidence import Absent, Observation, Reading
from guard.core.model import Commit, Fact, Finding, Known, Outcome, Unknown
from guard.core.policy import When
from guard.core.upstream_kinds import Register
from guard.ports import Git


def read_register(gate_id: str, spec: Register, sources: EvidenceSources) -> Reading:
    """Passes when the register has the entry, by exactly this id, in one of the wanted states."""
    del gate_id
    data = sources.git.read(sources.upstream, spec.path)
    if data is None:
        why = f"{spec.path} is not on upstream ({sources.upstream[:10]})"
        return Absent(why, fix=f"write {spec.path} and land it on upstream", who=("author",))
    row = entry_of(data, spec.path, spec.entry, id_field=spec.id_field, state_field=spec.state_field)
    if row is None:
        why = f"{spec.path} has no entry {spec.entry} on upstream"
        return Absent(why, fix=f"add {spec.entry} and land it on upstream", who=("author",))
    state = state_of(row, spec.state_field)
    dated, bad_date = _date(spec, row)
    observation = Observation(
        summary=f"{spec.entry} {shown(state or '', limit=80)}".strip(),
        problems=(*_state(spec, state), *bad_date),
        dated=dated,
        digest=digest_of(data),
    )
    return Known(observation, f"{spec.path} at {sources.upstream}", sources.now)


def entry_of(
    data: bytes, path: str, entry: str, *, id_field: str | None = None, state_field: str | None = None
) -> Row | None:
    """The entry with exactly this id. Raises Unreadable where two of its rows say different things."""
    found = [row for row in rows_of(data, path, id_field=id_field) if row.id == entry]
    stated = [row for row in found if state_of(row, state_field) is not None] or found
    said = {(state_of(row, state_field) or "").casefold() for row in stated}
    if len(said) > 1:
        words = " and ".join(shown(word, limit=40) for word in sorted(said)[:3])
        raise Unreadable(
            f"{path} contradicts itself: {entry} is there more than once, as {words}",
            fix=f"leave one entry {entry} in it",
        )
    return stated[0] if stated else None


def _state(spec: Register, state: str | None) -> tuple[Finding, ...]:
    wanted = " or ".join(spec.state)
    fix = f"bring {spec.entry} to {wanted} in {spec.path}, and land it on upstream"
    if state is None:
        message = f"{spec.path} gives {spec.entry} no {spec.state_field or 'status'}; wanted is {wanted}"
        return (Finding("register.no-state", message, spec.path, fix, ("author",), Outcome.MISSING),)
    if state.casefold() in {word.casefold() for word in spec.state}:
        return ()
    message = f"{spec.entry} is {shown(state, limit=80)}; wanted is {wanted}"
    return (Finding("register.state", message, spec.path, fix, ("author",)),)


def _date(spec: Register, row: Row) -> tuple[datetime | None, tuple[Finding, ...]]:
    """The day that the entry states, where the policy names a field for it."""
    if spec.date_field is None:
        return None, ()
    said = row.fields.get(name_of(spec.date_field), "")
    date = parse_date(said)
    if date is not None:
        return date, ()
    what = (
        f"says {spec.date_field} {shown(said, limit=40)}, which is not YYYY-MM-DD"
        if said
        else "states no date"
    )
    fix = f"write {spec.date_field} of {spec.entry} as YYYY-MM-DD, and land it on upstream"
    outcome = Outcome.FAIL if said else Outcome.MISSING
    return None, (Finding("register.date", f"{spec.entry} {what}", spec.path, fix, ("author",), outcome),)


def read_condition(when: When, git: Git, upstream: Commit, *, now: datetime) -> Fact[str | None]:
    """The state of the entry that a condition names, "" where it states none, None where there is no such entry."""
    path, entry = when.register_file or "", when.register_open or ""
    try:
        data = git.read(upstream, path)
        if data is None:
            return Unknown(f"{path} is not on upstream ({upstream[:10]})", fix=f"land {path} on upstream")
        row = entry_of(data, path, entry, state_field=when.state_field)
        state = state_of(row, when.state_field) if row else None
    except GuardError as error:
        return Unknown(error.message, fix=error.fix)
    said = None if row is None else shown(state or "", limit=80)
    return Known(said, f"{path} at {upstream}", now)
