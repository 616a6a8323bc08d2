"""Who asked for changes to a merge request and has not taken that back."""

from __future__ import annotations

from collections.abc import Sequence

from guard.adapters.gitlab_calls import Record
from guard.adapters.gitlab_reading import moment, part, text
from guard.core.facts import Objection

ASKED, APPROVED = "requested changes", "approved this merge request"
"""System notes (SystemNotes::MergeRequestsService), which nobody can write by hand."""


def objections_of(
    reviewers: Sequence[Record], notes: Sequence[Record], *, source: str
) -> tuple[Objection, ...]:
    """Whoever asked for changes, until they approve: in person, because nobody else can withdraw it.

    https://docs.gitlab.com/api/merge_requests/#retrieve-merge-request-reviewers says what each reviewer's state is
    now, and asking somebody to review again, which the author can do, makes it `unreviewed`. So the notes count as
    well; they are never changed.
    """
    standing = {text(part(one, "user"), "username"): moment(one, "created_at")
                for one in reviewers if one.get("state") == "requested_changes"}  # fmt: skip
    for note in notes:
        said = text(note, "body") if note.get("system") is True else ""
        who = text(part(note, "author"), "username")
        if said.startswith(ASKED):
            standing[who] = moment(note, "created_at")
        elif said.startswith(APPROVED):
            standing.pop(who, None)
    return tuple(Objection(who, at, source) for who, at in sorted(standing.items()))
