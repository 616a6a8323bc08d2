"""`guard drift`: what stands on a release branch and is not on upstream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from guard.core.drift import Drift


@click.command()
@click.option(
    "--repo",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default="this folder",
    help="The repository to look at; it is only read.",
)
@click.option(
    "--upstream", metavar="REF", help="The branch every fix lands on first [default: the policy's]."
)
@click.option("--target", metavar="REF", required=True, help="The release branch.")
@click.option(
    "--since",
    metavar="promotion|merge-base|REF",
    help="From where on to look [default: the last promotion where one is on record, else the merge base].",
)
@click.option(
    "--server",
    metavar="BARE.git",
    help="A guarded bare repository on this machine: look there, with its record of promotions"
    " [default: GUARD_SERVER, when it is set].",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True
)
def drift(
    *, repo: Path, upstream: str | None, target: str, since: str | None, server: str | None, form: str
) -> int:
    """List what stands on a release branch and is not on upstream: the backport debt.

    A commit is listed unless it is on upstream itself, merges cleanly what is, or picking an upstream commit gives
    exactly its content. Picks that were resolved by hand are listed too, approved or not.

    \b
    guard drift --upstream master --target origin/release/platform-control
    guard drift --server /srv/git/platform.git --target release/platform-control --since merge-base --format json

    Exit status: 0 nothing is listed, 1 something is, 2 it could not be decided.
    """
    from guard import wiring
    from guard.journeys.asking import branch_of
    from guard.journeys.drift import DriftAsked, find_drift
    from guard.settings import find_home

    home = find_home(server=server, remote_url=None)
    ledger = wiring.read_ledger(home) if home else None
    sources = wiring.server_sources(home, ledger) if home and ledger else wiring.clone_sources(repo)
    asked = DriftAsked(branch_of(sources.git, target), target, upstream, since)
    found = find_drift(asked, sources, ledger=ledger)
    click.echo(_rendered(found, form), nl=False)
    if found.undecided:
        return 2
    return 1 if found.debt else 0


def _rendered(found: Drift, form: str) -> str:
    from guard.render.drift import drift_markdown, drift_report, drift_text

    if form == "json":
        return json.dumps(drift_report(found), indent=2) + "\n"
    return drift_markdown(found) if form == "markdown" else drift_text(found)
