"""GitLab's deliveries: proven or not, told apart, and what each wakes; whatever the body holds, no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from guard.core.forge_facts import Wake
from tests.doubles.gitlab import deliveries
from tests.doubles.gitlab.deliveries import Delivery, Hook
from tests.doubles.gitlab.state import MergeRequest, State
from tests.doubles.gitlab.world import GitLabWorld, bare, double, world
from tests.doubles.server import Answer, Request, Server
from webhook_app import gitlab
from webhook_app.events import BadPayload, BadSignature, Door, Event

__all__ = ["bare", "double", "world"]

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TOKEN = "a secret token"
KEY = "whsec_dGhpcyBpcyBhIGtleSBvZiAzMiBieXRlcyBsb25nISE="
OTHER = "whsec_dGhpcyBpcyBhbiBvdGhlciBrZXkgb2YgMzIgYnl0ZXM="
BODY = {"object_kind": "push", "ref": "refs/heads/master"}
DOOR: Door = gitlab  # the module is the door, and mypy sees that it fits


def lower(delivery: Delivery) -> dict[str, str]:
    return {name.lower(): value for name, value in delivery.headers.items()}


def verify(delivery: Delivery, *secrets: str, now: datetime = NOW, **headers: str) -> None:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    gitlab.verify({**lower(delivery), **changed}, delivery.body, secrets=secrets, now=now)


def signed(key: str = KEY, *, at: datetime = NOW, token: str = "") -> Delivery:
    return Hook(token=token, signing=key).deliver("Push Hook", BODY, at=at)


def with_token(token: str = TOKEN) -> Delivery:
    return Hook(token=token).deliver("Push Hook", BODY)


GOOD: dict[str, Callable[[], None]] = {
    "token": lambda: verify(with_token(), TOKEN),
    "one-of-two-tokens": lambda: verify(with_token(), "new", TOKEN),
    "token-of-other-letters": lambda: verify(with_token("p\xe4ss".encode().decode("latin-1")), "päss"),
    "signature": lambda: verify(signed(), KEY),
    "one-of-two-keys": lambda: verify(signed(OTHER), KEY, OTHER),
    "one-of-two-signatures": lambda: among_others(signed()),
    "five-minutes-late": lambda: verify(signed(at=NOW - timedelta(minutes=5)), KEY),
    "both-forms-both-known": lambda: verify(signed(token=TOKEN), TOKEN, KEY),
    "token-while-keys-are-brought-in": lambda: verify(with_token(), TOKEN, KEY),
    "unpadded-key": lambda: verify(signed(), KEY.rstrip("=")),
}


def among_others(delivery: Delivery) -> None:
    verify(delivery, KEY, webhook_signature=f"v1a,x v1,AAAA {delivery.headers['webhook-signature']}")


BAD: dict[str, Callable[[], None]] = {
    "no-secret-at-all": lambda: verify(with_token()),
    "empty-secret": lambda: verify(with_token(""), ""),
    "empty-token": lambda: verify(Hook(signing=KEY).deliver("Push Hook", BODY), ""),
    "wrong-token": lambda: verify(with_token("a secret toke"), TOKEN),
    "no-token": lambda: verify(with_token(""), TOKEN),
    "wrong-key": lambda: verify(signed(OTHER), KEY),
    "token-where-only-keys-count": lambda: verify(with_token(KEY), KEY),
    "good-token-and-bad-signature": lambda: verify(signed(OTHER, token=TOKEN), TOKEN, KEY),
    "too-old": lambda: verify(signed(at=NOW - timedelta(minutes=5, seconds=1)), KEY),
    "from-the-future": lambda: verify(signed(at=NOW + timedelta(minutes=5, seconds=2)), KEY),
    "another-time": lambda: verify(signed(), KEY, webhook_timestamp=str(int(NOW.timestamp()) + 1)),
    "another-id": lambda: verify(signed(), KEY, webhook_id="other"),
    "no-id": lambda: verify(signed(), KEY, webhook_id=""),
    "no-time": lambda: verify(signed(), KEY, webhook_timestamp=""),
    "time-of-letters": lambda: verify(signed(), KEY, webhook_timestamp="1e9"),
    "huge-time": lambda: verify(signed(), KEY, webhook_timestamp="9" * 400),
    "no-signature": lambda: verify(signed(), KEY, webhook_signature=""),
    "nonsense": lambda: verify(signed(), KEY, webhook_signature="v1,\xff\u1234 ,, v1"),
    "key-that-is-no-base64": lambda: verify(signed(), "whsec_%%%", "whsec_"),
}


@pytest.mark.parametrize("check", GOOD.values(), ids=GOOD)
def test_a_proven_delivery_is_taken(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("check", BAD.values(), ids=BAD)
def test_an_unproven_delivery_is_refused_without_saying_what_was_expected(check: Callable[[], None]) -> None:
    with pytest.raises(BadSignature) as caught:
        check()
    assert TOKEN not in str(caught.value)
    assert KEY not in str(caught.value)


def test_every_byte_of_the_body_is_signed() -> None:
    delivery = signed()
    changed = Delivery(delivery.headers, delivery.body + b" ")
    with pytest.raises(BadSignature):
        verify(changed, KEY)


def test_the_published_library_agrees() -> None:
    """standardwebhooks verifies against its own clock."""
    now = datetime.now(UTC)
    delivery = signed(at=now)
    Webhook(KEY).verify(delivery.body, dict(delivery.headers))
    verify(delivery, KEY, now=now)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"idempotency-key": "a"}, "a", id="idempotency-key"),
        pytest.param({"webhook-id": "b"}, "b", id="webhook-id"),
        pytest.param(
            {"idempotency-key": "a", "webhook-id": "b", "webhook-signature": "v1,x"}, "b", id="the-signed-one"
        ),
        pytest.param({"idempotency-key": "a", "webhook-id": "b"}, "a", id="neither-is-signed"),
        pytest.param({"x-gitlab-event-uuid": "c"}, None, id="never-the-events"),
        pytest.param({"idempotency-key": "a b"}, None, id="with-a-space"),
        pytest.param({"idempotency-key": "x" * 201}, None, id="too-long"),
        pytest.param({}, None, id="none"),
    ],
)
def test_a_delivery_sent_again_has_the_same_id(headers: dict[str, str], expected: str | None) -> None:
    assert gitlab.delivery_id(headers) == expected


def parse(body: object) -> Event:
    return gitlab.parse({}, json.dumps(body).encode())


def test_what_each_of_the_forges_deliveries_wakes(world: GitLabWorld) -> None:
    state: State = world.state
    head, old, ann = world.commit(), world.branch_head("master"), state.user("ann")
    request: MergeRequest = state.propose(head, "release/platform-control", by="ann")
    pipeline = state.pipeline(head, build="failed")
    issue = state.issue("Down", "SEV-1", by="ann")
    bare_issue = state.issue("Hm", by="ann")
    proposal, commit, everything = Wake("proposal", "1"), Wake("commit", head), Wake("everything", "")
    for body, wakes in (
        (deliveries.merge_request(state, request, "open", by=ann), {proposal, commit}),
        (deliveries.merge_request(state, request, "unapproved", by=ann), {proposal, commit}),
        (
            deliveries.merge_request(state, request, "update", by=ann, oldrev=old),
            {proposal, commit, Wake("commit", old)},
        ),
        (deliveries.push(state, "release/x", before=old, after=head, by=ann), {Wake("branch", "release/x")}),
        (deliveries.push(state, "gone", before=old, after="0" * 40, by=ann), {Wake("branch", "gone")}),
        (deliveries.note(state, request, state.note(request, "ann", "/merge")), {proposal}),
        (deliveries.pipeline(state, pipeline), {commit}),
        (deliveries.pipeline(state, pipeline, request), {proposal, commit}),
        (deliveries.job(state, pipeline, pipeline.jobs[0]), {commit}),
        (deliveries.issue(state, issue, "open", by=ann), {everything}),
        (deliveries.issue(state, bare_issue, "update", by=ann, before=["SEV-1"]), {everything}),
        (deliveries.issue(state, bare_issue, "update", by=ann), set()),
    ):
        event = parse(body)
        assert set(event.wakes) == wakes
        assert event.repository == "gpuaas/platform"
    event = parse(deliveries.member("gpuaas/owners", "user_remove_from_group", ann))
    assert (event.kind, event.repository, event.wakes) == ("user_remove_from_group", "", (everything,))


EVERY = (Wake("everything", ""),)


@pytest.mark.parametrize(
    ("body", "wakes"),
    [
        pytest.param({"object_kind": "tag_push", "ref": "refs/tags/v1"}, (), id="tag"),
        pytest.param({"object_kind": "push", "ref": "refs/tags/v1"}, (), id="tag-as-a-push"),
        pytest.param(
            {"object_kind": "push", "ref": "refs/heads/\u200b\u202e"},
            (Wake("branch", "\u200b\u202e"),),
            id="a-name-that-git-takes",
        ),
        pytest.param({"object_kind": "emoji", "object_attributes": {"name": "thumbsup"}}, (), id="emoji"),
        pytest.param({"object_kind": "release", "object_attributes": 7}, (), id="other-kinds-are-not-read"),
        pytest.param({"event_name": "project_create"}, (), id="project"),
        pytest.param({"event_name": "subgroup_create"}, EVERY, id="subgroup"),
        pytest.param({"event_name": "project_rename", "path_with_namespace": "a/b"}, EVERY, id="renamed"),
        pytest.param(
            {"event_name": "repository_update", "refs": ["refs/heads/a", "refs/tags/v1", "refs/heads/b"]},
            (Wake("branch", "a"), Wake("branch", "b")),
            id="system-hook-of-a-push",
        ),
        pytest.param({"event_name": "repository_update", "refs": None}, EVERY, id="push-of-what"),
        pytest.param({"event_name": "repository_update", "refs": ["x"] * 50}, EVERY, id="push-of-many"),
        pytest.param({"event_name": "key_create", "key": "ssh-rsa AAAA"}, (), id="key"),
        pytest.param(
            {"object_kind": "gitlab_subscription_member_approval", "action": "enqueue"}, (), id="newer"
        ),
        pytest.param({"object_kind": "work_item", "labels": [{"title": "SEV-1"}]}, EVERY, id="incident"),
        pytest.param(
            {"object_kind": "note", "object_attributes": {"noteable_type": "Issue"}},
            (),
            id="comment-on-an-issue",
        ),
        pytest.param(
            {"object_kind": "note", "object_attributes": {"noteable_type": "Commit", "commit_id": "b" * 40}},
            (Wake("commit", "b" * 40),),
            id="comment-on-a-commit",
        ),
        pytest.param({"object_kind": "merge_request"}, EVERY, id="request-without-anything"),
        pytest.param({"object_kind": "push"}, EVERY, id="push-without-a-ref"),
        pytest.param({"object_kind": "note"}, EVERY, id="comment-on-nothing"),
        pytest.param({"object_kind": "issue"}, EVERY, id="issue-without-labels"),
        pytest.param(
            {"object_kind": "pipeline", "merge_request": None}, EVERY, id="pipeline-without-a-commit"
        ),
        pytest.param(
            {
                "object_kind": "pipeline",
                "object_attributes": {"sha": "b" * 40, "ref": "refs/merge-requests/7/train"},
                "merge_request": {"iid": 7, "target_branch": "release/x"},
            },
            (
                Wake("proposal", "7"),
                Wake("commit", "b" * 40),
                Wake("queue", f"release/x {'b' * 40} refs/merge-requests/7/train"),
            ),
            id="merge-train",
        ),
        pytest.param({"object_kind": "build"}, EVERY, id="job-without-a-commit"),
    ],
)
def test_what_lacks_its_subject_wakes_everything_and_what_is_unknown_nothing(
    body: dict[str, Any], wakes: tuple[Wake, ...]
) -> None:
    assert parse(body).wakes == wakes


MEMBERS = (
    "user_add_to_group", "user_update_for_group", "user_remove_from_group", "user_add_to_team",
    "user_update_for_team", "user_remove_from_team", "subgroup_create", "subgroup_destroy", "group_rename",
    "group_destroy", "user_destroy", "user_rename", "user_failed_login",
)  # fmt: skip


@pytest.mark.parametrize("kind", MEMBERS)
def test_events_about_members_say_so(kind: str) -> None:
    """https://docs.gitlab.com/administration/system_hooks/; a project's say which, not where others look for it."""
    event = parse(
        {"event_name": kind, "project_path_with_namespace": "jsmith/storecloud", "user_username": "js"}
    )
    assert event.wakes == EVERY
    assert event.members
    assert event.repository == "jsmith/storecloud"
    assert not parse({"object_kind": "push", "ref": "refs/heads/x"}).members


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="half"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"\xff\xfe", id="not-utf-8"),
        pytest.param(b"[" * 100_000, id="bottomless"),
        pytest.param(b'{"object_kind": ' + b"9" * 10_000 + b"}", id="huge-number"),
        pytest.param(b"{}", id="no-kind"),
        pytest.param(b'{"object_kind": "Push!"}', id="no-name-of-a-kind"),
        pytest.param(b'{"object_kind": ["push"]}', id="kind-of-a-wrong-type"),
        pytest.param(b'{"object_kind": "push", "ref": 7}', id="ref-of-a-wrong-type"),
        pytest.param(b'{"object_kind": "push", "ref": "refs/heads/a\\u0000b"}', id="ref-with-nul"),
        pytest.param(b'{"object_kind": "push", "ref": "refs/heads/\\ud800"}', id="half-a-character"),
        pytest.param(
            b'{"object_kind": "push", "project": {"path_with_namespace": "a/../\\ud800"}}', id="project"
        ),
        pytest.param(b'{"object_kind": "push", "project": [1]}', id="project-of-a-wrong-type"),
        pytest.param(b'{"object_kind": "merge_request", "object_attributes": {"iid": "1"}}', id="iid-text"),
        pytest.param(b'{"object_kind": "merge_request", "object_attributes": {"iid": true}}', id="iid-true"),
        pytest.param(
            b'{"object_kind": "merge_request", "object_attributes": {"iid": -1}}', id="iid-negative"
        ),
        pytest.param(
            b'{"object_kind": "merge_request", "object_attributes": {"iid": 1e999}}', id="iid-infinite"
        ),
        pytest.param(b'{"object_kind": "build", "sha": "HEAD"}', id="sha-no-commit"),
        pytest.param(b'{"object_kind": "issue", "labels": {"title": "SEV-1"}}', id="labels-no-list"),
    ],
)
def test_what_no_gitlab_sends_is_a_bad_payload(body: bytes) -> None:
    with pytest.raises(BadPayload):
        gitlab.parse({}, body)


def accepted(body: bytes) -> None:
    """Anything is read or refused, and what is read is fit to be kept."""
    try:
        event = gitlab.parse({}, body)
    except BadPayload:
        return
    for text in (event.kind, event.repository, *(wake.key for wake in event.wakes)):
        text.encode()


@given(st.binary(max_size=300))
def test_no_bytes_make_a_traceback(body: bytes) -> None:
    accepted(body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
part = st.dictionaries(
    st.sampled_from(
        [
            "iid",
            "id",
            "last_commit",
            "oldrev",
            "sha",
            "noteable_type",
            "commit_id",
            "path_with_namespace",
            "labels",
            "previous",
            "current",
        ]
    ),
    anything | st.sampled_from(["a" * 40, "MergeRequest", "Commit", 7, "a/b", {"id": "c" * 40}]),
)


@given(
    st.sampled_from([*gitlab.EVENTS, "tag_push", "emoji"]),
    st.dictionaries(
        st.sampled_from(["ref", "sha", "project", "object_attributes", "merge_request", "labels", "changes"]),
        anything | part | st.sampled_from(["refs/heads/master", "b" * 40]),
    ),
)
def test_no_fields_make_a_traceback(kind: str, fields: dict[str, object]) -> None:
    accepted(json.dumps({"object_kind": kind, **fields}).encode())


@given(
    st.dictionaries(
        st.sampled_from(["x-gitlab-token", "webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.text(max_size=40),
    )
)
def test_no_headers_make_a_traceback(headers: dict[str, str]) -> None:
    for secrets in ([TOKEN], [KEY], [TOKEN, KEY], []):
        with pytest.raises(BadSignature):
            gitlab.verify(headers, b"{}", secrets=secrets, now=NOW)
    gitlab.delivery_id(headers)


def test_deliveries_reach_a_service_twice_and_out_of_order() -> None:
    hook = Hook(token=TOKEN, signing=KEY)
    sent = [hook.deliver("Push Hook", {**BODY, "n": number}, id=f"d{number}") for number in range(3)]
    seen: list[str] = []

    def service(request: Request) -> Answer:
        gitlab.verify(request.headers, request.body, secrets=[KEY], now=datetime.now(UTC))
        seen.append(gitlab.delivery_id(request.headers) or "")
        return Answer(202)

    with Server(service) as server:
        url = f"{server.url}/webhooks/gitlab"
        assert deliveries.send_all(url, sent, times=2, backwards=True) == [202] * 6
    assert seen == ["d2", "d1", "d0"] * 2
