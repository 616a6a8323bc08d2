"""Stripe's webhook: signed, and delivered at least once."""

import hashlib
import hmac

from platform_control.ledger import Entry, Ledger


def signature(secret: bytes, body: bytes) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def receive(ledger: Ledger, event: dict[str, object], *, body: bytes, signed: str, secret: bytes) -> bool:
    """Post the payment once; raises PermissionError for a wrong signature."""
    if not hmac.compare_digest(signature(secret, body), signed):
        raise PermissionError("wrong signature")
    return ledger.post(Entry(str(event["account"]), int(str(event["cents"])), str(event["id"])))
