"""DSSE envelopes (https://github.com/secure-systems-lab/dsse): read, made, and verified by keys that are known.

What a signature covers is the payload's type and bytes (PAE), never the envelope's own JSON. A `keyid` is a hint by
whoever wrote the envelope and proves nothing: only keys that the caller names are ever tried.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from guard.core.canonical import canonical_bytes
from guard.core.errors import GuardError

IN_TOTO = "application/vnd.in-toto+json"
"""The payload type of in-toto statements (in-toto attestation framework, Envelope layer v1)."""

MAX_ENVELOPE = 32 * 1024 * 1024
MAX_SIGNATURES = 32

PublicKey: TypeAlias = Ed25519PublicKey | ec.EllipticCurvePublicKey


class DsseError(GuardError):
    """Not an envelope, or none that the known keys have signed. `code` says which and is stable."""

    code = "dsse.malformed"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature over the payload's PAE; `keyid` is a hint, "" where there is none."""

    keyid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload that some keys may have signed."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


class Signer(Protocol):
    """A private key under its id."""

    @property
    def kid(self) -> str: ...

    def sign(self, data: bytes, /) -> bytes: ...


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: the bytes that a signature is made over."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sealed(payload_type: str, payload: bytes, signers: Sequence[Signer]) -> bytes:
    """The envelope as canonical JSON, signed by each of the signers."""
    covered = pae(payload_type, payload)
    signatures = [{"keyid": one.kid, "sig": _encoded(one.sign(covered))} for one in signers]
    return canonical_bytes(
        {"payload": _encoded(payload), "payloadType": payload_type, "signatures": signatures}
    )


def parse_envelope(data: bytes) -> Envelope:
    """An envelope's parts, none of them verified. Raises DsseError.

    Keys that nobody knows are passed over, as the specification asks; one that is there twice is refused.
    """
    table = _json(data)
    if not isinstance(table, dict):
        raise DsseError("it is not a DSSE envelope: not a JSON object")
    kind, listed = table.get("payloadType"), table.get("signatures")
    if not isinstance(kind, str) or not kind:
        raise DsseError("it is not a DSSE envelope: it has no payloadType")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_SIGNATURES:
        raise DsseError(f"it is not a DSSE envelope: expected 1 to {MAX_SIGNATURES} signatures")
    try:
        kind.encode("utf-8")
    except UnicodeEncodeError:
        raise DsseError("its payloadType is no text") from None
    return Envelope(kind, _decoded(table.get("payload"), "payload"), tuple(map(_signature, listed)))


def _signature(entry: object) -> Signature:
    if not isinstance(entry, dict):
        raise DsseError("a signature of it is not a JSON object")
    keyid = entry.get("keyid")
    if keyid is not None and not isinstance(keyid, str):
        raise DsseError("a signature's keyid is not text")
    value = _decoded(entry.get("sig"), "sig")
    if not value:
        raise DsseError("a signature of it is empty")
    return Signature(keyid or "", value)


def verified(
    envelope: Envelope, keys: Mapping[str, PublicKey], *, payload_type: str = IN_TOTO
) -> tuple[str, ...]:
    """The names of all the keys that signed the payload, each once, in the order of `keys`.

    Raises DsseError: `dsse.payload-type` for a payload of another type, `dsse.unsigned` where none of them did.
    Signatures by keys that are not known neither help nor harm.
    """
    if envelope.payload_type != payload_type:
        raise DsseError(
            f"its payload is of the type {envelope.payload_type[:100]!r}; expected {payload_type!r}",
            code="dsse.payload-type",
        )
    covered = pae(envelope.payload_type, envelope.payload)
    signed = tuple(
        name
        for name, key in keys.items()
        if any(_is_by(key, signature.value, covered) for signature in envelope.signatures)
    )
    if not signed:
        named = ", ".join(keys) or "no key at all"
        raise DsseError(f"no signature of it is by {named}", code="dsse.unsigned")
    return signed


def _is_by(key: PublicKey, signature: bytes, covered: bytes) -> bool:
    """Whether this key made the signature; ECDSA in ASN.1 as most write it, or as the 64 bytes of r and s."""
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, covered)
            return True
        if len(signature) == 64:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            signature = encode_dss_signature(r, s)
        key.verify(signature, covered, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key_of(pem: bytes) -> PublicKey:
    """A PEM public key: Ed25519, or ECDSA on P-256. Raises DsseError (`dsse.key`) for any other."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise DsseError(
            f"it is not a PEM public key: {str(error)[:100]}",
            fix="write the public half: openssl pkey -in KEY.pem -pubout",
            code="dsse.key",
        ) from None
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise DsseError("its key is neither Ed25519 nor ECDSA on P-256", code="dsse.key")


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(value: object, what: str) -> bytes:
    """Base64 of either alphabet (RFC 4648, sections 4 and 5), with its padding."""
    if not isinstance(value, str):
        raise DsseError(f"its {what} is missing or not text")
    try:
        return base64.b64decode(value.translate(_STANDARD).encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise DsseError(f"its {what} is not base64") from None


_STANDARD = str.maketrans("-_", "+/")


def _json(data: bytes) -> object:
    if len(data) > MAX_ENVELOPE:
        raise DsseError(f"it has {len(data)} bytes; at most {MAX_ENVELOPE} are read")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except RecursionError:
        raise DsseError("it is nested too deeply") from None
    except ValueError as error:
        raise DsseError(f"it is not JSON: {str(error)[:100]}") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key is there twice, and which one would count?")
    return table
