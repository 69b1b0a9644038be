"""Whether memory can be used, as those who ask for the service's health see it."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Final

from ..errors import StoreError
from .protocol import MemoryStore

EVERY_SECONDS: Final = 1.0
WAIT_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class Probe:
    """Asks a store at most once in `every` seconds, however often it is asked itself.

    Nobody waits longer than `wait` seconds, and one question at a time is under way: of a store
    that hangs, no more than one call does.
    """

    def __init__(
        self, memory: MemoryStore, *, every: float = EVERY_SECONDS, wait: float = WAIT_SECONDS
    ) -> None:
        self._memory = memory
        self._every = every
        self._wait = wait
        self._asking: asyncio.Task[str | None] | None = None
        self._ended = -math.inf

    async def fault(self) -> str | None:
        """Why the store cannot be used, None when it can."""
        if self._asking is None or (
            self._asking.done() and time.monotonic() - self._ended > self._every
        ):
            self._asking = asyncio.create_task(self._ask())
        done, _ = await asyncio.wait((self._asking,), timeout=self._wait)
        return self._asking.result() if done else f"memory ({self._memory.backend}) does not answer"

    async def close(self) -> None:
        """End the question that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait((self._asking,))
            self._asking = None

    async def _ask(self) -> str | None:
        try:
            await self._memory.check()
        except StoreError as error:
            return f"memory ({self._memory.backend}): {error.message}"
        except Exception:  # noqa: BLE001 - of a class that is not ours: the log gets all of it
            _log.exception("memory (%s) could not be checked", self._memory.backend)
            return f"memory ({self._memory.backend}) could not be checked"
        finally:
            self._ended = time.monotonic()
        return None
