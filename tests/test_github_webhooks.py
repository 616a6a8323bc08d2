"""GitHub's webhooks: who signed, what wakes what, and that nothing but BadPayload comes out of bad input."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.core.forge_facts import Wake
from tests.doubles.github.deliveries import SECRET, Delivery, send
from tests.doubles.server import Answer, Request, Server
from tests.github_world import TARGET, GitHubWorld
from webhook_app.events import BadPayload, BadSignature, Event
from webhook_app.github import EVENTS, delivery_id, parse, verify

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SAMPLES = sorted((Path(__file__).parent / "samples" / "github-webhooks").glob("*.json"))
ONE, TWO = "a" * 40, "b" * 40
REPOSITORY = {"full_name": "acme/platform"}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def signed(body: bytes, secret: str = "one") -> str:
    """The header that GitHub would send with this body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def parsed(event: str, payload: object) -> Event:
    return parse({"x-github-event": event}, json.dumps(payload).encode())


def test_githubs_own_example_of_a_signature_is_accepted() -> None:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation"""
    header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    verify(
        {"x-hub-signature-256": header}, b"Hello, World!", secrets=("It's a Secret to Everybody",), now=NOW
    )


@pytest.mark.parametrize("secret", ["one", "two"])
def test_any_of_the_secrets_will_do_while_one_is_replaced(secret: str) -> None:
    verify({"x-hub-signature-256": signed(b"{}", secret)}, b"{}", secrets=("one", "two"), now=NOW)


@pytest.mark.parametrize(
    ("headers", "secrets"),
    [
        pytest.param({}, ("one",), id="unsigned"),
        pytest.param({"x-hub-signature-256": signed(b"{ }")}, ("one",), id="another-body"),
        pytest.param({"x-hub-signature-256": signed(b"{}", "three")}, ("one", "two"), id="another-secret"),
        pytest.param({"x-hub-signature-256": signed(b"{}", "")}, ("",), id="an-empty-secret-is-none"),
        pytest.param({"x-hub-signature-256": signed(b"{}")}, (), id="no-secret"),
        pytest.param({"x-hub-signature-256": signed(b"{}")[7:]}, ("one",), id="without-its-kind"),
        pytest.param({"x-hub-signature-256": signed(b"{}").upper()}, ("one",), id="upper-case"),
        pytest.param({"x-hub-signature-256": signed(b"{}")[:-1]}, ("one",), id="cut-short"),
        pytest.param({"x-hub-signature-256": signed(b"{}") + "\n"}, ("one",), id="with-a-line-end"),
        pytest.param({"x-hub-signature-256": "sha256=" + "é" * 64}, ("one",), id="not-ascii"),
        pytest.param(
            {"x-hub-signature": "sha1=" + hmac.new(b"one", b"{}", "sha1").hexdigest()},
            ("one",),
            id="only-sha-1",
        ),
    ],
)
def test_everything_else_is_not(headers: dict[str, str], secrets: tuple[str, ...]) -> None:
    with pytest.raises(BadSignature) as caught:
        verify(headers, b"{}", secrets=secrets, now=NOW)
    assert signed(b"{}")[7:] not in str(caught.value)


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [
        pytest.param(
            "72d3162e-cc78-11e3-81ab-4c9367dc0958", "72d3162e-cc78-11e3-81ab-4c9367dc0958", id="a-guid"
        ),
        pytest.param("", None, id="none"),
        pytest.param("x" * 101, None, id="too-long"),
        pytest.param("a b", None, id="no-id"),
        pytest.param("a\n", None, id="with-a-line-end"),
    ],
)
def test_the_deliverys_id(given_id: str, expected: str | None) -> None:
    assert delivery_id({"x-github-delivery": given_id}) == expected
    assert delivery_id({}) is None


@pytest.mark.parametrize(
    ("event", "payload", "wakes"),
    [
        pytest.param(
            "pull_request",
            {"action": "synchronize", "pull_request": {"number": 7, "head": {"sha": ONE}}, "before": TWO},
            [("proposal", "7"), ("commit", ONE), ("commit", TWO)],
            id="a-new-head-wakes-those-with-the-old-one-too",
        ),
        pytest.param(
            "pull_request_review", {"pull_request": {"number": 7}}, [("proposal", "7")], id="review"
        ),
        pytest.param("push", {"ref": f"refs/heads/{TARGET}"}, [("branch", TARGET)], id="push"),
        pytest.param("push", {"ref": "refs/heads/x", "deleted": True}, [("branch", "x")], id="branch-deleted"),
        pytest.param("push", {"ref": "refs/tags/v1"}, [], id="tag"),
        pytest.param("check_run", {"check_run": {"head_sha": ONE}}, [("commit", ONE)], id="check-run"),
        pytest.param("check_suite", {"check_suite": {"head_sha": ONE}}, [("commit", ONE)], id="check-suite"),
        pytest.param("workflow_run", {"workflow_run": {"head_sha": ONE}}, [("commit", ONE)], id="workflow"),
        pytest.param("workflow_job", {"workflow_job": {"head_sha": ONE}}, [("commit", ONE)], id="job"),
        pytest.param("merge_group", {"merge_group": {"head_sha": ONE}}, [("commit", ONE)], id="merge-queue"),
        pytest.param(
            "merge_group",
            {"merge_group": {"head_sha": ONE, "head_ref": "refs/heads/q/1", "base_ref": f"refs/heads/{TARGET}"}},
            [("queue", f"{TARGET} {ONE} q/1")],
            id="merge-queue-of-a-branch",
        ),
        pytest.param(
            "merge_group", {"action": "destroyed", "merge_group": {"head_sha": ONE}}, [], id="merge-queue-gone"
        ),
        pytest.param(
            "pull_request_review_comment", {"pull_request": {"number": 7}}, [("proposal", "7")], id="review-comment"
        ),
        pytest.param("pull_request_review_thread", {"pull_request": {"number": 7}}, [("proposal", "7")], id="thread"),
        pytest.param("status", {"sha": ONE, "state": "failure"}, [("commit", ONE)], id="status"),
        pytest.param("issue_comment", {"issue": {"number": 7, "pull_request": {}}}, [("proposal", "7")], id="comment"),
        pytest.param("issue_comment", {"issue": {"number": 7}}, [], id="comment-on-an-issue"),
        *(
            pytest.param(event, {}, [("everything", "")], id=event)
            for event in (
                "issues", "label", "member", "membership", "team", "team_add", "organization",
                "branch_protection_rule", "repository_ruleset", "repository",
            )
        ),
        pytest.param("ping", {"zen": "Design for failure."}, [], id="ping"),
        pytest.param("star", {}, [], id="unknown"),
    ],
)  # fmt: skip
def test_what_wakes_what(event: str, payload: dict[str, Any], wakes: list[tuple[Any, str]]) -> None:
    found = parsed(event, {**payload, "repository": REPOSITORY})
    members = event in {"member", "membership", "team", "team_add", "organization"}
    woken = tuple(Wake(kind, key) for kind, key in wakes)
    assert found == Event(event, "acme/platform", woken, members=members)


@pytest.mark.parametrize("event", ["membership", "team", "organization", "repository_ruleset"])
def test_an_organisations_event_is_about_no_repository(event: str) -> None:
    assert parsed(event, {}).repository == ""


@pytest.mark.parametrize(
    ("event", "body"),
    [
        pytest.param("push", b"", id="empty"),
        pytest.param("push", b"[]", id="a-list"),
        pytest.param("push", b"{", id="cut-off"),
        pytest.param("push", b"\xff\xfe", id="not-utf-8"),
        pytest.param("push", b"[" * 100_000, id="deep"),
        pytest.param("push", b'{"ref": ' + b"9" * 5000 + b"}", id="a-huge-number"),
        pytest.param("push", b"{}", id="without-a-ref"),
        pytest.param(
            "push", b'{"ref": "refs/heads/a\\u0000b", "repository": {"full_name": "a/b"}}', id="nul"
        ),
        pytest.param(
            "push", b'{"ref": "refs/heads/\\ud800", "repository": {"full_name": "a/b"}}', id="half-character"
        ),
        pytest.param("push", b'{"ref": "refs/heads/a"}', id="without-a-repository"),
        pytest.param("push", b'{"ref": "refs/heads/a", "repository": {"full_name": "../../x"}}', id="a-path"),
        pytest.param(
            "push", b'{"ref": "refs/heads/a", "repository": "a/b"}', id="a-repository-of-another-shape"
        ),
        pytest.param("status", b'{"sha": "HEAD", "repository": {"full_name": "a/b"}}', id="no-commit"),
        pytest.param(
            "pull_request_review",
            b'{"repository": {"full_name": "a/b"}, "pull_request": {"number": true}}',
            id="true-is-no-number",
        ),
        pytest.param(
            "pull_request_review",
            b'{"repository": {"full_name": "a/b"}, "pull_request": {"number": -1}}',
            id="a-negative-number",
        ),
        pytest.param(
            "pull_request_review",
            b'{"repository": {"full_name": "a/b"}, "pull_request": []}',
            id="a-list-for-an-object",
        ),
        pytest.param("", b"{}", id="no-event"),
        pytest.param("push\n", b"{}", id="an-event-with-a-line-end"),
    ],
)
def test_what_cannot_be_read_is_a_bad_payload(event: str, body: bytes) -> None:
    with pytest.raises(BadPayload):
        parse({"x-github-event": event}, body)


def test_a_form_is_refused_with_what_to_change() -> None:
    headers = {"x-github-event": "push", "content-type": "application/x-www-form-urlencoded"}
    with pytest.raises(BadPayload, match="application/json"):
        parse(headers, b"payload=%7B%7D")


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.stem for sample in SAMPLES])
def test_githubs_own_examples_are_read(sample: Path) -> None:
    event = sample.name.split(".")[0]
    found = parse({"x-github-event": event}, sample.read_bytes())
    of_a_tag, on_an_issue = event == "push", event == "issue_comment"
    silent = event not in EVENTS or event == "ping" or of_a_tag or on_an_issue
    assert bool(found.wakes) is not silent


def test_the_examples_cover_every_event_but_one() -> None:
    assert EVENTS.keys() - {sample.name.split(".")[0] for sample in SAMPLES} == {"repository_ruleset"}


@settings(max_examples=200)
@given(
    event=st.sampled_from(sorted(EVENTS)),
    body=st.binary(max_size=60) | JSON_VALUES.map(json.dumps).map(str.encode),
)
def test_any_body_gives_an_event_or_a_bad_payload(event: str, body: bytes) -> None:
    with contextlib.suppress(BadPayload):
        assert isinstance(parse({"x-github-event": event}, body), Event)


@settings(max_examples=300)
@given(
    sample=st.sampled_from(SAMPLES), key=st.text() | st.sampled_from(["number", "sha", "ref", "head_sha", "full_name"]),
    value=JSON_VALUES, data=st.data(),
)  # fmt: skip
def test_an_example_with_one_value_replaced_gives_an_event_or_a_bad_payload(
    sample: Path, key: str, value: object, data: st.DataObject
) -> None:
    payload = json.loads(sample.read_bytes())
    inner = data.draw(st.sampled_from([payload, *(one for one in payload.values() if isinstance(one, dict))]))
    inner[key] = value
    try:
        found = parsed(sample.name.split(".")[0], payload)
        assert all(wake.key == wake.key.encode().decode() for wake in found.wakes)
    except BadPayload:
        pass


@settings(max_examples=200)
@given(headers=st.dictionaries(st.sampled_from(["x-hub-signature-256", "x-hub-signature"]), st.text()))
def test_any_header_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify(headers, b"{}", secrets=("one",), now=NOW)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GitHubWorld]:
    world = GitHubWorld(tmp_path)
    yield world
    world.close()


def test_what_happens_on_the_double_arrives_signed_in_any_order_and_twice(world: GitHubWorld) -> None:
    """The door's whole way over a socket: what the service sees of an ordinary day on GitHub."""
    arrived: list[tuple[str | None, Event]] = []

    def service(request: Request) -> Answer:
        verify(request.headers, request.body, secrets=(SECRET,), now=NOW)
        arrived.append((delivery_id(request.headers), parse(request.headers, request.body)))
        return Answer(202)

    state = world.state
    pull = world.pull()
    state.dismiss(state.review(pull, by="bob"))
    state.set_status(state.head_of(pull), "ci", "failure", by="ci[bot]")
    state.check(state.head_of(pull), "build", "success")
    state.push(TARGET, state.head_of(pull))
    state.comment(pull.number, "hello", by="bob")
    state.open_issue("Down", "SEV-1", by="ann")
    state.team("owners", "ann")
    sent: list[Delivery] = list(world.double.deliveries)
    with Server(service) as server:
        assert set(send(server.url + "/webhooks/github", [*reversed(sent), *sent])) == {202}
    by_id = dict(arrived)
    assert len(arrived) == 2 * len(sent) == 2 * len(by_id)
    assert [by_id[one.id].kind for one in sent] == [
        "pull_request", "pull_request_review", "pull_request_review", "status", "check_run", "push", "issue_comment",
        "issues", "membership",
    ]  # fmt: skip
    assert all(event.wakes for event in by_id.values())
    assert {event.repository for event in by_id.values()} == {"acme/platform"}
