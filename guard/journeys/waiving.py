"""`/guard waive` in a comment: ask for a waiver, or agree to the one that somebody else asked for in the same words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from guard.core.claims import Claim, WaiverApproved, WaiverRequested
from guard.core.commands import Command
from guard.core.facts import Proposal, Waiver
from guard.core.model import Commit, Outcome
from guard.core.standing import received_of, standing_waivers
from guard.ports import Clock, Ledger

STATEMENTS = tuple(f"statement.waiver-{name}" for name in ("requested", "approved", "withdrawn"))
LOOKED_AT = 500
NAMED = 5


def waiver_claim(command: Command, by: str, proposal: Proposal, ledger: Ledger, clock: Clock) -> Claim | str:
    """What to put on record, or why there is nothing. A waiver is about one finding, and about this head alone."""
    if command.until is None or command.until <= clock.now():
        return "it would have ended already"
    gate, _, named = command.gate.partition(":")
    found = _blocking(gate, proposal, ledger)
    if named and named not in found:
        return f"the last decision has no such finding of {gate}"
    if not named and len(found) != 1:
        listed = ", ".join(f"{gate}:{one}" for one in found[:NAMED])
        return f"{gate} has {len(found)} findings that block{f': name one, {listed}' if found else ''}"
    finding = named or found[0]
    asked = _asked(gate, finding, proposal, ledger)
    mine = [one for one in asked if one.requester.casefold() == by.casefold()]
    if mine:
        return f"you asked for it until {mine[0].expires_at:%Y-%m-%d %H:%M} UTC already; others have to agree"
    for one in asked:
        if one.expires_at <= command.until:
            return WaiverApproved(proposal.target, one.id)
    if asked:
        return f"{asked[0].requester} asked for it until {asked[0].expires_at:%Y-%m-%d %H:%M} UTC: agree to that end"
    return WaiverRequested(
        target=proposal.target,
        gate=gate,
        finding=finding,
        commit=Commit(proposal.head),
        reason=command.text,
        expires=f"{command.until:%Y-%m-%dT%H:%M:%SZ}",
        entry="",
    )


def _blocking(gate: str, proposal: Proposal, ledger: Ledger) -> list[str]:
    """The ids of the gate's findings that block in the last decision on this head."""
    for entry in islice(ledger.entries("decision.recorded", newest_first=True), LOOKED_AT):
        document: Any = entry.body.get("decision")
        if entry.body.get("proposal") == proposal.id and document["candidate"]["new"] == proposal.head:
            return list(_ids(document, gate))
    return []


def _ids(document: Mapping[str, Any], gate: str) -> Iterator[str]:
    for verdict in document["verdicts"]:
        for one in verdict["findings"] if verdict["id"] == gate else ():
            if one["id"] and not Outcome(one["outcome"]).allows:
                yield one["id"]


def _asked(gate: str, finding: str, proposal: Proposal, ledger: Ledger) -> list[Waiver]:
    record = (received_of(one.at, one.body) for one in ledger.entries(*STATEMENTS))
    return [
        one
        for one in standing_waivers(record, target=proposal.target)
        if (one.gate, one.finding, one.commit) == (gate, finding, proposal.head)
    ]
