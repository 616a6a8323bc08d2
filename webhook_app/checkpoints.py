"""The thread that leaves checkpoints of the ledger off this machine, as often as the settings say."""

from __future__ import annotations

import logging
import threading

from guard.core.errors import GuardError
from guard.wiring_service import Service

log = logging.getLogger("guard.service")


class Checkpointer(threading.Thread):
    """Sends them until `stop` is set, the first at the start; a place that fails is tried again the next time."""

    def __init__(self, service: Service, *, stop: threading.Event) -> None:
        super().__init__(name="guard-checkpoints", daemon=True)
        self._service = service
        self._stopped = stop

    def run(self) -> None:
        pause = self._service.home.settings.checkpoints.every.total_seconds()
        while not self._stopped.is_set():
            self.step()
            self._stopped.wait(pause)

    def step(self) -> None:
        try:
            for one in self._service.send_checkpoints():
                if one.failed:
                    log.error("no checkpoint was left at %s: %s", one.to, one.failed)
                else:
                    log.info("checkpoint of %d entries left at %s", one.count, one.to)
        except GuardError as error:
            log.error("%s: %s", error.code, error.message)
        except Exception:  # the thread's loop: the next time is not less due
            log.exception("sending checkpoints failed")
