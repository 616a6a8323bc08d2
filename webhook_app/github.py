"""What GitHub's webhooks say, without I/O: is it signed, which delivery is it, what is to be looked at again.

Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads. GitHub signs the body alone, so the event's
name and the delivery's id are hints; whatever acts on a delivery reads GitHub again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from webhook_app.events import BadPayload, BadSignature, Event, Wake

Json = dict[str, Any]

SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
DELIVERY = re.compile(r"[0-9A-Za-z-]{1,100}")
NAME = re.compile(r"[0-9a-z_]{1,100}")
FULL_NAME = re.compile(r"[0-9A-Za-z_.-]{1,100}/[0-9A-Za-z_.-]{1,100}")
SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
HEADS = "refs/heads/"
LONGEST_BRANCH = 1000
EVERYTHING = (Wake("everything", ""),)


def verify(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[str],
    now: datetime,  # noqa: ARG001  the same door for every forge
) -> None:
    """Raise BadSignature unless `X-Hub-Signature-256` is the body's HMAC-SHA256 under one of the secrets.

    The older `X-Hub-Signature` (SHA-1) is never enough. `now` is not used, because GitHub signs no time.
    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    given = SIGNATURE.fullmatch(headers.get("x-hub-signature-256", ""))
    if not given:
        raise BadSignature(
            "there is no X-Hub-Signature-256 of the form sha256=…; set a secret on the webhook"
        )
    expected = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets if secret]
    if not any([hmac.compare_digest(one, given[1]) for one in expected]):  # noqa: C419  all are compared, always
        raise BadSignature("X-Hub-Signature-256 is not that of the body")


def delivery_id(headers: Mapping[str, str]) -> str | None:
    """`X-GitHub-Delivery`, which a redelivery carries again; not signed."""
    found = headers.get("x-github-delivery", "")
    return found if DELIVERY.fullmatch(found) else None


def parse(headers: Mapping[str, str], body: bytes) -> Event:
    """The event and what it wakes; an event that is not in the table wakes nothing, whatever its payload."""
    kind = headers.get("x-github-event", "")
    if not NAME.fullmatch(kind):
        raise BadPayload("there is no usable X-GitHub-Event")
    payload = _object(headers, body)
    repository = _repository(payload)
    wakes = EVENTS.get(kind, _nothing)(payload)
    if wakes and not repository and kind not in BEYOND_REPOSITORIES:
        raise BadPayload(f"{kind} names no repository")
    return Event(kind, repository, tuple(dict.fromkeys(wakes)), kind in MEMBERS)


def _object(headers: Mapping[str, str], body: bytes) -> Json:
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise BadPayload("the webhook sends a form; set its content type to application/json on GitHub")
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadPayload("the body is no JSON") from error
    if not isinstance(found, dict):
        raise BadPayload("the body is no JSON object")
    return found


def _repository(payload: Json) -> str:
    if payload.get("repository") is None:
        return ""
    found = _at(payload, "repository", "full_name")
    if not isinstance(found, str) or not FULL_NAME.fullmatch(found):
        raise BadPayload("repository.full_name is no repository's name")
    return found


def _at(payload: Json, *keys: str) -> object:
    """The value at this place; None where there is none."""
    found: object = payload
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _number(payload: Json, *keys: str) -> str:
    found = _at(payload, *keys)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found < 2**53:
        raise BadPayload(f"{'.'.join(keys)} is no number of a pull request")
    return str(found)


def _commit(payload: Json, *keys: str) -> Wake:
    found = _at(payload, *keys)
    if not isinstance(found, str) or not SHA.fullmatch(found):
        raise BadPayload(f"{'.'.join(keys)} is no commit")
    return Wake("commit", found)


def _nothing(_payload: Json) -> Sequence[Wake]:
    return ()


def _everything(_payload: Json) -> Sequence[Wake]:
    return EVERYTHING


def _pull(payload: Json) -> Sequence[Wake]:
    """The pull request, and whatever shares the head that it has or had: two with one head are no candidate."""
    before = [_commit(payload, "before")] if payload.get("before") is not None else []
    number = Wake("proposal", _number(payload, "pull_request", "number"))
    return (number, _commit(payload, "pull_request", "head", "sha"), *before)


def _review(payload: Json) -> Sequence[Wake]:
    return (Wake("proposal", _number(payload, "pull_request", "number")),)


def _push(payload: Json) -> Sequence[Wake]:
    """A branch moved, appeared or went; tags wake nothing."""
    ref = payload.get("ref")
    if not isinstance(ref, str) or len(ref) > LONGEST_BRANCH or not _is_text(ref):
        raise BadPayload("ref is no ref")
    return (Wake("branch", ref.removeprefix(HEADS)),) if ref.startswith(HEADS) and ref != HEADS else ()


def _is_text(text: str) -> bool:
    """No control characters, and no half characters that could not be stored."""
    return text.isprintable() and not any("\ud800" <= char <= "\udfff" for char in text)


def _comment(payload: Json) -> Sequence[Wake]:
    """Comments on pull requests; those on issues change nothing."""
    if _at(payload, "issue", "pull_request") is None:
        return ()
    return (Wake("proposal", _number(payload, "issue", "number")),)


def _of_commit(*keys: str) -> Callable[[Json], Sequence[Wake]]:
    return lambda payload: (_commit(payload, *keys),)


def _merge_group(payload: Json) -> Sequence[Wake]:
    """A merge queue made a commit that is no proposal's head, and waits for its checks; without the names of its
    branches only the commit is looked at."""
    commit = _commit(payload, "merge_group", "head_sha")
    if payload.get("action") == "destroyed":
        return ()
    base, ref = (_at(payload, "merge_group", key) for key in ("base_ref", "head_ref"))
    names = [one.removeprefix(HEADS) for one in (base, ref) if isinstance(one, str) and one.startswith(HEADS)]
    if len(names) < 2 or any(not _is_text(one) or " " in one or len(one) > LONGEST_BRANCH for one in names):
        return (commit,)
    return (Wake("queue", f"{names[0]} {commit.key} {names[1]}"),)


EVENTS: dict[str, Callable[[Json], Sequence[Wake]]] = {
    "ping": _nothing,
    "pull_request": _pull,
    "pull_request_review": _review,
    "pull_request_review_comment": _review,
    "pull_request_review_thread": _review,
    "merge_group": _merge_group,
    "push": _push,
    "check_run": _of_commit("check_run", "head_sha"),
    "check_suite": _of_commit("check_suite", "head_sha"),
    "workflow_run": _of_commit("workflow_run", "head_sha"),
    "workflow_job": _of_commit("workflow_job", "head_sha"),
    "status": _of_commit("sha"),
    "issues": _everything,
    "issue_comment": _comment,
    "label": _everything,
    "member": _everything,
    "membership": _everything,
    "team": _everything,
    "team_add": _everything,
    "repository": _everything,  # renamed, transferred, archived
    "organization": _everything,
    "branch_protection_rule": _everything,
    "repository_ruleset": _everything,
}
"""Every action of these events is looked at, green to red as well as red to green."""
MEMBERS = frozenset({"member", "membership", "team", "team_add", "organization"})
"""Events after which somebody may belong to a team, or belong to it no more."""
BEYOND_REPOSITORIES = frozenset({"membership", "team", "organization", "repository_ruleset"})
"""Events that an organisation's webhook sends without a repository."""
