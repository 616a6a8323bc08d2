"""The service's door: what a webhook gets for good and for bad input, and what is kept of it."""

from __future__ import annotations

import base64
import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guard.adapters.keys import create_signing_key
from guard.core.claims import ApprovalGiven, EvidenceSubmitted, SignedOff
from guard.core.errors import GuardError, Refused, SettingsError
from guard.core.model import Commit
from guard.journeys.statements import Sent
from guard.service_settings import ServiceSettings, load_secrets, load_service_settings
from guard.wiring_service import open_service
from tests.doubles.github.deliveries import Delivery as GitHubDelivery
from tests.doubles.gitlab.deliveries import Hook
from tests.gitrepo import clean_environment
from tests.service_sides import BRANCH, SECRET
from tests.service_world import CHECK, CI, ServiceWorld, as_json, call, serving


@pytest.fixture(params=["gitlab", "github"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceWorld]:
    made = ServiceWorld(tmp_path, request.param)
    yield made
    made.close()


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[ServiceWorld]:
    made = ServiceWorld(tmp_path, "gitlab")
    yield made
    made.close()


def signed(
    forge: str, body: bytes, *, event: str = "", secret: str = SECRET, id: str = "d-1"
) -> dict[str, str]:
    """The headers of a delivery of this very body."""
    if forge == "github":
        return GitHubDelivery(event or "pull_request", body, id).headers(secret)
    return dict(Hook(token=secret).deliver(event or "Merge Request Hook", {}, id=id).headers)


def hook(world: ServiceWorld, url: str) -> str:
    return f"{url}/webhooks/{world.side.name}"


@pytest.mark.parametrize("secret", ["wrong", ""], ids=["wrong", "missing"])
def test_a_bad_signature_is_401_and_nothing_is_kept(world: ServiceWorld, secret: str) -> None:
    body = b'{"object_kind": "merge_request"}'
    headers = signed(world.side.name, body, secret=secret or "x")
    if not secret:
        headers = {k: v for k, v in headers.items() if k not in {"X-Gitlab-Token", "X-Hub-Signature-256"}}
    with world.serving() as url:
        status, _, answer = call(hook(world, url), body, headers)
    assert status == 401
    assert SECRET.encode() not in answer
    assert world.service.inbox.deliveries() == ()
    assert world.service.inbox.waiting() == 0


def test_the_signature_is_looked_at_before_anything_is_parsed(world: ServiceWorld) -> None:
    headers = signed(world.side.name, b"{", secret="wrong")
    with world.serving() as url:
        assert call(hook(world, url), b"{", headers)[0] == 401
        assert call(hook(world, url), b"{", signed(world.side.name, b"{"))[0] == 400
    assert world.service.inbox.deliveries() == ()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversized_body_is_413_whatever_its_length_says(gitlab: ServiceWorld, *, chunked: bool) -> None:
    large = b"x" * (gitlab.service.settings.max_body + 1)
    headers, sent = signed("gitlab", large), large
    if chunked:
        headers, sent = (
            {**headers, "Transfer-Encoding": "chunked"},
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large),
        )
    with gitlab.serving() as url:
        assert call(hook(gitlab, url), sent, headers)[0] == 413
    assert gitlab.service.inbox.deliveries() == ()


def test_an_unknown_event_is_kept_and_no_work(world: ServiceWorld) -> None:
    body = json.dumps({"object_kind": "wiki_page", "zen": "x"}).encode()
    headers = signed(
        world.side.name, body, event="gollum" if world.side.name == "github" else "Wiki Page Hook"
    )
    with world.serving() as url:
        status, _, answer = call(hook(world, url), body, headers)
    assert (status, answer) == (204, b"")
    assert [one.id for one in world.service.inbox.deliveries()] == ["d-1"]
    assert world.service.inbox.waiting() == 0


def test_a_delivery_is_kept_once_and_without_secrets(world: ServiceWorld) -> None:
    world.side.propose(world.commit("a fix"))
    with world.serving() as url:
        answers = world.side.deliver(url, times=2)
    assert set(answers) == {202}
    kept = world.service.inbox.deliveries()
    assert len(kept) == len({one.id for one in kept}) == len(answers) / 2
    names = {name for one in kept for name in one.headers}
    assert not {"x-gitlab-token", "x-hub-signature-256", "webhook-signature", "authorization"} & names
    with closing(sqlite3.connect(world.home / "ledger.sqlite3")) as connection:
        assert SECRET not in "\n".join(connection.iterdump())


def test_work_waits_once_for_each_proposal(gitlab: ServiceWorld) -> None:
    proposal = gitlab.side.propose(gitlab.commit("a fix"))
    gitlab.side.approve(proposal, by="ann")
    gitlab.side.approve(proposal, by="sam")
    with gitlab.serving() as url:
        assert gitlab.side.deliver(url) == [202, 202, 202]
    assert gitlab.service.inbox.waiting() == 1


def test_another_repositorys_delivery_is_no_work(world: ServiceWorld) -> None:
    body = json.dumps(
        {"object_kind": "push", "project": {"path_with_namespace": "else/where"}, "ref": "refs/heads/master",
         "repository": {"full_name": "else/where"}}
    ).encode()  # fmt: skip
    with world.serving() as url:
        event = "push" if world.side.name == "github" else "Push Hook"
        assert call(hook(world, url), body, signed(world.side.name, body, event=event))[0] == 204
    assert world.service.inbox.waiting() == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b'{"object_kind": ["x"]}', b'"' + b"a" * 1000],
    ids=["empty", "not-utf8", "a-list", "null", "deep", "wrong-type", "cut-off"],
)
def test_hostile_bodies_are_400(gitlab: ServiceWorld, body: bytes) -> None:
    with gitlab.serving() as url:
        assert call(hook(gitlab, url), body, signed("gitlab", body))[0] == 400
    assert gitlab.service.inbox.deliveries() == ()


def test_health(world: ServiceWorld) -> None:
    with world.serving() as url:
        assert call(f"{url}/healthz", method="GET")[0] == 200
        assert call(f"{url}/readyz", method="GET")[0] == 200
        ledger = world.home / "ledger.sqlite3"
        whole = ledger.read_bytes()
        ledger.write_bytes(b"no database any more, and longer than that")
        assert call(f"{url}/healthz", method="GET")[0] == 200
        status, _, answer = call(f"{url}/readyz", method="GET")
        assert (status, answer) == (503, b"not ready: ledger.not-a-database\n")
        ledger.write_bytes(whole)


def test_the_public_keys_are_published_and_the_private_ones_are_not(gitlab: ServiceWorld) -> None:
    home = gitlab.home
    with gitlab.serving() as url:
        assert call(f"{url}/.well-known/jwks.json", method="GET")[0] == 503, "there are no keys yet"
        old = create_signing_key(home / "keys", home / "jwks.json")
        new = create_signing_key(home / "keys", home / "jwks.json")
        status, headers, body = call(f"{url}/.well-known/jwks.json", method="GET")
    assert (status, headers["content-type"]) == (200, "application/jwk-set+json")
    listed = json.loads(body)["keys"]
    assert [key["kid"] for key in listed] == [new.kid, old.kid]
    assert not any("d" in key for key in listed)


def test_pages_are_not_shown_unless_asked_for(world: ServiceWorld) -> None:
    with world.serving() as url:
        for path in ("/", "/docs", "/openapi.json", f"/webhooks/{'gitea'}"):
            assert call(f"{url}{path}", method="GET")[0] == 404


def test_without_a_webhook_secret_nothing_starts(world: ServiceWorld) -> None:
    environ = world.environ()
    for missing in environ:
        with pytest.raises(SettingsError) as caught:
            open_service(world.home, {name: value for name, value in environ.items() if name != missing})
        assert missing in caught.value.message
        assert caught.value.fix
    for empty in ("", " \n "):
        with pytest.raises(SettingsError):
            open_service(world.home, {**environ, f"GUARD_{world.side.name.upper()}_WEBHOOK_SECRET": empty})


def test_gitlabs_signed_form_and_its_replay_window(gitlab: ServiceWorld) -> None:
    signing = "whsec_" + base64.b64encode(b"k" * 32).decode()
    service = open_service(gitlab.home, {**gitlab.environ(), "GUARD_GITLAB_WEBHOOK_SECRET": signing})
    body = {"object_kind": "merge_request", "object_attributes": {"iid": 1}}
    now = datetime.now(UTC)
    with serving(service) as url:
        for at, status in (
            (now, 202),
            (now - timedelta(minutes=10), 401),
            (now + timedelta(minutes=10), 401),
        ):
            sent = Hook(signing=signing).deliver("Merge Request Hook", body, at=at)
            assert call(hook(gitlab, url), sent.body, sent.headers)[0] == status
            assert call(hook(gitlab, url), sent.body + b" ", sent.headers)[0] == 401
    assert len(service.inbox.deliveries()) == 1


def test_secrets_from_files_several_of_them_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("the old one\nthe new one\n")
    settings = ServiceSettings(forge="github", git_url="https://github.com/a/b.git")
    environ = {"GUARD_GITHUB_WEBHOOK_SECRET_FILE": str(file), "GUARD_GITHUB_TOKEN": "ghp_x"}
    found = load_secrets(settings, environ)
    assert found.webhook == ("the old one", "the new one")
    assert found.git == ("x-access-token", "ghp_x")
    assert "ghp_x" not in repr(found)
    assert "the old" not in repr(found)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param('forge = "gitlab"', "git_url", id="no-git-url"),
        pytest.param('forge = "svn"', "forge", id="unknown-forge"),
        pytest.param('forge = "local"\nsecret = "x"', "secret", id="unknown-key"),
        pytest.param('forge = "gitlab"\ngit_url = "https://u:hunter2@h/x"', "git_url", id="secret-in-url"),
        pytest.param('forge = "local"\nlease = "soon"', "lease", id="no-span"),
        pytest.param("forge =", "service.toml", id="no-toml"),
        pytest.param('forge = "local"\npages = "yes"', "pages", id="text-for-a-switch"),
        pytest.param('forge = "gitlab"\ngit_url = "x"\nurl = "gitlab.example"', "https://", id="no-address"),
    ],
)
def test_settings_name_what_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "service.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_service_settings(tmp_path)
    assert named in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_signing_token_that_is_cut_is_refused_before_it_turns_every_delivery_away() -> None:
    settings = ServiceSettings(forge="gitlab", git_url="https://gitlab.com/a/b.git")
    environ = {"GUARD_GITLAB_WEBHOOK_SECRET": "whsec_!!!", "GUARD_GITLAB_TOKEN": "glpat-x"}
    with pytest.raises(SettingsError, match="signing token"):
        load_secrets(settings, environ)


def test_an_address_that_is_taken_is_said_before_anything_is_begun(gitlab: ServiceWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "guard.cli.main", "serve", "--home", str(gitlab.home), "--port", str(port)],
            env={**clean_environment(), **gitlab.environ()}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"settings.address: nobody can listen on 127.0.0.1 port {port}" in done.stderr
    assert "Traceback" not in done.stderr


def evidence(commit: str, **fields: str) -> EvidenceSubmitted:
    return EvidenceSubmitted("check", Commit(commit), CHECK, "sh", "1", 0, (CHECK,), fields.get("digest", ""))


def test_statements_are_taken_once_and_by_their_signer_only(gitlab: ServiceWorld) -> None:
    with gitlab.serving() as url:
        gitlab.say(url, evidence(gitlab.first), by=CI)
        gitlab.say(url, SignedOff("security.check", None, "looked"), by="sam")
        attempts: tuple[Callable[[], Sent], ...] = (
            lambda: gitlab.say(url, evidence(gitlab.first), by=CI, key="sam"),
            lambda: gitlab.say(url, evidence(gitlab.first), by="mallory"),
            lambda: gitlab.say(url, ApprovalGiven(BRANCH, Commit(gitlab.first)), by="sam"),
        )
        for attempt in attempts:
            with pytest.raises(Refused) as caught:
                attempt()
            assert caught.value.fix or caught.value.code
    kinds = [entry.kind for entry in gitlab.service.ledger.entries()]
    assert kinds == ["statement.evidence", "statement.signoff"]


def test_a_report_comes_back_as_it_was_sent(gitlab: ServiceWorld) -> None:
    from guard.core.canonical import digest_of_bytes
    from guard.wiring import local_forge
    from tests.forge_contract import known

    report = b'{"version": "2.1.0"}'
    with gitlab.serving() as url:
        gitlab.say(url, evidence(gitlab.first, digest=digest_of_bytes(report)), by=CI, report=report)
    records = local_forge(gitlab.service.home, gitlab.service.ledger)
    (found,) = known(records.submissions("check"))
    assert known(records.report(found)) == report
    assert gitlab.service.inbox.waiting() == 1


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"statement": 1, "sig": "x"}', b'{"statement": "!!", "sig": "AAAA"}',
        b'{"statement": "AAAA", "sig": "AAAA", "more": 1}', b"[" * 100_000,
        json.dumps({"statement": base64.b64encode(b"{}").decode(), "sig": "AAAA"}).encode(),
    ],
)  # fmt: skip
def test_hostile_statements_are_422(gitlab: ServiceWorld, body: bytes) -> None:
    with gitlab.serving() as url:
        status, _, answer = call(f"{url}/api/v1/statements", body)
    assert status == 422, answer
    assert as_json(answer)["code"].startswith("statement.")
    assert list(gitlab.service.ledger.entries()) == []


def test_an_answer_about_our_own_trouble_tells_no_details(gitlab: ServiceWorld) -> None:
    (gitlab.home / "allowed_signers").unlink()
    with gitlab.serving() as url, pytest.raises(GuardError) as caught:
        gitlab.say(url, evidence(gitlab.first), by=CI)
    assert str(gitlab.home) not in caught.value.message
