"""How much a provider may send: an answer that has no end must not fill the memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx2

MAX_BYTES: Final = 64 * 2**20  # of one answer, as it comes over the wire


class _Bounded(httpx2.AsyncByteStream):
    """A body that breaks off behind MAX_BYTES."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._body:
            size += len(piece)
            if size > MAX_BYTES:
                raise httpx2.ReadError("the answer is endless")
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()


async def bound(response: httpx2.Response) -> None:
    """A hook of an HTTP client, for each response."""
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)
