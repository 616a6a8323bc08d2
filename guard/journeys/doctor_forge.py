"""`guard doctor --server`: what the ledger says of the protected branches on the forge; nobody is asked anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guard.core.diagnosis import Diagnosis, Level
from guard.journeys.alarm import open_alarm
from guard.journeys.protecting import SEEN
from guard.journeys.reconcile import expected_head
from guard.ports import Ledger


def examine_forge(ledger: Ledger, branches: Iterable[str]) -> list[Diagnosis]:
    """For each branch whether it is watched, whether an alarm is open, and how it was protected when the service looked
    last. Raises LedgerError."""
    found: list[Diagnosis] = []
    for branch in branches:
        faults = [*_place(ledger, branch), *_protection(ledger, branch)]
        found += faults or [
            Diagnosis("forge", "forge.watched", Level.OK, f"{branch} is watched, and nothing is open")
        ]
    return found


def _place(ledger: Ledger, branch: str) -> Iterator[Diagnosis]:
    ref = f"refs/heads/{branch}"
    if expected_head(ledger, ref) is None:
        fix = f"look at what is on it, then: guard adopt --branch {branch}"
        text = f"the ledger has no baseline of {branch}, so no move of it can be told from a promotion"
        yield Diagnosis("forge", "forge.no-baseline", Level.FAULT, text, fix)
    alarm = open_alarm(ledger, ref)
    if alarm is not None:
        fix = f"guard restore {alarm.hold}, or guard unhold {alarm.hold}; docs/operator-guide.md, the alarm"
        yield Diagnosis("forge", "forge.alarm", Level.FAULT, alarm.words, fix)


def _protection(ledger: Ledger, branch: str) -> Iterator[Diagnosis]:
    ref = f"refs/heads/{branch}"
    seen = next((one for one in ledger.entries(SEEN, newest_first=True) if one.body.get("ref") == ref), None)
    if seen is None:
        return
    held = [
        one.body
        for one in ledger.entries("hold.placed")
        if (one.body.get("ref"), one.body.get("kind")) == (ref, "drift")
        and one.seq > seen.seq
        and ledger.find(f"hold.ended:{one.body.get('hold')}") is None
    ]
    for body in held:
        fix = f"put it back on the forge, or accept it: guard unhold {body.get('hold')}"
        yield Diagnosis("forge", "forge.loosened", Level.FAULT, str(body.get("because")), fix)
    if seen.body.get("protected") is not True:
        text = f"{branch} was not protected on the forge when the service looked ({seen.at[:16]})"
        fix = 'protect it there, or let the guard: protection = "keep" in service.toml'
        yield Diagnosis("forge", "forge.unprotected", Level.FAULT, text, fix)
    for name, words in (("force_push", "takes a forced push"), ("deletable", "may be deleted")):
        if seen.body.get("protected") is True and seen.body.get(name) is True:
            yield Diagnosis(
                "forge",
                f"forge.{name.replace('_', '-')}",
                Level.FAULT,
                f"{branch} {words}",
                "forbid it there",
            )
