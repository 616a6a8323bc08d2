"""All keys of a server side: those of `jwks.json`, which permits are verified by, and those that no longer count there.

A public half is never lost: a key that leaves `jwks.json` goes to `keys.retired.json` first, because checkpoints and
decision records of years ago are verified by it. The private half of such a key is deleted.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from guard.adapters.keys import create_signing_key, load_signing_key, public_keys, read_jwks, write_durably
from guard.core.errors import SettingsError

ARCHIVE = "keys.retired.json"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key. `state`: `signs`, `verifies` (replaced; permits of its may live), `retired` or `revoked` (why: `why`).
    `private` says that its private half is here; `since` when it got that state, where that is known."""

    kid: str
    state: str
    private: bool
    since: str = ""
    why: str = ""


class Keyring:
    """The keys below one home. Every change is whole or not made, and may be made again. Raises SettingsError."""

    def __init__(self, folder: Path, jwks: Path) -> None:
        self._folder = folder
        self._jwks = jwks
        self._archive = jwks.with_name(ARCHIVE)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One change at a time, whichever process makes it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def rows(self) -> tuple[KeyRow, ...]:
        """Every key, the one that signs first, then the newest of each state."""
        signing = self.signing()
        listed = [
            KeyRow(kid, "signs" if kid == signing else "verifies", self._file(kid).exists())
            for kid in self.listed()
        ]
        kept = [
            KeyRow(str(key["kid"]), str(key["state"]), self._file(str(key["kid"])).exists(),
                   str(key.get("at", "")), str(key.get("why", "")))
            for key in self._archived()
        ]  # fmt: skip
        return (*sorted(listed, key=lambda row: row.state != "signs"), *kept)

    def listed(self) -> tuple[str, ...]:
        return tuple(read_jwks(self._jwks)) if self._jwks.exists() else ()

    def signing(self) -> str:
        """The key that signs now; "" where no private half of a listed one is here."""
        try:
            return load_signing_key(self._folder, self._jwks).kid if self._jwks.exists() else ""
        except SettingsError:
            return ""

    def made_at(self, kid: str) -> datetime | None:
        """When its private half was written here; None where it is not here."""
        file = self._file(kid)
        return datetime.fromtimestamp(file.stat().st_mtime, UTC) if file.exists() else None

    def make(self) -> str:
        """A new key, which signs from now on; its id."""
        return create_signing_key(self._folder, self._jwks).kid

    def take_out(self, kid: str, *, state: str, why: str, now: datetime) -> None:
        """Move a key to the archive and delete its private half. Nothing else signs or is verified by it then."""
        keys = read_jwks(self._jwks)
        if kid in keys:
            kept = [key for key in self._archived() if key["kid"] != kid]
            entry = {**keys[kid], "state": state, "at": f"{now:%Y-%m-%dT%H:%M:%SZ}", "why": why}
            self._write(self._archive, [entry, *kept])
            self._write(self._jwks, [key for name, key in keys.items() if name != kid])
        self._file(kid).unlink(missing_ok=True)

    def archived_state(self, kid: str) -> str:
        """`retired`, `revoked`, or "" for a key that is not in the archive."""
        return next((str(key["state"]) for key in self._archived() if key["kid"] == kid), "")

    def everything(self) -> dict[str, Any]:
        """A JWK Set of every key there has ever been, for auditors; revoked ones say so."""
        return {"keys": [*(read_jwks(self._jwks).values() if self._jwks.exists() else ()), *self._archived()]}

    def _archived(self) -> list[Mapping[str, object]]:
        if not self._archive.exists():
            return []
        found = list(read_jwks(self._archive).values())
        if any(key.get("state") not in {"retired", "revoked"} for key in found):
            raise SettingsError(
                f"{self._archive}: a key does not say whether it is retired or revoked",
                fix="restore it from a backup",
            )
        return found

    def _file(self, kid: str) -> Path:
        return self._folder / f"{Path(kid).name}.pem"

    def _write(self, path: Path, keys: list[Mapping[str, object]]) -> None:
        text = json.dumps({"keys": keys}, indent=2) + "\n"
        try:
            write_durably(path, text.encode(), mode=0o644)
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be written: {error}", fix="mend the folder's permissions"
            ) from None


def known_public_keys(jwks: Path) -> dict[str, Ed25519PublicKey]:
    """The public keys of a set by id, with those of the archive beside it: what was signed once stays verifiable.
    Raises SettingsError."""
    archive = jwks.with_name(ARCHIVE)
    return {**(public_keys(archive) if archive.exists() else {}), **public_keys(jwks)}
