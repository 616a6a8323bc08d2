"""People with SSH keys, and the lines that an operator writes about them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from guard.core.allowed_signers import AllowedSigners, parse_allowed_signers
from guard.core.sshkey import PublicKey
from guard.core.sshsig import PrivateKey, public_of, sign


@cache
def key_of(name: str) -> Ed25519PrivateKey:
    """One key for each name, the same for the whole run."""
    del name
    return Ed25519PrivateKey.generate()


def public_text(key: PublicKey) -> str:
    import base64

    return f"{key.type} {base64.b64encode(key.blob).decode()}"


def signer_line(name: str, options: str = "") -> str:
    middle = f" {options}" if options else ""
    return f"{name}{middle} {public_text(public_of(key_of(name)))} their laptop"


def allowed(names: Iterable[str]) -> AllowedSigners:
    return parse_allowed_signers("".join(f"{signer_line(name)}\n" for name in names).encode())


def write_key(file: Path, key: PrivateKey) -> Path:
    """A private key file as ssh-keygen writes it, and its public half beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    file.with_name(f"{file.name}.pub").write_text(f"{public_text(public_of(key))}\n")
    return file


class KeySigner:
    """The port Signer with a key in memory."""

    def __init__(self, name: str, *, namespace: str = "release-guard") -> None:
        self._key = key_of(name)
        self._namespace = namespace

    def sign(self, message: bytes) -> bytes:
        return sign(message, self._key, namespace=self._namespace)
