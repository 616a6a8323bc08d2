"""`guard audit log` and `guard audit verify`: read the ledger, and check that it adds up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guard.core.durations import parse_duration
from guard.core.errors import LedgerError, UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.adapters.ledger import Checkpoint, SqlLedger
    from guard.ports import Entry

_CHECKPOINT = re.compile(r"([1-9][0-9]{0,15}):(sha256:[0-9a-f]{64})")

server_option = click.option(
    "--server",
    metavar="BARE.git",
    help="The guarded repository [default: GUARD_SERVER, or the remote's, if local].",
)
remote_option = click.option(
    "--remote", default="origin", show_default=True, help="The remote whose guard it is."
)
form_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@click.group()
def audit() -> None:
    """Read the ledger of everything that was decided, permitted and moved, and check that nobody changed it.

    \b
    guard audit log --kind branch.moved --since 30d
    guard audit verify
    """


@audit.command("log")
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind, such as permit.spent; repeatable."
)
@click.option(
    "--since", metavar="WHEN", help="Only from then on: a span (7d, 12h) or a moment (2026-05-01T12:00:00Z)."
)
@click.option("--ref", metavar="BRANCH", help="Only entries that speak of this branch.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@server_option
@remote_option
@form_option
def log(
    *,
    kinds: tuple[str, ...],
    since: str | None,
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

    start = _moment(since, now=system_clock().now()) if since else ""
    ledger = _ledger(server, remote)
    speaks = _about(ledger, ref)
    entries = ledger.entries(*kinds, newest_first=limit is not None)
    shown: Iterable[Entry] = (entry for entry in entries if entry.at >= start and speaks(entry))
    if limit is not None:
        shown = reversed(list(islice(shown, limit)))
    for entry in shown:
        click.echo(json.dumps(asdict(entry)) if form == "json" else _line(entry))
    return 0


@audit.command()
@click.option(
    "--checkpoint",
    metavar="COUNT:HASH",
    help="What an earlier run printed, kept elsewhere: shows whether entries were cut off since.",
)
@server_option
@remote_option
@form_option
def verify(*, checkpoint: str | None, server: str | None, remote: str, form: str) -> int:
    """Check every entry's hash and place in the chain; name the first that does not add up.

    A changed, removed, inserted or moved entry is found. Entries cut off the end leave a good, shorter chain:
    give the checkpoint that an earlier run printed to find that too.

    \b
    guard audit verify --checkpoint 1041:sha256:6e3f…

    Exit status: 0 it adds up, 1 it does not, 2 it could not be read.
    """
    mark = _checkpoint(checkpoint) if checkpoint else None
    ledger = _ledger(server, remote)
    try:
        count, last = ledger.verify_to_head(checkpoint=mark)
    except LedgerError as error:
        if error.code == "ledger.broken":
            error.exit_status = 1
            if form == "json":
                click.echo(json.dumps({"sound": False, "why": error.message}))
        raise
    if form == "json":
        click.echo(json.dumps({"sound": True, "entries": count, "head": last}))
    else:
        click.echo(f"the ledger adds up: {count} entries\ncheckpoint: {count}:{last}")
    return 0


def _ledger(server: str | None, remote: str) -> SqlLedger:
    from guard.wiring import read_ledger, server_side

    return read_ledger(server_side(server=server, clone=Path(), remote=remote, what="guard audit"))


def _checkpoint(text: str) -> Checkpoint:
    from guard.adapters.ledger import Checkpoint

    match = _CHECKPOINT.fullmatch(text)
    if match is None:
        raise UsageError(
            "--checkpoint takes COUNT:HASH, as guard audit verify prints it", fix="copy it whole"
        )
    return Checkpoint(count=int(match[1]), hash=match[2])


def _moment(text: str, *, now: datetime) -> str:
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
            f"--since: {plain(text)!r} is no span and no moment", fix="7d, or 2026-05-01T12:00Z"
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
