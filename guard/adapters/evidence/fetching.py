"""Asking a running system over HTTP: only where the operator allows, at an address that was looked at, bounded.

The name is resolved once and the connection goes to that very address, so that a name cannot mean one address when it
is checked and another when it is asked. Redirects are not followed, proxies and the repository take no part.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from guard.adapters.evidence.untrusted import shown
from guard.core.errors import GuardError

if TYPE_CHECKING:
    import http.client
    import socket
    import threading

MAX_ANSWER = 4 * 1024 * 1024
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

NOT_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "168.63.129.16/32")
)
"""What Python calls global and leads inside all the same: ways from IPv6 to any IPv4 address, Azure's metadata."""


class ProbeError(GuardError):
    """The system could not be asked, or gave no answer that can be used."""

    code = "probe.unreachable"


class NotThere(ProbeError):
    """It answered that it has no such thing (404)."""

    code = "probe.not-there"


@dataclass(frozen=True, slots=True)
class Target:
    """One system that may be asked. `networks` are the addresses that it may have besides public ones; `token` is the
    name of the environment variable that holds its bearer token, "" for none; `ca` is a file of certificates."""

    url: str
    networks: tuple[Network, ...] = ()
    token: str = ""
    ca: Path | None = None
    timeout: timedelta = timedelta(seconds=5)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)


def fetch(target: Target, path: str = "") -> bytes:
    """The body of the 200 answer to a GET of the target's URL with `path` behind it. Raises ProbeError."""
    import http.client
    import threading

    parts = urlsplit(target.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host, port, target.networks)
    connection = http.client.HTTPConnection(host, port)
    timer: threading.Timer | None = None
    try:
        sock = _connect(address, port, target, host if parts.scheme == "https" else None)
        connection.sock = sock
        # A server that drips its answer would keep every single read within its timeout.
        timer = threading.Timer(target.timeout.total_seconds(), _hang_up, [sock])
        timer.daemon = True
        timer.start()
        connection.request("GET", f"{parts.path.rstrip('/')}{path}" or "/", headers=_headers(target))
        return _body(connection.getresponse(), host)
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = (
            "it took too long"
            if isinstance(error, TimeoutError)
            else shown(str(error)) or type(error).__name__
        )
        raise ProbeError(f"{host} cannot be asked: {why}", fix="see whether it runs") from None
    finally:
        if timer is not None:
            timer.cancel()
        connection.close()


def _headers(target: Target) -> dict[str, str]:
    headers = {"Accept": "application/json", "User-Agent": "release-guard", "Connection": "close"}
    if target.token:
        value = target.environ.get(target.token, "").strip()
        if not value:
            raise ProbeError(
                f"the variable {target.token} is not set, and it holds the token",
                fix="set it, for the guard alone",
            )
        headers["Authorization"] = f"Bearer {value}"
    return headers


def _address(host: str, port: int, networks: tuple[Network, ...]) -> str:
    """The first address of the name, all of them being allowed. Raises ProbeError."""
    import socket

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ProbeError(f"the name {shown(host)} is not known: {shown(str(error))}") from None
    texts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in texts:
        if not is_allowed(ipaddress.ip_address(text.partition("%")[0]), networks):
            raise ProbeError(
                f"{shown(host)} is at {text}, which is no public address",
                fix=f'where that is meant, allow it in settings.toml: addresses = ["{text}"]',
                code="probe.not-allowed",
            )
    return texts[0]


def is_allowed(address: Address, networks: tuple[Network, ...]) -> bool:
    """Whether the address is public, or one of the operator's."""
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if any(address in network for network in networks):
        return True
    inside = any(address in network for network in NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not inside


def _connect(address: str, port: int, target: Target, name: str | None) -> socket.socket:
    import socket
    import ssl

    sock = socket.create_connection((address, port), timeout=target.timeout.total_seconds())
    if name is None:
        return sock
    try:
        context = ssl.create_default_context(cafile=str(target.ca) if target.ca else None)
        return context.wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise


def _hang_up(sock: socket.socket) -> None:
    import socket

    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _body(answer: http.client.HTTPResponse, host: str) -> bytes:
    if 300 <= answer.status < 400:
        raise ProbeError(
            f"{host} sends elsewhere, which is not followed",
            fix="name the final address in settings.toml",
            code="probe.redirect",
        )
    if answer.status == 404:
        raise NotThere(f"{host} has no such thing (404)")
    if answer.status != 200:
        raise ProbeError(f"{host} answered {answer.status} {shown(answer.reason, limit=60)}")
    data = answer.read(MAX_ANSWER + 1)
    if len(data) > MAX_ANSWER:
        raise ProbeError(f"{host} answered more than {MAX_ANSWER} bytes")
    if answer.length:
        raise ProbeError(f"{host} broke off in the middle of its answer")
    return data
