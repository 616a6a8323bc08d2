"""The operator's allowed_signers file on disk."""

from __future__ import annotations

from pathlib import Path

from guard.core.allowed_signers import MAX_FILE, AllowedSigners, AllowedSignersError, parse_allowed_signers


def read_allowed_signers(file: Path) -> AllowedSigners:
    """Who may sign. Raises AllowedSignersError when the file is missing, unreadable or malformed."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise AllowedSignersError(
            f"{file} cannot be read: {error.strerror}",
            fix="have the operator write it, a line for each person: ann@example.com ssh-ed25519 AAAA…",
            code="signers.unreadable",
        ) from None
    return parse_allowed_signers(data, where=file.name)
