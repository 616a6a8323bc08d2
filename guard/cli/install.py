"""`guard install` and `guard uninstall`: the hooks of a clone, and the server side of a bare repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from guard.core.errors import UsageError

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_REPO = click.option("--repo", type=_FOLDER, default=".", show_default="this folder", help="The clone.")
_SERVER = click.option(
    "--server",
    type=_FOLDER,
    metavar="BARE.git",
    help="A bare repository on this machine that people push to: its server hooks instead of a clone's.",
)
_HOME = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="With --server: where settings, keys and ledger live [default: BARE.git/guard].",
)
_HOOKS = click.option(
    "--hooks",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="With --server: where the hooks are put, such as GitLab's custom_hooks [default: git's folder for them].",
)
_SCOPE = (
    click.option(
        "--global", "scope", flag_value="--global", help="All of your repositories (git 2.54 or newer)."
    ),
    click.option(
        "--system", "scope", flag_value="--system", help="All repositories on this machine (likewise)."
    ),
)


@click.command()
@_REPO
@_SCOPE[0]
@_SCOPE[1]
@click.option("--remote", default="origin", show_default=True, help="The guarded remote of the clone.")
@_SERVER
@_HOME
@click.option(
    "--repository", metavar="NAME", help="With --server: the repository's name [default: the policy's]."
)
@click.option(
    "--protect",
    multiple=True,
    metavar="BRANCH",
    help="With --server: protect this branch whatever any policy says.",
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --server: the operator's bootstrap policy, for branches without a valid one of their own.",
)
@click.option(
    "--database",
    metavar="URL",
    help="With --server: keep the ledger in PostgreSQL, in a database that guard database prepare has made ready.",
)
@click.option(
    "--ask",
    metavar="URL",
    help="With --server: there is no ledger here; the guard's service at this URL says whether a permit is good.",
)
@click.option(
    "--secret",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --ask: a file whose first line is the service's GUARD_VERIFY_SECRET, which the hook says to it.",
)
@click.option(
    "--offline",
    is_flag=True,
    help="With --server: the guard's public keys alone say so, of permits of at most two minutes.",
)
@click.option(
    "--jwks",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --server: the guard's public keys, for --offline.",
)
@click.option(
    "--web-merges",
    type=click.Choice(["refuse", "ask"]),
    help="With --ask: a merge in the forge's web interface brings no permit: refuse it, or ask the service for one.",
)
@_HOOKS
def install(repo: Path, scope: str | None, remote: str, server: Path | None, **wishes: Any) -> None:
    """Install the hooks that keep a protected branch from moving by anything but a promotion.

    In a clone: for the branches that the remote's own guard.toml files name, never the work tree's. Hooks that stand
    there keep running. Run it again to bring everything up to date; guard doctor says when.

    \b
    guard install
    guard install --repo ~/src/platform --remote upstream
    guard install --global
    guard install --server /srv/git/platform.git --protect release/platform-control
    guard install --server /srv/git/platform.git --ask https://guard.example.com --secret FILE
    """
    from guard.cli import installing

    if scope is not None:
        _only_with_server({**wishes, "server": server}, scope=scope)
        _say(installing.install_scope(scope))
    elif server is None:
        _only_with_server(wishes)
        _say(installing.install_clone(repo, remote=remote))
    else:
        _say(installing.install_bare(server, **wishes))


@click.command()
@_REPO
@_SCOPE[0]
@_SCOPE[1]
@_SERVER
@_HOME
@_HOOKS
def uninstall(
    repo: Path, scope: str | None, server: Path | None, home: Path | None, hooks: Path | None
) -> None:
    """Take the guard's hooks away and put back what stood there before.

    On a server, the settings, keys and ledger are kept: they are records.

    \b
    guard uninstall
    guard uninstall --server /srv/git/platform.git
    """
    from guard.cli import installing

    if scope is not None:
        _only_with_server({"home": home, "hooks": hooks, "server": server}, scope=scope)
        _say(installing.uninstall_scope(scope))
    elif server is None:
        _only_with_server({"home": home, "hooks": hooks})
        _say(installing.uninstall_clone(repo))
    else:
        _say(installing.uninstall_bare(server, home=home, hooks=hooks))


def _only_with_server(wishes: dict[str, Any], *, scope: str = "") -> None:
    given = [f"--{name.replace(chr(95), chr(45))}" for name, value in wishes.items() if value]
    if given and scope:
        raise UsageError(f"{', '.join(given)}: not with {scope}", fix=f"leave out one of them: {scope}")
    if given:
        raise UsageError(
            f"{', '.join(given)}: only with --server", fix="name the bare repository: --server BARE.git"
        )


def _say(lines: list[str]) -> None:
    from guard.render.safe import plain

    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        click.echo(indent + plain(line.lstrip(), limit=2000))
