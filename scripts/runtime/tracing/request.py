"""The span of one HTTP request, in the trace that its caller has begun."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanKind, Tracer, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from . import names

_CONTEXT: Final = TraceContextTextMapPropagator()
_MAX_PATH: Final = 256
_CARRIED: Final = (b"traceparent", b"tracestate")


class RequestSpan:
    """Current from here to `end`, so that what the request begins stands below it."""

    def __init__(self, tracer: Tracer, scope: Scope) -> None:
        headers = {
            str(k, "latin-1"): str(v, "latin-1") for k, v in scope["headers"] if k in _CARRIED
        }
        parent = _CONTEXT.extract(headers)
        self._method = scope["method"]
        self._span = tracer.start_span(
            self._method,
            context=parent,
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": self._method,
                "url.scheme": scope.get("scheme", "http"),
                "url.path": scope["path"][:_MAX_PATH],  # without the query, which may be a text
            },
        )
        self._token = attach(set_span_in_context(self._span, parent))

    @property
    def trace_id(self) -> str:
        """32 hex digits, sampled or not."""
        return format_trace_id(self._span.get_span_context().trace_id)

    def end(self, route: str | None, status: int) -> None:
        """`status` is 0 when the client was gone before the answer began."""
        span = self._span
        if route is not None:
            span.update_name(f"{self._method} {route}")
            span.set_attribute("http.route", route)
        if status:
            span.set_attribute("http.response.status_code", status)
        if not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            names.fail(span, str(status or names.CANCELLED))
        span.end()
        detach(self._token)
