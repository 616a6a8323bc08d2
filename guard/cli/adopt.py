"""`guard adopt`: put on record where a branch stands, so that every later move can be measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guard.cli.auditing import form_option, remote_option, server_option
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.journeys.adopt import Baseline


@click.command()
@click.option("--branch", metavar="BRANCH", help="The protected branch [default: the only one known].")
@click.option(
    "--upstream", metavar="BRANCH", help="The branch every fix lands on first [default: the policy's]."
)
@click.option("--force", is_flag=True, help="Accept a head that is not the one the ledger expects.")
@click.option("--because", metavar="TEXT", default="", help="Why it is accepted; goes on record.")
@server_option
@remote_option
@form_option
def adopt(
    *,
    branch: str | None,
    upstream: str | None,
    force: bool,
    because: str,
    server: str | None,
    remote: str,
    form: str,
) -> int:
    """Record the baseline of a protected branch: its head, upstream's head, and what it has that upstream has not.

    Promotions start from there. When the branch was moved without a permit, promotions stop until it is put back,
    or adopted again for a reason. Where a forge has the repository, it is fetched from there first, with the service's
    own settings and secrets.

    \b
    guard adopt --server /srv/git/platform.git --branch release/platform-control
    guard adopt --branch release/platform-control --force --because "restored from backup, INC-214"
    """
    from guard import wiring_desk as wiring
    from guard.journeys import adopt as journey
    from guard.journeys.acknowledging import settle_adopted
    from guard.journeys.promotion import recover
    from guard.wiring_promotions import fetch_hosted

    fetch_hosted(wiring.server_side(server=server, clone=Path(), remote=remote, what="guard adopt"), branch)
    desk = wiring.open_desk(server=server, clone=Path(), remote=remote, what="guard adopt")
    name = branch or wiring.only_branch(desk.home, desk.ledger)
    ref = f"refs/heads/{name}"
    with desk.ledger.branch_lock(ref):
        recover(desk.ledger, ref, read_head=desk.sources.git.resolve, clock=desk.sources.clock)
        baseline = journey.look(
            desk.sources,
            name,
            upstream_name=upstream,
            list_commits=desk.commits,
            by=desk.asker,
            because=because,
        )
        new = journey.adopt(desk.ledger, baseline, now=desk.sources.clock.now(), force=force)
        open_still = settle_adopted(desk.sources, desk.ledger, baseline, now=desk.sources.clock.now())
    if open_still:
        click.echo(f"promotions stay held until two role holders lift {open_still}: guard holds", err=True)
    _report(baseline, form, new=new)
    return 0


def _report(baseline: Baseline, form: str, *, new: bool) -> None:
    branch, result = baseline.ref.removeprefix("refs/heads/"), "adopted" if new else "already adopted"
    if form == "json":
        document = {"result": result.replace(" ", "-"), "branch": branch, "head": baseline.head}
        click.echo(json.dumps({**document, "drift": [dict(commit) for commit in baseline.drift]}))
        return
    click.echo(f"{result}: {branch} at {baseline.head}")
    if baseline.drift:
        click.echo(f"{len(baseline.drift)} commits on it are not on {baseline.upstream}:")
        for commit in baseline.drift:
            click.echo(
                f"  {commit['commit'][:10]} {commit['verdict']:<12} {plain(commit['subject'], limit=100)}"
            )
