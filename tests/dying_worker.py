"""A service's workers that are killed with -9, each at a chosen step: `python -m tests.dying_worker HOME`.

For each line `KIND SECONDS` on standard input a process of its own works until the ledger has taken an entry of this
kind, or, for `before:KIND`, is about to; there it dies, and a line with its signal is printed. Its clock is that many
seconds ahead, so that it need not wait for the lease of one that was killed before it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from guard.adapters.ledger import SqlLedger
from guard.ports import Entry
from guard.wiring_service import open_service
from tests.service_world import Hands
from webhook_app.worker import Worker


class DyingLedger(SqlLedger):
    """The ledger itself; after (or before) one kind of entry the process is gone."""

    kind = ""

    def append(
        self,
        kind: str,
        body: Mapping[str, object],
        *,
        at: datetime,
        once: str | None = None,
        parts: Iterable[bytes] = (),
    ) -> Entry:
        if self.kind == f"before:{kind}":
            os.kill(os.getpid(), signal.SIGKILL)
        entry = super().append(kind, body, at=at, once=once, parts=parts)
        if self.kind == kind:
            os.kill(os.getpid(), signal.SIGKILL)
        return entry


def work(home: Path, kind: str, seconds: float) -> None:
    clock = Hands()
    clock.ahead = timedelta(seconds=seconds)
    service = open_service(home, clock=clock)
    service.ledger.__class__ = DyingLedger
    service.ledger.kind = kind  # type: ignore[attr-defined]
    worker = Worker(service, stop=threading.Event())
    for _ in range(20):
        if not worker.step():
            clock.ahead += timedelta(seconds=1)


def main(home: Path) -> None:
    for line in sys.stdin:
        kind, seconds = line.split()
        child = os.fork()
        if child == 0:
            work(home, kind, float(seconds))
            os._exit(0)
        print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
