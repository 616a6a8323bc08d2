"""`guard push`: the promote script has the guard's service move the branch, where nothing on the forge can verify a
permit."""

from __future__ import annotations

import json
import os

import click

from guard.core.errors import UsageError
from guard.render.safe import plain

NEEDED = ("GUARD_PERMIT", "GUARD_PROMOTION", "GUARD_SERVICE_URL")


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def push(form: str) -> int:
    """Have the guard's service move the release branch, with the permit that guard promote gave to the script.

    For promote scripts on GitLab and GitHub: there only the guard's own identity may push to the branch. The service
    looks once more at the permit, at what was taken back, at holds and at every fact, and moves the branch from exactly
    the commit that was decided on. Called twice, it moves it once.

    It takes no branch and no commit: the permit says both. It reads GUARD_PERMIT, GUARD_PROMOTION and
    GUARD_SERVICE_URL, which guard promote sets.

    \b
    guard push

    Exit status: 0 the branch has moved, 1 refused or not moved, 2 it is not known, 64 not called by guard promote.
    """
    from guard.adapters.promotion_client import NoGo, PromotionClient

    permit, promotion, url = (os.environ.get(name, "") for name in NEEDED)
    if not (permit and promotion and url):
        missing = next(name for name in NEEDED if not os.environ.get(name))
        raise UsageError(
            f"there is no {missing} in the environment",
            fix="guard push is for promote scripts: run guard promote, which calls yours",
            code="usage.push",
        )
    try:
        done = PromotionClient(url).push(promotion, permit)
    except NoGo as error:
        if form == "json":
            click.echo(
                json.dumps({"state": "refused", "code": error.code, "decision": error.refusal.decision})
            )
        else:
            for line in (error.refusal.board or "").splitlines():
                click.echo(plain(line, limit=4000), err=True)
        raise
    branch = done.ref.removeprefix("refs/heads/")
    if form == "json":
        click.echo(json.dumps({"state": done.state, "branch": branch, "old": done.old, "new": done.new}))
    elif done.state == "finished":
        click.echo(f"moved: {plain(branch)} stands at {done.new}")
    else:
        click.echo(f"not moved: {plain(branch)}: {plain(done.note)}", err=True)
    return 0 if done.state == "finished" else 1
