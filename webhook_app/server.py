"""Running the service: the door on uvicorn, workers and the sweeper in threads, all ended together."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from guard.core.errors import GuardError, SettingsError
from guard.journeys.publish import protection_warnings
from guard.wiring_service import Service, open_service
from webhook_app.app import create_app
from webhook_app.checkpoints import Checkpointer
from webhook_app.debt import DebtTeller
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
    # Before anything is begun: two services of one folder may well both work, and not both listen.
    door = None if role == "worker" else _listen(host or service.settings.host, port, service)
    stop = threading.Event()
    threads = _threads(service, stop) if role != "web" else []
    # The forge may be slow or down just now, which is no reason not to take deliveries in.
    threading.Thread(target=_report, args=(service,), name="guard-protection", daemon=True).start()
    for thread in threads:
        thread.start()
    # uvicorn raises the signal again when it is done, and by default that would end the process on the spot.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if door is None:
            while not _dead(threads):
                stop.wait(1.0)
        else:
            _open_door(service, threads, door)
    except KeyboardInterrupt:
        log.info("interrupted")
    finally:
        stop.set()
        for thread in threads:
            thread.join(GRACE)


def _listen(host: str, port: int | None, service: Service) -> socket.socket:
    """Raises SettingsError where nobody can listen there."""
    where = service.settings.port if port is None else port
    try:
        family, *_, address = socket.getaddrinfo(host, where, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"nobody can listen on {host} port {where}: {error.strerror or error}",
            fix="name another address: host and port in service.toml, or --host and --port; or end what listens there",
            code="settings.address",
        ) from None


def _open_door(service: Service, threads: list[threading.Thread], door: socket.socket) -> None:
    app = create_app(service, ready=lambda: _dead(threads))
    config = uvicorn.Config(
        app,
        log_level="info",
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
        limit_concurrency=200,
    )
    log.info("listening on http://%s:%s", *door.getsockname()[:2])
    uvicorn.Server(config).run(sockets=[door])


def _report(service: Service) -> None:
    try:
        report_protection(service)
    except GuardError as error:
        log.error("%s: %s", error.code, error.message)


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
    sends = [Checkpointer(service, stop=stop)] if service.home.settings.checkpoints.to else []
    return [*workers, Sweeper(service, stop=stop), DebtTeller(service, stop=stop), *sends]


def _dead(threads: list[threading.Thread]) -> str:
    return "" if all(thread.is_alive() for thread in threads) else "a worker has died"
