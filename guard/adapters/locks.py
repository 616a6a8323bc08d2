"""The lock of a branch: held by one process at a time, on this machine or on all that share the database."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from guard.adapters.database import said_well
from guard.core.errors import LedgerError, Refused


@contextmanager
def file_lock(folder: Path, name: str, *, ref: str) -> Iterator[None]:
    """A flock on a file in `folder`, which no child process inherits and the system takes from a dead holder. Raises
    Refused when somebody else holds it, LedgerError when the file cannot be had."""
    try:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
    except OSError as error:
        raise LedgerError(
            f"no lock can be kept in {folder}: {error.strerror}",
            fix="let whoever promotes write in that folder",
            code="ledger.no-lock",
        ) from None
    try:
        _lock(descriptor, ref)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def advisory_lock(engine: Engine, name: str, *, ref: str) -> Iterator[None]:
    """A session's advisory lock in PostgreSQL, which ends with its connection. `name` is hex digits. Raises Refused
    when another session holds it, LedgerError when the database cannot be asked.

    A holder that loses its connection loses the lock without being told; the move itself is compare-and-swap.
    """
    key = int(name[:15], 16)
    with said_well(engine):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with said_well(engine):
            taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
        if not taken:
            raise _held(ref, "another process, perhaps on another machine")
        yield
    finally:
        connection.close()


def _lock(descriptor: int, ref: str) -> None:
    """Take the lock or raise Refused; leave our process id in the file for whoever finds it taken."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise _held(ref, f"process {holder}") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _held(ref: str, holder: str) -> Refused:
    return Refused(
        f"somebody else is promoting {ref.removeprefix('refs/heads/')} ({holder})",
        fix="wait until that promotion has ended, then try again",
        code="promotion.locked",
    )
