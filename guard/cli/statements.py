"""`guard approve`, `withdraw`, `signoff`, `propose`: people's signed statements, sent to the guarded repository."""

from __future__ import annotations

import re
from typing import Any

import click

from guard.cli.sending import Clone, form_option, made, open_clone, print_sent, send_claim, sending
from guard.core.errors import UsageError

_commit_options = (
    click.option("--commit", metavar="REF", help="The commit [default: HEAD]."),
    click.option("--head", metavar="REF", help="The same as --commit."),
)


@click.command()
@_commit_options[0]
@_commit_options[1]
@sending
@form_option
def approve(commit: str | None, head: str | None, form: str, **options: Any) -> None:
    """Approve the promotion of exactly one commit to the protected branch.

    The statement is signed with your SSH key and checked by the server against the operator's allowed_signers. It
    counts for this commit alone: a new head needs a new approval.

    \b
    guard approve --head release-1.2
    guard approve --commit 1f0c2ab --target release/platform-control --as ann@example.com --key ~/.ssh/id_ed25519
    """
    from guard.core.claims import ApprovalGiven

    with open_clone(**options) as clone:
        subject, target = clone.commit(_one(commit, head)), clone.target()
        claim = made(ApprovalGiven, target=target, commit=subject)
        sent = send_claim(claim, clone.sender())
    print_sent(sent, f"approved {subject[:10]} for {target}", form=form)


@click.command()
@_commit_options[0]
@_commit_options[1]
@sending
@form_option
def withdraw(commit: str | None, head: str | None, form: str, **options: Any) -> None:
    """Withdraw your approval of a commit.

    \b
    guard withdraw --head release-1.2
    """
    from guard.core.claims import ApprovalWithdrawn

    with open_clone(**options) as clone:
        subject, target = clone.commit(_one(commit, head)), clone.target()
        claim = made(ApprovalWithdrawn, target=target, commit=subject)
        sent = send_claim(claim, clone.sender())
    print_sent(sent, f"withdrew the approval of {subject[:10]} for {target}", form=form)


def _one(commit: str | None, head: str | None) -> str:
    if commit and head:
        raise UsageError("--commit and --head are the same thing", fix="give one of them")
    return commit or head or "HEAD"


@click.command()
@click.argument("gate")
@click.option("--commit", metavar="REF", help="Sign off for this commit alone [default: as of now].")
@click.option("--note", default="", help="What was seen or done, for the record.")
@sending
@form_option
def signoff(gate: str, commit: str | None, note: str, form: str, **options: Any) -> None:
    """Sign off one readiness gate, such as a reviewed threat model or a completed restore drill.

    Whether it counts is for the policy to say: who may sign, and for how long it holds.

    \b
    guard signoff security.threat-model --note "Reviewed with the gateway team"
    guard signoff reliability.restore-drill --commit HEAD
    """
    from guard.core.claims import SignedOff

    with open_clone(**options) as clone:
        subject = clone.commit(commit) if commit else None
        claim = made(SignedOff, gate=gate, commit=subject, note=note)
        sent = send_claim(claim, clone.sender())
        clone.note_unknown(gate)
    print_sent(sent, f"signed off {gate}{f' for {subject[:10]}' if subject else ''}", form=form)


@click.command()
@click.option("--head", metavar="REF", default="HEAD", show_default=True, help="The commit to promote.")
@click.option(
    "--id", "proposal", metavar="ID", help="The proposal's id [default: made of the branch's name]."
)
@click.option("--title", help="What it is about [default: the commit's subject].")
@click.option("--close", metavar="ID", help="Close this proposal instead.")
@sending
@form_option
def propose(
    head: str, proposal: str | None, title: str | None, close: str | None, form: str, **options: Any
) -> None:
    """Propose a commit for promotion, give an open proposal a new head, or close one.

    The commit is pushed to refs/proposals/<target>/<id> together with your signed statement, both or neither.

    \b
    guard propose --head master --id release-1.2 --title "Release 1.2.0"
    guard propose --close release-1.2
    """
    from guard.core.claims import ProposalClosed, ProposalOpened

    with open_clone(**options) as clone:
        target = clone.target()
        if close is not None:
            if proposal is not None or title is not None:
                raise UsageError("--close takes no --id and no --title", fix="guard propose --close ID")
            sent = send_claim(made(ProposalClosed, target=target, proposal=close), clone.sender())
            line = f"closed proposal {close} into {target}"
        else:
            subject = clone.commit(head, "--head")
            name = proposal or _proposal_id(clone, head, subject)
            fields = {"proposal": name, "head": subject, "title": title or _subject(clone, subject)}
            sent = send_claim(made(ProposalOpened, target=target, **fields), clone.sender())
            line = f"proposed {subject[:10]} as {name} into {target}"
    print_sent(sent, line, form=form)


def _proposal_id(clone: Clone, head: str, commit: str) -> str:
    """Made of the branch's name, so that proposing again after a new commit moves the same proposal."""
    from guard.adapters.gitdir import GitDir

    name = (GitDir(clone.path).symbolic("HEAD") or "") if head in {"HEAD", "@"} else head
    short = re.sub(r"[^A-Za-z0-9_-]+", "-", name.removeprefix("refs/heads/")).strip("-_")
    return short[:100] or commit[:12]


def _subject(clone: Clone, commit: str) -> str:
    from guard.core.model import Commit

    subject = clone.git.commit(Commit(commit)).subject
    return "".join(character if character.isprintable() else "?" for character in subject)[:500]
