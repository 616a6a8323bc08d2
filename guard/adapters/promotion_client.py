"""Asking the guard's service for plans, permits and moves, over HTTP."""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request
from typing import Any, TypeVar

from pydantic import ValidationError

from guard.core.errors import ForgeError, GuardError, Refused, UsageError
from guard.core.policy_words import SERVICE_PATTERN
from guard.core.promotion_api import Document, Plan, Promotion, Refusal

TIMEOUT = 180.0
"""Seconds for an answer: everything is gathered afresh, and another promotion may be decided first."""

MAX_ANSWER = 64 * 1024 * 1024

M = TypeVar("M", bound=Document)


class NoGo(Refused):
    """The service decided, and it is not a GO; `refusal` holds the decision and its board."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message, fix=refusal.fix, code=refusal.code)
        self.refusal = refusal
        self.exit_status = refusal.exit_status or 1


class PromotionClient:
    """The service at `url`. No permit is in an address, an argument or an error's text."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        """Raises UsageError for an address that is none, or where somebody on the way could read a permit."""
        if not re.match(SERVICE_PATTERN, url):
            raise UsageError(
                f"{url!r} is no address of a service",
                fix="https://guard.example.com; without TLS only this machine is asked",
                code="usage.service",
            )
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_Straight)

    def plan(self, statement: bytes, signature: bytes) -> Plan:
        return self._post("/plan", _signed(statement, signature), Plan)

    def request(self, statement: bytes, signature: bytes) -> Promotion:
        return self._post("", _signed(statement, signature), Promotion)

    def state(self, promotion: str) -> Promotion | None:
        """None where the service knows no such promotion."""
        try:
            return self._ask(f"/{promotion}", None, Promotion)
        except Refused as error:
            if error.code == "promotion.unknown":
                return None
            raise

    def push(self, promotion: str, permit: str) -> Promotion:
        return self._post(f"/{promotion}/push", {"permit": permit}, Promotion)

    def end(self, promotion: str, permit: str) -> Promotion:
        return self._post(f"/{promotion}/end", {"permit": permit}, Promotion)

    def _post(self, place: str, body: dict[str, str], model: type[M]) -> M:
        return self._ask(place, json.dumps(body).encode(), model)

    def _ask(self, place: str, body: bytes | None, model: type[M]) -> M:
        """The answer. Raises Refused with the service's own words, NoGo, ForgeError where it says nothing usable."""
        url = f"{self.url}/api/v1/promotions{place}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  checked above
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                text = answer.read(MAX_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.read(MAX_ANSWER)) from None
        except (OSError, ValueError) as error:
            raise ForgeError(
                f"the guard's service at {self.url} cannot be asked: {error}",
                fix="is it running, and is the address right? try again",
                code="service.unreachable",
            ) from None
        try:
            return model.model_validate_json(text)
        except ValidationError:
            raise ForgeError(
                f"the answer of {self.url} makes no sense",
                fix="is that the guard's service?",
                code="service.answer",
            ) from None


class _Straight(urllib.request.HTTPRedirectHandler):
    """A permit goes to the address that was named, and nowhere else."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


def _signed(statement: bytes, signature: bytes) -> dict[str, str]:
    parts = {"statement": statement, "sig": signature}
    return {name: base64.b64encode(data).decode("ascii") for name, data in parts.items()}


def _refusal(status: int, body: bytes) -> GuardError:
    try:
        told = Refusal.model_validate_json(body)
    except ValidationError:
        return ForgeError(
            f"the service answered HTTP {status}", fix="is that the guard's service?", code="service.answer"
        )
    if told.decision is not None:
        return NoGo(told)
    kind = Refused if 400 <= status < 500 else ForgeError
    return kind(told.message, fix=told.fix, code=told.code)
