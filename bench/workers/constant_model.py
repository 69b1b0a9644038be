"""A provider for measuring a service: a constant text, at once or after BENCH_DELAY seconds.

It is imported by the generated service, whose own classes it answers with.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncGenerator
from typing import Any

from ..shapes import ANSWER

_protocol = importlib.import_module("generated.runtime.models.protocol")


class Constant:
    """Streams word by word, without waiting in between."""

    provider = "constant"
    name = "constant"
    structured = False

    def __init__(self, settings: Any) -> None:
        self._delay = float(os.environ.get("BENCH_DELAY", "0"))
        self._reply = _protocol.ModelReply(ANSWER, (), _protocol.Usage(20, 6), "stop", self.name)

    async def complete(self, request: Any) -> Any:
        """The constant."""
        if self._delay:
            await asyncio.sleep(self._delay)
        return self._reply

    async def stream(self, request: Any) -> AsyncGenerator[Any, None]:
        """The constant in words, then whole."""
        if self._delay:
            await asyncio.sleep(self._delay)
        for word in ANSWER.split(" "):
            yield f"{word} "
        yield self._reply

    async def close(self) -> None:
        """Nothing is held."""
