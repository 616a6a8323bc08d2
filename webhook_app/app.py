"""The ASGI door: the only place with `async`. It reads a body within its limit and hands it to a thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.requests import ClientDisconnect

from guard.core.errors import GuardError, LedgerError, Refused, SettingsError
from guard.core.sshkey import SignatureError
from guard.core.statements import StatementError
from guard.journeys.promotion import NotGo
from guard.journeys.underway import Conflict
from guard.wiring_service import Service
from webhook_app import permits, promotions
from webhook_app.intake import DOORS, Answer, door_of, take
from webhook_app.pages import add_pages
from webhook_app.permits import Unproven
from webhook_app.statements import MAX_BODY, take_statement

log = logging.getLogger("guard.service")

HTTP_STATUS: tuple[tuple[type[GuardError], int], ...] = (
    (Unproven, 401),
    (SignatureError, 401),
    (Conflict, 409),
    (Refused, 403),
    (StatementError, 422),
    (LedgerError, 503),
    (SettingsError, 503),
    (GuardError, 503),
)
"""What an error means in HTTP: the first row that fits."""


BODY_SECONDS = 30.0
"""How long a body may take to arrive."""

PATIENCE = 32 * 1024 * 1024
"""Bytes over a limit that are read and thrown away before the connection is cut."""

STATEMENTS_AT_ONCE = 4
"""Statements bring large reports, and come from anybody until their signature is checked."""


PROMOTIONS_AT_ONCE = 8
"""Each gathers everything afresh, and may wait for a branch's lock."""


class TooLarge(Exception):
    """A body is over its limit."""


def create_app(service: Service, *, ready: Callable[[], str]) -> FastAPI:
    """The application. `ready` says why it cannot work just now, "" when it can."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(GuardError, _told)
    app.add_exception_handler(TooLarge, _too_large)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(TimeoutError, _slow)
    _health(app, service, ready)
    if service.settings.forge in DOORS:
        _webhooks(app, service)
    _statements(app, service)
    _permits(app, service)
    _promotions(app, service)
    if service.settings.pages:
        add_pages(app, service)
    return app


def _health(app: FastAPI, service: Service, ready: Callable[[], str]) -> None:
    @app.get("/healthz")
    def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    def readyz() -> PlainTextResponse:
        """Whether deliveries can be kept and are worked on."""
        try:
            waiting, why = service.inbox.waiting(), ready()
        except LedgerError as error:
            log.error("%s: %s", error.code, error.message)
            waiting, why = 0, error.code
        if why:
            return PlainTextResponse(f"not ready: {why}\n", status_code=503)
        return PlainTextResponse(f"ready; {waiting} waiting\n")


def _webhooks(app: FastAPI, service: Service) -> None:
    door, limit = door_of(service.settings.forge), service.settings.max_body

    @app.post(f"/webhooks/{service.settings.forge}")
    async def webhook(request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await read_body(request, limit)
        answer = await run_in_threadpool(take, door, headers, body, service)
        level = logging.WARNING if answer.status >= 400 else logging.INFO
        log.log(level, "%s: %s", answer.code, answer.message)
        return _response(answer)


def _statements(app: FastAPI, service: Service) -> None:
    few = asyncio.Semaphore(STATEMENTS_AT_ONCE)

    @app.post("/api/v1/statements")
    async def statement(request: Request) -> Response:
        async with few:
            body = await read_body(request, MAX_BODY)
            return JSONResponse(await run_in_threadpool(take_statement, body, service), status_code=201)


def _permits(app: FastAPI, service: Service) -> None:
    @app.get("/.well-known/jwks.json")
    def jwks() -> Response:
        """The public keys that permits, checkpoints and decision records are signed with (RFC 7517, RFC 8615)."""
        keys = service.public_keys()
        headers = {"Cache-Control": "public, max-age=60"}
        return Response(keys, media_type="application/jwk-set+json", headers=headers)

    @app.post("/api/v1/permits/verify")
    async def verify(request: Request) -> Response:
        permits.check_caller(request.headers.get("authorization", ""), service)
        body = await read_body(request, permits.MAX_BODY)
        return JSONResponse(await run_in_threadpool(permits.verify_permit, body, service))


def _promotions(app: FastAPI, service: Service) -> None:
    few = asyncio.Semaphore(PROMOTIONS_AT_ONCE)
    api = "/api/v1/promotions"

    async def answer(work: Callable[..., dict[str, Any]], *words: Any, status: int = 200) -> Response:
        async with few:
            found = await run_in_threadpool(work, *words, service)
        # A permit is in it; nobody on the way may keep it.
        return JSONResponse(found, status_code=status, headers={"Cache-Control": "no-store"})

    @app.post(f"{api}/plan")
    async def plan(request: Request) -> Response:
        return await answer(promotions.plan, await read_body(request, promotions.MAX_BODY))

    @app.post(api)
    async def ask(request: Request) -> Response:
        body = await read_body(request, promotions.MAX_BODY)
        return await answer(promotions.request, body, status=201)

    @app.get(f"{api}/{{promotion}}")
    async def state(promotion: str) -> Response:
        return await answer(promotions.state, promotion)

    @app.post(f"{api}/{{promotion}}/push")
    async def push(promotion: str, request: Request) -> Response:
        return await answer(promotions.push, promotion, await read_body(request, promotions.MAX_BODY))

    @app.post(f"{api}/{{promotion}}/end")
    async def end(promotion: str, request: Request) -> Response:
        return await answer(promotions.end, promotion, await read_body(request, promotions.MAX_BODY))


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body. Raises TooLarge for one over the limit, whatever Content-Length says, and TimeoutError when it
    takes too long to arrive.

    What is over the limit is not kept. Some of it is still read, because a sender whose connection is cut while it
    sends never sees the answer.
    """
    said = request.headers.get("content-length", "")
    kept, size = bytearray(), 0
    too_large = said.isdigit() and int(said[:20]) > limit
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in request.stream():
            size += len(chunk)
            too_large = too_large or size > limit
            if size > limit + PATIENCE:
                break
            if too_large:
                kept.clear()
            else:
                kept += chunk
    if too_large:
        raise TooLarge
    return bytes(kept)


def _response(answer: Answer) -> Response:
    if answer.status == 204:
        return Response(status_code=204)
    return JSONResponse({"code": answer.code, "message": answer.message}, status_code=answer.status)


async def _told(_request: Request, error: Any) -> Response:
    status = next(status for kind, status in HTTP_STATUS if isinstance(error, kind))
    log.log(logging.ERROR if status >= 500 else logging.WARNING, "%s: %s", error.code, error.message)
    # What went wrong inside is for the log; a stranger learns its code.
    shown = (error.message, error.fix) if status < 500 else ("it cannot be kept just now", "try again later")
    told: dict[str, Any] = {"code": error.code, "message": shown[0], "fix": shown[1]}
    if isinstance(error, NotGo):
        told |= promotions.refusal(error)
    headers = {"Retry-After": "30"} if status == 503 else None
    return JSONResponse(told, status_code=status, headers=headers)


async def _too_large(_request: Request, _error: Any) -> Response:
    told = {"code": "delivery.too-large", "message": "the body is larger than is taken here"}
    return JSONResponse(told, status_code=413, headers={"Connection": "close"})


async def _gone(_request: Request, _error: Any) -> Response:
    return Response(status_code=400)


async def _slow(_request: Request, _error: Any) -> Response:
    return Response(status_code=408, headers={"Connection": "close"})
