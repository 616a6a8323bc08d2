"""SSH signatures of files: the armored SSHSIG format, made and checked (OpenSSH's PROTOCOL.sshsig)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from guard.core.sshkey import (
    MIN_RSA_BITS,
    PublicKey,
    SignatureError,
    Wire,
    key_problem,
    parse_public_key,
    public_key,
    ssh_string,
)

NAMESPACE = "release-guard"
"""What the guard's statements are signed for; a signature made for git commits or mail does not count here."""

MAGIC = b"SSHSIG"
VERSION = 1
MAX_ARMORED = 32 * 1024
"""Bytes. A signature by an RSA key of 16,384 bits takes about 8 KiB."""

_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}

PrivateKey: TypeAlias = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Signature:
    """What an armored signature says; nothing in it is proved before `verify`."""

    key: PublicKey
    namespace: str
    hash_algorithm: str
    reserved: bytes
    blob: bytes


def verify(armored: bytes, message: bytes, *, namespace: str = NAMESPACE) -> PublicKey:
    """The key that signed exactly this message for this namespace. Whose key it is, allowed_signers says.

    Raises SignatureError: `signature.malformed`, `.namespace`, `.wrong`, `.algorithm`, `.key-type`, `.key`,
    `.weak-key`, `.no-touch`.
    """
    signature = parse(armored)
    if signature.namespace != namespace:
        raise SignatureError(
            f"the signature was made for {_shown(signature.namespace)}, not for {namespace}",
            fix=f"sign with: ssh-keygen -Y sign -n {namespace}",
            code="signature.namespace",
        )
    key_problem(signature.key)
    signature.key.verify(signature.blob, _signed(message, signature))
    return signature.key


def sign(message: bytes, key: PrivateKey, *, namespace: str = NAMESPACE) -> bytes:
    """The armored signature of the message, hashed with SHA-512. Raises SignatureError for an unusable key."""
    public = public_of(key)
    unsigned = Signature(public, namespace, "sha512", b"", b"")
    blob = _raw_signature(key, public.type, _signed(message, unsigned))
    data = (
        MAGIC
        + VERSION.to_bytes(4, "big")
        + b"".join(ssh_string(part) for part in (public.blob, namespace, b"", "sha512", blob))
    )
    text = base64.b64encode(data).decode("ascii")
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    return "\n".join([_BEGIN, *lines, _END, ""]).encode("ascii")


def public_of(key: PrivateKey) -> PublicKey:
    """The public half. Raises SignatureError for a curve or size that is not accepted."""
    try:
        text = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except ValueError:
        raise SignatureError(
            "SSH knows no such kind of key", fix="ssh-keygen -t ed25519", code="signature.key-type"
        ) from None
    return parse_public_key(text.decode("ascii"))


def parse(armored: bytes) -> Signature:
    """Read an armored signature. Raises SignatureError."""
    wire = Wire(_unarmored(armored))
    if wire.take(len(MAGIC)) != MAGIC or wire.uint32() != VERSION:
        raise SignatureError(f"this is no SSH signature of version {VERSION}")
    key = public_key(wire.string())
    namespace, reserved, hash_algorithm, blob = wire.text(), wire.string(), wire.text(), wire.string()
    wire.end()
    if not namespace:
        raise SignatureError("the signature names no namespace")
    if hash_algorithm not in _HASHES:
        raise SignatureError(f"the hash {_shown(hash_algorithm)} is not accepted; use sha512 or sha256")
    return Signature(key, namespace, hash_algorithm, reserved, blob)


def _unarmored(armored: bytes) -> bytes:
    if len(armored) > MAX_ARMORED:
        raise SignatureError(f"a signature of more than {MAX_ARMORED} bytes is not read")
    if not armored.isascii():
        raise SignatureError("the signature is not ASCII")
    text = armored.decode("ascii").strip()
    if not text.startswith(_BEGIN) or not text.endswith(_END) or len(text) < len(_BEGIN) + len(_END):
        raise SignatureError(
            f"the signature does not stand between {_BEGIN} and {_END}", fix="sign with: ssh-keygen -Y sign"
        )
    try:
        inner = "".join(text[len(_BEGIN) : -len(_END)].split())
        return base64.b64decode(inner, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("the signature's armor does not hold base64") from None


def _signed(message: bytes, signature: Signature) -> bytes:
    """What is signed: never the message itself, so that a signature for another protocol is useless here."""
    digest = _HASHES[signature.hash_algorithm](message).digest()
    fields = (signature.namespace, signature.reserved, signature.hash_algorithm, digest)
    return MAGIC + b"".join(ssh_string(field) for field in fields)


def _raw_signature(key: PrivateKey, type_name: str, data: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return ssh_string(type_name) + ssh_string(key.sign(data))
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < MIN_RSA_BITS:
            raise SignatureError(f"an RSA key needs {MIN_RSA_BITS} bits", code="signature.weak-key")
        return ssh_string("rsa-sha2-512") + ssh_string(key.sign(data, padding.PKCS1v15(), hashes.SHA512()))
    pair = decode_dss_signature(key.sign(data, ec.ECDSA(_CURVE_HASH[type_name])))
    return ssh_string(type_name) + ssh_string(b"".join(ssh_string(_mpint(number)) for number in pair))


_CURVE_HASH: dict[str, hashes.HashAlgorithm] = {
    "ecdsa-sha2-nistp256": hashes.SHA256(),
    "ecdsa-sha2-nistp384": hashes.SHA384(),
    "ecdsa-sha2-nistp521": hashes.SHA512(),
}


def _mpint(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:80])
