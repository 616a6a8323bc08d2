"""The tests of the ledger's surroundings that the release needs by name."""

import sqlite3

import pytest
from platform_control.ledger import Entry, Ledger
from platform_control.outbox import Outbox, posted
from platform_control.store import forward, rollback, schema
from platform_control.stripe import receive, signature


@pytest.fixture
def database():
    with sqlite3.connect(":memory:") as opened:
        forward(opened)
        yield opened
    opened.close()


@pytest.mark.parametrize("change", ["UPDATE audit SET what = 'nothing'", "DELETE FROM audit"])
def test_audit_is_immutable(database, change):
    database.execute("INSERT INTO audit (what) VALUES ('paid')")
    with pytest.raises(sqlite3.IntegrityError, match="the audit stays"):
        database.execute(change)


def test_migration_forward(database):
    assert {"entries", "audit"} <= set(schema(database))


def test_migration_rollback(database):
    rollback(database)
    assert schema(database) == []


def test_outbox_relays_at_least_once():
    outbox, taken = Outbox(), []

    def breaks_once(event):
        taken.append(event["id"])
        if len(taken) == 1:
            raise ConnectionError("the receiver is gone")

    posted(outbox, "1", "{}")
    posted(outbox, "2", "{}")
    with pytest.raises(ConnectionError):
        outbox.relay(breaks_once)
    outbox.relay(breaks_once)
    assert taken == ["1", "1", "2"]
    assert outbox.waiting == 0


@pytest.mark.parametrize("times", [1, 2, 5])
def test_idempotency_of_every_mutation(times):
    ledger, body, secret = Ledger(), b"{}", b"s"
    event = {"id": "evt_1", "account": "acme", "cents": 5}
    for _ in range(times):
        ledger.post(Entry("acme", 500, "a"))
        receive(ledger, event, body=body, signed=signature(secret, body), secret=secret)
    assert ledger.balance("acme") == 505
