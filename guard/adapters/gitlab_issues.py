"""Issues on GitLab that the guard opens itself."""

from __future__ import annotations

from guard.adapters.gitlab_calls import Calls, Record
from guard.adapters.gitlab_reading import number, part, text
from guard.core.forge_facts import ForgeIssue

OWN_LABEL = "release-guard"
"""The label of the guard's own issues, by which they are found again."""
NEEDS = "the role Reporter on the project"


def own_issues(calls: Calls, project: str, *, me: str) -> tuple[ForgeIssue, ...]:
    """https://docs.gitlab.com/api/issues/#list-project-issues, newest first."""
    query = {"labels": OWN_LABEL, "state": "all", "scope": "all", "order_by": "created_at", "sort": "desc"}
    found = calls.every(f"{project}/issues", NEEDS, **query)
    return tuple(forge_issue(one) for one in found if text(part(one, "author"), "username") == me)


def open_issue(calls: Calls, project: str, title: str, body: str) -> ForgeIssue:
    """https://docs.gitlab.com/api/issues/#create-an-issue. Sent once: where the answer is lost, it may be there."""
    sent = {"title": title, "description": body, "labels": OWN_LABEL}
    return forge_issue(calls.post(f"{project}/issues", sent, needs=NEEDS, repeatable=False))


def edit_issue(calls: Calls, project: str, id: str, *, body: str, is_open: bool) -> None:
    """https://docs.gitlab.com/api/issues/#update-an-issue."""
    sent = {"description": body, "state_event": "reopen" if is_open else "close"}
    calls.put(f"{project}/issues/{id}", sent, needs=NEEDS)


def forge_issue(record: Record) -> ForgeIssue:
    body = record.get("description")
    return ForgeIssue(
        str(number(record, "iid")),
        body if isinstance(body, str) else "",
        text(record, "state") == "opened",
        text(record, "web_url"),
    )
