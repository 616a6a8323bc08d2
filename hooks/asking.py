"""The server's hook asks the guard's service whether a permit is good for a move, at this very moment.

`POST /api/v1/permits/verify` in HTTP/1.0, spoken by hand: http.client takes longer to import than the question takes.
"""

from __future__ import annotations

from hooks.permits import NoLeave
from hooks.refs import Update
from hooks.say import Stop
from hooks.values import TYPE_CHECKING, parse_json, text_json

if TYPE_CHECKING:
    from typing import Any

PATH = "/api/v1/permits/verify"
SECRET = "verify.secret"  # noqa: S105  a file's name
"""In the hook's folder: what it says to be let in, the same as in the service's GUARD_VERIFY_SECRET."""
MAX_ANSWER = 65536
"""Bytes; an answer has a few hundred."""


def read_secret(folder: str) -> str:
    """The first line of the folder's secret; "" where there is none. Raises Stop for one that others can read too, or
    that cannot stand in a header."""
    import os

    file = f"{folder}/{SECRET}"
    try:
        with open(file, encoding="ascii") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            secret = stream.readline().strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise Stop("permit.unverifiable", f"{file} cannot be used: {error}", "mend the file") from None
    if mode & 0o007:
        raise Stop("permit.unverifiable", f"{file} can be read by everybody", f"chmod o= {file}")
    if not secret.isprintable():
        raise Stop("permit.unverifiable", f"{file} holds no secret on its first line", "mend the file")
    return secret


def ask_service(
    url: str, repository: str, update: Update, *, token: str, seconds: float, secret: str = ""
) -> str:
    """The id of the permit that covers the move now; without a token, of one that was issued for exactly this move and
    is not spent. Raises NoLeave when there is none, Stop when nobody answers within `seconds`."""
    asked = {"repository": repository, "ref": update.ref, "old": update.old, "new": update.new}
    body = text_json({**asked, "permit": token} if token else asked)
    try:
        status, answer = _post(url.rstrip("/") + PATH, body, seconds, secret)
        said = parse_json(answer.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _nobody(url, f"{type(error).__name__}: {error}") from None
    if not isinstance(said, dict):
        raise _nobody(url, "its answer makes no sense")
    if status == 401:
        raise Stop(
            "permit.unverifiable",
            f"the guard at {url} does not know this server",
            f"the operator puts the service's GUARD_VERIFY_SECRET into {SECRET} beside the hook's settings",
        )
    if status == 403 and isinstance(said.get("code"), str):
        raise NoLeave(said["code"], str(said.get("message", "")), str(said.get("fix", "")))
    # The move is in the answer, so that an answer to another question is none to this one.
    if status != 200 or any(said.get(name) != value for name, value in asked.items()):
        raise _nobody(url, f"it answered with HTTP status {status}")
    return str(said.get("permit"))


def _nobody(url: str, why: str) -> Stop:
    return Stop(
        "permit.unverifiable",
        f"the guard at {url} did not say whether the permit is good ({why})",
        "try again when it answers; nothing was changed",
    )


def _post(url: str, body: bytes, seconds: float, secret: str) -> tuple[int, bytes]:
    """Status and body of the answer. Raises OSError, TimeoutError among them, and ValueError."""
    from time import monotonic

    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    end = monotonic() + seconds
    head = f"POST {slash}{path} HTTP/1.0\r\nHost: {place}\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {secret}\r\n" if secret else ""
    stream = _connected(*_host_and_port(place, 443 if scheme == "https" else 80), scheme, seconds)
    try:
        stream.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        answer = b""
        while len(answer) <= MAX_ANSWER:
            stream.settimeout(max(end - monotonic(), 0.001))
            chunk = stream.recv(65536)
            if not chunk:
                break
            answer += chunk
    finally:
        stream.close()
    return _parsed(answer)


def _connected(host: str, port: int, scheme: str, seconds: float) -> Any:
    """A socket to the service. Raises OSError."""
    if scheme == "https":
        import socket
        import ssl

        plain = socket.create_connection((host, port), timeout=seconds)
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    import _socket  # the module around it takes as long to import as the question does

    refused = OSError(f"{host} has no address")
    # As bytes, because for a text Python imports the tables of all scripts.
    found = _socket.getaddrinfo(
        host.encode("idna" if not host.isascii() else "ascii"), port, 0, _socket.SOCK_STREAM
    )
    for family, kind, protocol, _, address in found:
        stream = _socket.socket(family, kind, protocol)
        stream.settimeout(seconds)
        try:
            stream.connect(address)
        except OSError as error:
            stream.close()
            refused = error
        else:
            return stream
    raise refused


def _parsed(answer: bytes) -> tuple[int, bytes]:
    head, found, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if not found or not head.startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise ValueError("that is no HTTP")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        # One that was cut off on the way must not look like a whole one.
        if name.lower() == b"content-length" and value.strip() != str(len(body)).encode():
            raise ValueError("the answer is not whole")
    return int(words[1]), body


def _host_and_port(place: str, usual: int) -> tuple[str, int]:
    """The parts of `host`, `host:port`, `[::1]:port`. Raises ValueError."""
    host, colon, port = place.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = place, str(usual)
    return host.strip("[]"), int(port)
