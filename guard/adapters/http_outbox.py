"""Sending statements to the service over HTTP, where the repository on the forge takes no refs of the guard's."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlsplit

from guard.core.errors import ForgeError, GuardError, Refused, UsageError
from guard.core.statements import STATEMENT_REFS

TIMEOUT = 60.0
MAX_ANSWER = 64 * 1024


class HttpOutbox:
    """The port Outbox on a service's `POST /api/v1/statements`."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        """`url` is the service's, such as `https://guard.example.com`. Raises UsageError for another kind of URL."""
        if urlsplit(url).scheme not in {"http", "https"}:
            raise UsageError(f"{url} is no address of a service", fix="https://guard.example.com")
        self._url = url.rstrip("/") + "/api/v1/statements"
        self._timeout = timeout
        self._stored: dict[str, Mapping[str, bytes]] = {}

    def store(self, files: Mapping[str, bytes]) -> str:
        name = hashlib.sha256(b"".join(files[key] for key in sorted(files))).hexdigest()
        self._stored[name] = dict(files)
        return name

    def push(self, refs: Mapping[str, str]) -> None:
        """Post each statement. Raises Refused with the service's own words, ForgeError when it cannot be reached, and
        UsageError for anything but statements: proposals are made on the forge."""
        if any(not ref.startswith(STATEMENT_REFS) or name not in self._stored for ref, name in refs.items()):
            raise UsageError("only statements are sent to a service", fix="propose on the forge itself")
        for name in refs.values():
            self._post(self._stored[name])

    def _post(self, files: Mapping[str, bytes]) -> None:
        names = {"statement.json": "statement", "statement.json.sig": "sig", "report": "report"}
        body = {names[name]: base64.b64encode(data).decode("ascii") for name, data in files.items()}
        request = urllib.request.Request(  # noqa: S310  the scheme was checked
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                answer.read(MAX_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.read(MAX_ANSWER)) from None
        except OSError as error:
            raise ForgeError(
                f"{self._url} cannot be reached: {error}", fix="check the address", code="service.unreachable"
            ) from None


def _refusal(status: int, body: bytes) -> GuardError:
    try:
        told = json.loads(body)
        code, message, fix = (str(told[name])[:1000] for name in ("code", "message", "fix"))
    except (ValueError, KeyError, TypeError, RecursionError):
        code, message, fix = "service.refused", f"the service answered HTTP {status}", ""
    kind = Refused if 400 <= status < 500 else ForgeError
    return kind(message, fix=fix, code=code)
