"""The folder of documents: what lies in it, and whose turn it is to change what."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from ..clock import rfc3339
from ..errors import StoreError
from . import files
from .filesyncs import FileSyncs
from .held import MAX_BYTES, Held, Place
from .names import document_file, document_of
from .protocol import DocumentInfo
from .revisions import Head, History, stamp_of
from .turn import PAUSE, Folder, Turn

LOCK_SECONDS: Final = 5.0
STALE_SECONDS: Final = 3600.0
_MAX_HEADS: Final = 4096  # documents whose histories need not be read again

T = TypeVar("T")


class Shelf:
    """Documents in `folder`, `keep` revisions of each; ids are checked before a path is built.

    Raises InvalidName and StoreError: 507 when there is no room, 503 when others keep a document
    locked.
    """

    def __init__(self, folder: Path, keep: int, *, durable: bool) -> None:
        self._folder = folder
        self._histories = folder / ".store" / "revisions"
        self._new = folder / ".store" / "new"
        self._keep = keep
        self._durable = durable
        self._syncs = FileSyncs()
        self._seen = Folder(str(self._histories))
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._heads: dict[str, Head] = {}
        self._is_prepared = False

    def path(self, document_id: str) -> Path:
        """The document's file."""
        return self._folder / document_file(document_id)

    def status(self, document_id: str) -> os.stat_result | None:
        """That of the document's file, None when there is no such document."""
        try:
            return files.regular(self.path(document_id))
        except OSError as error:
            raise fault(error, "read") from error

    def info(self, document_id: str, status: os.stat_result, etag: str) -> DocumentInfo:
        """What is known of a document whose file has this status."""
        created, updated = self.created(document_id, status), rfc3339(status.st_mtime)
        return DocumentInfo(document_id, etag, created, updated, status.st_size)

    def created(self, document_id: str, status: os.stat_result) -> str:
        """When it was made: its history's time of change, unless its file is older."""
        try:
            history = files.regular(self._history(document_id))
        except OSError as error:
            raise fault(error, "read") from error
        return rfc3339(min(history.st_mtime, status.st_mtime) if history else status.st_mtime)

    def unchanged(self, document_id: str, etag: str) -> os.stat_result | None:
        """The file's status, when it is known to hold just that."""
        head = self._heads.get(document_id)
        if head is None or head.etag != etag:
            return None
        status = self.status(document_id)
        return status if status is not None and stamp_of(status) == head.stamp else None

    def is_fixed(self, document_id: str) -> bool:
        """Whether it has no history and can get none: a file in a read-only file system."""
        if files.is_there(Path(self._history(document_id))):
            return False
        try:
            return bool(os.statvfs(self._folder).f_flag & os.ST_RDONLY)
        except OSError as error:
            raise fault(error, "read") from error

    def list(self, prefix: str, after: str, limit: int | None) -> Sequence[DocumentInfo]:
        """Documents by id: those that begin with `prefix` and come behind `after`."""
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name for entry in entries if entry.name.startswith(prefix)]
        except FileNotFoundError:
            return ()
        found: list[DocumentInfo] = []
        for document_id in sorted(name for name in map(document_of, names) if name):
            if limit is not None and len(found) >= limit:
                break
            if document_id <= after or not document_id.startswith(prefix):
                continue
            info = self._listed(document_id)
            if info is not None:
                found.append(info)
        return found

    def _listed(self, document_id: str) -> DocumentInfo | None:
        """What is known of a document, without an etag where it cannot be read."""
        try:
            descriptor = files.open_regular(self.path(document_id))
        except PermissionError:
            status = self.status(document_id)
            return None if status is None else self.info(document_id, status, "")
        if descriptor is None:
            return None
        status = os.fstat(descriptor)
        if status.st_size > MAX_BYTES:
            os.close(descriptor)
            return self.info(document_id, status, "")
        return self.info(document_id, status, f'"{files.digest(descriptor)[:32]}"')

    async def written(self, document_id: str, data: bytes) -> Path:
        """The document's next file, on the disk but not yet in its place."""
        try:
            if not self._is_prepared:
                await self._make_folders()
            try:
                return await files.write_new(self._new, data, document_id, self._syncs)
            except FileNotFoundError:  # someone removed our folders
                await self._make_folders()
                return await files.write_new(self._new, data, document_id, self._syncs)
        except OSError as error:
            raise fault(error, "written") from error

    async def alone(
        self, document_id: str, done: str, work: Callable[[Held, Head | None], T], size: int = 0
    ) -> T:
        """Do something to a document that nobody else has now: at once, or in a thread if it is
        much. `work` gets the document and what is known of its history; `done` names the fault.
        """
        place = Place(document_id, self.path(document_id), self._new, self._keep, self._durable)
        held = Held(place, await self._locked(document_id))
        known = self._heads.pop(document_id, None)

        def under_lock() -> T:
            is_known = False
            try:
                result = work(held, known)
                is_known = True
                return result
            except OSError as error:
                raise fault(error, done) from error
            finally:
                if held.let_go() and is_known:
                    self._remember(document_id, held.history.head)

        if self._is_quick(size, held.history, known):
            return under_lock()
        return await files.in_thread(under_lock)

    def _is_quick(self, size: int, history: History, known: Head | None) -> bool:
        """Whether it takes no longer than a turn of the loop: little to do, nothing to sync."""
        if self._durable or size > files.MAX_INLINE or history.unread(known):
            return False
        return known is None or not known.may_be_due(self._keep, size)

    def _history(self, document_id: str) -> str:
        return f"{self._histories}/{document_id}.jsonl"

    def _remember(self, document_id: str, head: Head) -> None:
        if len(self._heads) >= _MAX_HEADS:
            with suppress(StopIteration, KeyError, RuntimeError):  # other threads do so as well
                del self._heads[next(iter(self._heads))]
        self._heads[document_id] = head

    async def _locked(self, document_id: str) -> History:
        """Hold the document against writers of this and other processes."""
        if self._seen.is_free() and (history := self._try_lock(document_id)):
            return history
        queue = self._queues.get(document_id) or asyncio.Lock()
        self._queues[document_id] = queue
        deadline = time.monotonic() + LOCK_SECONDS
        async with queue:
            with closing(Turn(str(self._histories))) as turn:
                return await self._wait_for_lock(document_id, turn, deadline)

    async def _wait_for_lock(self, document_id: str, turn: Turn, deadline: float) -> History:
        pause = PAUSE
        while True:
            await asyncio.sleep(pause)  # first of all: it may be another's turn
            insists = turn.insist()
            history = self._try_lock(document_id)
            if history is not None:
                return history
            if time.monotonic() > deadline:
                message = "the document stays locked by others"
                raise StoreError(message, store="documents", status=503)
            pause = PAUSE if insists else min(pause + PAUSE, 0.01)

    def _try_lock(self, document_id: str) -> History | None:
        path = self._history(document_id)
        try:
            if not self._is_prepared:
                self._prepare()
            try:
                return History.lock(path)
            except FileNotFoundError:
                self._prepare()
                return History.lock(path)
        except OSError as error:
            raise fault(error, "locked") from error

    async def _make_folders(self) -> None:
        self._prepare()
        if self._durable:
            for folder in (self._histories.parent, self._folder, self._folder.parent):
                await asyncio.to_thread(files.sync_folder, folder)

    def _prepare(self) -> None:
        """Make our folders; once, remove what writers that were killed left in `new/`."""
        for folder in (self._histories, self._new):
            folder.mkdir(parents=True, exist_ok=True)
        if self._is_prepared:
            return
        self._is_prepared = True
        oldest = time.time() - STALE_SECONDS
        for path in self._new.iterdir():
            with suppress(FileNotFoundError):  # another process removes it as well
                if os.lstat(path).st_mtime < oldest:
                    self._sweep(path)

    def _sweep(self, path: Path) -> None:
        """Remove a file that never took its place, when its history knows that it did not."""
        document_id, mark, _ = path.name.partition("~")
        if mark and document_id:
            history = History.lock(self._history(document_id))
            if history is None:
                return
            try:
                history.load(None, self._new)
                if not files.is_there(self.path(document_id)):
                    history.remove()
            finally:
                history.close()
        path.unlink(missing_ok=True)


def fault(error: OSError, done: str) -> StoreError:
    """`documents cannot be written: …`"""
    return files.store_fault(error, store="documents", done=done)
