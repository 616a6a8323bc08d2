"""`guard waive request|approve|withdraw|list`: findings that are let pass for a time, with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guard.cli.sending import form_option, made, open_clone, print_sent, send_claim, sending
from guard.core.errors import UsageError
from guard.render.safe import plain

if TYPE_CHECKING:
    from guard.core.facts import Waiver


@click.group()
def waive() -> None:
    """Ask for, approve, withdraw and list waivers: one finding of one gate, for a time, with a reason.

    What can be waived, by whom and for how long is for the policy's table [waivers] to say. A waiver that counts is
    shown on the board, and the decision reads GO (1 waiver).
    """


@waive.command()
@click.argument("gate")
@click.argument("finding")
@click.option("--reason", required=True, help="Why it may pass; everybody will read it.")
@click.option("--for", "span", metavar="SPAN", help="How long from now, such as 7d.")
@click.option("--until", metavar="DATE", help="Until when, such as 2026-06-01 (UTC).")
@click.option(
    "--commit", metavar="REF", default="HEAD", show_default=True, help="The commit that it is about."
)
@click.option(
    "--any-commit", is_flag=True, help="Whichever commit is promoted; only where the policy allows it."
)
@click.option("--entry", default="", metavar="ID", help="The tech debt register's entry that it rests on.")
@sending
@form_option
def request(
    gate: str,
    finding: str,
    reason: str,
    span: str | None,
    until: str | None,
    entry: str,
    form: str,
    *,
    commit: str,
    any_commit: bool,
    **options: Any,
) -> None:
    """Ask that one finding of GATE (or of `incidents`) be let pass.

    FINDING is its id, such as sarif.result:0123456789abcdef, as the JSON of a decision shows it (guard readiness
    --format json). Other people have to approve the request; whoever asks cannot.

    \b
    guard waive request security.pen-test document.absent:0123456789abcdef --for 14d --reason "Booked for week 22"
    """
    from guard.core.claims import WaiverRequested

    ends = _ends(span, until)
    with open_clone(**options) as clone:
        claim = made(
            WaiverRequested,
            target=clone.target(),
            gate=gate,
            finding=finding,
            commit=None if any_commit else clone.commit(commit),
            reason=reason,
            expires=f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            entry=entry,
        )
        sent = send_claim(claim, clone.sender())
        if gate != "incidents":
            clone.note_unknown(gate)
    print_sent(sent, f"asked to waive {finding} of {gate} until {ends:%Y-%m-%d %H:%M} UTC", form=form)
    if form == "text":
        click.echo(f"  to approve it: guard waive approve sha256:{sent.name}")


def _ends(span: str | None, until: str | None) -> datetime:
    """The moment that --for or --until means. Raises UsageError."""
    from guard import wiring
    from guard.core.durations import parse_duration

    if bool(span) == bool(until):
        raise UsageError("say when it ends, in one way", fix="--for 14d, or --until 2026-06-01")
    try:
        if span:
            return wiring.system_clock().now() + parse_duration(span)
        moment = datetime.fromisoformat(str(until))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--{'for' if span else 'until'}: {error}", fix="--for 14d, or --until 2026-06-01"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@waive.command()
@click.argument("waiver")
@sending
@form_option
def approve(waiver: str, form: str, **options: Any) -> None:
    """Approve the request with this digest. Read it first: guard waive list.

    \b
    guard waive approve sha256:5f1c…
    """
    from guard.core.claims import WaiverApproved

    with open_clone(**options) as clone:
        claim = made(WaiverApproved, target=clone.target(), waiver=_digest(waiver))
        sent = send_claim(claim, clone.sender())
    print_sent(sent, f"approved the waiver {_digest(waiver)[:19]}", form=form)


@waive.command()
@click.argument("waiver")
@sending
@form_option
def withdraw(waiver: str, form: str, **options: Any) -> None:
    """Take back a request of yours, or your approval of one.

    \b
    guard waive withdraw sha256:5f1c…
    """
    from guard.core.claims import WaiverWithdrawn

    with open_clone(**options) as clone:
        claim = made(WaiverWithdrawn, target=clone.target(), waiver=_digest(waiver))
        sent = send_claim(claim, clone.sender())
    print_sent(sent, f"withdrew from the waiver {_digest(waiver)[:19]}", form=form)


def _digest(waiver: str) -> str:
    return waiver if waiver.startswith("sha256:") else f"sha256:{waiver}"


@waive.command("list")
@click.option("--target", metavar="BRANCH", help="The protected branch [default: the only one].")
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
def list_waivers(target: str | None, remote: str, server: str | None, repo: Path, form: str) -> None:
    """List the waivers asked for and not taken back; asks the server side, which must be on this machine.

    Whether one counts for a commit is told by the decision: guard readiness.

    \b
    guard waive list
    """
    from guard import wiring
    from guard.core.errors import GuardError
    from guard.core.model import Unknown
    from guard.wiring_desk import only_branch, server_side

    home = server_side(server=server, clone=repo, remote=remote, what="guard waive list")
    ledger = wiring.read_ledger(home)
    branch = (target or only_branch(home, ledger)).removeprefix("refs/heads/")
    fact = wiring.local_forge(home, ledger).waivers(branch)
    if isinstance(fact, Unknown):
        raise GuardError(fact.why, fix=fact.fix, code="waivers.unknown")
    now = wiring.system_clock().now()
    if form == "json":
        from guard.render.waivers_json import waiver_document

        click.echo(
            json.dumps([waiver_document(waiver) for waiver in fact.value], indent=2, ensure_ascii=False)
        )
        return
    for waiver in fact.value:
        click.echo("\n".join(_lines(waiver, now)))
    if not fact.value:
        click.echo(f"no waiver was asked for on {plain(branch)}")


def _lines(waiver: Waiver, now: datetime) -> list[str]:
    left = "expired" if waiver.expires_at <= now else f"until {waiver.expires_at:%Y-%m-%d %H:%M} UTC"
    people = ", ".join(plain(one.actor) for one in waiver.consents) or "nobody"
    return [
        f"{waiver.id}",
        f"  {plain(waiver.gate)}: {plain(waiver.finding)}, {left}",
        f"  for {waiver.commit[:10] if waiver.commit else 'any commit'}"
        + (f", resting on {plain(waiver.entry)}" if waiver.entry else ""),
        f"  asked for by {plain(waiver.requester)}: {plain(waiver.reason, limit=2000)}",
        f"  approved by {people}",
    ]
