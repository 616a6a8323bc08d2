"""A person's SSH key: an unencrypted key file signs in this process, everything else through ssh-keygen."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from guard.core.errors import GuardError, UsageError
from guard.core.sshkey import SignatureError, parse_public_key
from guard.core.sshsig import NAMESPACE, PrivateKey, sign
from guard.ports import Signer

MAX_KEY = 64 * 1024
"""Bytes of a key file."""

_NO_KEY = "name your SSH key: --key ~/.ssh/id_ed25519, GUARD_SSH_KEY, or git config user.signingkey"


class SigningKeyError(GuardError):
    """A key that cannot be used for signing."""

    code = "key.unusable"


class InProcess:
    """A private key that this process holds."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return sign(message, self._key)


class SshKeygen:
    """A key that ssh-keygen uses: an encrypted file, or a public key whose private half an agent or a token has."""

    def __init__(self, key: Path | str) -> None:
        self._key = key
        if shutil.which("ssh-keygen") is None:
            raise SigningKeyError(
                "this key needs ssh-keygen, which is not installed",
                fix="install OpenSSH's client, or name an unencrypted private key file with --key",
                code="key.needs-ssh-keygen",
            )

    def sign(self, message: bytes) -> bytes:
        """Asks for the passphrase, the token or the agent in ssh-keygen's own way, on the terminal."""
        if isinstance(self._key, Path):
            return self._run(self._key, message)
        with tempfile.TemporaryDirectory(prefix="guard-key-") as folder:
            file = Path(folder) / "key.pub"
            file.write_text(f"{self._key}\n", encoding="ascii")
            return self._run(file, message)

    def _run(self, file: Path, message: bytes) -> bytes:
        command = ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(file)]
        try:
            done = subprocess.run(command, input=message, capture_output=True, check=False)
        except OSError as error:
            raise SigningKeyError(f"ssh-keygen: {error}") from None
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip()[-500:]
            said = "".join(c if c.isprintable() else " " for c in words)
            raise SigningKeyError(
                f"ssh-keygen did not sign: {said or 'no reason given'}",
                fix="for an encrypted key, add it to the agent (ssh-add) and name its .pub file; check the key",
            )
        return done.stdout


def load_signer(
    key: str | None, *, environment: Mapping[str, str], config: Callable[[str], str | None]
) -> Signer:
    """The key that signs: `--key`, else GUARD_SSH_KEY, else git's user.signingkey where it is an SSH one.

    `config` reads git's configuration. Raises UsageError when no key is named, SigningKeyError when it cannot be used.
    """
    named = key or environment.get("GUARD_SSH_KEY") or _git_key(config)
    if not named:
        raise UsageError("no key is known to sign with", fix=_NO_KEY, code="usage.key")
    literal = named.removeprefix("key::")
    if literal != named or literal.startswith(("ssh-", "ecdsa-", "sk-")):
        return SshKeygen(_public(literal, "user.signingkey"))
    return _from_file(Path(named).expanduser())


def _git_key(config: Callable[[str], str | None]) -> str | None:
    """user.signingkey, unless it is a GPG key's id."""
    value = config("user.signingkey")
    if value is None:
        return None
    looks_like_ssh = value.startswith(("key::", "ssh-", "ecdsa-", "sk-", "/", "~", "./"))
    return value if looks_like_ssh or config("gpg.format") == "ssh" else None


def _from_file(file: Path) -> Signer:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_KEY + 1)
    except OSError as error:
        raise SigningKeyError(f"the key {file} cannot be read: {error.strerror}", fix=_NO_KEY) from None
    if len(data) > MAX_KEY:
        raise SigningKeyError(f"{file} is too large for a key", fix=_NO_KEY)
    if b"PRIVATE KEY-----" not in data:
        _public(data.decode("utf-8", "replace").strip(), str(file))
        return SshKeygen(file)
    return _private(data) or SshKeygen(file)


def _private(data: bytes) -> Signer | None:
    """A key for this process; None for one that is encrypted or kept in a token."""
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else load_pem_private_key
    try:
        key = load(data, password=None)
    except (TypeError, UnsupportedAlgorithm):
        return None
    except ValueError as error:
        raise SigningKeyError(f"the key file cannot be read: {str(error)[:200]}", fix=_NO_KEY) from None
    if isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        return InProcess(key)
    raise SigningKeyError("a key of this type cannot sign", fix="make a new one: ssh-keygen -t ed25519")


def _public(text: str, where: str) -> str:
    try:
        parse_public_key(text)
    except SignatureError as error:
        raise SigningKeyError(f"{where} is no SSH key: {error.message}", fix=error.fix or _NO_KEY) from None
    return text
