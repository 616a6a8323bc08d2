"""`guard serve`: the webhook service."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from pathlib import Path

import click

from guard.core.errors import UsageError

PORT = 8640
"""Where the demo listens unless told otherwise, as any service does (guard.service_settings)."""


@click.command()
@click.option(
    "--home",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="GUARD_HOME",
    help="The server side's folder, with settings.toml and service.toml [default: GUARD_HOME].",
)
@click.option("--host", metavar="ADDRESS", help="The address to listen on [default: service.toml's].")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The port to listen on [default: service.toml's]."
)
@click.option(
    "--role",
    type=click.Choice(["all", "web", "worker"]),
    default="all",
    show_default=True,
    help="Take deliveries in, work on them, or both; several worker processes may share a folder.",
)
@click.option("--demo", is_flag=True, help="Build the demo repository and show its decisions in the browser.")
def serve(*, home: Path | None, host: str | None, port: int | None, role: str, demo: bool) -> None:
    """Serve the webhooks of a GitLab project or GitHub repository: a status and one comment on each proposal.

    Secrets come from the environment: GUARD_GITLAB_TOKEN and GUARD_GITLAB_WEBHOOK_SECRET (or GUARD_GITHUB_…).
    Without a webhook secret the service does not start.

    \b
    guard serve --home /srv/guard/platform
    guard serve --demo
    """
    if demo == (home is not None):
        raise UsageError(
            "name the server side's folder, or ask for the demo",
            fix="--home DIR, or --demo",
            code="usage.home",
        )
    # Looked up by name, because the doors of the house do not know each other.
    server = importlib.import_module("webhook_app.server")
    if home is not None:
        server.serve(home, role=role, host=host, port=port)
        return
    folder = Path(tempfile.mkdtemp(prefix="guard-demo-")).resolve()
    try:
        server.serve(_demo(folder, port=PORT if port is None else port), host=host, port=port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _demo(folder: Path, *, port: int) -> Path:
    """The demo's repository with one proposal that lacks everything, ready to be served; the home's folder."""
    from guard.cli.check import use_colour
    from guard.cli.demo import story, world
    from guard.cli.demo.stage import Stage

    stage = Stage(folder, colour=use_colour())
    world.build(stage)
    stage.must("guard", "install", "--server", "platform.git", cwd=".")
    world.give_settings(stage)
    stage.must("guard", "adopt", "--server", "platform.git", "--branch", world.BRANCH, cwd=".")
    world.commit(stage, "Describe the health check", {"doc/HEALTH.md": story.HOTFIX})
    stage.must("git", "push", "-q", "origin", "master", cwd="dev")
    story.propose(stage, "r1", "Release 1.2.0")
    home = folder / "platform.git" / "guard"
    (home / "service.toml").write_text('forge = "local"\npages = true\nsweep = "1m"\n', encoding="utf-8")
    click.echo(f"\nthe demo is in {folder}, and goes with this process. In another terminal, for example:")
    for name in ("owner", "security"):
        click.echo(
            f"  cd {folder}/dev && guard approve --head master --target {world.BRANCH}"
            f" --as {name}@demo.example --key {folder}/keys/{name}"
        )
    click.echo(f"then watch the page: http://127.0.0.1:{port}/\n")
    return home
