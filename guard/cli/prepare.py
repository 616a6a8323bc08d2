"""`guard promote --prepare`: open the proposal that brings upstream into a protected branch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from guard.journeys.prepare import Prepared
    from guard.wiring_desk import Desk


def prepare_proposal(desk: Desk, branch: str, *, form: str) -> int:
    """Make the proposal and say what was made; 0 also where there is nothing to promote."""
    from guard.journeys.plan import branch_rules
    from guard.journeys.prepare import prepare

    rules = branch_rules(desk.sources, branch)
    prepared = prepare(
        desk.sources, branch, upstream=rules.upstream, remote=desk.remote, workshop=desk.workshop(branch)
    )
    click.echo(json.dumps(_document(prepared)) if form == "json" else _text(prepared))
    return 0


def _document(prepared: Prepared) -> dict[str, object]:
    return {
        "result": _word(prepared).replace(" ", "-"),
        "branch": prepared.branch,
        "upstream": prepared.upstream,
        "head": prepared.head,
        "proposal": prepared.proposal or None,
        "merged": prepared.merged,
    }


def _word(prepared: Prepared) -> str:
    if not prepared.proposal:
        return "nothing to promote"
    return "proposed" if prepared.made else "already proposed"


def _text(prepared: Prepared) -> str:
    if not prepared.proposal:
        return f"nothing to promote: {prepared.branch} has everything that is on {prepared.upstream}"
    how = f"a merge of {prepared.upstream}" if prepared.merged else f"{prepared.upstream} itself"
    return (
        f"{_word(prepared)}: {prepared.proposal} into {prepared.branch}, {how}, head {prepared.head}\n"
        f"next: have it approved, then guard promote --branch {prepared.branch}"
    )
