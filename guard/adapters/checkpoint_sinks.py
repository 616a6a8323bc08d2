"""Where checkpoints can go: one function for each kind of destination, all of them in one table."""

from __future__ import annotations

import hashlib
import logging
import logging.handlers
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from guard.core.errors import GuardError, SettingsError

TIMEOUT = 10.0
"""Seconds for a destination on the network."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Comment = Callable[[str, str], None]
"""Write this text as a comment on the merge request (GitHub: the issue or pull request) of this number."""


class SinkError(GuardError):
    """A checkpoint could not be left at its destination."""

    code = "checkpoint.not-sent"


def to_file(target: str, line: str) -> None:
    """Append the line to a file, durably; meant for a mount that can only be appended to."""
    data = f"{line}\n".encode("ascii")
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.write(descriptor, data) != len(data):
                raise SinkError(f"{target}: the disk is full")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SinkError(f"{target}: {error.strerror}", fix="mend the path or its permissions") from None


def to_syslog(target: str, line: str) -> None:
    """One message to the system's log, or to `//HOST:PORT` over UDP (RFC 5426)."""
    parts = urlsplit(target)
    address: str | tuple[str, int] = (parts.hostname, parts.port or 514) if parts.hostname else "/dev/log"
    try:
        handler = _Strict(address, facility=logging.handlers.SysLogHandler.LOG_AUTHPRIV)
        handler.ident = "release-guard: "
        try:
            handler.emit(logging.makeLogRecord({"msg": line, "levelno": logging.INFO, "levelname": "INFO"}))
        finally:
            handler.close()
    except OSError as error:
        raise SinkError(
            f"syslog {target or '/dev/log'}: {error}", fix="check that the log daemon runs"
        ) from None


class _Strict(logging.handlers.SysLogHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's own name
        error = sys.exc_info()[1]
        if error is not None:
            raise error


def to_webhook(target: str, line: str) -> None:
    """POST the envelope as JSON; any answer of the 2xx kind means that it was kept."""
    request = urllib.request.Request(  # noqa: S310  the scheme was checked when the settings were read
        target, line.encode("ascii"), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        with error:
            raise SinkError(
                f"{_host(target)} answered HTTP {error.code}", fix="look at that receiver"
            ) from None
    except OSError as error:
        raise SinkError(f"{_host(target)} cannot be reached: {error}", fix="check the address") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A checkpoint goes where the operator said, and nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def sinks(destinations: Sequence[str], *, comment: Comment | None = None) -> dict[str, Callable[[str], None]]:
    """Each destination's label and its way to keep a checkpoint.

    `comment` speaks on the forge; without it a `comment:` destination says that only the service can. Raises
    SettingsError for one that is not understood.
    """
    return {label(one): _sink(one, comment) for one in destinations}


def label(destination: str) -> str:
    """The destination as the ledger and messages name it: of a URL the host alone, since its path may be a secret."""
    if urlsplit(destination).scheme not in {"http", "https"}:
        return destination
    return f"{urlsplit(destination).scheme}://{_host(destination)}#{hashlib.sha256(destination.encode()).hexdigest()[:8]}"


def _sink(destination: str, comment: Comment | None) -> Callable[[str], None]:
    kind, _, rest = destination.partition(":")
    check_destination(destination)
    if kind == "comment":
        return lambda line: _to_comment(rest, line, comment)
    keep = KINDS[kind]
    target = destination if kind in {"https", "http"} else rest
    return lambda line: keep(target, line)


def check_destination(destination: str) -> None:
    """Raise SettingsError unless this is a destination."""
    kind, _, rest = destination.partition(":")
    parts = urlsplit(destination)
    sound: Mapping[str, bool] = {
        "file": Path(rest).is_absolute(),
        "syslog": not rest or bool(urlsplit(rest).hostname),
        "https": bool(parts.hostname) and parts.password is None,
        "http": parts.hostname in LOOPBACK,
        "comment": rest.isascii() and rest.isdigit(),
    }
    if not sound.get(kind, False):
        raise SettingsError(
            f"{destination!r} is no place for checkpoints",
            fix="expected file:/PATH, syslog:, syslog://HOST:PORT, https://HOST/PATH or comment:NUMBER",
            code="settings.checkpoints",
        )


def _to_comment(number: str, line: str, comment: Comment | None) -> None:
    if comment is None:
        raise SinkError("only the service comments on the forge", fix="let guard serve send it")
    comment(number, f"A checkpoint of the release guard's ledger:\n\n```json\n{line}\n```\n")


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


KINDS: Mapping[str, Callable[[str, str], None]] = {
    "file": to_file,
    "syslog": to_syslog,
    "https": to_webhook,
    "http": to_webhook,
}
"""What stands before the colon of a destination → how a line is kept there."""
