"""Files that commands write: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from guard.core.errors import GuardError


def write_whole(out: Path, data: bytes | Iterable[bytes]) -> None:
    """Put a file in place, flushed to disk; what stood there stays until then. Raises GuardError `output.failed`."""
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with beside.open("wb") as stream:
            stream.writelines([data] if isinstance(data, bytes) else data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(out)
    except OSError as error:
        raise GuardError(
            f"{out}: {error.strerror}", fix="name a file that can be written", code="output.failed"
        ) from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
