"""A proxy before a server that delays answers, or loses the second half of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from tests.process import free_port


class Proxy:
    """Forwards a port of the loopback interface; what it does may change at any time."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.delay = 0.0  # seconds for each piece of an answer
        self.loses: Callable[[bytes], bool] = lambda question: (
            False
        )  # the answer, and the connection
        self.connections = 0
        self.lost = 0
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def cut(self) -> None:
        """End all connections at once, without a word."""
        for writer in self._writers:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, downstream}
        lost = asyncio.Event()
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await asyncio.gather(
                self._forward_questions(reader, downstream, lost),
                self._forward_answers(upstream, writer, lost),
            )
        for each in (writer, downstream):
            each.transport.abort()
            self._writers.discard(each)

    async def _forward_questions(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        while data := await reader.read(1 << 16):
            if self.loses(data):
                lost.set()
            writer.write(data)
            await writer.drain()
        writer.transport.abort()

    async def _forward_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        while data := await reader.read(1 << 16):
            if lost.is_set():  # the server has done it, and nobody hears of all of it
                self.lost += 1
                writer.write(data[: len(data) // 2])
                with contextlib.suppress(OSError):
                    await writer.drain()
                break
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
