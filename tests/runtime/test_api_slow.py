"""Readers that are slow, stuck or gone: the run does not care, and nothing is left of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

from scripts.runtime.api.stream import StreamResponse
from scripts.runtime.events import MAX_EVENTS
from scripts.runtime.executor import Run
from scripts.runtime.flow import AnyFlow
from scripts.runtime.models.protocol import ModelReply, ModelRequest

from .agents import Scripted, agent, chain, executor, request

Analyst = agent("analyst")
PIECES = 100_000


class Chatty(Scripted):
    """Writes very many pieces, each seen as an event of its own."""

    run: Run

    async def stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        for number in range(PIECES):
            self.run.log.append("step.delta", "analyst", {"text": f"{number} "})
            if number % 1000 == 0:
                await asyncio.sleep(0)
        yield ModelReply("done")


def one() -> AnyFlow:
    return chain(Analyst())


class Reader:
    """A client's side of a connection."""

    def __init__(self, *, stuck_after: int) -> None:
        self.left = asyncio.Event()
        self.stuck_after = stuck_after
        self.free = asyncio.Event()
        self.received: list[bytes] = []

    async def receive(self) -> MutableMapping[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if len(self.received) >= self.stuck_after:
            await self.free.wait()
        self.received.append(message.get("body", b""))


def begin(model: Chatty) -> tuple[Run, StreamResponse]:
    run = executor(one, model).start(request())
    model.run = run
    return run, StreamResponse(run)


def test_a_reader_that_is_stuck_slows_no_run_and_holds_no_more_than_the_log() -> None:
    async def main() -> None:
        run, response = begin(Chatty())
        reader = Reader(stuck_after=2)
        sending = asyncio.create_task(response({"type": "http"}, reader.receive, reader.send))
        answer = await run.wait()
        assert answer["status"] == "success"
        assert len(run.log.events) <= MAX_EVENTS
        assert len(reader.received) == 2, "it was stuck all the time"
        reader.free.set()
        await sending
        stream = b"".join(reader.received)
        assert stream.count(b"event: step.delta") <= 2 * MAX_EVENTS
        assert b'"dropped":' in stream
        assert stream.rstrip().rpartition(b"event: ")[2].startswith(b"run.completed")
        assert asyncio.all_tasks() == {asyncio.current_task()}, "something is left running"

    asyncio.run(main())


def test_a_stuck_reader_that_leaves_stops_the_run_and_leaves_no_task() -> None:
    async def main() -> None:
        run, response = begin(Chatty())
        reader = Reader(stuck_after=1)
        sending = asyncio.create_task(response({"type": "http"}, reader.receive, reader.send))
        await asyncio.sleep(0)
        reader.left.set()
        answer = await run.wait()
        assert answer["error"]["code"] == "cancelled"
        reader.free.set()
        await sending
        assert run.log.followers == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}, "something is left running"

    asyncio.run(main())
