"""The permit: a signed, short-lived leave for exactly one move of one branch, a compact JWS (RFC 7515, 8037).

Importable with the standard library alone, because the server's hook verifies permits; `cryptography` is
imported only when a signature is checked. Whether a permit was spent or revoked is the ledger's to say, not
the token's.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from guard.core.errors import GuardError

MAX_TOKEN = 4096
"""Characters. A push option travels in one packet line of up to 65,516 bytes; a real permit has about 900."""

MAX_LIFE = timedelta(hours=1)
END_OF_TIME = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second that a datetime can say."""

CLOCK_SKEW = timedelta(seconds=5)
"""How far ahead of the verifier's clock a permit may have been issued. Its end has no such allowance."""

TYPE = "guard-permit+jws"
ALGORITHM = "EdDSA"

_PART = re.compile(r"[A-Za-z0-9_-]+")
_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REF = re.compile(r"refs/heads/[^\x00-\x20\x7f~^:?*\[\\]{1,200}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,200}")

_CLAIMS: dict[str, re.Pattern[str]] = {
    "jti": _ID,
    "repository": _TEXT,
    "ref": _REF,
    "old": _COMMIT,
    "new": _COMMIT,
    "tree": _COMMIT,
    "decision": _DIGEST,
    "policy": _DIGEST,
    "by": _TEXT,
}
"""The text claims of the payload and the form each must have; `iat` and `exp` are whole seconds besides."""


class PermitError(GuardError):
    """A permit that gives no leave. `code` says why and is stable; no message ever holds the token."""

    code = "permit.malformed"
    exit_status = 1


@dataclass(frozen=True, slots=True)
class Permit:
    """What a permit says: `repository`'s `ref` may move from `old` to `new` (whose tree is `tree`), once.

    `decision` and `policy` are digests (`sha256:…`); `issued` and `expires` whole seconds since 1970, UTC.
    """

    id: str
    repository: str
    ref: str
    old: str
    new: str
    tree: str
    decision: str
    policy: str
    by: str
    issued: int
    expires: int

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires, UTC)


class Signer(Protocol):
    """A private Ed25519 key, wherever it is kept."""

    @property
    def kid(self) -> str: ...

    def sign(self, data: bytes, /) -> bytes:
        """The 64 bytes of the Ed25519 signature."""
        ...


def sign(permit: Permit, signer: Signer) -> str:
    """The compact JWS of a permit. Raises PermitError for one that no verifier would take."""
    check_form(permit)
    payload = _claims(permit)
    head = _encode(_canonical({"alg": ALGORITHM, "kid": signer.kid, "typ": TYPE}))
    body = _encode(_canonical(payload))
    token = f"{head}.{body}.{_encode(signer.sign(f'{head}.{body}'.encode('ascii')))}"
    if len(token) > MAX_TOKEN:
        raise _malformed(f"it would be longer than {MAX_TOKEN} characters")
    return token


def check_form(permit: Permit) -> None:
    """Raise PermitError `permit.malformed` for a permit that no verifier would take, whatever signs it."""
    _permit_of(_claims(permit))


def verify(
    token: str,
    keys: Mapping[str, Mapping[str, object]],
    *,
    now: datetime,
    repository: str,
    ref: str,
    old: str,
    new: str | None,
    tree: str | None = None,
) -> Permit:
    """The permit in `token`, if it is good for exactly this move now. `keys` are public JWKs by `kid`.

    `new` and `tree` may be None where the verifier cannot know them; all else has to match. Raises
    PermitError with a code of its own for every reason.
    """
    permit = read(token, keys)
    _check_time(permit, now)
    asked = {"repository": repository, "ref": ref, "old": old, "new": new, "tree": tree}
    for name, wanted in asked.items():
        given = getattr(permit, name)
        if wanted is not None and given != wanted:
            raise PermitError(
                f"the permit is for another {name}: {given}, not {_shown(wanted)}",
                fix='ask for a permit for this very move: "guard promote"',
                code=f"permit.other-{name}",
            )
    return permit


def read(token: str, keys: Mapping[str, Mapping[str, object]]) -> Permit:
    """The permit in `token`, its signature checked, not its time or what it is for. Raises PermitError."""
    parts = token.split(".") if isinstance(token, str) and len(token) <= MAX_TOKEN else []
    if len(parts) != 3:
        raise _malformed(f"it is not three dotted parts of at most {MAX_TOKEN} characters in all")
    header = _object(_decode(parts[0]), {"alg", "kid", "typ"})
    if header["alg"] != ALGORITHM or header["typ"] != TYPE:
        raise _malformed(f"its header does not say alg {ALGORITHM} and typ {TYPE}")
    kid = header["kid"]
    if not isinstance(kid, str) or kid not in keys:
        raise PermitError(
            f"the permit is signed with a key that is not known here: {_shown(kid)}",
            fix="fetch the guard's published keys anew, or ask for a new permit",
            code="permit.unknown-key",
        )
    _check_signature(keys[kid], signature=_decode(parts[2]), signed=f"{parts[0]}.{parts[1]}".encode("ascii"))
    return _permit_of(_object(_decode(parts[1]), {*_CLAIMS, "iat", "exp"}))


def parse_jwks(text: str | bytes) -> dict[str, Mapping[str, object]]:
    """The keys of a JWK Set document by `kid`. Raises PermitError `permit.keys-unreadable`."""
    try:
        listed = json.loads(text)["keys"]
        return {str(key["kid"]): dict(key) for key in listed}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PermitError(
            "the guard's public keys cannot be read",
            fix="have the operator mend jwks.json on the server side",
            code="permit.keys-unreadable",
        ) from None


def _claims(permit: Permit) -> dict[str, object]:
    texts = {name: getattr(permit, "id" if name == "jti" else name) for name in _CLAIMS}
    return {**texts, "iat": permit.issued, "exp": permit.expires}


def _permit_of(claims: Mapping[str, object]) -> Permit:
    """The permit that these claims make, every one checked for its form."""
    texts: dict[str, str] = {}
    for name, pattern in _CLAIMS.items():
        value = claims[name]
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _malformed(f'its claim "{name}" has not the form it must have')
        texts["id" if name == "jti" else name] = value
    issued, expires = claims["iat"], claims["exp"]
    if type(issued) is not int or type(expires) is not int or issued < 0 or expires > END_OF_TIME:
        raise _malformed('its claims "iat" and "exp" are not whole seconds')
    if not 0 < expires - issued <= MAX_LIFE.total_seconds():
        raise _malformed("it does not live for more than nothing and at most one hour")
    return Permit(**texts, issued=issued, expires=expires)


def _check_time(permit: Permit, now: datetime) -> None:
    seconds = now.timestamp()
    if seconds >= permit.expires:
        raise PermitError(
            f"the permit ran out at {permit.expires_at:%Y-%m-%dT%H:%M:%SZ}",
            fix='ask for a new one: "guard promote"',
            code="permit.expired",
        )
    if permit.issued > seconds + CLOCK_SKEW.total_seconds():
        raise PermitError(
            "the permit was issued in the future of this machine's clock",
            fix="set both clocks (NTP); at most 5 seconds of difference are allowed",
            code="permit.not-yet-valid",
        )


def _check_signature(jwk: Mapping[str, object], *, signature: bytes, signed: bytes) -> None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    x = jwk.get("x")
    try:
        if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519" or not isinstance(x, str):
            raise ValueError("not an Ed25519 key")
        Ed25519PublicKey.from_public_bytes(_decode(x)).verify(signature, signed)
    except InvalidSignature:
        raise PermitError(
            "the permit's signature is not the guard's",
            fix='ask for a permit: "guard promote"',
            code="permit.signature",
        ) from None
    except (ValueError, UnsupportedAlgorithm, PermitError):
        raise PermitError(
            "the public key that the permit names is not a usable Ed25519 key",
            fix="have the operator mend jwks.json on the server side",
            code="permit.keys-unreadable",
        ) from None


def _object(data: bytes, names: set[str]) -> dict[str, object]:
    """The JSON object in `data`: exactly these members, and written exactly as canonical JSON writes it.

    Comparing with the canonical form refuses duplicate members, other orders and other spellings in one step.
    """
    try:
        value = json.loads(data)
        exact = isinstance(value, dict) and value.keys() == names and _canonical(value) == data
    except (ValueError, RecursionError):
        exact = False
    if not exact:
        raise _malformed(f"one part is not the canonical JSON of exactly: {', '.join(sorted(names))}")
    return dict(value)


def _canonical(value: Mapping[str, object]) -> bytes:
    # The bytes of RFC 8785 for ASCII member names with text and integer values, which is all there is here.
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    except (TypeError, UnicodeEncodeError):
        raise _malformed("it holds what is not text or a number") from None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(part: str) -> bytes:
    """Base64url without padding, refused unless it is the one spelling of its bytes."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) if _PART.fullmatch(part) else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data or _encode(data) != part:
        raise _malformed("one part is not canonical base64url without padding")
    return data


def _malformed(why: str) -> PermitError:
    return PermitError(f"this is no permit: {why}", fix='ask for one: "guard promote"')


def _shown(value: object) -> str:
    """At most 100 printable characters of a text from outside."""
    return "".join(c if c.isprintable() else "?" for c in str(value)[:100])
