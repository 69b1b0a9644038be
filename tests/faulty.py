"""A server between a service and the model stand-in that breaks what it is told to break."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

SECONDS = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection: *[^\r]*", re.IGNORECASE)


@dataclass
class Call:
    """One request of a provider's client: what was sent, and the way back to who sent it."""

    head: bytes
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    stand_in: tuple[str, int]

    async def relay(self, events: int | None = None) -> None:
        """What the stand-in answers, all of it or only so many events of its stream."""
        reader, writer = await asyncio.open_connection(*self.stand_in)
        try:
            writer.write(_closing(self.head) + self.body)
            await writer.drain()
            head = _closing(await reader.readuntil(b"\r\n\r\n"))
            await self.send(head)
            async for piece in _body(reader, head):
                kept = piece
                if events is not None:
                    kept, events = _first(piece, events)
                await self.send(kept)
                if events == 0:
                    return
        finally:
            writer.close()

    async def send(self, data: bytes) -> None:
        """These bytes, as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def until_it_leaves(self) -> None:
        """Say nothing more, as long as the other side waits."""
        await self.reader.read()


Deed = Callable[[Call], Awaitable[None]]


async def answer(call: Call) -> None:
    """No fault."""
    await call.relay()


async def hang(call: Call) -> None:
    """Take the request and say nothing."""
    await call.until_it_leaves()


async def hang_inside(call: Call) -> None:
    """Begin a stream and say no more."""
    await call.relay(events=4)
    await call.until_it_leaves()


async def cut(call: Call) -> None:
    """Begin a stream, or an answer, and close the connection."""
    await call.relay(events=4)


async def close(call: Call) -> None:
    """Close the connection without an answer."""


async def trickle(call: Call) -> None:
    """Say next to nothing, but never fall silent."""
    kind = "text/event-stream" if b"stream" in call.head + call.body else "application/json"
    await call.send(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\n".encode())
    while True:
        await call.send(b"\n" if kind == "text/event-stream" else b" ")
        await asyncio.sleep(0.05)


def garbage(body: bytes, kind: str = "application/json") -> Deed:
    """An answer that is none of any provider's."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n"

    async def deed(call: Call) -> None:
        await call.send(head.encode() + body)

    return deed


@dataclass
class Faulty:
    """Listens on a free port of loopback, in a thread. Each request gets the next deed.

    When there are no more deeds it hands on. `open` counts the connections that stand.
    """

    stand_in: tuple[str, int]
    deeds: deque[Deed] = field(default_factory=deque)
    calls: list[bytes] = field(default_factory=list)
    open: int = 0
    port: int = 0

    def does(self, *deeds: Deed) -> None:
        """Forget what was asked; do these things, one a request."""
        self.calls.clear()
        self.deeds = deque(deeds)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    def _do(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(SECONDS)

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                self.calls.append(body)
                deed = self.deeds.popleft() if self.deeds else answer
                await deed(Call(head, body, reader, writer, self.stand_in))
        finally:
            self.open -= 1
            writer.close()


def _closing(head: bytes) -> bytes:
    """A head that says: one answer, and the connection is over."""
    return _CONNECTION.sub(b"", head[:-4]) + b"\r\nconnection: close\r\n\r\n"


async def _body(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    """The body as it comes, to its own end: the stand-in leaves its connections open."""
    length = _LENGTH.search(head)
    left, tail = int(length[1]) if length else -1, b""
    while left and not tail.endswith(b"\r\n0\r\n\r\n"):
        piece = await reader.read(65_536)
        if not piece:
            return
        left, tail = left - len(piece) if length else left, (tail + piece)[-7:]
        yield piece


def _first(piece: bytes, events: int) -> tuple[bytes, int]:
    """The piece up to the end of so many events, and how many are missing."""
    end = 0
    for found in re.finditer(rb"\r?\n\r?\n", piece):
        end, events = found.end(), events - 1
        if not events:
            return piece[:end], 0
    return piece, events


def parts(base_url: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = base_url.rpartition("/")[2].partition(":")
    return host, int(port)


def wires(faulty: Faulty) -> Sequence[tuple[str, dict[str, str]]]:
    """Each provider, and the environment of a service that asks it at this address."""
    url = faulty.base_url
    return (
        ("openai-compatible", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{url}/v1"}),
        ("anthropic", {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}),
        (
            "google",
            {
                "GEMINI_API_KEY": KEY,
                "GOOGLE_GEMINI_BASE_URL": url,
                "GOOGLE_GENAI_API_VERSION": "beta",
            },
        ),
    )


KEY = "sk-made-up-key-for-tests"
