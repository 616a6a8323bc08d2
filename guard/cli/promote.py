"""`guard promote`: show the plan, have it confirmed, and move the branch; or prepare a proposal for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guard.cli.check import rendered, use_colour
from guard.cli.promoting import acknowledge, show_plan
from guard.core.errors import Refused, UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.core.model import Commit, Decision
    from guard.journeys.plan import Plan
    from guard.journeys.promotion import Promoted
    from guard.wiring_desk import Desk

SHOWN_COMMITS = 20


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, parsed."""

    branch: str | None
    wanted: str | None
    remote: str
    server: str | None
    repo: Path
    form: str
    dry_run: bool
    yes: bool
    prepare: bool
    script_arguments: tuple[str, ...]
    service: str | None = None
    by: str | None = None
    key: str | None = None


@click.command()
@click.option(
    "--branch", metavar="BRANCH", help="The protected branch [default: the only one that is adopted]."
)
@click.option(
    "--to", "wanted", metavar="REF", help="The commit to promote [default: the one open proposal's head]."
)
@click.option("--remote", default="origin", show_default=True, help="The remote that the script pushes to.")
@click.option(
    "--server",
    metavar="BARE.git",
    help="The guarded repository [default: GUARD_SERVER, or the remote's, if local].",
)
@click.option(
    "--service",
    metavar="URL",
    envvar="GUARD_SERVICE_URL",
    help="Ask the guard's service for the permit [default: GUARD_SERVICE_URL, or the policy's project.service].",
)
@click.option(
    "--as", "by", metavar="NAME", help="With a service: who you are to it [default: git's user.email]."
)
@click.option(
    "--key",
    metavar="FILE",
    help="With a service: your SSH key [default: GUARD_SSH_KEY, or git's user.signingkey].",
)
@click.option(
    "--repo",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The clone to work in [default: this folder].",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop; nothing is done or recorded.")
@click.option(
    "--yes", "-y", is_flag=True, help="Do not ask: the plan is agreed to and the documents were read (CI)."
)
@click.option(
    "--prepare", is_flag=True, help="Make the proposal that brings the upstream branch in, and stop."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.argument("script_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- SCRIPT ARGS]")
def promote(**options: Any) -> int:
    """Move a protected release branch: decide afresh, and if it is GO, run the promote script with a permit.

    Every step is recorded before it is done. When it is interrupted, run it again: it finds out how far it got.
    The permit comes from the server side where that is on this machine, else from the guard's service.

    \b
    guard promote --branch release/platform-control
    guard promote --to 4f0c2d9 --dry-run
    guard promote --yes -- --skip-announcement
    guard promote --prepare
    guard promote --service https://guard.example.com --as ann --key ~/.ssh/id_ed25519

    Exit status: 0 promoted, or nothing to promote; 1 refused, NO-GO or failed; 2 could not decide.
    """
    chosen = Options(**options)
    from guard import wiring_desk as wiring
    from guard.cli.promote_service import promote_by_service, service_url

    if (url := service_url(chosen)) is not None:
        return promote_by_service(url, chosen)
    desk = wiring.open_desk(
        server=chosen.server, clone=chosen.repo, remote=chosen.remote, what="guard promote"
    )
    branch = chosen.branch or wiring.only_branch(desk.home, desk.ledger)
    if chosen.prepare:
        from guard.cli.prepare import prepare_proposal

        return prepare_proposal(desk, branch, form=chosen.form)
    return _promote(desk, branch, chosen)


def _promote(desk: Desk, branch: str, options: Options) -> int:
    from guard.journeys.plan import branch_rules, make_plan
    from guard.journeys.promotion import check_head

    if not options.dry_run:
        _finish_earlier(desk, branch, options)
    rules = branch_rules(desk.sources, branch)
    ref = f"refs/heads/{branch}"
    old = check_head(desk.ledger, ref, desk.sources.git.resolve(ref))
    new = _wanted(desk, branch, options)
    if new is None or new == old:
        why = f"{branch} stands at {old[:10]} already" if new else f"there is no open proposal into {branch}"
        return report(
            options, f"nothing to promote: {why}", result="nothing-to-promote", branch=branch, new=old
        )
    plan = make_plan(desk.sources, desk.repository, branch=branch, rules=rules, new=new, commits=desk.commits)
    _show(plan, options)
    if not plan.decision.allowed:
        return _refuse(plan.decision, options)
    if options.dry_run:
        return report(options, "dry run: nothing was done", result="dry-run", branch=branch, old=old, new=new)
    _confirm(desk, plan, options)
    return _carry_out(desk, plan, options)


def _finish_earlier(desk: Desk, branch: str, options: Options) -> None:
    """End a promotion that was cut off, so that the plan starts from what is true."""
    from guard.journeys.alarm import open_alarm
    from guard.journeys.promotion import recover

    ref = f"refs/heads/{branch}"
    if open_alarm(desk.ledger, ref) is not None:
        desk.end_alarm(branch)  # people may have agreed how it ends where nobody was to see to it
    with desk.ledger.branch_lock(ref):
        ending = recover(desk.ledger, ref, read_head=desk.sources.git.resolve, clock=desk.sources.clock)
    if ending is None:
        return
    attempt = ending.attempt
    if ending.moved:
        say(
            options,
            f"an earlier promotion was cut off after it had moved {branch}: already promoted to {attempt.new}",
        )
    else:
        say(
            options,
            f"an earlier promotion to {attempt.new} was cut off before it moved {branch}: its permit is revoked",
        )


def _wanted(desk: Desk, branch: str, options: Options) -> Commit | None:
    """The commit to promote, which the server has; None where nothing is proposed."""
    from guard.journeys.plan import proposed_head

    if options.wanted is None:
        return proposed_head(desk.sources, branch)
    new = desk.resolve_in_clone(options.wanted) or desk.sources.git.resolve(options.wanted)
    if new is None:
        raise UsageError(
            f"--to: there is no commit {plain(options.wanted)!r}", fix="check the spelling, or git fetch"
        )
    if desk.sources.git.resolve(new) is None:
        raise Refused(
            f"the server does not have {new}, so it cannot be judged",
            fix="propose it first: guard propose",
            code="promotion.not-proposed",
        )
    return new


def _show(plan: Plan, options: Options) -> None:
    """The plan: how many commits, which, what step it is, moved by what, read what first; then the board."""
    if options.form == "json":
        return
    candidate, rules = plan.decision.candidate, plan.rules
    show_plan(
        candidate.branch,
        (candidate.old, candidate.new),
        plan.commits[:SHOWN_COMMITS],
        total=len(plan.commits),
        step=rules.environments,
        mover=rules.promote or "a push of the guard itself (the policy names no script)",
        read_first=rules.read_first,
    )
    click.echo(rendered(plan.decision, "text"), nl=False)


def _confirm(desk: Desk, plan: Plan, options: Options) -> None:
    """Have a person acknowledge the documents and agree to the plan. Raises UsageError where there is none."""
    candidate = plan.decision.candidate
    acknowledge(
        plan.rules.read_first,
        read=lambda path: desk.sources.git.read(candidate.upstream, path),
        question=f"Move {candidate.branch} to {candidate.new[:10]}?",
        yes=options.yes,
    )


def _carry_out(desk: Desk, plan: Plan, options: Options) -> int:
    from guard.journeys.promotion import NotGo, Request
    from guard.journeys.promotion import promote as move_branch

    candidate = plan.decision.candidate
    request = Request(
        ref=candidate.ref,
        new=candidate.new,
        by=desk.asker,
        script=plan.rules.promote,
        permit_life=desk.permit_life(plan.rules),
        arguments=options.script_arguments,
        seen_old=candidate.old,
        seen_policy=plan.decision.policy_digest,
    )
    tools = desk.tools(
        candidate.ref,
        candidate.new,
        tell=lambda line: say(options, f"{line} …"),
        quiet=options.form == "json",
    )
    try:
        promoted = move_branch(request, tools)
    except NotGo as refusal:
        say(options, "something changed since the plan was shown")
        if options.form == "text":
            click.echo(rendered(refusal.decision, "text"), nl=False)
        return _refuse(refusal.decision, options)
    return _celebrate(promoted, plan, options)


def _celebrate(promoted: Promoted, plan: Plan, options: Options) -> int:
    from guard.render.decision_json import decision_document

    branch = promoted.ref.removeprefix("refs/heads/")
    word = "already promoted" if promoted.already else "promoted"
    lines = [f"{word}: {branch} stands at {promoted.new} (before: {promoted.old[:10]})"]
    if promoted.note:
        lines.append(f"note: {plain(promoted.note)}")
    return report(
        options,
        "\n".join(lines),
        result=word.replace(" ", "-"),
        branch=branch,
        old=promoted.old,
        new=promoted.new,
        note=promoted.note,
        commits=[commit for commit, _ in plan.commits],
        decision=decision_document(plan.decision),
    )


def _refuse(decision: Decision, options: Options) -> int:
    if options.form == "json":
        from guard.render.decision_json import decision_document

        report(
            options,
            "",
            result="no-go",
            branch=decision.candidate.branch,
            decision=decision_document(decision),
        )
    return decision.exit_status or 1


def report(options: Options, text: str, **document: Any) -> int:
    click.echo(json.dumps(document, indent=2) if options.form == "json" else text)
    return 0


def say(options: Options, line: str) -> None:
    """Progress: beside the board on a terminal, out of the way of JSON."""
    click.echo(click.style(line, dim=True) if use_colour() else line, err=options.form == "json")
