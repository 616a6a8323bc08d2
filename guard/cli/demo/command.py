"""The command `guard demo`."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import time
from pathlib import Path

import click

from guard.cli.check import use_colour
from guard.core.errors import GuardError, UsageError


@click.command()
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Build the demo in this new or empty folder and leave it there to play with.",
)
def demo(keep: Path | None) -> None:
    """Show the main job on real git: refusals, a NO-GO with its reasons, a GO, a promotion, its audit.

    Everything runs in a folder of its own: a bare repository with the server hooks, a developer's clone with the
    client hooks. Each step is checked; the demo ends with a non-zero exit status when one did not do what it says.

    \b
    guard demo
    guard demo --keep /tmp/guard-demo
    """
    _need_tools()
    folder = _folder(keep)
    try:
        _tell(folder, kept=keep is not None)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _tell(folder: Path, *, kept: bool) -> None:
    from guard.cli.demo.stage import Stage
    from guard.cli.demo.story import tell

    started = time.monotonic()
    stage = Stage(folder, colour=use_colour())
    decision = tell(stage)
    click.echo(f"\n{stage.checked} claims checked in {time.monotonic() - started:.0f} s")
    if kept:
        click.echo(
            f"left for you in {folder}: platform.git (the server side), dev (a clone), keys (the people)"
        )
    click.echo(decision)


def _need_tools() -> None:
    if shutil.which("git") is None:
        raise GuardError("git is not on the PATH", fix="install git 2.39 or newer", code="demo.no-git")
    missing = [name for name in ("bandit", "pytest", "sqlalchemy") if importlib.util.find_spec(name) is None]
    if missing:
        raise GuardError(
            f"the demo really runs its tools, and {', '.join(missing)} is not installed",
            fix="pip install 'release-guard[service,demo]', or in a checkout: make demo",
            code="demo.tools-missing",
        )


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="guard-demo-")).resolve()
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UsageError(f"--keep: {keep} is not an empty folder", fix="name a folder that is new or empty")
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()
