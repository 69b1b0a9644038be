"""Files that wait for the disk: those of one turn of the event loop go there together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

THREADS: Final = 4

_Waiting = tuple[int, asyncio.Future[None]]


class FileSyncs:
    """Syncs files in threads of its own: a tool that keeps the others busy holds up no file.

    Each file is asked for by itself, and has its own answer.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._threads: ThreadPoolExecutor | None = None

    async def close(self, descriptor: int) -> None:
        """Close a file once its content is on the disk. Raises OSError when it is not.

        It is closed in any case, also when nobody waits for it any more.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._begin, loop)
        self._waiting.append((descriptor, future))
        await future

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "documents-sync")
        descriptors = [descriptor for descriptor, _ in waiting]
        work = loop.run_in_executor(self._threads, _synced, descriptors)
        work.add_done_callback(lambda done: _answer(done, waiting))


def _synced(descriptors: Sequence[int]) -> list[OSError | None]:
    return [_fault(descriptor) for descriptor in descriptors]


def _fault(descriptor: int) -> OSError | None:
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        return error
    finally:
        os.close(descriptor)
    return None


def _answer(done: asyncio.Future[list[OSError | None]], waiting: Sequence[_Waiting]) -> None:
    for (_, future), error in zip(waiting, done.result(), strict=True):
        if future.done():
            continue  # its task was cancelled
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
