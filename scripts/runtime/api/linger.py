"""An answer to a client that still sends: what comes is read before the connection is closed.

A connection that is closed while bytes lie unread is reset, and what was sent last is lost with
it: the client would see a broken connection in place of the reason.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from starlette.types import Message, Receive, Scope, Send

MAX_BYTES: Final = 64 * 1024 * 1024  # that are read behind an answer
MAX_SECONDS: Final = 5.0
_CLOSED: Final = (b"connection", b"close")
_LAST: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": False}


def may_be_cut(scope: Scope) -> bool:
    """Whether the answer may end the connection with some of the request's body unread."""
    headers = scope["headers"]
    if _CLOSED in headers:
        return any(name == b"content-length" and value != b"0" for name, value in headers)
    return any(name == b"transfer-encoding" for name, _ in headers)


class Linger:
    """The two sides of one request; the last of its answer waits for the last of its body."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_read = False

    async def receive(self) -> Message:
        message = await self._receive()
        # What is no part of a body says that the client has gone.
        self._is_read = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if self._is_read or not is_last:
            await self._send(message)
            return
        await self._send({**message, "more_body": True})  # all of it, as its length tells
        await self._discard()
        await self._send(_LAST)

    async def _discard(self) -> None:
        left = MAX_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_SECONDS):
                while not self._is_read and left > 0:
                    message = await self.receive()
                    left -= len(message.get("body", b""))
