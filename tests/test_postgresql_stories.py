"""The guard's main stories with the ledger in PostgreSQL: the wall, a promotion, the service, killed and alive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from guard.adapters.postgresql import make_tables
from guard.cli.main import status_of
from tests.hosted_world import hosted
from tests.postgres import Database, fresh_database
from tests.promotion_world import BRANCH, REF, make_server
from tests.service_world import ServiceWorld, as_json, call, serving
from tests.test_promotion_cli import PROMOTED
from tests.test_service_crash import COMMENTS, killed_while

pytestmark = pytest.mark.xdist_group("postgresql")


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    made = fresh_database()
    make_tables(made.owner, role=made.role, patience=timedelta(seconds=10))
    monkeypatch.setenv("PGPASSWORD", "guard")  # as an operator's ~/.pgpass would
    return made


KEEPS = """#!/bin/sh
echo "$GUARD_PERMIT" >"$KEPT"
git push -q "$GUARD_REMOTE" "$GUARD_NEW:refs/heads/$GUARD_BRANCH"
"""


def test_a_promotion_with_its_permit_once(tmp_path: Path, database: Database) -> None:
    """The wall asks the database: a spent permit gives no leave, and a database that does not answer none either."""
    server = make_server(tmp_path, database=database.plain, script=KEEPS)
    kept = tmp_path / "kept"
    server.ok("promote", "--prepare")
    done = server.guard("promote", "--yes", KEPT=str(kept))
    assert f"promoted: {BRANCH} stands at {server.fix}" in done.out, done.err
    assert (server.head(), server.kinds()) == (server.fix, PROMOTED)
    assert not (server.bare.path / "guard" / "ledger.sqlite3").exists()
    server.ok("audit", "verify")

    server.bare.git("update-ref", REF, server.old)  # an operator's hand, past every hook
    permit = f"guard-permit={kept.read_text().strip()}"
    replayed = server.dev.run("push", "--no-verify", "-o", permit, "origin", f"{server.fix}:{REF}")
    assert b"permit.spent" in replayed.stderr
    database.run(f"REVOKE ALL ON entries FROM {database.role}")
    unanswered = server.dev.run("push", "--no-verify", "-o", permit, "origin", f"{server.fix}:{REF}")
    assert b"ledger.unreadable" in unanswered.stderr
    assert server.head() == server.old
    refused = server.guard("promote", "--yes")
    assert (refused.status, "ledger." in refused.err) == (2, True)


def test_preparing_by_the_command_is_repeatable(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("text", "json"):
        asked = ["database", "prepare", "--url", database.owner, "--role", database.role, "--format", form]
        assert status_of(asked) == 0
        out = capsys.readouterr().out
        assert database.role in out
        assert ":owner@" not in out
    assert json.loads(out)["done"]
    assert status_of(["database", "prepare", "--url", "mysql://x/y", "--role", "r"]) == 64


@pytest.fixture
def world(tmp_path: Path, database: Database) -> Iterator[ServiceWorld]:
    made = ServiceWorld(tmp_path, "gitlab", database=database.plain)
    yield made
    made.close()


def test_the_service_killed_between_recording_and_publishing_says_it_once(world: ServiceWorld) -> None:
    with world.serving() as url:
        head = world.commit("a fix", {"app": "2\n"})
        proposal = world.side.propose(head)
        world.side.deliver(url)
        killed_while(world, path=COMMENTS[world.side.name])
        assert len(world.recorded()) == 1
        world.work_off()
        assert [one.state for one in world.side.statuses(head)] == ["failure"]
        world.side.approve(proposal, by="ann")
        world.side.approve(proposal, by="sam")
        world.submit(url, head)
        world.settle(url)
        assert world.status(head).state == "success"
        assert len(world.side.comments(proposal)) == 1


def test_two_promoters_at_two_services_on_postgresql(tmp_path: Path, database: Database) -> None:
    """Two processes, perhaps on two machines, that share the database: the branch's lock is in it."""
    with hosted(tmp_path, "gitlab", database=database.plain) as one:
        _, head = one.go()
        wanted = [one.request(head), one.request(head)]
        bodies = [one.signed(wanted[0], by="ann"), one.signed(wanted[1], by="pat")]
        with serving(one.open()) as other, ThreadPoolExecutor(2) as pool:
            urls = (one.url, other)
            answers = list(
                pool.map(
                    lambda pair: call(f"{pair[0]}/api/v1/promotions", pair[1]), zip(urls, bodies, strict=True)
                )
            )
        given, refused = sorted(answers, key=lambda answer: answer[0])
        assert (given[0], refused[0]) == (201, 409)
        assert as_json(refused[2])["code"] == "promotion.under-way"
        assert len(list(one.ledger.entries("permit.issued"))) == 1
        assert one.state("%00").code == "promotion.unknown"
        assert one.present("%00", "push", "a.b.c").code == "promotion.unknown"
        found = as_json(given[2])
        assert one.present(found["promotion"], "push", found["permit"]).body["state"] == "finished"
        assert one.ledger.verify()
