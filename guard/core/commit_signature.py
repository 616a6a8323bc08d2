"""What a signed commit says: the bytes that its signature is about, and the signature.

Source: git's own reading of a commit (`parse_signed_commit`): the header `gpgsig` (`gpgsig-sha256` in a repository of
SHA-256) with its continuation lines holds the signature, and the signed bytes are the commit without any such header.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from guard.core.allowed_signers import AllowedSigners, SignerError
from guard.core.sshkey import SignatureError
from guard.core.sshsig import verify

NAMESPACE = "git"
"""What git signs for (gitformat-signature)."""

_BEGIN = b"-----BEGIN SSH SIGNATURE-----"


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """`signature` is "" for a commit without one; `signed` are the bytes that it is about."""

    signature: bytes
    signed: bytes


def split_signature(commit: bytes, *, sha256: bool = False) -> SignedCommit:
    """Take the signature out of a commit object's bytes; one with two signatures has none that counts."""
    wanted = b"gpgsig-sha256" if sha256 else b"gpgsig"
    head, gap, body = commit.partition(b"\n\n")
    signed: list[bytes] = []
    signatures: list[list[bytes]] = []
    current: list[bytes] | None = None
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if line.startswith(b" "):
            (signed if current is None else current).append(line if current is None else line[1:])
        elif key.startswith(b"gpgsig"):
            current = [value]
            if key == wanted:
                signatures.append(current)
        else:
            current = None
            signed.append(line)
    signature = b"\n".join([*signatures[0], b""]) if len(signatures) == 1 else b""
    return SignedCommit(signature, b"\n".join(signed) + gap + body)


def signed_by(
    commit: bytes, names: frozenset[str], signers: AllowedSigners, *, now: datetime, sha256: bool = False
) -> str | None:
    """Who of these people signed the commit with a key that is theirs now for git; None where nobody did."""
    parts = split_signature(commit, sha256=sha256)
    if not parts.signature.startswith(_BEGIN):
        return None  # without one, or OpenPGP and X.509, which allowed_signers says nothing about
    try:
        key = verify(parts.signature, parts.signed, namespace=NAMESPACE)
    except SignatureError:
        return None
    for name in sorted(names):
        try:
            signers.find(name, key, now=now, namespace=NAMESPACE)
        except SignerError:
            continue
        return name
    return None
