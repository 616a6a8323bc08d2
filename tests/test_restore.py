"""Putting a branch back: by two people, with a permit of its own that alone need not go forward, and on record."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.core.claims import HoldLifted
from guard.journeys.alarm import latest_alarm
from tests.branch_hands import SOME, alarm_statuses, issues, move
from tests.people import signer_line
from tests.promotion_world import BRANCH, POLICY, REF, Server, make_server
from tests.test_alarm_stories import Guarded

ROLES = '[roles.platform]\nmembers = ["ann@example.com"]\n[roles.security]\nmembers = ["sam@example.com"]\n'


@pytest.fixture(params=SOME)
def guarded(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    made = Guarded(tmp_path, request.param)
    with (made.world.home / "allowed_signers").open("a") as file:
        file.write(signer_line("ann") + "\n")
    made.world.wake()
    made.world.work_off()
    yield made
    made.world.close()


def ask(guarded: Guarded, url: str, *names: str) -> None:
    for name in names:
        guarded.world.say(url, HoldLifted(BRANCH, "nobody agreed", guarded.hold(), way="restore"), by=name)
    guarded.world.settle(url)


def keep(guarded: Guarded) -> None:
    with (guarded.world.home / "service.toml").open("a") as file:
        file.write('protection = "keep"\n')
    guarded.world.service = guarded.world.open()


def at(guarded: Guarded) -> str:
    return guarded.world.bare.rev(REF)


def test_the_service_puts_a_branch_back_that_was_forced_away(guarded: Guarded) -> None:
    keep(guarded)
    world = guarded.world
    world.bare.git("config", "receive.denyNonFastForwards", "true")
    with world.serving() as url:
        forced = guarded.commit("by force")
        move(guarded.side, forced, by="mallory")
        world.settle(url)
        ask(guarded, url, "sam")
        assert at(guarded) == forced, "one is not enough"
        ask(guarded, url, "ann")
        assert at(guarded) == world.first
        world.wake()
        world.settle(url)
    kinds = [one.kind for one in guarded.ledger.entries()]
    expected = [
        "permit.issued", "restore.started", "protection.opened", "protection.closed", "permit.spent", "branch.moved",
        "hold.ended", "alarm.closed",
    ]  # fmt: skip
    assert [kind for kind in kinds if kind in expected] == expected
    (issued,) = guarded.ledger.entries("permit.issued")
    assert (issued.body["kind"], issued.body["by"]) == ("restore", ["sam", "ann"])
    assert guarded.expected() == world.first
    assert world.bare.git("config", "receive.denyNonFastForwards") == "true", "closed again"
    (issue,) = issues(guarded.side)
    assert not issue.is_open
    assert "put back" in issue.body
    assert alarm_statuses(guarded.side, forced)[-1].state in {"failure", "failed"}
    assert guarded.ledger.verify() > 0


def test_a_forge_that_takes_no_force_is_told_and_not_asked_all_the_time(guarded: Guarded) -> None:
    world = guarded.world
    world.bare.git("config", "receive.denyNonFastForwards", "true")
    with world.serving() as url:
        move(guarded.side, guarded.commit("by force"), by="mallory")
        world.settle(url)
        for name in ("sam", "ann"):
            world.say(url, HoldLifted(BRANCH, "", guarded.hold(), way="restore"), by=name)
        world.step()
        world.step()
        world.wake()
        world.settle(url)
        (failed,) = guarded.ledger.entries("restore.failed")
        assert "did not take the push" in str(failed.body["why"])
        assert len(list(guarded.ledger.entries("permit.revoked"))) == 1
        # Somebody does it by hand: the alarm ends, and nothing is moved.
        move(guarded.side, world.first, by="ops")
        world.settle(url)
    found = latest_alarm(guarded.ledger, REF)
    assert found is not None
    assert "back at" in issues(guarded.side)[0].body or found.state == "restored"


def test_a_deleted_branch_comes_back(guarded: Guarded) -> None:
    world = guarded.world
    with world.serving() as url:
        move(guarded.side, None, by="mallory")
        world.settle(url)
        ask(guarded, url, "ann", "sam")
    assert at(guarded) == world.first
    assert guarded.expected() == world.first


def test_it_is_found_out_how_far_it_got(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the push and its recording: the next look records what is true, and moves nothing."""
    world = guarded.world
    with world.serving() as url:
        move(guarded.side, guarded.commit("by force"), by="mallory")
        world.settle(url)
        means = _dying(monkeypatch)
        for name in ("sam", "ann"):
            world.say(url, HoldLifted(BRANCH, "", guarded.hold(), way="restore"), by=name)
        with pytest.raises(SystemExit):
            world.work_off()
        assert means == [1]
        monkeypatch.undo()
        assert at(guarded) == world.first
        assert not list(guarded.ledger.entries("branch.moved"))
        world.wake()
        world.work_off()
    (moved,) = guarded.ledger.entries("branch.moved")
    assert moved.body["permit"]
    assert len(list(guarded.ledger.entries("permit.issued"))) == 1
    found = latest_alarm(guarded.ledger, REF)
    assert found is not None
    assert found.state == "restored"


def _dying(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process ends right after the push."""
    from guard.adapters.mirror import Mirror

    pushed: list[int] = []
    push = Mirror.push

    def push_and_die(self: Mirror, ref: str, old: str, new: str, *, token: str = "") -> str:
        push(self, ref, old, new, token=token)
        pushed.append(1)
        raise SystemExit(1)

    monkeypatch.setattr(Mirror, "push", push_and_die)
    return pushed


def test_beside_the_ledger_through_the_servers_own_hooks(tmp_path: Path) -> None:
    """The hook takes a move that does not go forward with the permit to put it back, and with no other."""
    server = make_server(tmp_path, policy=POLICY + ROLES)
    (tmp_path / "sam").mkdir()
    _key(tmp_path / "sam", server)
    nothing = server.guard("restore", "--dry-run")
    assert (nothing.status, "no alarm" in nothing.err) == (1, True)
    server.bare.git("update-ref", REF, server.fix)
    server.bare.git("config", "core.logAllRefUpdates", "true")
    unnoticed = server.ok("restore", "--dry-run")
    assert f"would raise the alarm: {BRANCH} stands at {server.fix}" in unnoticed
    assert "alarm.raised" not in server.kinds()
    first = server.ok("restore", "--because", "nobody agreed")
    assert "asked for" in first
    assert server.head() == server.fix
    shown = server.ok("restore", "--dry-run")
    assert "1 of 2 asked for it: ann@example.com" in shown
    assert server.head() == server.fix
    again = server.ok("restore")
    assert "asked for" in again, "the same one twice is one"
    done = server.guard("restore", "--as", "sam@example.com", "--key", str(tmp_path / "sam" / "key"))
    assert done.status == 0, done.out + done.err
    assert done.out.startswith("restored: ")
    assert server.head() == server.old
    assert server.guard("holds").status == 0
    kinds = server.kinds()
    assert kinds.count("branch.moved") == 1
    assert kinds[-1] == "alarm.closed"
    assert server.guard("restore").status == 1


def _key(folder: Path, server: Server) -> None:
    from tests.promotion_world import give_key

    give_key(folder)
    signers = server.bare.path / "guard" / "allowed_signers"
    signers.write_text(signers.read_text() + f"sam@example.com {(folder / 'key.pub').read_text()}\n")


def test_what_is_not_known_is_not_restored(tmp_path: Path) -> None:
    server = make_server(tmp_path, policy=POLICY + ROLES, adopted=False)
    server.bare.git("update-ref", REF, server.fix)
    done = server.guard("restore")
    assert done.status == 1
    assert server.head() == server.fix


def test_a_push_past_the_wall_is_an_alarm_that_two_accept(tmp_path: Path) -> None:
    """Somebody took pre-receive away for a moment; post-receive tells, and promotions stop until two have spoken."""
    server = make_server(tmp_path, policy=POLICY + ROLES)
    (tmp_path / "sam").mkdir()
    _key(tmp_path / "sam", server)
    hook = server.bare.path / "hooks" / "pre-receive"
    hook.rename(hook.with_name("away"))
    server.dev.git("push", "-q", "--no-verify", "origin", f"{server.fix}:{REF}")
    hook.with_name("away").rename(hook)
    assert "alarm.raised" in server.kinds()
    alarm = latest_alarm(server.ledger, REF)
    assert alarm is not None
    doctor = server.guard("doctor", "--section", "forge", "--server", str(server.bare.path))
    assert doctor.status == 1
    assert f"guard restore {alarm.hold}" in doctor.out
    stays = server.guard("adopt", "--branch", BRANCH, "--force", "--because", "we like it")
    assert f"held until two role holders lift {alarm.hold}" in stays.err
    server.ok("unhold", alarm.hold)
    assert server.guard("holds").status == 1
    done = server.guard(
        "unhold", alarm.hold, "--as", "sam@example.com", "--key", str(tmp_path / "sam" / "key")
    )
    assert done.status == 0, done.err
    assert server.guard("holds").status == 0
    ended = latest_alarm(server.ledger, REF)
    assert ended is not None
    assert (ended.state, ended.by) == ("accepted", ("ann@example.com", "sam@example.com"))
    assert server.guard("doctor", "--section", "forge", "--server", str(server.bare.path)).status == 0
