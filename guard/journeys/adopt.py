"""Adopt a branch as it stands: the baseline that every later move is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from guard.core.errors import Refused, UsageError
from guard.core.model import Commit
from guard.journeys.reconcile import expected_head
from guard.ports import Ledger


@dataclass(frozen=True, slots=True)
class Baseline:
    """A branch as somebody found it. `drift` are the commits on it that upstream has not, each with the verdict
    of the lineage rule, oldest first; `by` is who adopts it, `because` why, where it replaces another."""

    ref: str
    head: Commit
    upstream: str
    upstream_head: Commit
    drift: tuple[Mapping[str, str], ...]
    by: str
    because: str = ""


def adopt(ledger: Ledger, baseline: Baseline, *, now: datetime, force: bool = False) -> bool:
    """Record the baseline; False where the ledger expects the branch exactly there already.

    To be called under the branch's lock, with no promotion unfinished. Raises Refused where the ledger expects
    another head and `force` is not given, UsageError where it is given without a reason.
    """
    branch = baseline.ref.removeprefix("refs/heads/")
    expected = expected_head(ledger, baseline.ref)
    if expected == baseline.head:
        return False
    if expected is not None and not force:
        raise Refused(
            f"{branch} stands at {baseline.head}, but the ledger expects {expected}",
            fix=f"put it back, or accept it for a reason: guard adopt --branch {branch} --force --because TEXT",
            code="adopt.drift",
        )
    if expected is not None and not baseline.because.strip():
        raise UsageError("--force needs a reason, which goes on record", fix="add --because TEXT")
    body = {
        "ref": baseline.ref,
        "head": baseline.head,
        "upstream": baseline.upstream,
        "upstream_head": baseline.upstream_head,
        "drift": [dict(commit) for commit in baseline.drift],
        "by": baseline.by,
        "because": baseline.because,
        "instead_of": expected,
    }
    ledger.append("baseline.adopted", body, at=now)
    return True
