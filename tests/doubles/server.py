"""What the doubles of the forges have in common: a threaded HTTP server on the loopback, and its faults.

A double gives `answer(request) -> Answer`; it runs under one lock, so a double's state needs none of its own.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

import pytest


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. `path` is still percent-encoded, header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return self.query.get(name, [default])[-1]


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is sent as it is when it is bytes, else as JSON; None sends nothing."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def exchange(request: Request, answer: Answer) -> tuple[object, ...]:
    """What tells one request and its answer from another, so that a contract judges the same ones once in a run."""
    query = tuple(sorted((name, tuple(values)) for name, values in request.query.items()))
    headers = tuple(sorted((name, text) for name, text in request.headers.items() if name != "host"))
    said = tuple(sorted(answer.headers.items()))
    return request.method, request.path, query, headers, request.body, answer.status, said, answer.encoded()


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` requests whose method, path and page number fit ("" fits all).

    `status` answers `answer` instead of asking the double; `slow` waits `seconds` first; `reset` drops the
    connection with the request unread by anybody, `reset-after` once the double has done its work; `truncated` cuts
    the double's JSON in the middle, with a length that fits what is sent.
    """

    kind: Literal["status", "slow", "reset", "reset-after", "truncated"]
    times: int = 1_000_000
    method: str = ""
    path: str = ""
    page: str = ""
    answer: Answer = field(default_factory=lambda: Answer(502, b"<html>Bad Gateway</html>"))
    seconds: float = 0.0

    def fits(self, request: Request) -> bool:
        place = self.method in {"", request.method} and self.path in request.path
        return self.times > 0 and place and self.page in {"", request.one("page")}


class Server:
    """A double's door: `with Server(answer) as server:` listens on 127.0.0.1, on a port of its own choosing."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        """What the double itself could not cope with; `close` raises the first of them."""
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._httpd.daemon_threads = True
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._httpd.server_address[1]}"

    def fail(self, fault: Fault) -> Fault:
        """Switch a fault on; `recover` switches all of them off."""
        self.faults.append(fault)
        return fault

    def recover(self) -> None:
        self.faults.clear()

    def close(self) -> None:
        self._stopping.set()
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()
        if self.errors:
            raise self.errors[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take(self, request: Request) -> tuple[Answer, str]:
        """The answer to send, and how the connection goes wrong besides ("" when it does not)."""
        with self._lock:
            self.requests.append(request)
            fault = next((one for one in self.faults if one.fits(request)), None)
            if fault:
                fault.times -= 1
        if fault and fault.kind == "slow":
            self._stopping.wait(fault.seconds)
        if fault and fault.kind == "status":
            return fault.answer, ""
        if fault and fault.kind == "reset":
            return Answer(), "reset"
        with self._lock:
            answer = self._asked(request)
        if fault and fault.kind == "truncated":
            whole = answer.encoded()
            return Answer(answer.status, whole[: len(whole) // 2], answer.headers), ""
        return answer, "reset" if fault and fault.kind == "reset-after" else ""

    def _asked(self, request: Request) -> Answer:
        try:
            return self.answer(request)
        except (Exception, pytest.fail.Exception) as error:
            self.errors.append(error)
            return Answer(500, {"message": f"the double failed: {error}"})


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            """The requests are kept in `Server.requests`."""

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            request = Request(
                self.command,
                parts.path,
                parse_qs(parts.query, keep_blank_values=True),
                {name.lower(): value for name, value in self.headers.items()},
                body,
            )
            answer, broken = server.take(request)
            if broken:
                self._reset()
            else:
                self._send(answer)

        def _send(self, answer: Answer) -> None:
            data = answer.encoded()
            headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
            try:
                self.send_response(answer.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:  # the client has given up waiting, as it may
                self.close_connection = True

        def _reset(self) -> None:
            """Close with RST instead of FIN: SO_LINGER with a timeout of zero."""
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815

    return Handler
