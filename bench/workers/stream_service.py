"""EVENTS server-sent events over one request, made in several ways: an ASGI application a way.

`ours_single` and `ours_burst` are the service's own event log and response; a producer writes the
log, one event a turn of the loop or all that fit in a turn. The others have theirs at hand.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

EVENTS = 5000
BURST = 32
TEXT = "the words of a model as they come "
RUN = "01a2149a-4629-7e85-965a-125b62c7b896"


def _data(number: int) -> str:
    head = {"seq": number, "run_id": RUN, "type": "step.delta", "time": "2026-11-25T12:00:00.000Z"}
    return json.dumps({**head, "step": "a0", "text": TEXT}, separators=(",", ":"))


def _frame(number: int) -> bytes:
    return f"id: {number}\nevent: step.delta\ndata: {_data(number)}\n\n".encode()


_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}


_READY = [_frame(number) for number in range(1, EVENTS + 1)]


async def raw(scope: Scope, receive: Receive, send: Send) -> None:
    """One send an event, ready bytes, and nothing else."""
    await send(_START)
    for frame in _READY:
        await send({"type": "http.response.body", "body": frame, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def raw_turns(scope: Scope, receive: Receive, send: Send) -> None:
    """The same with a turn of the loop between any two, as when events happen one by one."""
    await send(_START)
    for frame in _READY:
        await send({"type": "http.response.body", "body": frame, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def starlette(scope: Scope, receive: Receive, send: Send) -> None:
    """Starlette's StreamingResponse of ready bytes."""

    async def frames() -> AsyncIterator[bytes]:
        for frame in _READY:
            yield frame

    await StreamingResponse(frames(), media_type="text/event-stream")(scope, receive, send)


async def sse_starlette(scope: Scope, receive: Receive, send: Send) -> None:
    """sse-starlette's EventSourceResponse."""
    from sse_starlette import EventSourceResponse, ServerSentEvent

    async def events() -> AsyncIterator[ServerSentEvent]:
        for number in range(1, EVENTS + 1):
            yield ServerSentEvent(_data(number), event="step.delta", id=str(number), sep="\n")

    await EventSourceResponse(events())(scope, receive, send)


def _ours(each: int, joined: float | None = None) -> ASGIApp:
    """`each` events are written before others have a turn; `joined` is the response's own."""
    from scripts.runtime.api.stream import StreamResponse
    from scripts.runtime.events import EventLog
    from scripts.runtime.run import Run, RunRequest
    from scripts.runtime.stores.runs import MemoryRuns

    class Response(StreamResponse):
        pass

    if joined is not None:
        Response.joined = joined

    async def produce(run: Run) -> None:
        for number in range(1, EVENTS):
            run.log.append("step.delta", "a0", {"text": TEXT})
            if number % each == 0:
                await asyncio.sleep(0)
        run.end("run.completed", {})

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = RunRequest("default", "", "S-1")
        run = Run(EventLog(RUN), request, "identity", MemoryRuns().claim("identity"))
        response = Response(run)
        run.task = asyncio.create_task(produce(run))
        await response(scope, receive, send)

    return application


_WAYS: dict[str, Any] = {
    "/raw": lambda: raw,
    "/raw_turns": lambda: raw_turns,
    "/starlette": lambda: starlette,
    "/sse_starlette": lambda: sse_starlette,
    "/ours_single": lambda: _ours(1),
    "/ours_each": lambda: _ours(1, 0.0),
    "/ours_burst": lambda: _ours(BURST),
}
_made: dict[str, ASGIApp] = {}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Chooses by the path; `/health` says that it is alive."""
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path == "/health":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    if path not in _made:
        _made[path] = _WAYS[path]()
    await _made[path](scope, receive, send)
