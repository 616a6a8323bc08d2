"""`guard incident open|close|list`: incidents that stop every promotion while they are open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guard.cli.sending import form_option, made, note, open_clone, print_sent, send_claim, sending
from guard.core.errors import GuardError
from guard.core.incident_words import severity_key
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.core.facts import Incident


@click.group()
def incident() -> None:
    """Open, close and list incidents; an open one with a label that the policy names stops every promotion."""


@incident.command("open")
@click.argument("title")
@click.option("--label", required=True, help="Its severity, such as SEV-1.")
@click.option("--id", "name", metavar="ID", required=True, help="Its id, such as INC-42.")
@sending
@form_option
def open_incident(title: str, label: str, name: str, form: str, **options: Any) -> None:
    """Open an incident. Everybody whose key the server knows may.

    \b
    guard incident open --label SEV-1 --id INC-42 "Balances are not updated"
    """
    from guard.core.claims import IncidentOpened

    claim = made(IncidentOpened, incident=name, label=label, title=title)
    with open_clone(**options) as clone:
        sent = send_claim(claim, clone.sender())
        told = clone.incidents()
    print_sent(sent, f"opened incident {name} ({label})", form=form)
    if told and not told.tracker:
        note("it stops no promotion: the policy asks its registers alone")
    elif told and severity_key(label) not in {severity_key(one) for one in told.labels}:
        note(f"{label} stops no promotion: the policy's labels that do are {', '.join(told.labels)}")


@incident.command("close")
@click.argument("name", metavar="ID")
@click.option("--note", default="", help="How it was resolved, for the record.")
@sending
@form_option
def close_incident(name: str, form: str, **options: Any) -> None:
    """Close an incident. It counts as closed when you hold one of the policy's `incidents.close` roles.

    \b
    guard incident close INC-42 --note "The outbox relay was restarted and its queue is empty"
    """
    from guard.core.claims import IncidentClosed

    claim = made(IncidentClosed, incident=name, note=options.pop("note"))
    with open_clone(**options) as clone:
        sent = send_claim(claim, clone.sender())
        told = clone.incidents()
    print_sent(sent, f"said that incident {name} is closed", form=form)
    if told:
        note(f"it counts from a holder of {' or '.join(told.close) or 'no role at all'}: guard incident list")


@incident.command("list")
@click.option(
    "--target",
    metavar="BRANCH",
    help="The branch whose policy names the labels [default: the only protected one].",
)
@click.option("--remote", default="origin", show_default=True, help="The remote that is guarded.")
@click.option(
    "--server", metavar="BARE.git", help="The guarded repository [default: GUARD_SERVER, or the remote's]."
)
@click.option(
    "--repo",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The clone to ask from [default: this folder].",
)
@form_option
def list_incidents(target: str | None, remote: str, server: str | None, repo: Path, form: str) -> None:
    """List the open incidents that stop promotions; asks the server side, which must be on this machine.

    \b
    guard incident list
    guard incident list --server platform.git --target release/platform-control
    """
    from guard import wiring
    from guard.core.model import Unknown
    from guard.journeys.gather import open_incidents
    from guard.wiring_desk import server_side

    home = server_side(server=server, clone=repo, remote=remote, what="guard incident list")
    sources = wiring.server_sources(home, wiring.read_ledger(home))
    fact = open_incidents(sources, target or _only_target(home.settings.git_dir))
    if isinstance(fact, Unknown):
        raise GuardError(fact.why, fix=fact.fix, code="incidents.unknown")
    _print(fact.value, form)


def _only_target(git_dir: Path) -> str:
    from guard.adapters.git import GitRepo
    from guard.core.model import Commit
    from guard.journeys.remote_policy import RemotePolicies

    with GitRepo(git_dir) as git:
        heads = git.refs("refs/heads/")
        branches = {ref.removeprefix("refs/heads/"): Commit(name) for ref, name in heads.items()}
        return RemotePolicies(git, branches).target()


def _print(found: tuple[Incident, ...], form: str) -> None:
    if form == "json":
        rows = [{"id": one.id, "label": one.label, "title": one.title} for one in found]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for one in found:
        click.echo(f"{plain(one.label)}  {plain(one.id)}  {plain(one.title)}")
    if not found:
        click.echo("no open incident stops a promotion")
