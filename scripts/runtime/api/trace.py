"""The outermost layer of a request: its ids, its log line and span, the last net for faults."""

from __future__ import annotations

import logging
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..clock import uuid7
from ..logs import REQUEST_ID, TRACE_ID
from .problems import CODE, respond

if TYPE_CHECKING:
    from ..tracing.request import RequestSpan

_log = logging.getLogger(__name__)
_SANE: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
# W3C's traceparent: version, the trace's id, the caller's span, flags; none of it all zeros.
_PARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
_QUIET: Final = ("/health", "/metrics")  # asked all the time
_NO_ROUTE: Final = "none"
# What a model or a stranger wrote is never taken for a script or a page.
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")


class Trace:
    """Honours a sane X-Request-ID, makes one otherwise, echoes it, and logs the request.

    Log lines carry the id of the trace that the caller's `traceparent` names, or that of our own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, trace_id = _ids(scope)
        span = _span(scope)
        token = REQUEST_ID.set(request_id)
        trace = TRACE_ID.set(trace_id if span is None else span.trace_id)
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
            if span is not None:
                span.end(_route(scope), status)
            REQUEST_ID.reset(token)
            TRACE_ID.reset(trace)


def _ids(scope: Scope) -> tuple[str, str | None]:
    """The request's id, and its trace's where the caller has one."""
    request_id = trace_id = None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE.fullmatch(value):
            request_id = str(value, "ascii")
        elif name == b"traceparent" and (parent := _PARENT.fullmatch(value)):
            trace_id = str(parent[1], "ascii")
    return request_id or uuid7(), trace_id


def _span(scope: Scope) -> RequestSpan | None:
    tracing = scope["app"].state.service.tracing
    if tracing is None or scope["path"].startswith(_QUIET):
        return None
    span: RequestSpan = tracing.request(scope)
    return span


def _route(scope: Scope) -> str | None:
    path: str | None = getattr(scope.get("route"), "path", None)
    return path


def _write_line(scope: Scope, status: int, seconds: float) -> None:
    level = _level(scope["path"], status)
    if _log.isEnabledFor(level):
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        facts = {"status": status, "duration_ms": round(seconds * 1000, 3)}
        if CODE in scope:
            facts["code"] = scope[CODE]
        _log.log(level, "%s %s", scope["method"], path, extra={"facts": facts})


def _count(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope) or _NO_ROUTE
    scope["app"].state.service.metrics.request(scope["method"], route, status, seconds)


def _level(path: str, status: int) -> int:
    if path.startswith(_QUIET):
        return logging.DEBUG
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return logging.WARNING  # what a service that stops answers, on purpose
    return logging.ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
