"""`guard audit` and its `log`: read the ledger of everything that was decided, permitted and moved."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from guard.cli.audit_export import export
from guard.cli.audit_replay import replay
from guard.cli.audit_verify import checkpoint, verify
from guard.cli.auditing import form_option, opened, remote_option, server_option
from guard.core.durations import parse_duration
from guard.core.errors import UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.adapters.ledger import SqlLedger
    from guard.ports import Entry


@click.group()
def audit() -> None:
    """Read the ledger of everything that was decided, permitted and moved, and check that nobody changed it.

    \b
    guard audit log --kind branch.moved --since 30d
    guard audit verify --checkpoint /mnt/append-only/guard.checkpoints
    guard audit export --out ledger.jsonl
    """


@audit.command("log")
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind, such as permit.spent; repeatable."
)
@click.option(
    "--since", metavar="WHEN", help="Only from then on: a span (7d, 12h) or a moment (2026-05-01T12:00:00Z)."
)
@click.option("--ref", metavar="BRANCH", help="Only entries that speak of this branch.")
@click.option("--until", metavar="WHEN", help="Only up to then, likewise.")
@click.option("--by", metavar="NAME", help="Only what this person asked for or stated.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@server_option
@remote_option
@form_option
def log(
    *,
    kinds: tuple[str, ...],
    since: str | None,
    until: str | None,
    by: str | None,
    ref: str | None,
    limit: int | None,
    server: str | None,
    remote: str,
    form: str,
) -> int:
    """Show the ledger's entries, oldest first; as JSON, one entry a line.

    \b
    guard audit log --ref release/platform-control --limit 20
    guard audit log --kind decision.recorded --format json
    """
    from guard.wiring import system_clock

    now = system_clock().now()
    start = _moment("--since", since, now=now) if since else ""
    end = _moment("--until", until, now=now) if until else "~"
    ledger = opened(server, remote)
    speaks = _about(ledger, ref)
    entries = ledger.entries(*kinds, newest_first=limit is not None)
    shown: Iterable[Entry] = (
        entry
        for entry in entries
        if start <= entry.at <= end and speaks(entry) and (not by or by in _people(entry))
    )
    if limit is not None:
        shown = reversed(list(islice(shown, limit)))
    for entry in shown:
        click.echo(json.dumps(asdict(entry)) if form == "json" else _line(entry))
    return 0


def _moment(option: str, text: str, *, now: datetime) -> str:
    """A span before now, or a moment, in the ledger's own form, which sorts as text."""
    from guard.adapters.ledger import rfc3339

    try:
        span: timedelta = parse_duration(text)
        return rfc3339(now - span)
    except OverflowError:
        return ""
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return rfc3339(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option}: {plain(text)!r} is no span and no moment", fix="7d, or 2026-05-01T12:00Z"
        ) from None


def _about(ledger: SqlLedger, branch: str | None) -> Callable[[Entry], bool]:
    """Which entries speak of the branch: by its name, by a statement's target, or by one of its promotions."""
    if branch is None:
        return lambda _entry: True
    names = {branch, f"refs/heads/{branch}"}
    own = [
        e.body for e in ledger.entries("promotion.requested", "permit.issued") if e.body.get("ref") in names
    ]
    ids = {str(body[name]) for body in own for name in ("promotion", "permit") if name in body}

    def speaks(entry: Entry) -> bool:
        statement = entry.body.get("statement")
        target = statement.get("target") if isinstance(statement, dict) else None
        mine = (entry.body.get(name) in ids for name in ("promotion", "permit"))
        return entry.body.get("ref") in names or target in names or any(mine)

    return speaks


def _people(entry: Entry) -> set[object]:
    """Who asked for it, did it or stated it."""
    statement = entry.body.get("statement")
    said = statement.get("by") if isinstance(statement, dict) else None
    return {entry.body.get("by"), entry.body.get("actor"), said}


def _line(entry: Entry) -> str:
    said = " ".join(
        f"{name}={_value(value)}" for name, value in entry.body.items() if value not in (None, "", [])
    )
    return f"{entry.seq:>6}  {plain(entry.at)[:19]}Z  {plain(entry.kind, limit=60):<20}  {said}"


def _value(value: Any) -> str:
    """A body's value in a few words: commits and digests short, what has parts only counted."""
    if isinstance(value, (dict, list)):
        return f"({len(value)} items)"
    text = plain(value if isinstance(value, str) else json.dumps(value), limit=100)
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        return text[:10]
    if re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        return text[:17]
    return text if re.fullmatch(r"[^\s\"]+", text) else json.dumps(text, ensure_ascii=False)


audit.add_command(verify)
audit.add_command(checkpoint)
audit.add_command(export)
audit.add_command(replay)
