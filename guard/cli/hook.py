"""`guard hook …`: what the hooks themselves call when they need the full guard. Not for people."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guard.core.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guard.adapters.ledger import SqlLedger
    from guard.settings import ServerHome

_HOME = click.option(
    "--home",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The server side.",
)


@click.group(hidden=True)
def hook() -> None:
    """What git's hooks call; people use `guard install`."""


@hook.command("pre-receive")
@_HOME
def pre_receive(home: Path) -> int:
    """Decide on a push's updates to the guard's own refs: statements and proposals, `<old> <new> <ref>` lines."""
    from guard import wiring
    from guard.journeys.moves import parse_moves
    from guard.settings import load_home

    loaded = load_home(home)
    wiring.receive(loaded, wiring.open_ledger(loaded), parse_moves(_standard_input()))
    return 0


@hook.command("post-receive")
@_HOME
def post_receive(home: Path) -> int:
    """Put the moves of protected branches on record, spend their permits, and compile the policy anew."""
    try:
        failures = _record_and_refresh(home)
    except GuardError as error:
        failures = [f"{error.code}: {error.message}"]
    for failure in failures:
        click.echo(f"hooks.not-recorded: {failure}", err=True)
    if failures:
        click.echo(
            "fix: tell the operator; guard promote will find the move, and hold until it is settled", err=True
        )
    return 1 if failures else 0


@hook.command("protect")
def protect() -> int:
    """For the pre-commit framework: check that the native hooks are in place, put them back where they were and are
    not, and refuse a commit on a protected branch. In CI, where nobody commits, it says so and passes."""
    from guard.cli import installing

    if os.environ.get("CI", "").lower() in {"1", "true"}:
        click.echo("guard-protect: nothing to protect in CI; the server does it")
        return 0
    faults = installing.clone_faults(Path.cwd())
    for fault in faults:
        click.echo(f"hooks.not-current: {fault}", err=True)
    if faults:
        click.echo(_repair(installing.installed_python(Path.cwd())), err=True)
        return 1
    return _judge_commit()


@hook.command("refresh")
@click.option("--new", is_flag=True, help="A clone in which nothing was compiled yet.")
def refresh(*, new: bool) -> int:
    """Compile the policy of the remote-tracking branches anew, after a fetch moved one."""
    from guard.cli import installing

    try:
        installing.refresh_clone(Path.cwd(), new=new)
    except GuardError as error:
        if new and error.code == "install.nothing-protected":
            return 0
        click.echo(f"hooks.not-refreshed: {error.message}", err=True)
        click.echo("fix: guard install", err=True)
        return error.exit_status
    return 0


def _repair(python: str) -> str:
    """Let the guard that was installed here put its hooks in place again; what came of it. What git ran without them
    is refused all the same, so that it is judged when it is tried again."""
    advice = "fix: guard install  (the native hooks are the gate; this one only looks after them)"
    if not python:
        return advice  # never installed here: that is for the user to decide
    command = [python, "-I", "-m", "guard.cli.main", "doctor", "--section", "hooks", "--fix"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return advice
    return "hooks.repaired: they are in place again; try once more" if done.returncode == 0 else advice


def _judge_commit() -> int:
    """The native pre-commit hook's judgement, in a process of its own as git would start it."""
    from guard.adapters.gitdir import GitDir
    from guard.adapters.hookfiles import SOURCE

    folder = GitDir(Path.cwd()).common_dir / "guard"
    command = [sys.executable, "-ISE", str(SOURCE / "run.py"), "pre-commit", str(folder)]
    return subprocess.run(command, check=False).returncode


def _record_and_refresh(folder: Path) -> list[str]:
    from guard import wiring
    from guard.adapters.gitdir import GitDir
    from guard.adapters.keys import read_jwks
    from guard.cli import installing
    from guard.journeys.install_server import compiled_refs, refresh_server
    from guard.journeys.moves import parse_moves, push_options, record_moves
    from guard.journeys.permits import spend_here
    from guard.settings import load_home

    home = load_home(folder)
    protected = set(compiled_refs(home.path))
    moves = [move for move in parse_moves(_standard_input()) if move.ref in protected]
    tokens = push_options(os.environ)
    if home.settings.verify.compiled:
        failures = spend_here(home.path, moves, tokens)
    else:
        ledger, clock = wiring.open_ledger(home), wiring.system_clock().now
        failures = record_moves(moves, tokens, keys=read_jwks(home.jwks), ledger=ledger, clock=clock)
        failures += _look_after([move.ref for move in moves], home, ledger)
    try:
        repo = GitDir(home.settings.git_dir)
        with installing.one_compiler(home.path):
            refresh_server(repo, home, installing.server_files(repo, home.path))
    except (GuardError, OSError) as error:
        failures.append(f"the policy could not be compiled anew: {error}")
    return failures


def _look_after(refs: Sequence[str], home: ServerHome, ledger: SqlLedger) -> list[str]:
    """Raise the alarm for what moved without a permit; what went wrong, by branch. A promotion that is under way holds
    its branch's lock, and settles it itself."""
    from guard import wiring
    from guard.journeys.watching_here import look_here

    sources, failures = wiring.server_sources(home, ledger), []
    for ref in dict.fromkeys(refs):
        branch = ref.removeprefix("refs/heads/")
        try:
            look_here(branch, sources, ledger)
        except GuardError as error:
            if error.code != "promotion.locked":
                failures.append(
                    f"whether {branch} moved with a permit could not be looked at: {error.message}"
                )
    return failures


def _standard_input() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
