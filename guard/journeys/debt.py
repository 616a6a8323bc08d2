"""Telling the backport debt of a protected branch: in the ledger, and in one comment that is edited in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from guard.core.drift import Drift
from guard.core.facts import Proposal
from guard.core.rules.lineage import count
from guard.journeys.drift import DriftAsked, find_drift
from guard.journeys.sources import Sources
from guard.ports import Ledger, Voice
from guard.render.drift import drift_markdown

REPORTED = "debt.reported"
MOST = 200
"""Commits of a debt that an entry of the ledger lists; `counts` counts them all."""


@dataclass(frozen=True, slots=True)
class Told:
    """A branch's debt, and whether it is another one than was told the last time."""

    found: Drift
    changed: bool


def tell_debt(branch: str, sources: Sources, ledger: Ledger, *, now: datetime) -> Told:
    """Look for the debt since the last promotion, and put it on record where it is another than the last one told.

    Raises UsageError where there is no such branch or no upstream for it, GitError, LedgerError.
    """
    found = find_drift(DriftAsked(branch, f"refs/heads/{branch}"), sources, ledger=ledger)
    body = _body(branch, found)
    changed = _last(ledger, str(body["ref"])) != body
    if changed:
        ledger.append(REPORTED, body, at=now)
    return Told(found, changed)


def put_debt_comment(voice: Voice, place: Proposal, found: Drift) -> bool:
    """Have the guard's one comment on this branch's debt say this; whether anything was written. Raises ForgeError."""
    marker = f"<!-- release-guard:debt {found.branch.replace('--', '- -')} -->"
    body = f"{marker}\n**Backport debt**\n\n{drift_markdown(found)}".strip()
    me = voice.me()
    mine = [one for one in voice.comments(place) if one.author == me and one.body.lstrip().startswith(marker)]
    if not mine:
        voice.add_comment(place, _short(body))
    elif mine[0].body.replace("\r\n", "\n").strip() != _short(body):
        voice.edit_comment(place, mine[0], _short(body))
    else:
        return False
    return True


def _short(body: str, limit: int = 60_000) -> str:
    """At most `limit` characters, by whole lines (GitHub takes 65,536)."""
    if len(body) <= limit:
        return body
    kept = body[:limit].rpartition("\n")[0]
    return f"{kept}\n\nThe rest is too long for a comment: run guard drift."


def _body(branch: str, found: Drift) -> Mapping[str, object]:
    """What changes only when the branch or its debt does: upstream moves all the time."""
    counts = {name: number for name, number in count(found.facts, found.judged).items() if number}
    return {
        "ref": f"refs/heads/{branch}",
        "head": found.facts.head,
        "since": found.facts.target,
        "upstream": found.facts.upstream_name,
        "counts": counts,
        "commits": [{"commit": one.commit, "verdict": one.standing.value} for one in found.debt[:MOST]],
    }


def _last(ledger: Ledger, ref: str) -> Mapping[str, object] | None:
    told = (entry.body for entry in ledger.entries(REPORTED, newest_first=True))
    return next((body for body in told if body.get("ref") == ref), None)
