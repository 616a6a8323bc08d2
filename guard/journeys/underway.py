"""What the ledger says of one promotion: where it stands, whose it is, and until when its permit holds the branch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from guard.core.errors import LedgerError, Refused
from guard.core.permit import Permit
from guard.journeys.reconcile import Attempt, unfinished
from guard.ports import Entry, Ledger

Stage = Literal["permitted", "pushing", "finished", "failed"]

PUSH_TIME = timedelta(minutes=2)
"""How long the service's push of a branch may take; it is ended then, even when the service itself has died."""


class Conflict(Refused):
    """What was asked does not fit what is going on just now."""

    code = "promotion.conflict"


@dataclass(frozen=True, slots=True)
class Progress:
    """One promotion. `stage` is `permitted` while its permit is there to be used, `pushing` once the service has begun
    to move the branch, and its end then; `note` says what is worth telling of the end. `request` and `asked` (the
    digest of the signed request) are "" for one that the service did not give."""

    attempt: Attempt
    stage: Stage
    by: str
    request: str
    asked: str
    requested_at: str
    expires: str
    pushing_since: str = ""
    revoked: str = ""
    note: str = ""

    def live(self, now: datetime) -> bool:
        """Whether the branch may still be moved by it, so that nobody else may begin."""
        if self.stage == "pushing":
            return now < datetime.fromisoformat(self.pushing_since) + PUSH_TIME
        open_ = self.stage == "permitted" and not self.revoked
        return open_ and bool(self.expires) and now < datetime.fromisoformat(self.expires)


def progress_of(ledger: Ledger, promotion: str) -> Progress | None:
    """How the promotion with this id stands; None where the service knows none."""
    # Anybody may ask for any id, and PostgreSQL fails at a NUL.
    requested = ledger.find(f"promotion:{promotion}") if promotion.isprintable() else None
    return _progress(ledger, requested) if requested else None


def held_by(ledger: Ledger, attempt: Attempt) -> Progress | None:
    """The service's promotion that the attempt is; None where its promoter works beside the ledger and holds the
    branch's lock for as long as it lives."""
    found = progress_of(ledger, attempt.id)
    return found if found and found.request else None


def check_not_held(ledger: Ledger, attempt: Attempt, *, now: datetime) -> None:
    """Raise Conflict while the unfinished attempt is one to which the service gave a permit that is still good."""
    found = held_by(ledger, attempt)
    if found is None or not found.live(now):
        return
    branch = attempt.ref.removeprefix("refs/heads/")
    what = f"{found.by} is promoting {branch} to {attempt.new[:10]} since {found.requested_at}"
    raise Conflict(
        f"{what}; that permit ends at {found.expires}",
        fix="wait until that promotion has ended, or have its promoter end it; then look at a new plan",
        code="promotion.under-way",
    )


def latest(ledger: Ledger, ref: str) -> Progress | None:
    """The branch's unfinished promotion that the service gave a permit to, if there is one."""
    attempt = unfinished(ledger, ref)
    return held_by(ledger, attempt) if attempt else None


def permit_of(ledger: Ledger, repository: str, progress: Progress) -> Permit:
    """The permit as it was issued, so that signing it again gives the same token. Raises LedgerError where the record
    does not hold all of it."""
    entry = ledger.find(f"permit.issued:{progress.attempt.permit}")
    try:
        body = entry.body if entry else {}
        seconds = [int(datetime.fromisoformat(str(body[name])).timestamp()) for name in ("issued", "expires")]
        texts = {name: str(body[name]) for name in ("ref", "old", "new", "tree", "decision", "policy")}
        return Permit(
            id=str(body["permit"]),
            repository=repository,
            by=progress.by,
            issued=seconds[0],
            expires=seconds[1],
            **texts,
        )
    except (KeyError, ValueError):
        raise LedgerError("the permit's record is not whole", fix="ask for a new promotion") from None


def _progress(ledger: Ledger, requested: Entry) -> Progress:
    body = requested.body
    facts: dict[str, Entry] = {}
    kinds = (
        "permit.issued",
        "promotion.started",
        "promotion.pushing",
        "promotion.finished",
        "promotion.failed",
    )
    for entry in ledger.entries(*kinds, newest_first=True):
        if entry.seq <= requested.seq:
            break
        if entry.body.get("promotion") == body.get("promotion"):
            facts.setdefault(entry.kind, entry)
    issued, pushing = facts.get("permit.issued"), facts.get("promotion.pushing")
    permit = str(issued.body["permit"]) if issued else None
    attempt = Attempt(
        str(body["promotion"]), str(body["ref"]), str(body["old"]), str(body["new"]), requested.seq,
        permit=permit, started="promotion.started" in facts,
    )  # fmt: skip
    revoked = ledger.find(f"permit.revoked:{permit}") if permit else None
    stage, note = _stage(facts)
    return Progress(
        attempt,
        stage,
        by=str(body.get("by")),
        request=str(body.get("request") or ""),
        asked=str(body.get("asked") or ""),
        requested_at=requested.at[:19] + "Z",
        expires=str(issued.body.get("expires") or "") if issued else "",
        pushing_since=pushing.at if pushing else "",
        revoked=str(revoked.body.get("why") or "no reason is given") if revoked else "",
        note=note,
    )


def _stage(facts: dict[str, Entry]) -> tuple[Stage, str]:
    if "promotion.finished" in facts:
        return "finished", str(facts["promotion.finished"].body.get("note") or "")
    if "promotion.failed" in facts:
        return "failed", str(facts["promotion.failed"].body.get("why") or "")
    return ("pushing" if "promotion.pushing" in facts else "permitted"), ""
