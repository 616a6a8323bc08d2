"""Send signed checkpoints of the ledger off its host, and say in the ledger where they went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from guard.core.chain import Checkpoint
from guard.core.checkpoint import moment, seal
from guard.core.dsse import Signer
from guard.core.errors import GuardError
from guard.ports import Entry, Ledger

SENT = "checkpoint.sent"

Sink = Callable[[str], None]
"""Takes one sealed checkpoint. Raises GuardError when it could not be kept there."""


class Chain(Ledger, Protocol):
    """A ledger that also knows its newest entry."""

    @property
    def repository(self) -> str: ...
    def head(self) -> Entry | None: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one destination: `failed` is "" when the checkpoint is there."""

    to: str
    count: int
    failed: str = ""


def make_checkpoint(ledger: Chain, signer: Signer, *, now: datetime) -> tuple[Checkpoint, str] | None:
    """The ledger's checkpoint of now, and the line to be kept; None of an empty ledger."""
    head = ledger.head()
    if head is None:
        return None
    mark = Checkpoint(head.seq, head.hash, ledger.repository, moment(now))
    return mark, seal(mark, signer)


def send_checkpoints(
    ledger: Chain, signer: Signer, sinks: Mapping[str, Sink], *, now: datetime
) -> tuple[Sent, ...]:
    """Bring every destination that lacks the newest entries up to date; nothing to do makes nothing. One that fails
    does not keep the others from theirs, and is tried again the next time."""
    newest = _newest(ledger)
    behind = {to: sink for to, sink in sinks.items() if newest > _covered(ledger, to)}
    made = make_checkpoint(ledger, signer, now=now) if behind else None
    if made is None:
        return ()
    mark, line = made
    told = tuple(_send(to, sink, mark, line) for to, sink in behind.items())
    for one in told:
        if not one.failed:
            ledger.append(SENT, {"to": one.to, "count": mark.count, "head": mark.hash}, at=now)
    return told


def _send(to: str, sink: Sink, mark: Checkpoint, line: str) -> Sent:
    try:
        sink(line)
    except GuardError as error:
        return Sent(to, mark.count, failed=error.message)
    return Sent(to, mark.count)


def _newest(ledger: Ledger) -> int:
    """The newest entry that says more than where checkpoints went; 0 when there is none."""
    return next((entry.seq for entry in ledger.entries(newest_first=True) if entry.kind != SENT), 0)


def _covered(ledger: Ledger, to: str) -> int:
    """How many entries the newest checkpoint at this destination speaks for."""
    sent: Iterable[Entry] = ledger.entries(SENT, newest_first=True)
    counts = (entry.body.get("count") for entry in sent if entry.body.get("to") == to)
    found = next(counts, 0)
    return found if isinstance(found, int) else 0
