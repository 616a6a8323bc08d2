"""The acceptance tests that the release needs by name."""

import dataclasses

import pytest
from platform_control.ledger import Entry, Ledger
from platform_control.stripe import receive, signature

SECRET = b"demo secret"
BODY = b'{"id": "evt_1", "account": "acme", "cents": 500}'
EVENT = {"id": "evt_1", "account": "acme", "cents": 500}


def test_AT_051_balance_is_recomputable_and_entries_never_change():
    ledger = Ledger()
    ledger.post(Entry("acme", 500, "a"))
    ledger.post(Entry("acme", -200, "b"))
    assert ledger.balance("acme") == sum(entry.cents for entry in ledger.entries)
    with pytest.raises(dataclasses.FrozenInstanceError):
        ledger.entries[0].cents = 1


def test_AT_052_stripe_replay_is_idempotent():
    ledger = Ledger()
    for _ in range(2):
        receive(ledger, EVENT, body=BODY, signed=signature(SECRET, BODY), secret=SECRET)
    assert ledger.balance("acme") == 500


def test_AT_053_stripe_signature_cannot_be_bypassed():
    with pytest.raises(PermissionError):
        receive(Ledger(), EVENT, body=BODY, signed="0" * 64, secret=SECRET)
