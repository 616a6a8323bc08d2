"""`guard simulate`: the decision that would be, without a record and without a word to anybody."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guard.core.errors import UsageError

if TYPE_CHECKING:
    from guard.core.facts import Proposal
    from guard.journeys.sources import Sources

GITLAB = re.compile(r"(https?://[^/]+)/(.+?)/-/merge_requests/(\d+)(?:[/?#].*)?")
GITHUB = re.compile(r"(https?://[^/]+)/([^/]+/[^/]+)/pull/(\d+)(?:[/?#].*)?")
NOTE = "SIMULATION: nothing is recorded, nothing is posted, and no permit comes of it."


@click.command()
@click.option(
    "--mr", "where", metavar="URL|FILE", required=True, help="The proposal: its address, or a JSON file."
)
@click.option(
    "--approve", "approvers", metavar="NAME", multiple=True, help="As if NAME had approved the head."
)
@click.option(
    "--at", metavar="TIME", help="As if it were this time (RFC 3339, such as 2026-05-01T12:00:00Z)."
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="As if this were the target branch's policy.",
)
@click.option(
    "--repo",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default="this folder",
    help="A clone that has the branches and the head; it is only read.",
)
@click.option("--api", metavar="URL", help="The forge's API, where it is not that of the proposal's address.")
@click.option(
    "--server", metavar="BARE.git", help="A guarded repository on this machine, for its ledger's evidence."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def simulate(
    where: str,
    approvers: tuple[str, ...],
    at: str | None,
    policy: Path | None,
    repo: Path,
    api: str | None,
    server: str | None,
    form: str,
) -> int:
    """Show the decision that would be made on a proposal, and what is still missing.

    The forge is read with GUARD_GITLAB_TOKEN or GUARD_GITHUB_TOKEN; a file needs no forge, and what it does not tell
    is unknown. Evidence comes from the server side where one is named.

    \b
    guard simulate --mr https://gitlab.example.com/gpuaas/platform/-/merge_requests/12 --approve ann --approve sam
    guard simulate --mr proposal.json --policy guard.toml --at 2026-05-01T12:00:00Z

    Exit status: 0 it would be GO, 1 NO-GO, 2 could not decide.
    """
    from guard.cli.check import rendered
    from guard.journeys.simulate import Assumed, simulate

    proposal, repository, sources = _found(where, repo, api, server, policy)
    given = (policy.read_bytes(), policy.name) if policy else None
    assumed = Assumed(approvers, _moment(at), given)
    decision = simulate(repository, proposal, sources, assumed)
    if form == "json":
        told = {"approvers": list(approvers), "at": at, "policy": policy.name if policy else None}
        document = json.loads(rendered(decision, "json"))
        click.echo(json.dumps({"simulation": NOTE, "assumed": told, "decision": document}, indent=2))
    else:
        click.echo(f"{NOTE}\n\n{rendered(decision, form)}\n{NOTE}")
    return decision.exit_status


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UsageError(
            f"--at: no time with a zone: {text!r}", fix="such as 2026-05-01T12:00:00Z", code="usage.at"
        )
    return found.astimezone(UTC)


def _found(
    where: str, repo: Path, api: str | None, server: str | None, policy: Path | None
) -> tuple[Proposal, str, Sources]:
    """The proposal, its repository's name, and where the facts come from. Raises UsageError, ForgeError."""
    from guard import wiring_simulate as wiring

    home = wiring.server_home(server)
    if Path(where).is_file():
        return wiring.from_file(Path(where), repo, home)
    for name, pattern in (("gitlab", GITLAB), ("github", GITHUB)):
        if found := pattern.fullmatch(where):
            url, repository, number = found.groups()
            token = os.environ.get(f"GUARD_{name.upper()}_TOKEN", "")
            if not token:
                raise UsageError(
                    f"{name} cannot be asked: GUARD_{name.upper()}_TOKEN is not set",
                    fix="export a token that may read the project",
                )
            base = api or ("https://api.github.com" if url == "https://github.com" else url)
            source = wiring.Place(name, base, token, repository)
            return wiring.from_forge(source, number, repo, home, policy=policy)
    raise UsageError(
        f"--mr: neither a file nor the address of a merge request or pull request: {where[:200]!r}",
        fix="such as https://gitlab.example.com/group/project/-/merge_requests/12, or proposal.json",
        code="usage.mr",
    )
