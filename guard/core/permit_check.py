"""Whether a permit's token is good, with as few imports as can be: a push waits for a Python that starts for this.

The one check of a permit there is. `guard.core.permit` gives its answers as a `Permit`; the server's hook runs it as it
is. A compact JWS (RFC 7515, 8037); whether the permit was spent or revoked is the ledger's to say, not the token's.
"""

from __future__ import annotations

import binascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

MAX_TOKEN = 4096
"""Characters. A push option travels in one packet line of up to 65,516 bytes; a real permit has about 900."""

MAX_LIFE = 3600
"""Seconds."""

END_OF_TIME = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second that a datetime can say."""

CLOCK_SKEW = 5
"""Seconds by which a permit may have been issued ahead of the verifier's clock. Its end has no such allowance."""

TYPE = "guard-permit+jws"
RESTORE_TYPE = "guard-restore+jws"
"""A permit to put a branch back, which alone need not go forward; what says so is signed with the rest."""
ALGORITHM = "EdDSA"

_HEX = "0123456789abcdef"
_BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class NotGood(Exception):
    """A permit that gives no leave. `code` says why and is stable; no message ever holds the token."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix


def read_claims(
    token: str, keys: Mapping[str, Mapping[str, object]], *, loads: Callable[[str], object] | None = None
) -> dict[str, Any]:
    """What the token says, its signature and form checked, not its time or what it is for. `keys` are public JWKs by
    `kid`; `loads` reads JSON (by default the standard library's). Raises NotGood."""
    parts = token.split(".") if isinstance(token, str) and len(token) <= MAX_TOKEN else []
    if len(parts) != 3:
        raise malformed(f"it is not three dotted parts of at most {MAX_TOKEN} characters in all")
    header = _object(decode(parts[0]), {"alg", "kid", "typ"}, loads)
    if header["alg"] != ALGORITHM or header["typ"] not in {TYPE, RESTORE_TYPE}:
        raise malformed(f"its header does not say alg {ALGORITHM} and typ {TYPE}")
    kid = header["kid"]
    if not isinstance(kid, str) or kid not in keys:
        raise NotGood(
            "permit.unknown-key",
            f"the permit is signed with a key that is not known here: {_shown(kid)}",
            "fetch the guard's published keys anew, or ask for a new permit",
        )
    _check_signature(keys[kid], signature=decode(parts[2]), signed=f"{parts[0]}.{parts[1]}".encode("ascii"))
    claims = _object(decode(parts[1]), {*_FORMS, "iat", "exp"}, loads)
    check_form(claims)
    return claims


def restores(token: str, *, loads: Callable[[str], object] | None = None) -> bool:
    """Whether a token that was found good is a permit to put a branch back."""
    try:
        header = _object(decode(token.partition(".")[0]), {"alg", "kid", "typ"}, loads)
    except NotGood:
        return False
    return bool(header["typ"] == RESTORE_TYPE)


def unchecked_claims(token: str) -> dict[str, Any]:
    """What the token says, whoever signed it; {} for what is no permit. It proves nothing."""
    try:
        _, body, _ = token.split(".")
        claims = _object(decode(body), {*_FORMS, "iat", "exp"}, None)
        check_form(claims)
    except (ValueError, NotGood):
        return {}
    return claims


def check_move(
    claims: Mapping[str, Any],
    *,
    now: float,
    repository: str,
    ref: str,
    old: str,
    new: str | None,
    tree: str | None = None,
    longest: int = MAX_LIFE,
) -> None:
    """Raise NotGood unless the claims are for exactly this move, and `now` (seconds since 1970, UTC) is in their time.

    `new` and `tree` may be None where the verifier cannot know them; all else has to match. `longest` is for how many
    seconds a permit may be good here.
    """
    _check_time(claims, now, longest)
    asked = {"repository": repository, "ref": ref, "old": old, "new": new, "tree": tree}
    for name, wanted in asked.items():
        given = claims[name]
        if wanted is not None and given != wanted:
            raise NotGood(
                f"permit.other-{name}",
                f"the permit is for another {name}: {given}, not {_shown(wanted)}",
                'ask for a permit for this very move: "guard promote"',
            )


def _check_time(claims: Mapping[str, Any], now: float, longest: int) -> None:
    if now >= claims["exp"]:
        from datetime import UTC, datetime

        end = datetime.fromtimestamp(claims["exp"], UTC)
        raise NotGood(
            "permit.expired",
            f"the permit ran out at {end:%Y-%m-%dT%H:%M:%SZ}",
            'ask for a new one: "guard promote"',
        )
    if claims["iat"] > now + CLOCK_SKEW:
        raise NotGood(
            "permit.not-yet-valid",
            "the permit was issued in the future of this machine's clock",
            "set both clocks (NTP); at most 5 seconds of difference are allowed",
        )
    if claims["exp"] - claims["iat"] > longest:
        raise NotGood(
            "permit.too-long",
            f"the permit is good for more than {longest} seconds, and nobody is asked here whether it was taken back",
            "have the guard issue short permits for this server, or have the server ask it",
        )


def check_form(claims: Mapping[str, Any]) -> None:
    """Raise NotGood `permit.malformed` unless every claim has the form it must have."""
    for name, has_form in _FORMS.items():
        value = claims[name]
        if not isinstance(value, str) or not has_form(value):
            raise malformed(f'its claim "{name}" has not the form it must have')
    issued, expires = claims["iat"], claims["exp"]
    if type(issued) is not int or type(expires) is not int or issued < 0 or expires > END_OF_TIME:
        raise malformed('its claims "iat" and "exp" are not whole seconds')
    if not 0 < expires - issued <= MAX_LIFE:
        raise malformed("it does not live for more than nothing and at most one hour")


def _is_id(text: str) -> bool:
    return 16 <= len(text) <= 64 and not text.strip(_BASE64URL)


def _is_commit(text: str) -> bool:
    return len(text) in {40, 64} and not text.strip(_HEX)


def _is_digest(text: str) -> bool:
    return len(text) == 71 and text.startswith("sha256:") and not text[7:].strip(_HEX)


def _is_ref(text: str) -> bool:
    name = text.removeprefix("refs/heads/")
    return name != text and 1 <= len(name) <= 200 and not any(c <= " " or c in "\x7f~^:?*[\\" for c in name)


def _is_text(text: str) -> bool:
    return 1 <= len(text) <= 200 and not any(c < " " or c == "\x7f" for c in text)


_FORMS = {
    "jti": _is_id,
    "repository": _is_text,
    "ref": _is_ref,
    "old": _is_commit,
    "new": _is_commit,
    "tree": _is_commit,
    "decision": _is_digest,
    "policy": _is_digest,
    "by": _is_text,
}
"""The text claims of the payload and the form each must have; `iat` and `exp` are whole seconds besides."""

CLAIMS = tuple(_FORMS)


def _check_signature(jwk: Mapping[str, object], *, signature: bytes, signed: bytes) -> None:
    x = jwk.get("x")
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519" or not isinstance(x, str):
        raise _unusable_key()
    try:
        public = decode(x)
    except NotGood:
        raise _unusable_key() from None
    try:
        _key_of(public).verify(signature, signed)
    except ImportError:
        raise  # nobody can say anything about the permit
    except Exception as error:
        # By its name, because importing it takes as long as the check: only this one says that the signature is wrong.
        if type(error).__name__ != "InvalidSignature":
            raise _unusable_key() from None
        raise NotGood(
            "permit.signature",
            "the permit's signature is not the guard's",
            'ask for a permit: "guard promote"',
        ) from None


def _key_of(public: bytes) -> Any:
    """cryptography's Ed25519 key of these 32 bytes. Its binding is taken straight where it is where it was: the public
    module around it imports ten times as much. Raises ValueError, and ImportError where cryptography is missing."""
    try:
        from cryptography.hazmat.bindings._rust import openssl

        make = openssl.ed25519.from_public_bytes
    except (ImportError, AttributeError):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        make = Ed25519PublicKey.from_public_bytes
    return make(public)


def _unusable_key() -> NotGood:
    return NotGood(
        "permit.keys-unreadable",
        "the public key that the permit names is not a usable Ed25519 key",
        "have the operator mend jwks.json on the server side",
    )


def _object(data: bytes, names: set[str], loads: Callable[[str], object] | None) -> dict[str, Any]:
    """The JSON object in `data`: exactly these members, and written exactly as canonical JSON writes it.

    Comparing with the canonical form refuses duplicate members, other orders and other spellings in one step.
    """
    if loads is None:
        import json

        loads = json.loads
    try:
        value = loads(data.decode("utf-8"))
        exact = isinstance(value, dict) and value.keys() == names and canonical(value) == data
    except (ValueError, RecursionError):
        exact = False
    if not exact or not isinstance(value, dict):
        raise malformed(f"one part is not the canonical JSON of exactly: {', '.join(sorted(names))}")
    return dict(value)


def canonical(value: Mapping[str, object]) -> bytes:
    """The bytes of RFC 8785 for ASCII member names with text and integer values, which is all there is here. Raises
    NotGood for any other."""
    try:
        from _json import encode_basestring as quoted  # what json.dumps(…, ensure_ascii=False) quotes with
    except ImportError:
        from json.encoder import encode_basestring as quoted  # type: ignore[attr-defined, unused-ignore]
    members = []
    for name in sorted(value):
        item = value[name]
        if type(item) is not int and not isinstance(item, str):
            raise malformed("it holds what is not text or a number")
        members.append(f"{quoted(name)}:{quoted(item) if isinstance(item, str) else item}")
    try:
        return f"{{{','.join(members)}}}".encode()
    except UnicodeEncodeError:
        raise malformed("it holds what is not text or a number") from None


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return binascii.b2a_base64(data, newline=False).decode("ascii").translate({43: 45, 47: 95}).rstrip("=")


def decode(part: str) -> bytes:
    """Base64url without padding, refused unless it is the one spelling of its bytes. Raises NotGood."""
    try:
        plain = part.translate({45: 43, 95: 47}) + "=" * (-len(part) % 4)
        data = binascii.a2b_base64(plain) if part and not part.strip(_BASE64URL) else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data or encode(data) != part:
        raise malformed("one part is not canonical base64url without padding")
    return data


def malformed(why: str) -> NotGood:
    return NotGood("permit.malformed", f"this is no permit: {why}", 'ask for one: "guard promote"')


def _shown(value: object) -> str:
    """At most 100 printable characters of a text from outside."""
    return "".join(c if c.isprintable() else "?" for c in str(value)[:100])
