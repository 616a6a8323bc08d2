"""What `guard doctor` finds: one line for each thing looked at, how bad it is, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SECTIONS = ("hooks", "forge", "service")


class Level(StrEnum):
    """`fault`: it does not protect as it should. `note`: worth knowing. `unknown`: it could not be looked at.
    `not-configured`: there is nothing of the kind here."""

    OK = "ok"
    NOTE = "note"
    FAULT = "fault"
    UNKNOWN = "unknown"
    NOT_CONFIGURED = "not-configured"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One finding. `code` is stable; `fix` is a command or a sentence; `mended` that `--fix` can do it itself."""

    section: str
    code: str
    level: Level
    message: str
    fix: str = ""
    mended_by_fix: bool = False


def exit_status(found: Iterable[Diagnosis]) -> int:
    """1 with a fault, else 2 where something could not be looked at, else 0."""
    levels = {diagnosis.level for diagnosis in found}
    if Level.FAULT in levels:
        return 1
    return 2 if Level.UNKNOWN in levels else 0
