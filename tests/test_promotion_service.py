"""The service gives permits and moves the branch itself, on both doubles, over real git and real HTTP."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guard.adapters.keys import create_signing_key, load_signing_key, read_jwks
from guard.core.claims import ApprovalGiven, HoldPlaced, PromotionPlanned
from guard.core.forge_facts import Wake
from guard.core.model import Commit, Decision
from guard.core.permit import read, sign
from guard.core.statements import Statement, encode_statement
from guard.journeys import moving
from guard.journeys.gather import gather_and_decide
from guard.journeys.promotion import recover
from guard.journeys.reconcile import revoke
from guard.journeys.sources import Range, Sources
from guard.journeys.underway import Conflict
from tests.doubles.server import Answer, Fault
from tests.hosted_world import REF, Hosted, Said, hosted
from tests.people import KeySigner
from tests.service_sides import BOTH, BRANCH
from tests.service_world import as_json, call, serving
from webhook_app.worker import Sweeper

ROOT = Path(__file__).parent.parent


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosted]:
    with hosted(tmp_path, request.param) as made:
        yield made


def test_the_whole_story(world: Hosted) -> None:
    """NO-GO, GO, permit, the service's own push, recorded; and nothing of it a second time."""
    head = world.commit("a fix", {"app": "2\n"})
    proposal = world.side.propose(head)
    plan = world.plan()
    assert (plan.status, plan.body["allowed"], plan.body["exit_status"]) == (200, False, 1), plan
    assert plan.body["new"] == head
    assert plan.body["moved_by"] == "service"
    assert [one["subject"] for one in plan.body["commits"]] == ["a fix"]
    assert "approvals.security.missing" in str(plan.body["decision"])
    refused = world.ask(world.request(head))
    assert (refused.status, refused.code) == (403, "promotion.no-go")
    assert refused.body["decision"]["unblock"]
    assert "NO-GO" in refused.body["board"]
    assert not refused.permit

    world.side.approve(proposal, by="ann")
    world.side.approve(proposal, by="sam")
    world.submit(world.url, head)
    plan = world.plan(head)
    assert plan.body["allowed"], plan.body["board"]
    wanted = world.request(head)
    given = world.ask(wanted)
    assert given.status == 201, given
    assert given.permit.count(".") == 2
    promotion = given.body["promotion"]
    assert world.state(promotion).body["state"] == "permitted"
    assert not world.state(promotion).permit

    again = world.ask(wanted)
    assert again.permit == given.permit, "the same promotion asked for again gets the same answer"
    assert again.body["promotion"] == promotion

    done = world.present(promotion, "push", given.permit)
    assert (done.status, done.body["state"]) == (200, "finished"), done
    assert world.head() == head
    assert world.kinds()[-9:] == [
        "promotion.asked", "promotion.requested", "decision.recorded", "permit.issued", "promotion.asked",
        "promotion.started", "promotion.pushing", "permit.spent", "branch.moved", "promotion.finished",
    ][-9:]  # fmt: skip
    assert world.present(promotion, "push", given.permit).body["state"] == "finished"
    assert world.ask(wanted).body["state"] == "finished"
    assert not world.ask(wanted).permit
    assert world.plan(head).code == "promotion.nothing-to-promote"
    assert world.ledger.verify()
    tokens = [given.permit, world.side.token, given.permit.split(".")[2]]
    record = "".join(str(entry) for entry in world.ledger.entries())
    assert not [one for one in tokens if one in record]


class TestWhoAsks:
    """One world, in which nothing is ever given."""

    @pytest.fixture(scope="class")
    @staticmethod
    def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
        with hosted(tmp_path_factory.mktemp("asks"), "gitlab") as made:
            made.go()
            yield made

    def test_nobody_without_a_good_signature(self, world: Hosted) -> None:
        wanted = world.request(world.bare.rev("master"))
        assert world.ask(wanted, by="ann", key="dev").status == 401
        assert world.ask(wanted, by="mallory").status == 401
        posted = json.loads(world.signed(wanted))
        other = json.loads(world.signed(PromotionPlanned(BRANCH, None)))
        assert world.post("", json.dumps(posted | {"sig": other["sig"]}).encode()).status == 401
        for body in (
            b"",
            b"[]",
            b"{",
            json.dumps(posted | {"more": 1}).encode(),
            b'{"statement":"?","sig":"?"}',
            b'{"statement":"\\ud800","sig":"\\u0000"}',
            b"\xff\xfe{",
            b"[" * 100_000,
            b"1" * 100_000,
        ):
            assert world.post("", body).status == 422, body[:60]
            assert world.post(f"/{'x' * 24}/push", body).status == 422, body[:60]
        for place in ("", "/plan", f"/{'x' * 24}/push", f"/{'x' * 24}/end"):
            assert world.post(place, b"x" * 200_000).status == 413

    def test_only_who_holds_a_role_that_may_promote(self, world: Hosted) -> None:
        refused = world.ask(world.request(world.bare.rev("master")), by="dev")
        assert (refused.status, refused.code) == (403, "promotion.not-a-promoter")
        assert "platform, security" in refused.body["message"]
        assert world.plan(by="dev").code == "promotion.not-a-promoter"
        world.side.server().fail(
            Fault("status", path="/members", answer=Answer(403, {"message": "403 Forbidden"}))
        )
        assert world.plan(by="ann").status == 503, "who may is not known, so nobody may"
        world.side.server().recover()

    def test_a_request_is_for_this_moment(self, world: Hosted) -> None:
        wanted = world.request(world.bare.rev("master"))
        assert world.ask(wanted, ago=timedelta(minutes=6)).code == "statement.old"
        assert world.ask(wanted, ago=-timedelta(minutes=6)).code == "statement.future"
        assert world.ask(PromotionPlanned(BRANCH, None), ago=timedelta(hours=2)).code == "statement.old"
        elsewhere = Statement("gpuaas/other", "ann", datetime.now(UTC), "0" * 32, wanted)
        data = encode_statement(elsewhere)
        body = {"statement": data, "sig": KeySigner("ann").sign(data)}
        posted = json.dumps({name: base64.b64encode(one).decode() for name, one in body.items()}).encode()
        assert world.post("", posted).code == "statement.other-repository"

    def test_a_request_is_no_statement_for_the_record_and_no_statement_a_request(self, world: Hosted) -> None:
        wanted = world.request(world.bare.rev("master"))
        status, _, answer = call(f"{world.url}/api/v1/statements", world.signed(wanted))
        assert (status, as_json(answer)["code"]) == (422, "statement.not-here")
        approval = ApprovalGiven(BRANCH, wanted.commit)
        assert world.post("", world.signed(approval)).code == "promotion.not-a-request"
        assert world.post("/plan", world.signed(wanted)).code == "promotion.not-a-request"

    def test_a_plan_that_no_longer_holds(self, world: Hosted) -> None:
        wanted = world.request(world.bare.rev("master"))
        other = world.ask(replace(wanted, policy="sha256:" + "0" * 64))
        assert (other.status, other.code) == (403, "promotion.policy-changed")
        assert world.ask(replace(wanted, old=wanted.commit)).code == "promotion.target-moved"
        assert world.ask(replace(wanted, commit=Commit("1" * 40))).code == "promotion.not-proposed"

    def test_no_such_promotion(self, world: Hosted) -> None:
        for promotion in ("x" * 24, "..", "%2e%2e", "%00", "%ff", "x" * 5000):
            assert world.state(promotion).status in {403, 404}
        assert world.present("x" * 24, "push", "a.b.c").code == "promotion.unknown"
        assert not [kind for kind in world.kinds() if kind == "permit.issued"]


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Hosted]:
    with hosted(tmp_path, "gitlab") as made:
        yield made


def test_a_replayed_request_and_a_request_id_of_another(one: Hosted) -> None:
    _, head = one.go()
    wanted = one.request(head)
    body = one.signed(wanted)
    given = one.send(wanted, body)
    assert given.status == 201
    replayed = one.send(wanted, body)
    assert (replayed.status, replayed.code) == (409, "statement.replayed")
    stolen = one.ask(wanted, by="pat")
    assert (stolen.status, stolen.code) == (409, "promotion.other-request")
    assert not stolen.permit


def test_two_promoters_at_once(one: Hosted) -> None:
    """At two services of one folder. One gets it; the other is told who has it and until when, and gets it when the
    first has ended."""
    _, head = one.go()
    bodies = [one.signed(one.request(head), by=by) for by in ("ann", "pat")]
    with serving(one.open()) as other, ThreadPoolExecutor(2) as pool:
        places = [f"{url}/api/v1/promotions" for url in (one.url, other)]
        answers = [Said(status, as_json(body)) for status, _, body in pool.map(call, places, bodies)]
    given, refused = sorted(answers, key=lambda one: one.status)
    assert (given.status, refused.status) == (201, 409)
    assert refused.code == "promotion.under-way"
    assert given.body["by"] in refused.body["message"]
    assert given.body["expires"] in refused.body["message"]
    ended = one.present(given.body["promotion"], "end", given.permit)
    assert ended.body["state"] == "failed"
    assert one.present(given.body["promotion"], "push", given.permit).code == "permit.revoked"
    assert one.ask(one.request(head), by="pat").status == 201


def test_what_takes_the_permit_away_before_the_push(one: Hosted) -> None:
    """Each on its own, and no event arrives: an approval withdrawn, an incident, somebody who left a role, red
    evidence, a twin of the proposal, a hold. Nothing moves."""
    proposal, head = one.go()
    before = one.head()

    def permitted() -> tuple[str, str]:
        given = one.ask(one.request(head))
        assert given.status == 201, given
        return given.body["promotion"], given.permit

    promotion, permit = permitted()
    one.side.withdraw(proposal, by="sam")
    refused = one.present(promotion, "push", permit)
    assert (refused.status, refused.code) == (403, "promotion.no-go")
    one.side.approve(proposal, by="sam")
    assert one.present(promotion, "push", permit).code == "permit.revoked", "it is never good again"

    promotion, permit = permitted()
    one.side.incident(open=True)
    assert one.present(promotion, "push", permit).code == "promotion.no-go"
    one.side.incident(open=False)

    promotion, permit = permitted()
    one.side.role("security-owners", "pat", told=False)
    assert one.present(promotion, "push", permit).code == "promotion.no-go", (
        "who left takes the approval along"
    )
    one.side.role("security-owners", "sam", told=False)

    promotion, permit = permitted()
    one.submit(one.url, head, exit_code=1)
    assert one.present(promotion, "push", permit).code == "permit.revoked", "the check turned red"
    one.submit(one.url, head)

    promotion, permit = permitted()
    twin = one.side.propose(head)
    refused = one.present(promotion, "push", permit)
    assert refused.code == "promotion.no-go", (
        "another proposal has the same head, and nobody approved that one"
    )
    assert twin in str(refused.body["decision"])
    one.side.close(twin)

    promotion, permit = permitted()
    one.say(one.url, HoldPlaced(BRANCH, "the freeze"), by="sam")
    assert one.present(promotion, "push", permit).code in {"permit.revoked", "promotion.no-go"}
    assert one.head() == before


def test_the_forge_is_not_reached_at_the_push(one: Hosted) -> None:
    """It is not known, so nothing is moved and nothing is taken back: it can be tried again."""
    _, head = one.go()
    given = one.ask(one.request(head))
    one.side.server().fail(Fault("status", path="approv", answer=Answer(403, {"message": "403 Forbidden"})))
    refused = one.present(given.body["promotion"], "push", given.permit)
    assert (refused.status, refused.code) == (403, "promotion.no-go")
    assert refused.body["exit_status"] == 2
    one.side.server().recover()
    assert one.present(given.body["promotion"], "push", given.permit).body["state"] == "finished"


def test_the_target_moved_between_the_decision_and_the_push(one: Hosted) -> None:
    """By an admin, say: nothing happens, and a new decision is needed."""
    _, head = one.go()
    given = one.ask(one.request(head))
    one.work.git("switch", "-q", "-c", "elsewhere", one.head())
    moved = one.commit("an admin's", {"elsewhere": "1\n"})
    one.bare.git("update-ref", REF, moved)
    refused = one.present(given.body["promotion"], "push", given.permit)
    assert refused.status in {403, 409}
    assert refused.code == "promotion.drift"
    assert one.head() == moved
    assert one.state(given.body["promotion"]).body["state"] == "failed"


def test_the_branch_moves_while_the_push_is_under_way(one: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the service's last look and before git's: the remote's own compare-and-swap refuses it."""
    _, head = one.go()
    given = one.ask(one.request(head))
    mirror = one.service.mirror
    assert mirror is not None
    real = mirror.push

    def late(ref: str, old: str, new: str) -> str:
        one.work.git("switch", "-q", "-c", "elsewhere", old)
        one.bare.git("update-ref", REF, one.commit("somebody was faster", {"elsewhere": "1\n"}))
        return real(ref, old, new)

    monkeypatch.setattr(mirror, "push", late)
    done = one.present(given.body["promotion"], "push", given.permit)
    assert done.body["state"] == "failed"
    assert "did not take the push" in done.body["note"]
    assert one.head() != head


def test_an_admin_presses_the_merge_button_while_a_permit_is_out(one: Hosted) -> None:
    """The branch stands where the permit says, and yet it was not the guard: the permit is not spent by it."""
    _, head = one.go()
    given = one.ask(one.request(head))
    one.bare.git("update-ref", REF, head)
    one.service.inbox.wake([Wake("branch", BRANCH)], now=one.service.clock.now())
    one.work_off()
    assert [entry.body["head"] for entry in one.ledger.entries("alarm.raised")] == [head]
    refused = one.present(given.body["promotion"], "push", given.permit)
    assert refused.status == 403
    assert one.state(given.body["promotion"]).body["state"] == "failed"
    assert not list(one.ledger.entries("branch.moved"))


def test_a_promotion_that_failed_is_no_cover_for_a_later_move(
    one: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forge refused the service's push, then an admin made the very same move: presenting the old permit once more
    does not make it the guard's."""
    _, head = one.go()
    given = one.ask(one.request(head))
    mirror = one.service.mirror
    assert mirror is not None
    monkeypatch.setattr(mirror, "push", lambda *_words, **_more: "the forge did not take the push")
    assert one.present(given.body["promotion"], "push", given.permit).body["state"] == "failed"
    monkeypatch.undo()
    one.bare.git("update-ref", REF, head)
    for token in (given.permit, "garbage"):
        refused = one.present(given.body["promotion"], "push", token)
        assert (refused.status, refused.body.get("state")) == (403, None), refused
    assert one.state(given.body["promotion"]).body["state"] == "failed"
    assert not list(one.ledger.entries("branch.moved", "permit.spent"))
    one.service.inbox.wake([Wake("branch", BRANCH)], now=one.service.clock.now())
    one.work_off()
    assert [entry.body["head"] for entry in one.ledger.entries("alarm.raised")] == [head]


def test_a_permit_that_was_taken_back_is_no_cover_for_a_later_move(one: Hosted) -> None:
    """Where the promote script pushes: its permit was out, was taken back, and then somebody got past the hook."""
    one.fetch_from(one.git_url, 'moves = "hook"\n')
    _, head = one.go()
    with serving(one.service) as one.url:
        given = one.ask(one.request(head))
        assert (given.status, given.body["moved_by"]) == (201, "script")
        permit = _id(one, given.body["promotion"])
        revoke(one.ledger, permit, why="SEV-1 was opened", now=datetime.now(UTC))
        one.bare.git("update-ref", REF, head)
        ended = one.present(given.body["promotion"], "end", given.permit)
    assert ended.body["state"] == "failed", ended
    assert "SEV-1" in ended.body["note"]
    one.service.inbox.wake([Wake("branch", BRANCH)], now=one.service.clock.now())
    one.work_off()
    assert not list(one.ledger.entries("branch.moved", "permit.spent"))
    assert [entry.body["head"] for entry in one.ledger.entries("alarm.raised")] == [head]


def test_what_is_taken_back_while_it_is_decided_once_more(
    one: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deciding takes seconds; a hold that is placed meanwhile counts, and so does the permit's end."""
    _, head = one.go()
    given = one.ask(one.request(head))
    permit = _id(one, given.body["promotion"])

    def slow(asked: Range, sources: Sources) -> Decision:
        decision = gather_and_decide(asked, sources)
        revoke(one.ledger, permit, why="a hold was placed", now=datetime.now(UTC))
        return decision

    monkeypatch.setattr(moving, "gather_and_decide", slow)
    refused = one.present(given.body["promotion"], "push", given.permit)
    assert (refused.status, refused.code) == (403, "permit.revoked"), refused
    assert one.head() == given.body["old"]


def test_permits_that_are_no_good(one: Hosted, tmp_path: Path) -> None:
    _, head = one.go()
    given = one.ask(one.request(head))
    promotion, permit = given.body["promotion"], given.permit
    head_, body, signature = permit.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    stranger = create_signing_key(tmp_path / "keys", tmp_path / "jwks.json")
    mine = load_signing_key(one.home / "keys", one.home / "jwks.json")
    good = read(permit, read_jwks(one.home / "jwks.json"))
    now = int(time.time())
    cases = {
        "permit.malformed": "garbage",
        "permit.signature": f"{head_}.{body}.{'A' * len(signature)}",
        "permit.unknown-key": sign(good, stranger),
        "permit.other-ref": sign(replace(good, ref="refs/heads/release/other"), mine),
        "permit.other-new": sign(replace(good, new=good.old), mine),
        "permit.other-old": sign(replace(good, old=good.new), mine),
        "permit.other-repository": sign(replace(good, repository="gpuaas/other"), mine),
        "permit.not-issued": sign(replace(good, id="x" * 24), mine),
        "permit.expired": sign(replace(good, issued=now - 60, expires=now - 1), mine),
        "permit.not-yet-valid": sign(replace(good, issued=now + 60, expires=now + 120), mine),
    }
    assert claims["jti"] == good.id
    for code, token in cases.items():
        refused = one.present(promotion, "push", token)
        assert (refused.status, refused.code) == (403, code)
        assert token == "garbage" or token not in str(refused.body)
    assert one.head() == good.old
    assert one.present(promotion, "push", permit).body["state"] == "finished"
    one.bare.git("update-ref", REF, good.old)
    assert one.present(promotion, "push", permit).body["state"] == "finished"
    assert one.head() == good.old, "a branch forced back does not make a spent permit good again"


DIES = """
import os, sys
from pathlib import Path
from guard.wiring_service import open_service
from tests.dying_worker import DyingLedger
from webhook_app import promotions
service = open_service(Path(sys.argv[1]))
service.ledger.__class__ = DyingLedger
service.ledger.kind = sys.argv[2]
promotions.push(sys.argv[3], sys.stdin.buffer.read(), service)
"""


@pytest.mark.parametrize(
    ("step", "moved"),
    [
        pytest.param("promotion.pushing", False, id="before-the-push", marks=pytest.mark.long),
        pytest.param("before:permit.spent", True, id="after-the-push", marks=pytest.mark.long),
        pytest.param("permit.spent", True, id="in-the-middle-of-the-record"),
    ],
)
def test_killed_around_the_push(one: Hosted, step: str, *, moved: bool) -> None:
    """kill -9 of a real process of the service. What is about to be done was on record, so the next start knows whose
    move it was; and whoever asks again meanwhile moves nothing twice."""
    _, head = one.go()
    given = one.ask(one.request(head))
    promotion, body = given.body["promotion"], json.dumps({"permit": given.permit}).encode()
    run = subprocess.run(
        [sys.executable, "-c", DIES, one.home, step, promotion],
        input=body, env=os.environ | one.environ(), cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == -signal.SIGKILL
    assert (one.head() == head) is moved
    assert one.state(promotion).body["state"] == "pushing"
    if not moved:
        assert one.present(promotion, "end", given.permit).code == "promotion.pushing", "its git may be alive"
    late = one.open() if moved else replace(one.open(), clock=Later(timedelta(minutes=3)))
    Sweeper(late, stop=threading.Event()).step()
    assert one.state(promotion).body["state"] == ("finished" if moved else "failed")
    assert [entry.body["new"] for entry in one.ledger.entries("branch.moved")] == [head] * moved
    one.wake()
    one.work_off()
    assert not list(one.ledger.entries("alarm.raised"))


def test_a_push_that_never_came_is_ended_by_its_time(one: Hosted) -> None:
    """The promoter is gone for good: when the permit is over the next look ends the promotion."""
    _, head = one.go()
    given = one.ask(one.request(head))
    later = replace(one.service, clock=Later(timedelta(minutes=16)))
    Sweeper(later, stop=threading.Event()).step()
    ended = one.state(given.body["promotion"]).body
    assert ended["state"] == "failed"
    assert "its permit ended" in ended["note"]


def test_clocks_that_disagree(one: Hosted) -> None:
    """A verifier's clock that is minutes ahead or behind gives no more leave; a signer's may differ by five."""
    _, head = one.go()
    given = one.ask(one.request(head))
    minutes = {"permit.expired": 16, "permit.not-yet-valid": -3}
    for code, ahead in minutes.items():
        elsewhere = replace(one.service, clock=Later(timedelta(minutes=ahead)))
        with serving(elsewhere) as url:
            answer = call(
                f"{url}/api/v1/promotions/{given.body['promotion']}/push",
                json.dumps({"permit": given.permit}).encode(),
            )
        assert (answer[0], as_json(answer[2])["code"]) == (403, code)
    assert one.head() == given.body["old"]
    signed_ahead = one.ask(one.request(head), by="pat", ago=-timedelta(minutes=4))
    assert signed_ahead.code == "promotion.under-way", "within five minutes a signer's clock may differ"


def test_the_server_side_next_to_the_service_waits_for_its_permit(one: Hosted) -> None:
    """`guard promote` on the service's own machine must not take a live permit for the rest of a crash."""
    _, head = one.go()
    given = one.ask(one.request(head))
    with pytest.raises(Conflict, match="ann is promoting"):
        recover(one.ledger, REF, read_head=lambda _ref: None, clock=one.service.clock)
    assert one.state(given.body["promotion"]).body["state"] == "permitted"


def test_where_a_verifier_is_offline_permits_are_short(one: Hosted) -> None:
    settings = one.home / "settings.toml"
    settings.write_text(settings.read_text() + "offline_verifiers = true\n")
    one.service = one.open()
    _, head = one.go()
    with serving(one.service) as one.url:
        given = one.ask(one.request(head))
    permit = read(given.permit, read_jwks(one.home / "jwks.json"))
    assert permit.expires - permit.issued == 120


class Later:
    """A clock that is ahead."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


def _id(world: Hosted, promotion: str) -> str:
    found = [entry for entry in world.ledger.entries("permit.issued") if entry.body["promotion"] == promotion]
    return str(found[0].body["permit"])
