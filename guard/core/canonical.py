"""Canonical JSON (RFC 8785) and the digests that are taken of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import rfc8785

from guard.core.errors import GuardError


class CanonicalError(GuardError):
    """A value has no canonical JSON form: an integer beyond ±(2⁵³-1), NaN, a lone surrogate, another type."""

    code = "canonical.unrepresentable"


def canonical_bytes(value: object) -> bytes:
    """The one RFC 8785 encoding of a JSON value, as UTF-8. Raises CanonicalError."""
    plain = dict(value) if isinstance(value, Mapping) else value
    try:
        return rfc8785.dumps(plain)  # type: ignore[arg-type]  # anything that is not JSON is refused there
    except (ValueError, TypeError, RecursionError) as error:
        raise CanonicalError(
            f"a value cannot be written as canonical JSON: {error}",
            fix="use JSON values within RFC 8785's limits",
        ) from None


def parse_canonical(text: str | bytes) -> object:
    """The value behind a canonical JSON text, such that its canonical text is the same again. Raises ValueError
    or RecursionError.

    RFC 8785 writes the float 1e16 with all its digits and without a point, where Python would read an integer.
    """
    return json.loads(text, parse_int=_number)


def _number(digits: str) -> int | float:
    short = len(digits) <= _SAFE_DIGITS and abs(int(digits)) < 2**53
    return int(digits) if short else float(digits)


_SAFE_DIGITS = 17


def digest_of(value: object) -> str:
    """`sha256:` and the hex SHA-256 of the value's canonical JSON. Raises CanonicalError."""
    return digest_of_bytes(canonical_bytes(value))


def digest_of_bytes(data: bytes) -> str:
    """`sha256:` and the hex SHA-256 of these bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
