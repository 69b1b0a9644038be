"""A provider that answers whatever it is told to, byte for byte, once a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    429: "Too Many Requests",
    502: "Bad Gateway",
}


class Provider:
    """Sends the next answer, then closes, or with `hangs` waits until the client gives up.

    The last answer is given again and again; `heads` and `bodies` are what was asked.
    """

    def __init__(self, *answers: bytes, hangs: bool = False) -> None:
        self.answers = list(answers)
        self.hangs = hangs
        self.heads: list[bytes] = []
        self.bodies: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            body = await reader.readexactly(length)
            self.heads.append(head)
            self.bodies.append(json.loads(body))
            self.asked.set()
            writer.write(self.answers[min(len(self.bodies), len(self.answers)) - 1])
            await writer.drain()
            if self.hangs:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed.set()


@asynccontextmanager
async def provider(*answers: bytes, hangs: bool = False) -> AsyncIterator[Provider]:
    """It listens on a free port of loopback."""
    found = Provider(*answers, hangs=hangs)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield found


def http(
    body: bytes | str | dict[str, Any] | list[Any],
    *,
    status: int = 200,
    kind: str = "application/json",
    headers: dict[str, str] | None = None,
) -> bytes:
    """A whole HTTP answer."""
    data = body if isinstance(body, bytes) else _text(body).encode()
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", f"content-type: {kind}"]
    lines += [f"content-length: {len(data)}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def events(*chunks: str | dict[str, Any], done: bool = True, named: bool = False) -> bytes:
    """A stream of server-sent events, ended by the end of the connection.

    With `named` each event carries its `type` as its name, as Anthropic's do.
    """
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    parts = [*chunks, *(["[DONE]"] if done else [])]
    return head + "".join(_event(part, named) for part in parts).encode()


def _event(part: str | dict[str, Any], named: bool) -> str:
    name = f"event: {part.get('type', 'unknown')}\n" if named and isinstance(part, dict) else ""
    return f"{name}data: {_text(part)}\n\n"


def _text(body: str | dict[str, Any] | list[Any]) -> str:
    return body if isinstance(body, str) else json.dumps(body)
