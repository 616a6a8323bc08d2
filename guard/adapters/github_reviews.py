"""What people said of a pull request in their reviews: who approves, and who asked for changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from guard.adapters.github_answers import IssueEvent, Review
from guard.core.facts import Approval, Objection
from guard.core.model import Commit

STANDING: Final = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})
"""Reviews that replace what the same account said before; a comment or a pending review does not."""
NEVER: Final = datetime.max.replace(tzinfo=UTC)
RETARGETED: Final = frozenset({"base_ref_changed", "automatic_base_change_succeeded"})
"""https://docs.github.com/en/rest/using-the-rest-api/issue-event-types: by hand, and because the base was deleted."""
ELSEWHERE = "approved it into another branch"
GONE = "an account that is gone"


def approvals_of(reviews: Iterable[Review], events: Iterable[IssueEvent]) -> tuple[Approval, ...]:
    """The approvals among each account's newest standing review; apps are marked as bots, and what was approved
    before the pull request was pointed at another branch is void."""
    moved = [one.created_at for one in events if one.event in RETARGETED]
    since = max(moved, default=None)
    found = []
    for login, one in newest(reviews).items():
        if one.state == "APPROVED" and one.commit_id and one.submitted_at:
            void = "" if since is None or one.submitted_at > since else ELSEWHERE
            bot = not _is_person(one)
            made = Approval(
                login, Commit(one.commit_id), one.submitted_at, one.html_url, is_bot=bot, void=void
            )
            found.append(made)
    return tuple(found)


def any_approved(reviews: Iterable[Review]) -> bool:
    return any(one.state == "APPROVED" for one in newest(reviews).values())


def any_dismissed(reviews: Iterable[Review]) -> bool:
    return any(one.state == "DISMISSED" for one in newest(reviews).values())


def objections_of(reviews: Iterable[Review], events: Iterable[IssueEvent]) -> tuple[Objection, ...]:
    """Whose newest standing review asks for changes, or asked for them until somebody else dismissed it."""
    dismissed = _dismissed(events)
    found = []
    for login, one in newest(reviews).items():
        by = dismissed.get(one.id, "")
        others = one.state == "DISMISSED" and by and by.casefold() != login.casefold()
        if one.state == "CHANGES_REQUESTED" or others:
            at = one.submitted_at or NEVER
            found.append(Objection(login, at, one.html_url, dismissed_by=by if others else ""))
    return tuple(found)


def newest(reviews: Iterable[Review]) -> Mapping[str, Review]:
    """Each account's newest standing review. A review has its id since it was begun, and may be submitted after a
    later one."""
    found: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda one: (one.submitted_at or NEVER, one.id)):
        if review.user and review.state in STANDING:
            found[review.user.login] = review
    return found


def _dismissed(events: Iterable[IssueEvent]) -> dict[int, str]:
    """The review → who dismissed it, where it asked for changes until then."""
    return {
        one.dismissed_review.review_id: one.actor.login if one.actor else GONE
        for one in events
        if one.event == "review_dismissed"
        and one.dismissed_review
        and one.dismissed_review.state.casefold() == "changes_requested"
    }


def _is_person(review: Review) -> bool:
    return review.user is not None and review.user.is_person
