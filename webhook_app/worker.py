"""The workers: each claims a job for a while, works on it, and puts back what has to be tried again.

A worker that is killed leaves its job claimed until the lease ends; then another one starts it from the beginning,
which is harmless, because every step of the journey can be done twice.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from guard.adapters.inbox import Job
from guard.core.errors import GuardError, Refused
from guard.core.forge_facts import Wake
from guard.journeys.decisions import Due
from guard.journeys.delivery import Busy, give_up, look_again
from guard.wiring_promotions import end_what_is_over
from guard.wiring_service import Service

log = logging.getLogger("guard.service")

IDLE = 0.5
"""Seconds between two looks for work; other processes put work there too, so nobody is told of it."""

BUSY = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=5)


class Lost(GuardError):
    """The lease ended while the work was going on, and somebody else may have it now."""

    code = "delivery.lease-lost"


class Worker(threading.Thread):
    """One worker of a service, until `stop` is set; it finishes the job that it has. `idle` is in seconds."""

    def __init__(self, service: Service, *, stop: threading.Event, idle: float = IDLE) -> None:
        super().__init__(name="guard-worker", daemon=True)
        self._service = service
        self._stopped = stop
        self._idle = idle

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                found = self.step()
            except Exception:  # the worker's loop: whatever happens, the next job is not less due
                log.exception("the worker stumbled")
                found = False
            if not found:
                self._stopped.wait(self._idle)

    def step(self) -> bool:
        """Claim one job and work on it; whether there was one. Raises LedgerError when the inbox fails."""
        service = self._service
        token = secrets.token_hex(16)
        job = service.inbox.claim(now=service.clock.now(), lease=service.settings.lease, token=token)
        if job is None:
            return False
        try:
            with Lease(service, job) as lease:
                self._work(job, lease.check)
        except Lost as error:
            log.warning("%s: %s %s: %s", error.code, job.wake.kind, job.wake.key, error.message)
        except Busy as error:
            service.inbox.retry(job, at=service.clock.now() + BUSY, why=error.message, counts=False)
        except GuardError as error:
            self._again(job, f"{error.code}: {error.message}")
        except Exception as error:
            log.exception("working on %s %s failed", job.wake.kind, job.wake.key)
            self._again(job, f"a bug: {type(error).__name__}")
        else:
            service.inbox.done(job, now=service.clock.now())
        return True

    def _work(self, job: Job, check: Callable[[], None]) -> None:
        last = job.tries >= self._service.settings.tries
        if job.wake.kind == "branch":
            self._end_promotions(job)
        with self._service.office(check=check, tell=log.info, remembering=True) as office:
            try:
                look_again(job.wake, office, last=last)
            except GuardError:
                raise
            except Exception:
                # A bug must not leave a status standing that nobody stands behind.
                if last:
                    give_up(job.wake, office, why="the service failed inside")
                raise

    def _end_promotions(self, job: Job) -> None:
        """A push event of the guard's own promotion is no news to the ledger; of a promote script's it is."""
        branches = tuple(name for name in self._service.branches if name == job.wake.key)
        if not branches:
            return
        try:
            end_what_is_over(self._service, branches=branches)
        except Refused as error:
            if error.code == "promotion.locked":
                raise Busy("somebody is promoting the branch", fix="wait") from None
            raise

    def _again(self, job: Job, why: str) -> None:
        wait = min(self._service.settings.backoff * 2 ** min(job.tries - 1, 16), LONGEST_WAIT)
        log.warning("%s %s: try %d: %s; again in %s", job.wake.kind, job.wake.key, job.tries, why, wait)
        self._service.inbox.retry(job, at=self._service.clock.now() + wait, why=why)


class Lease:
    """Holds a job for as long as the work takes, by renewing it from a thread of its own."""

    def __init__(self, service: Service, job: Job) -> None:
        self._service = service
        self._job = job
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hold, name="guard-lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Raise Lost unless the job is still ours; to be called before anything is said outside."""
        if not self._renew():
            raise Lost("the lease ended; another worker has the job", fix="lengthen `lease` in service.toml")

    def _renew(self) -> bool:
        service = self._service
        return service.inbox.renew(self._job, now=service.clock.now(), lease=service.settings.lease)

    def _hold(self) -> None:
        while not self._ended.wait(self._service.settings.lease.total_seconds() / 3):
            try:
                self._renew()
            except GuardError as error:
                log.warning("the lease could not be renewed: %s", error.message)


DUE = 20.0
"""Seconds between two looks for decisions that time alone has changed."""


class Sweeper(threading.Thread):
    """Asks for everything to be looked at again at the start, at every sweep, and when a local forge changed; and for a
    proposal when the evidence that its decision rests on has ended.

    Deliveries get lost, and evidence gets old without anybody saying so.
    """

    def __init__(self, service: Service, *, stop: threading.Event, look: float = 1.0) -> None:
        super().__init__(name="guard-sweeper", daemon=True)
        self._service = service
        self._stopped = stop
        self._local = service.settings.forge == "local"
        self._pause = look if self._local else min(DUE, service.settings.sweep.total_seconds())
        self._seen = ""
        self._swept: datetime | None = None
        self._woken: frozenset[Due] = frozenset()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.step()
            except GuardError as error:
                log.error("%s: %s", error.code, error.message)
            self._stopped.wait(self._pause)

    def step(self) -> None:
        """One look at what is due. Raises GuardError."""
        now, service = self._service.clock.now(), self._service
        self._end_promotions()
        found = service.fingerprint() if self._local else ""
        if self._swept is None or found != self._seen or now - self._swept >= service.settings.sweep:
            service.inbox.wake([Wake("everything", "")], now=now)
            service.inbox.forget(now=now)
            self._seen, self._swept = found, now
        due = frozenset(service.changes_due())
        # What was asked for once is not asked for again, whatever came of it: the next sweep looks at it anyway.
        service.inbox.wake([Wake("proposal", one.proposal) for one in due - self._woken], now=now)
        self._woken = due

    def _end_promotions(self) -> None:
        """Promotions whose service or promoter died are ended by what is true, from the start on."""
        try:
            end_what_is_over(self._service)
        except GuardError as error:
            if error.code != "promotion.locked":
                log.warning("a promotion could not be ended: %s: %s", error.code, error.message)
