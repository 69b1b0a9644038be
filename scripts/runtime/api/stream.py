"""A run as Server-Sent Events, and as one JSON answer: both stop it when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..clock import rfc3339
from ..events import Event
from ..executor import Run
from .jsontext import dump, dump_text, quoted

KEEP_ALIVE: Final = 15.0  # seconds without an event
JOINED: Final = 0.001  # seconds after a send in which further events wait for one another
_COMMENT: Final = b": still here\n\n"
_LEFT: Final = "the client went away"


def frame(events: Sequence[Event], run_id: str) -> bytes:
    """The bytes of events, ready to send in one piece: each `Event.as_json`, framed."""
    run = quoted(run_id)
    return "".join(
        [
            # By far the most, so that it gets the shortest way.
            (
                f'id: {seq}\nevent: step.delta\ndata: {{"seq":{seq},"run_id":{run},'
                f'"type":"step.delta","time":"{rfc3339(time)}",'
                f'"step":{quoted(step)},"text":{quoted(data["text"])}}}\n\n'
                if type_ == "step.delta" and len(data) == 1 and step
                else _framed(Event(seq, type_, time, step, data), run_id)
            )
            for seq, type_, time, step, data in events
        ]
    ).encode("ascii")


def _framed(event: Event, run_id: str) -> str:
    text = dump_text(event.as_json(run_id))
    return f"id: {event.seq}\nevent: {event.type}\ndata: {text}\n\n"


class RunResponse(Response):
    """What both forms share: `ended` is called once, when the run has ended for this client."""

    def __init__(self, run: Run, ended: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.run = run
        self.ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watch: asyncio.Task[None] | None = None
        try:
            await asyncio.sleep(0)  # one turn: a run that waits for nobody is over then
            if not self.run.ended:
                watch = asyncio.create_task(self._watch(receive))
            await self.send_run(scope, receive, send)
        finally:
            if watch is not None:
                watch.cancel()
            # Only when the sending was broken off: an ended run is not touched by it.
            self.run.cancel(_LEFT)
            self.ended()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.run.cancel(_LEFT)

    async def send_run(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


class AnswerResponse(RunResponse):
    """The answer, when the run has ended."""

    async def send_run(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = dump(await self.run.wait())
        status = self.run.http_status
        headers = [
            (b"vary", b"Accept"),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]
        if status == 503:
            headers.append((b"retry-after", b"%d" % self.run.retry_after))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class StreamResponse(RunResponse):
    """The events as they come; the last one is always the terminal one."""

    keep_alive = KEEP_ALIVE
    joined = JOINED

    def __init__(self, run: Run, ended: Callable[[], None] = lambda: None) -> None:
        super().__init__(run, ended)
        # Following begins here, before the run takes its first step: so models stream.
        self._batches = None if run.ended else run.log.follow(run.since, joined=self.joined)

    async def send_run(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._touched = asyncio.get_running_loop().time()
        beat = asyncio.create_task(self._beat(send))
        try:
            await send({**_START})  # what stands around may add headers of its own
            if self._batches is None:
                await send(_body(frame(self.run.events(), self.run.run_id)))
            else:
                async for events in self._batches:
                    self._touched = asyncio.get_running_loop().time()
                    await send(_body(frame(events, self.run.run_id)))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            beat.cancel()

    async def _beat(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        while True:
            idle = loop.time() - self._touched
            if idle >= self.keep_alive:
                self._touched = loop.time()
                await send(_body(_COMMENT))
            else:
                await asyncio.sleep(self.keep_alive - idle)


def _body(data: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": True}


_START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
        (b"vary", b"Accept"),
    ],
}
