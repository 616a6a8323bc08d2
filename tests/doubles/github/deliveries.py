"""Webhooks as GitHub sends them: https://docs.github.com/en/webhooks/webhook-events-and-payloads

A delivery is made for everything that happens on the double and kept until the test sends it: in order, out of order,
twice. GitHub signs the body, and neither the delivery's id nor the event's name.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.github import shapes
from tests.doubles.github.state import CheckRun, Comment, GitHubState, Group, Issue, Pull, Review, Status

SECRET = "double's secret"
ZERO = "0" * 40


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook call, not signed yet."""

    event: str
    body: bytes
    id: str

    def headers(self, secret: str = SECRET) -> dict[str, str]:
        """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
        digest = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/double",
            "X-GitHub-Event": self.event,
            "X-GitHub-Delivery": self.id,  # the same again when GitHub redelivers
            "X-Hub-Signature-256": f"sha256={digest}",  # over the raw body, and over nothing else
        }


def delivery(event: str, payload: object) -> Delivery:
    return Delivery(event, json.dumps(payload).encode(), str(uuid.uuid4()))


def send(url: str, deliveries: Iterable[Delivery], *, secret: str = SECRET) -> list[int]:
    """POST each to the service and return the statuses."""
    parts, found = urlsplit(url), []
    for one in deliveries:
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        connection.request("POST", parts.path, one.body, one.headers(secret))
        found.append(connection.getresponse().status)
        connection.close()
    return found


class Sender:
    """Turns what happens on the double into deliveries."""

    def __init__(self, state: GitHubState, kept: list[Delivery]) -> None:
        self._state, self._kept = state, kept
        state.said = self.said

    def said(self, event: str, action: str, about: object) -> None:
        payload = {**self._payload(about), **self._around()}
        self._kept.append(delivery(event, {"action": action, **payload} if action else payload))

    def ping(self) -> None:
        self._kept.append(delivery("ping", {"zen": "Design for failure.", "hook_id": 1, **self._around()}))

    def _around(self) -> dict[str, Any]:
        state = self._state
        return {"repository": shapes.repository(state), "sender": shapes.user(state.me)}

    def _payload(self, about: object) -> dict[str, Any]:
        state = self._state
        match about:
            case Pull():
                return {"number": about.number, "pull_request": shapes.whole_pull(state, about)}
            case Review():
                shown = shapes.review(state, about)
                shown["state"] = about.state.lower()  # lower case here, upper case in the API
                return {"review": shown, "pull_request": shapes.pull(state, state.pulls[about.pull])}
            case Issue():
                return {"issue": shapes.issue(state, about)}
            case Comment():
                on = state.pulls.get(about.issue) or state.issues[about.issue]
                return {"comment": shapes.comment(state, about), "issue": shapes.issue(state, on)}
            case Status():
                return {**shapes.status(about), "sha": about.commit, "branches": []}
            case CheckRun():
                return {"check_run": {**shapes.check_run(about), "check_suite": {"head_sha": about.commit}}}
            case Group():
                return {"merge_group": shapes.merge_group(about)}
            case (str() as branch, old, new):
                return {"ref": f"refs/heads/{branch}", "before": old or ZERO, "after": new or ZERO}
            case _:
                return {"organization": {"login": state.owner}, "scope": "team"}
