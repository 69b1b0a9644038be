"""When memory files are compacted, beside the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Final

from ..errors import StoreError
from .journal import Journal
from .names import scope_in
from .reading import first_scope
from .rewrite import Abandoned, compact

ABOVE: Final = 8_000_000  # bytes of a file
RATIO: Final = 2.0

_log = logging.getLogger(__name__)


class Compactor:
    """Compacts one file at a time, when it is over `above` bytes and `ratio` times what is kept."""

    def __init__(self, above: int = ABOVE, ratio: float = RATIO) -> None:
        self.above = above
        self._ratio = ratio
        self._running: asyncio.Task[None] | None = None
        self._not_before: dict[str, int] = {}  # sizes from which to try again
        self._stop = threading.Event()

    def consider(self, journal: Journal) -> None:
        """Begin if it is worth while."""
        size, scope, identity = journal.end, journal.scope, journal.identity
        if size <= self.above or size <= self._ratio * journal.index.live:
            return
        if self._running is not None or not journal.is_safe or identity is None:
            return
        if size > self._not_before.get(scope, 0):
            self._not_before[scope] = size + self.above
            plan, path, stop = journal.index.plan(), journal.path, self._stop
            work = asyncio.to_thread(lambda: compact(path, identity, plan(), size, stop))
            self._running = asyncio.create_task(self._end(work, scope, path.name))

    async def close(self) -> None:
        """Give up what goes on; the file stays as it was."""
        if self._running is not None:
            self._stop.set()
            await self._running
            self._stop.clear()

    async def _end(self, work: Awaitable[int], scope: str, name: str) -> None:
        try:
            saved = await work
        except Abandoned:
            _log.debug("%s: not compacted, it has changed meanwhile", name)
        except StoreError as error:
            _log.warning("%s: not compacted: %s", name, error.message)
        else:
            self._not_before.pop(scope, None)
            _log.info("%s: compacted, %d bytes less", name, saved)
        finally:
            self._running = None


def compact_now(path: Path, history: int) -> int:
    """Compact a file here and now, if there is anything to leave out; the bytes saved.

    Raises StoreError, also while damaged lines of it cannot be quarantined.
    """
    journal = Journal(
        path, scope_in(path.parent.name, path.name) or first_scope(path) or "", history
    )
    try:
        while not journal.refresh():
            pass
        if journal.identity is None or journal.end <= journal.index.live:
            return 0
        if not journal.is_safe:
            raise StoreError("damaged lines cannot be quarantined", store="memory")
        return compact(path, journal.identity, journal.index.plan()(), journal.end)
    except Abandoned:
        return 0  # someone else has done it
    finally:
        journal.close()
