"""Spans of requests, runs, model calls and tools, on their way to a collector."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Collection
from typing import Final

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind
from starlette.types import Scope

from .. import __version__
from ..events import TERMINAL, Event
from ..models.protocol import Model, ModelReply, ModelRequest
from ..run import Run
from . import names
from .request import RequestSpan
from .spans import WANTED, RunSpans

CLOSE_SECONDS: Final = 1.0  # for the last spans; then they are lost

_log = logging.getLogger(__name__)


class Tracing:
    """What one process draws. For one event loop; sending happens in the provider's thread."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(names.NAME, __version__)
        self._runs: dict[str, RunSpans] = {}

    def request(self, scope: Scope) -> RequestSpan:
        """A span for a request that begins; end it in the same task."""
        return RequestSpan(self._tracer, scope)

    def follow(self, run: Run, tools: Collection[str]) -> None:
        """Draw a run: its events so far, and each as it comes; `tools` are the names there are."""
        log, request = run.log, run.request
        flow = "" if request.agent is not None else request.flow
        spans = RunSpans(self._tracer, log.run_id, flow, request.story_id, tools)
        self._runs[log.run_id] = spans

        def hear(event: Event) -> None:
            spans.hear(event)
            if event.type in TERMINAL:
                del self._runs[log.run_id]

        for event in run.events():
            hear(event)
        log.silent -= WANTED
        log.listeners.append(hear)

    async def chat(
        self,
        model: Model,
        request: ModelRequest,
        call: Awaitable[ModelReply],
        *,
        item: int | None = None,
        streaming: bool = False,
    ) -> ModelReply:
        """The call's reply, with a span around it in that of the request's step."""
        name = request.model or model.name
        run = self._runs.get(request.run)
        span = self._tracer.start_span(
            f"chat {name}",
            context=run.inside(request.step, item) if run else None,
            kind=SpanKind.CLIENT,
            attributes=names.asked(model.provider, name, request, streaming=streaming),
        )
        try:
            reply = await call
            span.set_attributes(names.answered(reply))
            return reply
        except BaseException as error:
            names.fail(span, names.fault_type(error))
            raise
        finally:
            span.end()

    async def close(self) -> None:
        """Send what is left, for CLOSE_SECONDS at most: a collector that is down holds nobody."""
        # A daemon: neither Python nor the loop waits at its end for what may hang.
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, CLOSE_SECONDS)
        if thread.is_alive():
            _log.warning("the last spans could not be sent")
