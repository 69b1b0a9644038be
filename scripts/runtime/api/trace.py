"""The outermost layer of a request: its id, its log line, and the last net for faults."""

from __future__ import annotations

import logging
import re
import time
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..clock import uuid7
from ..logs import REQUEST_ID
from .problems import CODE, respond

_log = logging.getLogger(__name__)
_SANE: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
_QUIET: Final = ("/health", "/metrics")  # asked all the time
_NO_ROUTE: Final = "none"
# What a model or a stranger wrote is never taken for a script or a page.
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")


class Trace:
    """Honours a sane X-Request-ID, makes one otherwise, echoes it, and logs the request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        token = REQUEST_ID.set(request_id)
        own = ((b"x-request-id", request_id.encode("ascii")), _NOSNIFF)
        began, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 - the last net: answered and logged, never shown
            _log.error("unforeseen fault", exc_info=error)
            if not status:
                response = respond(
                    scope, 500, "internal_error", "the service failed; its log knows this request"
                )
                await response(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - began
            _write_line(scope, status, seconds)
            _count(scope, status, seconds)
            REQUEST_ID.reset(token)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE.fullmatch(value):
            return str(value, "ascii")
    return uuid7()


def _write_line(scope: Scope, status: int, seconds: float) -> None:
    level = _level(scope["path"], status)
    if _log.isEnabledFor(level):
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        facts = {"status": status, "duration_ms": round(seconds * 1000, 3)}
        if CODE in scope:
            facts["code"] = scope[CODE]
        _log.log(level, "%s %s", scope["method"], path, extra={"facts": facts})


def _count(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", _NO_ROUTE)
    scope["app"].state.service.metrics.request(scope["method"], route, status, seconds)


def _level(path: str, status: int) -> int:
    if path.startswith(_QUIET):
        return logging.DEBUG
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return logging.WARNING  # what a service that stops answers, on purpose
    return logging.ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
