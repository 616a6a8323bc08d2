"""What the forges' doubles share: a threaded HTTP server on a free port of 127.0.0.1, and faults on demand.

A double is a function from `Request` to `Response`; it knows nothing of sockets. Faults are switched on from
outside and happen before or after the function, as they do on the way to a real forge.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

FaultKind = Literal["slow", "status", "reset", "truncated", "lost"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: `path` is still percent-encoded, header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True, slots=True)
class Response:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(value: object, status: int = 200, **headers: str) -> Response:
    """A JSON answer; header names are written with underscores for hyphens."""
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status, json.dumps(value).encode(), {"Content-Type": "application/json", **names})


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong for the next `times` requests whose method and path match (-1: for all).

    `slow` waits `seconds` and then answers; `status` answers `status` with `headers` and does nothing; `reset`
    closes the connection with a reset and does nothing; `truncated` does what was asked and sends half of the
    answer as if it were whole; `lost` does what was asked and resets the connection instead of answering.
    """

    kind: FaultKind
    times: int = -1
    path: str = ""
    method: str = ""
    status: int = 502
    seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"message": "Bad Gateway"}'

    def concerns(self, request: Request) -> bool:
        return (
            self.times != 0
            and (not self.method or self.method == request.method)
            and re.search(self.path, request.path) is not None
        )


class Server:
    """Serves `respond` in threads while the context lasts; `url` is where."""

    def __init__(self, respond: Callable[[Request], Response]) -> None:
        self.respond = respond
        self.faults: list[Fault] = []
        self.seen: list[Request] = []
        self.errors: list[BaseException] = []
        self._lock = threading.Lock()
        self._http = _Listener(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Serve until the context ends. What went wrong inside the double itself is raised at the end."""
        thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()
        if self.errors:
            raise self.errors[0]

    def fault(self, kind: FaultKind, **details: object) -> Fault:
        """Switch a fault on; `Fault.times = 0` or `faults.clear()` switches it off."""
        fault = replace(Fault(kind), **details)  # type: ignore[arg-type]
        self.faults.append(fault)
        return fault

    def take_fault(self, request: Request) -> Fault | None:
        with self._lock:
            fault = next((one for one in self.faults if one.concerns(request)), None)
            if fault is not None and fault.times > 0:
                fault.times -= 1
            return fault

    def handle(self, request: Request) -> Response | None:
        """The answer, or None where the connection is to be reset. One request at a time sees the state."""
        fault = self.take_fault(request)
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
        if fault is not None and fault.kind == "reset":
            return None
        if fault is not None and fault.kind == "status":
            return Response(fault.status, fault.body, {"Content-Type": "application/json", **fault.headers})
        with self._lock:
            self.seen.append(request)
            response = self.respond(request)
        if fault is not None and fault.kind == "lost":
            return None
        if fault is not None and fault.kind == "truncated":
            return replace(response, body=response.body[: len(response.body) // 2])
        return response


class _Listener(ThreadingHTTPServer):
    owner: Server
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    timeout = 30
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): text for name, text in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        request = Request(self.command, parts.path, query, headers, self.rfile.read(length))
        try:
            response = self.server.owner.handle(request)
        except Exception as error:  # a bug of the double fails its test, not only its request
            self.server.owner.errors.append(error)
            response = answer({"message": f"the double broke: {error}"}, 599)
        if response is None:
            self._reset()
        else:
            self._send(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, text in response.headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Silence: the test's own assertion says what went wrong."""
