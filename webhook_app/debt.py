"""The thread that tells the backport debt of every protected branch, as often as the settings say."""

from __future__ import annotations

import logging
import threading

from guard.core.errors import GuardError
from guard.wiring_service import Service

log = logging.getLogger("guard.service")


class DebtTeller(threading.Thread):
    """Tells it until `stop` is set, first at the start; a branch that cannot be told keeps no other from it."""

    def __init__(self, service: Service, *, stop: threading.Event) -> None:
        super().__init__(name="guard-debt", daemon=True)
        self._service = service
        self._stopped = stop

    def run(self) -> None:
        while not self._stopped.is_set():
            self.step()
            self._stopped.wait(self._service.settings.debt.total_seconds())

    def step(self) -> None:
        for branch in self._service.branches:
            try:
                told = self._service.tell_debt(branch)
            except GuardError as error:
                log.error("the debt of %s cannot be told: %s: %s", branch, error.code, error.message)
            except Exception:  # the thread's loop: the next branch and the next time are not less due
                log.exception("telling the debt of %s failed", branch)
            else:
                level = logging.WARNING if told.changed and told.found.debt else logging.INFO
                number, upstream = len(told.found.debt), told.found.facts.upstream_name
                log.log(level, "debt of %s: %d commits are not on %s", branch, number, upstream)
