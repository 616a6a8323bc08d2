"""Permit signing keys: Ed25519, one private file each, and the public JWK Set beside them (RFC 7517, 8037).

The first key of `jwks.json` whose private half is here signs. A key that was replaced stays listed, so that
the permits it signed can be verified for as long as they live.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guard.core.canonical import canonical_bytes
from guard.core.errors import SettingsError
from guard.core.permit import PermitError, parse_jwks


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and its id, the thumbprint of its public half (RFC 7638)."""

    kid: str
    private: Ed25519PrivateKey

    def sign(self, data: bytes, /) -> bytes:
        return self.private.sign(data)


def create_signing_key(folder: Path, jwks: Path) -> SigningKey:
    """A new key, kept in `folder` with mode 0600 and put first in `jwks`; from now on it signs. Raises
    SettingsError."""
    key = _keyed(Ed25519PrivateKey.generate())
    listed = list(read_jwks(jwks).values()) if jwks.exists() else []
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(folder / f"{key.kid}.pem", pem, mode=0o600)
        text = json.dumps({"keys": [public_jwk(key.private.public_key()), *listed]}, indent=2) + "\n"
        write_durably(jwks, text.encode(), mode=0o644)
    except OSError as error:
        raise SettingsError(
            f"a signing key could not be kept: {error}", fix="mend the folder's permissions"
        ) from None
    return key


def ensure_signing_key(folder: Path, jwks: Path) -> SigningKey:
    """The key that signs; a new one where there has never been any. Raises SettingsError."""
    return load_signing_key(folder, jwks) if jwks.exists() else create_signing_key(folder, jwks)


def load_signing_key(folder: Path, jwks: Path) -> SigningKey:
    """The first key listed in `jwks` whose private half is in `folder`. Raises SettingsError."""
    for kid in read_jwks(jwks):
        file = folder / f"{kid}.pem"
        if kid == Path(kid).name and file.exists():
            return _load(file, kid)
    raise SettingsError(
        f"none of the keys in {jwks} has its private half in {folder}",
        fix="guard install --server BARE.git makes one; or restore the key file",
    )


def read_jwks(path: Path) -> dict[str, Mapping[str, object]]:
    """The public keys by id, newest first. Raises SettingsError."""
    try:
        return parse_jwks(path.read_bytes())
    except (OSError, PermitError) as error:
        raise SettingsError(
            f"{path}: {error}", fix="name the guard's jwks.json; on the server side, restore it from a backup"
        ) from None


def public_keys(path: Path) -> dict[str, Ed25519PublicKey]:
    """The keys themselves, by id. Raises SettingsError."""
    try:
        return {
            kid: Ed25519PublicKey.from_public_bytes(_raw(jwk["x"])) for kid, jwk in read_jwks(path).items()
        }
    except (KeyError, ValueError, TypeError, UnicodeError) as error:
        raise SettingsError(
            f"{path}: a key in it is not usable: {error}",
            fix="name the guard's jwks.json; on the server side, restore it from a backup",
        ) from None


def _raw(x: object) -> bytes:
    text = str(x)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """The JWK of a public key, with its thumbprint as `kid`."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    required = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    kid = _base64url(hashlib.sha256(canonical_bytes(required)).digest())
    return {**required, "alg": "EdDSA", "kid": kid, "use": "sig"}


def _load(file: Path, kid: str) -> SigningKey:
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise SettingsError(f"{file} can be read by others than its owner", fix=f"chmod 600 {file}")
        private = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{file}: {error}", fix="restore the key file from a backup") from None
    if not isinstance(private, Ed25519PrivateKey) or _keyed(private).kid != kid:
        raise SettingsError(f"{file} is not the Ed25519 key {kid}", fix="restore the key file from a backup")
    return _keyed(private)


def _keyed(private: Ed25519PrivateKey) -> SigningKey:
    return SigningKey(kid=public_jwk(private.public_key())["kid"], private=private)


def write_durably(path: Path, data: bytes, *, mode: int) -> None:
    """Put a whole file in place or none: written beside, flushed to disk, renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
