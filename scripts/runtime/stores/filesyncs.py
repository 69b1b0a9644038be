"""Files that wait for the disk: those of one turn of the event loop go there together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ..waiting import answer

THREADS: Final = 4

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_Waiting = tuple[Path, asyncio.Future[None]]


class FileSyncs:
    """Syncs files in threads of its own: a tool that keeps the others busy holds up no file.

    They are opened only then, since a crowd of writers may wait. Each is asked for by itself,
    and has its own answer.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._threads: ThreadPoolExecutor | None = None

    async def wait(self, path: Path) -> None:
        """Until the content of a file is on the disk. Raises OSError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._begin, loop)
        self._waiting.append((path, future))
        await future

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "documents-sync")
        work = loop.run_in_executor(self._threads, _synced, [path for path, _ in waiting])
        work.add_done_callback(lambda done: _answer(done, waiting))


def _synced(paths: Sequence[Path]) -> list[OSError | None]:
    return [_fault(path) for path in paths]


def _fault(path: Path) -> OSError | None:
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        return error
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        return error
    finally:
        os.close(descriptor)
    return None


def _answer(done: asyncio.Future[list[OSError | None]], waiting: Sequence[_Waiting]) -> None:
    for (_, future), error in zip(waiting, done.result(), strict=True):
        answer(future, error)
