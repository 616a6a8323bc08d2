"""What GitLab's webhooks say, without I/O: is it proven, which delivery is it, what is to be looked at again.

Source: https://docs.gitlab.com/user/project/integrations/webhook_events/. What an event is about is read from its
body, because neither form of proof covers the other headers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from webhook_app.events import BadPayload, BadSignature, Event, Wake

Json = dict[str, Any]

REPLAY_WINDOW = timedelta(minutes=5)
"""How far the time of a signed delivery may lie from ours, before or after (Standard Webhooks)."""
SIGNING = "whsec_"
MOST_SIGNATURES = 20

KIND = re.compile(r"[a-z][a-z_]{0,99}")
ID = re.compile(r"[!-~]{1,200}")
FULL_NAME = re.compile(r"[0-9A-Za-z_.-]{1,255}(/[0-9A-Za-z_.-]{1,255}){1,20}")
SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
HEADS = "refs/heads/"
TRAIN = re.compile(r"refs/merge-requests/[0-9]{1,18}/train")
LONGEST_REF = 4096
MOST_REFS = 20
_NEVER_IN_A_REF = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
"""What git refuses (git-check-ref-format), and half characters. Whatever git takes has to be read: GitLab turns a
webhook off whose deliveries are answered with 4xx, and anybody who may push can choose a branch's name."""
HIGHEST_IID = 2**53
EVERYTHING = (Wake("everything", ""),)


def verify(headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now: datetime) -> None:
    """Raise BadSignature unless one of the secrets proves that the delivery comes from GitLab.

    A secret that begins with `whsec_` is a signing token: the delivery's `webhook-signature` has to be that of its id,
    its time (within five minutes of `now`) and its body. Any other secret is a token that `X-Gitlab-Token` has to
    repeat. A delivery that is signed is judged by its signature alone wherever there is a signing token. All secrets
    are compared, each in constant time. https://docs.gitlab.com/user/project/integrations/webhooks/
    """
    signing = [secret for secret in secrets if secret.startswith(SIGNING)]
    tokens = [secret for secret in secrets if secret and not secret.startswith(SIGNING)]
    if signing and (headers.get("webhook-signature") or not tokens):
        _verify_signature(headers, body, signing=signing, now=now)
    else:
        _verify_token(headers, tokens)


def _verify_token(headers: Mapping[str, str], tokens: Iterable[str]) -> None:
    given = headers.get("x-gitlab-token", "").encode("latin-1", "replace")
    if not given:
        raise BadSignature("there is no X-Gitlab-Token; set the secret token on the webhook")
    if not any([hmac.compare_digest(given, token.encode("utf-8", "replace")) for token in tokens]):  # noqa: C419
        raise BadSignature("X-Gitlab-Token is not the secret token")


def _verify_signature(
    headers: Mapping[str, str], body: bytes, *, signing: Iterable[str], now: datetime
) -> None:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md."""
    key, time, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not ID.fullmatch(key) or not re.fullmatch(r"[0-9]{1,11}", time) or not given:
        raise BadSignature("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
    if abs(now - datetime.fromtimestamp(int(time), UTC)) > REPLAY_WINDOW:
        raise BadSignature("webhook-timestamp is more than five minutes away; check both clocks")
    signed = f"{key}.{time}.".encode() + body
    wanted = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in map(_key, signing) if key]
    found = [
        one.removeprefix("v1,").encode("latin-1", "replace") for one in given.split(" ") if one[:3] == "v1,"
    ]
    pairs = [(one, other) for one in wanted for other in found[:MOST_SIGNATURES]]
    if not any([hmac.compare_digest(*pair) for pair in pairs]):  # noqa: C419  all are compared, always
        raise BadSignature("webhook-signature is not that of the delivery")


def _key(secret: str) -> bytes:
    """The key behind `whsec_…`; b"" for what is no base64, which proves nothing."""
    text = secret.removeprefix(SIGNING)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def delivery_id(headers: Mapping[str, str]) -> str | None:
    """The same when GitLab sends a delivery again: `webhook-id` where it is signed with the rest, else the equal
    `Idempotency-Key`. Never `X-Gitlab-Event-UUID`, which several deliveries of one event share."""
    names = ("idempotency-key", "webhook-id")
    if headers.get("webhook-signature"):
        names = ("webhook-id", "idempotency-key")
    found = next((headers[name] for name in names if headers.get(name)), "")
    return found if ID.fullmatch(found) else None


def parse(headers: Mapping[str, str], body: bytes) -> Event:
    """The event and what it wakes. An event that is not in the table wakes nothing; one that is, and lacks what it is
    about, wakes everything. Raises BadPayload for what is no JSON object, or has a field of a wrong type."""
    del headers
    payload = _object(body)
    kind = _text(payload, "object_kind") or _text(payload, "event_name")
    if not KIND.fullmatch(kind):
        raise BadPayload("the body has no usable object_kind or event_name")
    project = _text(_part(payload, "project"), "path_with_namespace")
    repository = project or _text(payload, "project_path_with_namespace")
    if repository and not FULL_NAME.fullmatch(repository):
        raise BadPayload("project.path_with_namespace is no full name of a project")
    wakes = EVENTS.get(kind, _nothing)(payload)
    return Event(kind, repository, tuple(dict.fromkeys(wakes)), EVENTS.get(kind) is _members)


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadPayload("the body is no JSON") from error
    if not isinstance(found, dict):
        raise BadPayload("the body is no JSON object")
    return found


def _part(record: Json, name: str) -> Json:
    """The object there, {} where there is none."""
    value = record.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadPayload(f"{name} is no object")
    return value or {}


def _text(record: Json, name: str) -> str:
    """The string there, "" where there is none."""
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise BadPayload(f"{name} is no text")
    return value or ""


def _proposal(record: Json) -> Iterator[Wake]:
    iid = record.get("iid")
    if iid is None:
        return
    if not isinstance(iid, int) or isinstance(iid, bool) or not 0 < iid < HIGHEST_IID:
        raise BadPayload("iid is no number of a merge request")
    yield Wake("proposal", str(iid))


def _commit(record: Json, name: str) -> Iterator[Wake]:
    """The commit there, if any: all zeros stand for none (a branch that came or went)."""
    sha = _text(record, name)
    if not sha:
        return
    if not SHA.fullmatch(sha):
        raise BadPayload(f"{name} is no commit")
    if sha.strip("0"):
        yield Wake("commit", sha)


def _merge_request(payload: Json) -> Iterable[Wake]:
    """The request itself; those that had or have the same head, which count it; and the branch it pointed to."""
    attributes = _part(payload, "object_attributes")
    wakes = [
        *_proposal(attributes),
        *_commit(_part(attributes, "last_commit"), "id"),
        *_commit(attributes, "oldrev"),
    ]
    return wakes or EVERYTHING


def _push(payload: Json) -> Iterable[Wake]:
    ref = _text(payload, "ref")
    if not ref:
        return EVERYTHING
    branch = ref.removeprefix(HEADS)
    if branch == ref or not branch:
        return ()
    if len(branch) > LONGEST_REF or _NEVER_IN_A_REF.search(branch):
        raise BadPayload("ref is no name of a branch")
    return (Wake("branch", branch),)


def _repository_update(payload: Json) -> Iterable[Wake]:
    """A system hook's: every branch that one push moved, also where it moved so many that there is no other event."""
    refs = payload.get("refs")
    if not isinstance(refs, list) or len(refs) > MOST_REFS:
        return EVERYTHING
    return [wake for ref in refs for wake in _push({"ref": ref})]


def _note(payload: Json) -> Iterable[Wake]:
    """Comments on issues and snippets change nothing that is judged."""
    about = _text(_part(payload, "object_attributes"), "noteable_type")
    if about == "MergeRequest":
        return tuple(_proposal(_part(payload, "merge_request"))) or EVERYTHING
    if about == "Commit":
        return tuple(_commit(_part(payload, "object_attributes"), "commit_id")) or EVERYTHING
    return () if about else EVERYTHING


def _issue(payload: Json) -> Iterable[Wake]:
    """Every issue may be an incident, or cease to be one: which labels make it one, the policy says. An issue that
    certainly has and had no label is none."""
    changed = _part(_part(payload, "changes"), "labels")
    lists = [payload.get("labels"), changed.get("previous", []), changed.get("current", [])]
    if any(one is not None and not isinstance(one, list) for one in lists):
        raise BadPayload("labels are no list")
    return () if all(one == [] for one in lists) else EVERYTHING


def _pipeline(payload: Json) -> Iterable[Wake]:
    """A merge request's own pipeline runs on a commit that only GitLab makes, and names the request; a merge train's
    commit is looked at as well (https://docs.gitlab.com/ci/pipelines/merge_trains/)."""
    request, attributes = _part(payload, "merge_request"), _part(payload, "object_attributes")
    wakes = [*_proposal(request), *_commit(attributes, "sha")]
    ref, target = _text(attributes, "ref"), _text(request, "target_branch")
    if TRAIN.fullmatch(ref) and target and not _NEVER_IN_A_REF.search(target):
        wakes += [Wake("queue", f"{target} {one.key} {ref}") for one in wakes if one.kind == "commit"]
    return wakes or EVERYTHING


def _job(payload: Json) -> Iterable[Wake]:
    return tuple(_commit(payload, "sha")) or EVERYTHING


def _everything(payload: Json) -> Iterable[Wake]:
    del payload
    return EVERYTHING


def _members(payload: Json) -> Iterable[Wake]:
    """Somebody joined or left a group, or it became another one."""
    del payload
    return EVERYTHING


def _nothing(payload: Json) -> Iterable[Wake]:
    del payload
    return ()


EVENTS: Mapping[str, Callable[[Json], Iterable[Wake]]] = {
    "merge_request": _merge_request,
    "push": _push,
    "repository_update": _repository_update,
    "note": _note,
    "issue": _issue,
    "work_item": _issue,  # incidents among them
    "pipeline": _pipeline,
    "build": _job,
    # Who belongs to a group or a project, and so who holds a role; group webhooks and system hooks alone tell.
    "user_add_to_group": _members,
    "user_update_for_group": _members,
    "user_remove_from_group": _members,
    "user_add_to_team": _members,
    "user_update_for_team": _members,
    "user_remove_from_team": _members,
    "subgroup_create": _members,
    "subgroup_destroy": _members,
    "group_rename": _members,
    "group_destroy": _members,
    "user_destroy": _members,
    "user_rename": _members,
    "user_failed_login": _members,  # sent where somebody who is blocked tried
    "project_rename": _everything,
    "project_transfer": _everything,
}
"""What each kind of event wakes, by `object_kind` or, where there is none, `event_name`. Tags, emoji, releases,
deployments, milestones and the like wake nothing."""
