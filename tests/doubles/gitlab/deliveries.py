"""GitLab's deliveries: what each event's body says, both forms of proof, and sending, twice or out of order.

Bodies follow https://docs.gitlab.com/user/project/integrations/webhook_events/, headers
https://docs.gitlab.com/user/project/integrations/webhooks/#delivery-headers.
"""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from tests.doubles.gitlab import shapes
from tests.doubles.gitlab.state import Issue, Job, MergeRequest, Note, Pipeline, State, User

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call of the webhook, as GitLab makes it; sent twice it is the same in every byte."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook's settings: a secret token, a signing token (`whsec_…`), or both while one replaces the other."""

    token: str = ""
    signing: str = ""

    def deliver(self, event: str, body: Json, *, at: datetime | None = None, id: str = "") -> Delivery:
        """`event` is the header's word, such as `Merge Request Hook`; `at` the time that is signed."""
        key = id or str(uuid.uuid4())
        data = json.dumps(body)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitLab/18.10.0",
            "Idempotency-Key": key,
            "X-Gitlab-Event": event,
            "X-Gitlab-Event-UUID": str(uuid.uuid4()),
            "X-Gitlab-Webhook-UUID": str(uuid.uuid4()),
            "X-Gitlab-Instance": shapes.WEB,
        }
        if self.token:
            headers["X-Gitlab-Token"] = self.token
        if self.signing:
            time = at or datetime.now(UTC)
            headers["webhook-id"] = key
            headers["webhook-timestamp"] = str(int(time.timestamp()))
            headers["webhook-signature"] = Webhook(self.signing).sign(key, time, data)
        return Delivery(headers, data.encode())


def send(url: str, delivery: Delivery) -> int:
    """The HTTP status that the service answers with."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("POST", parts.path, delivery.body, dict(delivery.headers))
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def send_all(
    url: str, deliveries: Iterable[Delivery], *, times: int = 1, backwards: bool = False
) -> list[int]:
    """Send each, `times` over; `backwards` sends the last first. The statuses in the order of sending."""
    order = list(deliveries)
    if backwards:
        order.reverse()
    return [send(url, delivery) for _ in range(times) for delivery in order]


def _person(one: User) -> Json:
    return {"id": one.id, "name": one.username.title(), "username": one.username, "email": "[REDACTED]"}


def _project(state: State) -> Json:
    return {
        "id": state.project_id,
        "name": state.project.rpartition("/")[2],
        "web_url": f"{shapes.WEB}/{state.project}",
        "path_with_namespace": state.project,
        "default_branch": "master",
    }


def merge_request(
    state: State, one: MergeRequest, action: str, *, by: User, oldrev: str = "", changes: Json | None = None
) -> Json:
    """`action`: open, close, reopen, update, approval, approved, unapproval, unapproved, merge; `oldrev` only where
    commits were pushed."""
    attributes = {
        "id": one.id,
        "iid": one.iid,
        "title": one.title,
        "state": one.state,
        "source_branch": one.source_branch,
        "target_branch": one.target_branch,
        "source_project_id": one.source_project,
        "target_project_id": state.project_id,
        "last_commit": {"id": one.head, "message": "a change"},
        "action": action,
    }
    if oldrev:
        attributes["oldrev"] = oldrev
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": _person(by),
        "project": _project(state),
        "object_attributes": attributes,
        "labels": [],
        "changes": changes or {},
    }


def push(state: State, branch: str, *, before: str, after: str, by: User) -> Json:
    return {
        "object_kind": "push",
        "event_name": "push",
        "before": before,
        "after": after,
        "ref": f"refs/heads/{branch}",
        "checkout_sha": after,
        "user_username": by.username,
        "project_id": state.project_id,
        "project": _project(state),
        "commits": [],
        "total_commits_count": 0,
    }


def note(state: State, request: MergeRequest, one: Note) -> Json:
    return {
        "object_kind": "note",
        "event_type": "note",
        "user": _person(one.author),
        "project_id": state.project_id,
        "project": _project(state),
        "object_attributes": {
            "id": one.id,
            "note": one.body,
            "noteable_type": "MergeRequest",
            "system": one.system,
            "action": "create" if one.updated_at == one.created_at else "update",
        },
        "merge_request": {"id": request.id, "iid": request.iid, "last_commit": {"id": request.head}},
    }


def issue(state: State, one: Issue, action: str, *, by: User, before: list[str] | None = None) -> Json:
    """`action`: open, close, reopen, update; `before` are the labels that it had, where they changed."""
    labels = [{"id": 1, "title": label} for label in one.labels]
    changes: Json = {}
    if before is not None:
        previous = [{"id": 1, "title": label} for label in before]
        changes = {"labels": {"previous": previous, "current": labels}}
    return {
        "object_kind": "issue",
        "event_type": "issue",
        "user": _person(by),
        "project": _project(state),
        "object_attributes": {"id": one.id, "iid": one.iid, "title": one.title, "state": one.state, "action": action},
        "labels": labels,
        "changes": changes,
    }  # fmt: skip


def pipeline(state: State, one: Pipeline, request: MergeRequest | None = None) -> Json:
    about = (
        {"id": request.id, "iid": request.iid, "target_branch": request.target_branch} if request else None
    )
    return {
        "object_kind": "pipeline",
        "object_attributes": {
            "id": one.id,
            "ref": one.ref,
            "sha": one.sha,
            "status": one.status,
            "source": one.source,
        },
        "merge_request": about,
        "project": _project(state),
        "builds": [{"id": job.id, "name": job.name, "status": job.status} for job in one.jobs],
    }


def job(state: State, of: Pipeline, one: Job) -> Json:
    return {
        "object_kind": "build",
        "ref": of.ref,
        "sha": of.sha,
        "build_id": one.id,
        "build_name": one.name,
        "build_status": one.status,
        "pipeline_id": of.id,
        "project": _project(state),
    }


def member(group: str, event: str, who: User) -> Json:
    """`event`: user_add_to_group, user_update_for_group, user_remove_from_group; only a group's webhook has it."""
    return {
        "event_name": event,
        "group_name": group.rpartition("/")[2],
        "group_path": group.rpartition("/")[2],
        "group_id": 1,
        "user_username": who.username,
        "user_id": who.id,
        "group_access": "Developer",
    }
