"""`guard promote` where the guard's service gives the permit."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from guard.cli.promoting import acknowledge, show_plan
from guard.core.errors import GitError, UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.cli.promote import Options
    from guard.core.promotion_api import Plan, Promotion
    from guard.journeys.promoting import Promoter

SHOWN_COMMITS = 20


def service_url(options: Options) -> str | None:
    """The service that is to be asked; None where the server side is on this machine and no service is named."""
    from guard import wiring
    from guard.cli.sending import open_clone
    from guard.settings import find_home

    if options.server:
        return None
    if options.service or os.environ.get("GUARD_SERVER"):
        return options.service
    if find_home(server=None, remote_url=wiring.origin_url(options.repo, options.remote)) is not None:
        return None
    try:
        with open_clone(
            repo=options.repo,
            remote=options.remote,
            target=options.branch,
            repository=None,
            by=None,
            key=None,
        ) as clone:
            return clone.service_named()
    except GitError:
        return None


def promote_by_service(url: str, options: Options) -> int:
    """The whole of the command. Raises GuardError."""
    from guard.adapters.promotion_client import NoGo
    from guard.wiring_promoter import open_promoter

    if options.prepare:
        raise UsageError(
            "--prepare makes a proposal where the server side is on this machine",
            fix="on a forge, open the merge request there",
            code="usage.prepare",
        )
    with ExitStack() as stack:
        promoter, branch = stack.enter_context(
            open_promoter(url, options, tell=lambda line: _tell(options, line))
        )
        if not options.dry_run and (ended := _finish_earlier(promoter, options)) is not None:
            return ended
        try:
            plan = _plan(promoter, branch, options)
        except NoGo as error:
            return _no_go(error, branch, options)
        if isinstance(plan, int):
            return plan
        _show(plan, options)
        if not plan.allowed or options.dry_run:
            return _stop(plan, branch, options)
        acknowledge(
            plan.read_first,
            read=lambda path: promoter.read_script(_commit(plan.upstream), path),
            question=f"Move {branch} to {plan.new[:10]}?",
            yes=options.yes,
        )
        return _carry_out(promoter, plan, branch, options)


def _finish_earlier(promoter: Promoter, options: Options) -> int | None:
    """End what an earlier run was cut off in; an exit status where there is nothing more to do."""
    from guard.journeys.promoting import finish_earlier

    earlier = finish_earlier(promoter)
    if earlier is None:
        return None
    branch = plain(earlier.ref.removeprefix("refs/heads/"))
    if earlier.state == "finished":
        _tell(options, f"an earlier promotion was cut off after it had moved {branch} to {earlier.new}")
        if options.wanted is None or earlier.new.startswith(options.wanted):
            return _celebrate(earlier, options, already=True)
        return None
    _tell(
        options, f"an earlier promotion to {earlier.new} was cut off before it moved {branch}: it has ended"
    )
    return None


def _plan(promoter: Promoter, branch: str, options: Options) -> Plan | int:
    from guard.core.claims import PromotionPlanned
    from guard.core.errors import Refused
    from guard.wiring_promoter import resolved

    wanted = resolved(options) if options.wanted else None
    _tell(options, "asking the guard for the plan")
    try:
        return promoter.service.plan(*promoter.signed(PromotionPlanned(branch, wanted)))
    except Refused as error:
        if error.code not in {"promotion.nothing-to-promote", "promotion.nothing-proposed"}:
            raise
        return _report(
            options, f"nothing to promote: {plain(error.message)}", result="nothing-to-promote", branch=branch
        )


def _show(plan: Plan, options: Options) -> None:
    if options.form == "json":
        return
    script = plan.promote or "a push of the guard itself (the policy names no script)"
    show_plan(
        plan.ref.removeprefix("refs/heads/"),
        (plan.old, plan.new),
        [(one.commit, one.subject) for one in plan.commits[:SHOWN_COMMITS]],
        total=plan.total,
        step=plan.environments,
        mover=f"{script}; the guard's service pushes" if plan.moved_by == "service" else script,
        read_first=plan.read_first,
    )
    _board(plan.board)


def _stop(plan: Plan, branch: str, options: Options) -> int:
    if plan.allowed:
        return _report(
            options, "dry run: nothing was done", result="dry-run", branch=branch, old=plan.old, new=plan.new
        )
    if options.form == "json":
        _report(options, "", result="no-go", branch=branch, decision=plan.decision)
    return plan.exit_status or 1


def _carry_out(promoter: Promoter, plan: Plan, branch: str, options: Options) -> int:
    from guard.adapters.promotion_client import NoGo
    from guard.core.claims import PromotionRequested
    from guard.journeys.promoting import carry_out

    claim = PromotionRequested(
        branch, _commit(plan.old), _commit(plan.new), plan.policy, promoter.nonce(), plan.read_first
    )
    try:
        done = carry_out(claim, options.script_arguments, promoter)
    except NoGo as error:
        _tell(options, "something changed since the plan was shown")
        return _no_go(error, branch, options)
    return _celebrate(done, options, commits=[one.commit for one in plan.commits], decision=plan.decision)


def _no_go(error: Any, branch: str, options: Options) -> int:
    if options.form == "json":
        _report(options, "", result="no-go", branch=branch, decision=error.refusal.decision)
    else:
        _board(error.refusal.board or "")
    return int(error.exit_status)


def _celebrate(done: Promotion, options: Options, *, already: bool = False, **more: Any) -> int:
    branch = done.ref.removeprefix("refs/heads/")
    word = "already promoted" if already else "promoted"
    lines = [f"{word}: {plain(branch)} stands at {done.new} (before: {done.old[:10]})"]
    if done.note:
        lines.append(f"note: {plain(done.note)}")
    return _report(
        options,
        "\n".join(lines),
        result=word.replace(" ", "-"),
        branch=branch,
        old=done.old,
        new=done.new,
        note=done.note,
        promotion=done.promotion,
        **more,
    )


def _board(text: str) -> None:
    for line in text.splitlines():
        click.echo(plain(line, limit=4000))


def _commit(name: str) -> Any:
    from guard.core.model import Commit

    return Commit(name)


def _report(options: Options, text: str, **document: Any) -> int:
    from guard.cli.promote import report

    return report(options, text, **document)


def _tell(options: Options, line: str) -> None:
    from guard.cli.promote import say

    say(options, f"{line} …")
