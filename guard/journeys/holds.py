"""The holds that the guard itself places and ends; doing either twice is harmless."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from guard.core.canonical import canonical_bytes
from guard.core.model import Fact, Known, Unknown
from guard.core.policy_names import HOLD_KINDS
from guard.core.rules.holds import Hold, judged_holds
from guard.journeys.asking import read_policy, resolve
from guard.journeys.reconcile import revoke_open
from guard.journeys.sources import Sources
from guard.ports import Ledger


def list_holds(sources: Sources, branch: str) -> Fact[tuple[Hold, ...]]:
    """Every hold on the branch's promotions that the guard did not end itself, lifted ones too."""
    marks = sources.read_holds(branch) if sources.read_holds else Known((), "nobody", sources.clock.now())
    if isinstance(marks, Unknown):
        return marks
    policy = read_policy(sources, resolve(sources.git, f"refs/heads/{branch}", "--branch"), branch)
    if isinstance(policy, Unknown):
        return policy
    table = policy.value.policy
    members = {
        name: sources.members(role.members, inherited=role.inherited) for name, role in table.roles.items()
    }
    return Known(judged_holds(marks.value, table.approvals.roles, members), marks.source, sources.clock.now())


def own_hold_id(kind: str, *what: str) -> str:
    """The id of the guard's hold of this kind about `what`: the same for the same."""
    return f"{kind}-{hashlib.sha256(canonical_bytes(list(what))).hexdigest()[:12]}"


def place_hold(
    ledger: Ledger, hold: str, *, ref: str, kind: str, because: str, now: datetime, barred: Iterable[str] = ()
) -> bool:
    """Hold the promotions of the branch, and take back every permit under way; whether it is new. `barred` are those
    who may not lift it. Raises LedgerError."""
    if kind not in HOLD_KINDS:
        raise ValueError(f"no kind of hold: {kind}")
    new = ledger.find(f"hold.placed:{hold}") is None
    if new:
        body = {
            "hold": hold, "ref": ref, "kind": kind, "because": because, "barred": sorted(set(barred)),
        }  # fmt: skip
        ledger.append("hold.placed", body, at=now, once=f"hold.placed:{hold}")
    revoke_open(ledger, why=f"promotions are held ({kind}): {because}", now=now, ref=ref)
    return new


def end_hold(ledger: Ledger, hold: str, *, ref: str, because: str, now: datetime) -> None:
    """End the guard's own hold, because what it was placed for is over. Raises LedgerError."""
    once = f"hold.ended:{hold}"
    if ledger.find(once) is None:
        ledger.append("hold.ended", {"hold": hold, "ref": ref, "because": because}, at=now, once=once)
