"""The id of a promotion that the service permits: both sides know it from the request id, before anything is asked."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode


def promotion_id(request: str) -> str:
    """The promotion that this request id stands for, always the same one; 24 characters of base64url."""
    digest = hashlib.sha256(f"promotion\0{request}".encode()).digest()
    return urlsafe_b64encode(digest[:18]).decode("ascii")
