"""Running the service: the door on uvicorn, workers and the sweeper in threads, all ended together."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import uvicorn

from guard.core.errors import GuardError
from guard.journeys.publish import protection_warnings
from guard.wiring_service import Service, open_service
from webhook_app.app import create_app
from webhook_app.worker import Sweeper, Worker

log = logging.getLogger("guard.service")

ROLES = ("all", "web", "worker")
"""What a process does: all of it, only take deliveries in, or only work on them."""

GRACE = 30.0
"""Seconds that a worker gets to finish its job when the service ends; what it does not finish is done again."""


def serve(home: Path, *, role: str = "all", host: str | None = None, port: int | None = None) -> None:
    """Serve until interrupted. Raises SettingsError for whatever is missing, before anything is served."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    service = open_service(home)
    stop = threading.Event()
    threads = _threads(service, stop) if role != "web" else []
    for thread in threads:
        thread.start()
    try:
        if role == "worker":
            report_protection(service)
            _wait(threads, stop)
        else:
            report_protection(service)
            app = create_app(service, ready=lambda: _dead(threads))
            settings = service.settings
            uvicorn.run(
                app,
                host=host or settings.host,
                port=settings.port if port is None else port,
                log_level="info",
                access_log=False,
                server_header=False,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=10,
                limit_concurrency=200,
            )
    finally:
        stop.set()
        for thread in threads:
            thread.join(GRACE)


def report_protection(service: Service) -> None:
    """Tell the log who besides the guard may move a protected branch."""
    with service.office(check=lambda: None, tell=log.info) as office:
        if office.voice is None:
            return
        for branch in service.branches:
            try:
                warnings = protection_warnings(office.voice, branch)
            except GuardError as error:
                warnings = (f"it cannot be read: {error.message}",)
            for warning in warnings:
                log.warning("protection of %s: %s", branch, warning)
            if not warnings:
                log.info("protection of %s: only the guard may move it", branch)


def _threads(service: Service, stop: threading.Event) -> list[threading.Thread]:
    workers = [Worker(service, stop=stop) for _ in range(service.settings.workers)]
    return [*workers, Sweeper(service, stop=stop)]


def _dead(threads: list[threading.Thread]) -> str:
    return "" if all(thread.is_alive() for thread in threads) else "a worker has died"


def _wait(threads: list[threading.Thread], stop: threading.Event) -> None:
    import signal

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(1.0) and not _dead(threads):
        pass
