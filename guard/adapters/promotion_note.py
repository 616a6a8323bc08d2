"""What a clone remembers of the promotion that it is in the middle of; the next run finds out what became of it.

No permit is in it: whoever may ask for one gets the same one again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from guard.core.errors import GuardError

NAME = "promotion.json"


@dataclass(frozen=True, slots=True)
class Note:
    """A promotion that was asked for; `request` is its request id, `policy` the digest that the plan was made by."""

    service: str
    repository: str
    branch: str
    old: str
    new: str
    policy: str
    request: str
    read: tuple[str, ...]


class PromotionNote:
    """The note in a clone's common git folder; there is at most one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "guard" / NAME

    def read(self) -> Note | None:
        """None where there is none. Raises GuardError for one that cannot be read, which names the file."""
        try:
            table = json.loads(self._file.read_text(encoding="utf-8"))
            return Note(**{**table, "read": tuple(table["read"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GuardError(
                f"{self._file} says what promotion was under way, and cannot be read: {error}",
                fix="mend or remove it; the service ends that promotion when its permit is over",
                code="promotion.note",
            ) from None

    def write(self, note: Note) -> None:
        """On disk when this returns. Raises GuardError."""
        try:
            self._file.parent.mkdir(exist_ok=True)
            beside = self._file.with_name(f".{NAME}.{os.getpid()}")
            with beside.open("w", encoding="utf-8") as file:
                json.dump(asdict(note), file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file)
        except OSError as error:
            raise GuardError(
                f"nothing can be noted in {self._file.parent}: {error.strerror}", code="promotion.note"
            ) from None

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)
