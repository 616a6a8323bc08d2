"""SSH public keys and their raw signatures (RFC 4251, 4253, 5656, 8332, 8709; OpenSSH's PROTOCOL.u2f)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from guard.core.errors import GuardError

MAX_FIELD = 16 * 1024
"""Bytes of the longest string in a key or signature; an RSA key of 16,384 bits needs 2 KiB."""

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 16_384

USER_PRESENT = 0x01
"""The flag by which a security key says that somebody touched it (PROTOCOL.u2f)."""

_TYPE = re.compile(r"[a-z0-9@.-]{1,64}")


class SignatureError(GuardError):
    """A key or signature that proves nothing. `code` says why and is stable."""

    code = "signature.malformed"
    exit_status = 1


class Wire:
    """Reads the SSH wire encoding (RFC 4251 §5) front to back. Raises SignatureError where it does not fit."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise SignatureError("a key or signature ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        length = self.uint32()
        if length > MAX_FIELD:
            raise SignatureError(f"a field of {length} bytes is too long for a key or signature")
        return self.take(length)

    def text(self) -> str:
        """A name: printable ASCII."""
        raw = self.string()
        if not raw.isascii() or not (name := raw.decode("ascii")).isprintable():
            raise SignatureError("a name in a key or signature is not printable ASCII")
        return name

    def positive(self) -> int:
        """An mpint above zero, in its only encoding."""
        raw = self.string()
        value = int.from_bytes(raw, "big")
        if not value or raw[0] & 0x80 or (raw[0] == 0 and len(raw) > 1 and not raw[1] & 0x80):
            raise SignatureError("a number in a key or signature is not a canonical positive one")
        return value

    def end(self) -> None:
        if self._at != len(self._data):
            raise SignatureError("a key or signature has bytes after its end")


def ssh_string(data: bytes | str) -> bytes:
    """RFC 4251's string: its length, then its bytes."""
    raw = data.encode("utf-8") if isinstance(data, str) else data
    return struct.pack(">I", len(raw)) + raw


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as SSH writes it: `type` is its name (`ssh-ed25519`), `blob` the whole wire form."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` as `ssh-keygen -l` shows it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).rstrip(b"=").decode("ascii")

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check a signature blob (algorithm and raw signature) over `data`. Raises SignatureError."""
        kind = _kind(self.type)
        wire = Wire(signature)
        algorithm, raw = wire.text(), wire.string()
        if algorithm not in kind.algorithms:
            raise SignatureError(
                f"a {self.type} key cannot sign with {algorithm[:64]}",
                fix=f"sign with {' or '.join(kind.algorithms)}",
                code="signature.algorithm",
            )
        try:
            kind.verify(Wire(self.blob), wire, Raw(algorithm, raw, data))
        except InvalidSignature:
            raise SignatureError(
                "the signature does not fit the statement and the key", code="signature.wrong"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise SignatureError(f"the {self.type} key cannot be used", code="signature.key") from None


@dataclass(frozen=True, slots=True)
class Raw:
    """A raw signature, the name of its algorithm, and the data that it is to fit."""

    algorithm: str
    signature: bytes
    data: bytes


def public_key(blob: bytes) -> PublicKey:
    """The key in a wire blob. Raises SignatureError, `signature.key-type` for a type that is not supported."""
    key = PublicKey(Wire(blob).text(), blob)
    _kind(key.type)
    return key


def parse_public_key(text: str) -> PublicKey:
    """The key in `TYPE BASE64 [comment]`. Raises SignatureError, `signature.key-type` for an unsupported type."""
    words = text.split(None, 2)
    if len(words) < 2 or not _TYPE.fullmatch(words[0]):
        raise SignatureError("expected a public key: its type, a space, and its base64 text")
    _kind(words[0])
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("the public key is not base64") from None
    key = public_key(blob)
    if key.type != words[0]:
        raise SignatureError(f"the public key says {words[0]} and is a {key.type}")
    key_problem(key)
    return key


def key_problem(key: PublicKey) -> None:
    """Raise SignatureError unless the whole blob is one usable key; `signature.weak-key` for a short RSA key."""
    wire = Wire(key.blob)
    try:
        _kind(key.type).load(wire)
    except (ValueError, UnsupportedAlgorithm):
        raise SignatureError(f"the {key.type} key is not a valid one", code="signature.key") from None


def _ed25519(wire: Wire) -> Ed25519PublicKey:
    wire.text()
    key = Ed25519PublicKey.from_public_bytes(wire.string())
    wire.end()
    return key


def _verify_ed25519(key: Wire, rest: Wire, raw: Raw) -> None:
    rest.end()
    _ed25519(key).verify(raw.signature, raw.data)


_CURVES: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    "nistp256": (ec.SECP256R1(), hashes.SHA256()),
    "nistp384": (ec.SECP384R1(), hashes.SHA384()),
    "nistp521": (ec.SECP521R1(), hashes.SHA512()),
}


def _ecdsa(wire: Wire, *, application: bool = False) -> tuple[ec.EllipticCurvePublicKey, str, bytes]:
    type_name, curve = wire.text(), wire.text()
    if curve not in _CURVES or f"ecdsa-sha2-{curve}" not in type_name:
        raise SignatureError(f"the key's curve {curve[:64]} is not that of its type", code="signature.key")
    key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve][0], wire.string())
    app = wire.string() if application else b""
    wire.end()
    return key, curve, app


def _dss(signature: bytes) -> bytes:
    """The DER form of SSH's pair of mpints."""
    wire = Wire(signature)
    pair = wire.positive(), wire.positive()
    wire.end()
    return encode_dss_signature(*pair)


def _verify_ecdsa(key: Wire, rest: Wire, raw: Raw) -> None:
    rest.end()
    public, curve, _ = _ecdsa(key)
    public.verify(_dss(raw.signature), raw.data, ec.ECDSA(_CURVES[curve][1]))


def _rsa(wire: Wire) -> rsa.RSAPublicKey:
    wire.text()
    exponent, modulus = wire.positive(), wire.positive()
    wire.end()
    bits = modulus.bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise SignatureError(
            f"an RSA key of {bits} bits is not accepted; it takes {MIN_RSA_BITS} to {MAX_RSA_BITS}",
            fix="make a new key: ssh-keygen -t ed25519",
            code="signature.weak-key",
        )
    if exponent.bit_length() > 64:
        raise ValueError("exponent")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _verify_rsa(key: Wire, rest: Wire, raw: Raw) -> None:
    rest.end()
    public = _rsa(key)
    digest = hashes.SHA512() if raw.algorithm == "rsa-sha2-512" else hashes.SHA256()
    padded = raw.signature.rjust((public.key_size + 7) // 8, b"\0")
    public.verify(padded, raw.data, padding.PKCS1v15(), digest)


def _touched(rest: Wire, raw: Raw, application: bytes) -> bytes:
    """What a security key really signs: its application, flags, counter and the data's hash."""
    flags, counter = rest.take(1), rest.take(4)
    rest.end()
    if not flags[0] & USER_PRESENT:
        raise SignatureError(
            "the security key signed without being touched",
            fix="use a key that was not made with no-touch-required",
            code="signature.no-touch",
        )
    return hashlib.sha256(application).digest() + flags + counter + hashlib.sha256(raw.data).digest()


def _sk_ed25519(wire: Wire) -> tuple[Ed25519PublicKey, bytes]:
    wire.text()
    key = Ed25519PublicKey.from_public_bytes(wire.string())
    application = wire.string()
    wire.end()
    return key, application


def _verify_sk_ed25519(key: Wire, rest: Wire, raw: Raw) -> None:
    public, application = _sk_ed25519(key)
    public.verify(raw.signature, _touched(rest, raw, application))


def _verify_sk_ecdsa(key: Wire, rest: Wire, raw: Raw) -> None:
    public, _, application = _ecdsa(key, application=True)
    public.verify(_dss(raw.signature), _touched(rest, raw, application), ec.ECDSA(hashes.SHA256()))


@dataclass(frozen=True, slots=True)
class _Kind:
    algorithms: tuple[str, ...]
    load: Callable[[Wire], object]
    verify: Callable[[Wire, Wire, Raw], None]


_SK_ED25519 = "sk-ssh-ed25519@openssh.com"
_SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"

_KINDS: dict[str, _Kind] = {
    "ssh-ed25519": _Kind(("ssh-ed25519",), _ed25519, _verify_ed25519),
    "ecdsa-sha2-nistp256": _Kind(("ecdsa-sha2-nistp256",), _ecdsa, _verify_ecdsa),
    "ecdsa-sha2-nistp384": _Kind(("ecdsa-sha2-nistp384",), _ecdsa, _verify_ecdsa),
    "ecdsa-sha2-nistp521": _Kind(("ecdsa-sha2-nistp521",), _ecdsa, _verify_ecdsa),
    # SHA-1 signatures (`ssh-rsa`) are not accepted, as in PROTOCOL.sshsig.
    "ssh-rsa": _Kind(("rsa-sha2-512", "rsa-sha2-256"), _rsa, _verify_rsa),
    _SK_ED25519: _Kind((_SK_ED25519,), _sk_ed25519, _verify_sk_ed25519),
    _SK_ECDSA: _Kind((_SK_ECDSA,), lambda wire: _ecdsa(wire, application=True), _verify_sk_ecdsa),
}
"""Every key type that counts."""

KEY_TYPES = tuple(_KINDS)


def _kind(type_name: str) -> _Kind:
    kind = _KINDS.get(type_name)
    if kind is None:
        raise SignatureError(
            f"keys of the type {type_name[:64]} are not supported",
            fix=f"use one of {', '.join(KEY_TYPES)}",
            code="signature.key-type",
        )
    return kind
