"""What `guard promote` shows and asks before it moves anything, wherever the permit comes from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import click

from guard.core.errors import GuardError, Refused, UsageError
from guard.render.safe import plain

LINES = 400
"""Of a document, shown; what is longer is named."""


def show_plan(
    branch: str,
    move: tuple[str, str],
    commits: Sequence[tuple[str, str]],
    *,
    total: int,
    step: tuple[str, str],
    mover: str,
    read_first: Sequence[str],
) -> None:
    """The plan without its board. `commits` are the first of `total`, oldest first; `step` is that of the ladder."""
    old, new = move
    what = f"{total} commit{'s' if total != 1 else ''}"
    click.echo(f"{plain(branch)}: {old[:10]} → {new[:10]}, {what}")
    for commit, subject in commits:
        click.echo(f"  {commit[:10]} {plain(subject, limit=100)}")
    if total > len(commits):
        click.echo(f"  … and {total - len(commits)} more: git log {old[:10]}..{new[:10]}")
    click.echo(f"step: {plain(step[0])} → {plain(step[1])}")
    click.echo(f"moved by: {plain(mover)}")
    if read_first:
        click.echo("read first:")
        for path in read_first:
            click.echo(f"  {plain(path)}")
    click.echo("")


def acknowledge(
    documents: Sequence[str], *, read: Callable[[str], bytes | None], question: str, yes: bool
) -> None:
    """Show the documents and have a person say that each was read, then agree to the plan; `yes` says all of it. Raises
    UsageError where nobody is there, Refused for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to confirm this plan", fix="add --yes, or run it in a terminal")
    for path in documents:
        _show_document(path, read)
        if not click.confirm(f"Have you read {plain(path)}?", err=True):
            raise Refused(
                "the documents have to be read first",
                fix="read them, then try again",
                code="promotion.unread",
            )
    if not click.confirm(question, err=True):
        raise Refused("the plan was not agreed to; nothing was done", code="promotion.declined")


def _show_document(path: str, read: Callable[[str], bytes | None]) -> None:
    try:
        data = read(path)
    except GuardError as error:
        data = None
        click.echo(f"{plain(path)} cannot be shown: {plain(error.message)}", err=True)
    if data is None:
        click.echo(
            f"{plain(path)}: this file is not on upstream; find it where your policy keeps it", err=True
        )
        return
    lines = data.decode("utf-8", "replace").splitlines()
    click.echo(f"── {plain(path)} ──", err=True)
    for line in lines[:LINES]:
        click.echo(plain(line, limit=2000), err=True)
    if len(lines) > LINES:
        click.echo(f"… {len(lines) - LINES} more lines: read the rest in {plain(path)}", err=True)
