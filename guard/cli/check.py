"""`guard check`, `guard readiness`, `guard lineage`: the decision engine on any local repository."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from guard.core.errors import UsageError

if TYPE_CHECKING:
    from guard.core.model import Decision
    from guard.journeys.sources import Range, Sources
    from guard.ports import Git
    from guard.settings import ServerHome

OBJECT_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
F = TypeVar("F", bound=Callable[..., Any])
RULES = ("candidate", "lineage", "approvals", "readiness", "incidents")

_OPTIONS = (
    click.option(
        "--repo",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        show_default="this folder",
        help="The repository to judge; it is only read.",
    ),
    click.option(
        "--upstream", metavar="REF", help="The branch every fix lands on first [default: the policy's]."
    ),
    click.option("--target", metavar="REF", required=True, help="The protected release branch."),
    click.option("--head", metavar="REF", default="HEAD", show_default=True, help="The commit to promote."),
    click.option(
        "--policy",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A bootstrap policy, used only where the target branch has no valid guard.toml.",
    ),
    click.option(
        "--server",
        metavar="BARE.git",
        help="A guarded bare repository on this machine: judge there, with its approvals and evidence"
        " [default: GUARD_SERVER, when it is set].",
    ),
    click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json", "markdown"]),
        default="text",
        show_default=True,
    ),
)


def judging(function: F) -> F:
    """The options that every judging command takes."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def deciding(function: F) -> F:
    """The options of the commands that decide: those that judge, more forms, and a later moment."""
    forms = click.Choice(["text", "json", "markdown", "junit"])
    later = click.option(
        "--at",
        metavar="DATE",
        help="Will it still be so then? What is so now, at a later day or moment (UTC).",
    )
    record = click.option(
        "--record",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the decision there as a signed record, too (see guard decision); needs the server side.",
    )
    function = later(
        record(click.option("--format", "form", type=forms, default="text", show_default=True)(function))
    )
    for option in reversed(_OPTIONS[:-1]):
        function = option(function)
    return function


@click.command()
@deciding
@click.option(
    "--only",
    metavar="RULE[,RULE…]",
    default="",
    help=f"Ask only these of {', '.join(RULES)}; the answer is PARTIAL, never a decision.",
)
def check(only: str, **options: Any) -> int:
    """Decide whether a release branch may move to a commit, and say why not.

    The policy is read from the target branch. Without a forge or a server side, what only they know (approvals,
    sign-offs, reports, incidents) is unknown, and blocks.

    \b
    guard check --target release/platform-control --head master
    guard check --repo ~/src/platform --upstream master --target origin/release/1.4 --head HEAD --only lineage

    Exit status: 0 GO, 1 NO-GO, 2 could not decide.
    """
    return _answer(_parse_only(only), **options)


@click.command()
@deciding
def readiness(**options: Any) -> int:
    """Show the Go/No-Go board: another name for `guard check` without --only, the same question and answer.

    For the gates alone, which is no decision: guard check --only readiness.

    \b
    guard readiness --target release/platform-control --head master
    guard readiness --target release/platform-control --at 2026-12-24

    Exit status: 0 GO, 1 NO-GO, 2 could not decide.
    """
    return _answer((), **options)


def _parse_only(text: str) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [part for part in asked if part not in RULES]
    if unknown or (text and not asked):
        raise UsageError(
            f"--only: no rule is called {', '.join(unknown) or repr(text)}", fix=f"use {', '.join(RULES)}"
        )
    return asked


def _answer(only: tuple[str, ...], *, form: str, at: str | None, record: Path | None, **options: Any) -> int:
    from guard.journeys.gather import gather_and_decide

    moment = _moment(at) if at else None
    if record and (only or moment):
        raise UsageError(
            "a record is of a whole decision made now", fix="leave out --only and --at", code="usage.record"
        )
    decision = gather_and_decide(*what_is_asked(only, **options), at=moment)
    if record:
        _write_record(decision, record, server=options["server"])
    if moment and form == "text":
        click.echo(f"as of {moment:%Y-%m-%d %H:%M} UTC, if nothing but time passes:")
    click.echo(rendered(decision, form), nl=False)
    return decision.exit_status


def _write_record(decision: Decision, out: Path, *, server: str | None) -> None:
    from guard import __version__, wiring
    from guard.cli.output import write_whole
    from guard.journeys.records import make_record
    from guard.settings import find_home

    home = find_home(server=server, remote_url=None)
    if home is None:
        raise UsageError(
            "only the server side has the key that signs a record",
            fix="name it: --server BARE.git, or GUARD_SERVER",
            code="usage.record",
        )
    write_whole(out, make_record(decision, wiring.signing_key(home), engine=__version__))


def _moment(text: str) -> datetime:
    """The moment that --at means; a day is its start in UTC. Raises UsageError for one that is past."""
    from guard import wiring

    fix = "name a day or moment to come, such as 2026-12-24 or 2026-12-24T09:00:00Z"
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"--at: {text[:60]!r} is no date", fix=fix) from None
    if moment < wiring.system_clock().now():
        raise UsageError(f"--at: {moment:%Y-%m-%d %H:%M} UTC is past", fix=fix)
    return moment


def what_is_asked(
    only: tuple[str, ...],
    *,
    repo: Path,
    upstream: str | None,
    target: str,
    head: str,
    policy: Path | None,
    server: str | None,
) -> tuple[Range, Sources]:
    """The question that the options ask, and where its facts come from."""
    from guard import wiring
    from guard.journeys.asking import branch_of
    from guard.journeys.sources import Range

    home = _home(server)
    if home is None:
        sources, repository = wiring.clone_sources(repo, bootstrap=policy), ""
    else:
        sources = wiring.server_sources(home, wiring.open_ledger(home))
        repository = home.settings.repository
        head = _known_there(sources.git, str(wiring.clone_sources(repo).git.resolve(head) or head))
    return Range(repository, branch_of(sources.git, target), target, head, upstream, only), sources


def _home(server: str | None) -> ServerHome | None:
    """The server side that is named; without one its settings, and what reads them, are not even loaded."""
    if not (server or os.environ.get("GUARD_SERVER")):
        return None
    from guard.settings import find_home

    return find_home(server=server, remote_url=None)


def _known_there(git: Git, head: str) -> str:
    if OBJECT_NAME.fullmatch(head) and git.resolve(head) is None:
        raise UsageError(
            f"--head: the guarded repository does not have {head}",
            fix="propose it first: guard propose --head HEAD",
            code="ref.unknown",
        )
    return head


def rendered(decision: Decision, form: str) -> str:
    """The decision in one of the forms of `--format`."""
    if form == "json":
        from guard.render.decision_json import decision_document

        return json.dumps(decision_document(decision), indent=2, ensure_ascii=False) + "\n"
    if form == "markdown":
        from guard.render.markdown import render_markdown

        return render_markdown(decision)
    if form == "junit":
        from guard.render.junit import render_junit

        return render_junit(decision)
    from guard.cli.streams import fitting
    from guard.render.terminal import render_text

    return fitting(render_text(decision, colour=use_colour()), sys.stdout.encoding)


def use_colour() -> bool:
    """Whether the terminal wants colour: a tty, and neither NO_COLOR nor TERM=dumb (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
