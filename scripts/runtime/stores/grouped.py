"""One fdatasync of a file for all who wrote before it began."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ..waiting import answer
from .files import store_fault, sync_folder
from .journal import Journal

THREADS: Final = 4


class GroupSyncs:
    """The syncs of all journals below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._groups: dict[str, GroupSync] = {}
        self._threads: ThreadPoolExecutor | None = None

    def of(self, journal: Journal) -> GroupSync:
        """Those of one journal."""
        return self._groups.get(journal.scope) or self._new(journal)

    def forget(self, scope: str) -> None:
        """Its journal is closed."""
        self._groups.pop(scope, None)

    def close(self) -> None:
        """Give back the threads; what goes on is finished before."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def _new(self, journal: Journal) -> GroupSync:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "memory-sync")
        folders = (journal.path.parent, self._folder, self._folder.parent)
        group = self._groups[journal.scope] = GroupSync(journal, folders, self._threads)
        return group


class GroupSync:
    """Makes the writes of one journal durable, beside the event loop.

    The journal counts as used while anybody waits.
    """

    def __init__(self, journal: Journal, folders: Sequence[Path], threads: Executor) -> None:
        """`folders` are synced too when the journal's file is new."""
        self._journal = journal
        self._folders = tuple(folders)
        self._threads = threads
        self._waiting: list[asyncio.Future[None]] = []
        self._descriptors: dict[tuple[int, int] | None, int] = {}
        self._is_running = False

    async def wait(self) -> None:
        """Until all that was written before is on the disk. Raises StoreError."""
        journal = self._journal
        loop = asyncio.get_running_loop()
        if journal.identity not in self._descriptors:
            # The file of now: by the time we begin, it may have been replaced or closed.
            self._descriptors[journal.identity] = journal.sync_descriptor()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        if not self._is_running:
            self._is_running = True
            journal.users += 1
            loop.call_soon(self._begin)  # whoever writes in this turn of the loop comes along
        try:
            await future
        except OSError as error:
            raise store_fault(error, store="memory", done="written to the disk") from error

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        descriptors, self._descriptors = self._descriptors, {}
        folders = self._folders if self._journal.is_new else ()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, _sync, tuple(descriptors.values()), folders)
        work.add_done_callback(lambda done: self._end(done, waiting, is_new=bool(folders)))

    def _end(
        self, done: asyncio.Future[None], waiting: list[asyncio.Future[None]], *, is_new: bool
    ) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is not None:
            self._journal.close()  # what the kernel dropped must not be taken for written
        elif is_new:
            self._journal.is_new = False
        for future in waiting:
            answer(future, error)
        if self._waiting:
            self._begin()
        else:
            self._is_running = False
            self._journal.users -= 1


def _sync(descriptors: Sequence[int], folders: Sequence[Path]) -> None:
    try:
        for descriptor in descriptors:
            os.fdatasync(descriptor)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    for folder in folders:
        sync_folder(folder)
