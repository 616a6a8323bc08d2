"""`guard doctor`: is everything in place, and how to mend what is not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from guard.core.diagnosis import SECTIONS, Diagnosis, Level, exit_status

_MARKS = {Level.OK: "✓", Level.NOTE: "·", Level.FAULT: "✗", Level.UNKNOWN: "?", Level.NOT_CONFIGURED: "–"}


@click.command()
@click.option(
    "--repo",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default="this folder",
    help="The clone.",
)
@click.option(
    "--server",
    metavar="FOLDER",
    help="A guarded repository or the service's folder: look at what its ledger says of the forge, too.",
)
@click.option("--fix", is_flag=True, help="Mend what can be mended here, then look again.")
@click.option("--section", type=click.Choice(SECTIONS), multiple=True, help="Look at this part only.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(repo: Path, *, server: str | None, fix: bool, section: tuple[str, ...], form: str) -> int:
    """Check the guard's installation in a clone, and say how to mend what is wrong.

    It looks for hooks that are missing, shadowed by another tool, not executable, of another version or switched off;
    for an old compiled policy; for settings that send pushes elsewhere; and for pushes that skipped their checks.

    Exit status: 0 all is well, 1 something is wrong, 2 something could not be looked at.

    \b
    guard doctor
    guard doctor --fix
    guard doctor --section hooks --format json
    guard doctor --section forge --server /srv/guard/platform
    """
    from guard.cli import installing

    done = installing.mend_clone(repo) if fix else []
    wanted = section or SECTIONS
    elsewhere = installing.examine_server(server) if server and "forge" in wanted else []
    found = installing.examine_clone(repo, tuple(one for one in wanted if not (elsewhere and one == "forge")))
    found += elsewhere
    if form == "json":
        click.echo(json.dumps(_report(found, done), indent=2))
    else:
        _print(found, done)
    return exit_status(found)


def _report(found: list[Diagnosis], done: list[str]) -> dict[str, object]:
    return {"version": 1, "status": exit_status(found), "done": done, "findings": [asdict(f) for f in found]}


def _print(found: list[Diagnosis], done: list[str]) -> None:
    from guard.render.safe import plain

    for line in done:
        click.echo(f"done: {plain(line.strip(), limit=2000)}")
    for section in dict.fromkeys(diagnosis.section for diagnosis in found):
        click.echo(section)
        for diagnosis in (d for d in found if d.section == section):
            click.echo(
                f"  {_MARKS[diagnosis.level]} {diagnosis.code}: {plain(diagnosis.message, limit=2000)}"
            )
            if diagnosis.fix:
                more = "  (guard doctor --fix does it)" if diagnosis.mended_by_fix else ""
                click.echo(f"      fix: {plain(diagnosis.fix, limit=2000)}{more}")
