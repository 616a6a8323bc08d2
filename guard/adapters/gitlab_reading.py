"""GitLab's JSON objects, read strictly into facts; what lacks a field or has another type raises ForgeError."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from guard.adapters.gitlab_calls import Record
from guard.core.errors import ForgeError
from guard.core.facts import Approval, Incident, Proposal
from guard.core.forge_facts import Comment, CommitStatus
from guard.core.model import Commit

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_RETARGETED = ("changed target branch from ", "deleted the `")
"""How the system note of a retargeting begins: by hand, and because the target branch was deleted
(SystemNotes::MergeRequestsService#change_branch)."""

ELSEWHERE = "approved it into another branch"
"""Why an approval from before a retargeting is void."""

STATES = {"success": "success", "failure": "failed", "pending": "pending", "error": "failed"}
"""Ours → GitLab's, which knows no `error`: https://docs.gitlab.com/api/commits/#set-commit-pipeline-status."""
ERROR_MARK = "error: "
"""Begins the description of a `failed` status that stands for our `error`."""
LONGEST_DESCRIPTION = 140


def text(record: Record, name: str) -> str:
    """Any string; half characters, which JSON can hold and UTF-8 cannot, are replaced."""
    value = record.get(name)
    if not isinstance(value, str):
        raise ForgeError(f"GitLab's answer has no text in the field {name}")
    return value.encode("utf-8", "replace").decode()


def number(record: Record, name: str) -> int:
    value = record.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ForgeError(f"GitLab's answer has no number in the field {name}")
    return value


def flag(record: Record, name: str) -> bool:
    value = record.get(name)
    if not isinstance(value, bool):
        raise ForgeError(f"GitLab's answer has neither true nor false in the field {name}")
    return value


def part(record: Record, name: str) -> Record:
    value = record.get(name)
    if not isinstance(value, dict):
        raise ForgeError(f"GitLab's answer has no object in the field {name}")
    return value


def parts(record: Record, name: str) -> tuple[Record, ...]:
    value = record.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ForgeError(f"GitLab's answer has no list of objects in the field {name}")
    return tuple(value)


def commit(record: Record, name: str) -> Commit:
    value = text(record, name)
    if not _COMMIT.fullmatch(value):
        raise ForgeError(f"GitLab's answer has no commit in the field {name}")
    return Commit(value)


def moment(record: Record, name: str) -> datetime:
    """An aware time; GitLab writes them to the millisecond."""
    try:
        value = datetime.fromisoformat(text(record, name))
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise ForgeError(f"GitLab's answer has no time in the field {name}")
    return value


def proposal_of(record: Record) -> Proposal:
    """https://docs.gitlab.com/api/merge_requests/#list-project-merge-requests. `sha` is the head of the newest
    version; a merge request without one (still being prepared, or empty) cannot be told from another's double."""
    iid = number(record, "iid")
    if record.get("sha") is None:
        raise ForgeError(
            f"the merge request !{iid} has no head commit yet", fix=f"push to !{iid}, or close it"
        )
    author = record.get("author")
    return Proposal(
        id=str(iid),
        target=text(record, "target_branch"),
        head=commit(record, "sha"),
        title=text(record, "title"),
        proposer=text(author, "username") if isinstance(author, dict) else None,
        url=text(record, "web_url"),
        from_fork=record.get("source_project_id") != number(record, "target_project_id"),
        draft=flag(record, "draft"),
    )


@dataclass(frozen=True, slots=True)
class Version:
    """What a merge request proposed from `since` until its next version."""

    since: datetime
    id: int
    head: Commit | None


def versions_of(records: Sequence[Record]) -> tuple[Version, ...]:
    """https://docs.gitlab.com/api/merge_requests/#list-merge-request-diff-versions, oldest first."""
    versions = (
        Version(
            moment(record, "created_at"),
            number(record, "id"),
            commit(record, "head_commit_sha") if record.get("head_commit_sha") is not None else None,
        )
        for record in records
    )
    return tuple(sorted(versions, key=lambda one: (one.since, one.id)))


def retargeted_at(versions: Sequence[Version], notes: Sequence[Record]) -> datetime | None:
    """When the merge request last got another target, for as far as anything tells; None where it never did.

    GitLab says so in a system note, which nobody can write by hand, and makes a new version of the same head
    (MergeRequest#reload_diff_if_branch_changed); either is enough, so that no change of wording hides it.
    """
    told = [
        moment(note, "created_at")
        for note in notes
        if note.get("system") is True and text(note, "body").startswith(_RETARGETED)
    ]
    same = [after.since for before, after in pairwise(versions) if after.head == before.head]
    return max(told + same, default=None)


def approvals_of(
    record: Record, *, versions: Sequence[Version], since: datetime | None, source: str
) -> tuple[Approval, ...]:
    """Each approval with the head that was proposed when it was given.

    https://docs.gitlab.com/api/merge_request_approvals/: `approved_by` has the standing approvals, with
    `approved_at` (older versions of GitLab do not say it) and without their commit. A version counts only for what
    was approved strictly after it came, so that a tie goes to the version before; an approval that no version can be
    found for is left out, and one that was given before the request was retargeted (`since`) is void.
    """
    found = []
    for given in parts(record, "approved_by"):
        actor = text(part(given, "user"), "username")
        if given.get("approved_at") is None:
            raise ForgeError(
                f"GitLab does not say when {actor} approved",
                fix="upgrade GitLab to a version whose approvals API carries approved_at",
            )
        at = moment(given, "approved_at")
        head = _head_at(versions, at)
        if head is not None:
            void = "" if since is None or at > since else ELSEWHERE
            found.append(Approval(actor, head, at, source, void=void))
    return tuple(found)


def _head_at(versions: Sequence[Version], at: datetime) -> Commit | None:
    before = [version for version in versions if version.since < at]
    return before[-1].head if before else None


def comment_of(record: Record) -> Comment:
    """https://docs.gitlab.com/api/notes/#merge-requests."""
    return Comment(
        id=str(number(record, "id")),
        author=text(part(record, "author"), "username"),
        body=text(record, "body"),
        written_at=moment(record, "created_at"),
        # GitLab bumps it for a reaction too: then a comment that nobody edited counts as edited, never the reverse.
        edited=record.get("updated_at") != record.get("created_at"),
    )


def incident_of(record: Record, label: str) -> Incident:
    """https://docs.gitlab.com/api/issues/#list-project-issues."""
    return Incident(f"#{number(record, 'iid')}", label, text(record, "title"), text(record, "web_url"))


def status_body(status: CommitStatus) -> dict[str, object]:
    """https://docs.gitlab.com/api/commits/#set-commit-pipeline-status; a description may have 255 characters."""
    mark = ERROR_MARK if status.state == "error" else ""
    body: dict[str, object] = {
        "state": STATES[status.state],
        "name": status.context,
        "description": mark + status.description[:LONGEST_DESCRIPTION],
    }
    return {**body, "target_url": status.url} if status.url else body


def status_of(record: Record) -> CommitStatus:
    """What `status_body` said; a state that the guard never posts comes back as `error`."""
    words = {"success": "success", "failed": "failure", "pending": "pending"}
    state = words.get(text(record, "status"), "error")
    description = "" if record.get("description") is None else text(record, "description")
    if state == "failure" and description.startswith(ERROR_MARK):
        state, description = "error", description.removeprefix(ERROR_MARK)
    url = "" if record.get("target_url") is None else text(record, "target_url")
    by = record.get("author")
    who = text(by, "username") if isinstance(by, dict) else ""
    return CommitStatus(text(record, "name"), state, description, url, by=who)
