"""Documents as Markdown files: `docs/{id}.md`, replaced in one step, never half.

`docs/.store/` is ours: `created/{id}` is an empty file whose time of change says when the
document was made, and whose `flock` its writers hold; `new/` is where files are written
before they take their place.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Literal
from weakref import WeakValueDictionary

from ..clock import rfc3339
from ..errors import Conflict, InvalidName, StoreError
from . import files
from .names import document_file, document_of
from .protocol import Document, DocumentInfo

MAX_BYTES: Final = 16 * 2**20
LOCK_SECONDS: Final = 5.0
STALE_SECONDS: Final = 3600.0

_LOCK: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class FileDocuments:
    """The documents in `folder`; any number of processes of one host may share it.

    Links, folders and files whose names are no documents' are passed over. Raises InvalidName,
    Conflict (412) when `if_match` does not fit, and StoreError: 507 when there is no room,
    413 for a text over 16 MiB, 503 when others keep the document locked.
    """

    def __init__(self, folder: Path, durability: Literal["commit", "always"] = "commit") -> None:
        self._folder = folder
        self._created = folder / ".store" / "created"
        self._new = folder / ".store" / "new"
        self._durable = durability == "always"
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._is_prepared = False

    async def get(self, document_id: str) -> Document | None:
        """The document's text and what is known of it."""
        path = self._path(document_id)
        try:
            descriptor = files.open_regular(path)
            if descriptor is None:
                return None
            status = os.fstat(descriptor)
            if status.st_size > MAX_BYTES:
                os.close(descriptor)
                raise StoreError(f"{path.name} is larger than 16 MiB", store="documents")
            data = await files.read_whole(descriptor)
        except OSError as error:
            raise _fault(error, "read") from error
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise StoreError(f"{path.name} is not UTF-8", store="documents") from error
        return Document(self._info(document_id, status, _etag(data)), text)

    async def exists(self, document_id: str) -> bool:
        """Whether there is such a document."""
        return self._status(self._path(document_id)) is not None

    async def list(self) -> Sequence[DocumentInfo]:
        """All documents, by id."""
        try:
            return await asyncio.to_thread(self._list)
        except OSError as error:
            raise _fault(error, "listed") from error

    async def put(
        self, document_id: str, text: str, *, if_match: str | None = None
    ) -> tuple[DocumentInfo, bool]:
        """Write a document; the new state, and whether it is new."""
        path = self._path(document_id)
        data = _encoded(text)
        async with self._locked(document_id) as marker:
            before = self._status(path)
            if before is None and files.is_there(path):
                raise StoreError(f"{path.name} is not a regular file", store="documents")
            await self._check_match(document_id, if_match)
            try:
                status = await self._replace(path, data, marker, before)
            except OSError as error:
                raise _fault(error, "written") from error
            return self._info(document_id, status, _etag(data)), before is None

    async def delete(self, document_id: str, *, if_match: str | None = None) -> bool:
        """False when there was no such document."""
        path = self._path(document_id)
        if if_match is None and self._status(path) is None:
            return False
        async with self._locked(document_id):
            await self._check_match(document_id, if_match)
            if self._status(path) is None:
                return False
            try:
                path.unlink(missing_ok=True)
                await self._sync()
            except OSError as error:
                raise _fault(error, "deleted") from error
            return True

    def _path(self, document_id: str) -> Path:
        return self._folder / document_file(document_id)

    def _status(self, path: Path) -> os.stat_result | None:
        try:
            return files.regular(path)
        except OSError as error:
            raise _fault(error, "read") from error

    def _info(self, document_id: str, status: os.stat_result, etag: str) -> DocumentInfo:
        marker = self._status(self._created / document_id)
        created = min(marker.st_mtime, status.st_mtime) if marker else status.st_mtime
        updated = rfc3339(status.st_mtime)
        return DocumentInfo(document_id, etag, rfc3339(created), updated, status.st_size)

    def _list(self) -> Sequence[DocumentInfo]:
        found = []
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name for entry in entries]
        except FileNotFoundError:
            return ()
        for document_id in sorted(filter(None, map(document_of, names))):
            descriptor = files.open_regular(self._path(document_id))
            if descriptor is not None:
                status = os.fstat(descriptor)
                etag = _quoted(files.digest(descriptor))
                found.append(self._info(document_id, status, etag))
        return found

    async def _check_match(self, document_id: str, if_match: str | None) -> None:
        """RFC 9110: `*` means any present state, else one of the listed tags."""
        if if_match is None:
            return
        present = await self.get(document_id)
        wanted = [tag.strip() for tag in if_match.split(",")]
        if present is None or not ("*" in wanted or present.info.etag in wanted):
            raise Conflict(
                f"document {document_id!r} is not in the expected state",
                what=document_id,
                code="precondition_failed",
                status=412,
            )

    async def _replace(
        self, path: Path, data: bytes, marker: int, before: os.stat_result | None
    ) -> os.stat_result:
        written = await files.write_new(self._new, data, durable=self._durable)
        try:
            status = os.lstat(written)
            made = status.st_mtime_ns if before is None else before.st_mtime_ns
            if before is None or made < os.fstat(marker).st_mtime_ns:
                os.utime(marker, ns=(made, made))
            written.replace(path)
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        await self._sync()
        return status

    async def _sync(self) -> None:
        if self._durable:
            await asyncio.to_thread(files.sync_folder, self._folder)

    @asynccontextmanager
    async def _locked(self, document_id: str) -> AsyncIterator[int]:
        """Hold the document against writers of this and other processes."""
        lock = self._locks.get(document_id) or asyncio.Lock()
        self._locks[document_id] = lock
        marker = self._created / document_id
        async with lock:
            descriptor = await self._lock(marker)
            try:
                yield descriptor
            finally:
                if not files.is_there(self._path(document_id)):
                    marker.unlink(missing_ok=True)
                os.close(descriptor)

    async def _lock(self, marker: Path) -> int:
        deadline = time.monotonic() + LOCK_SECONDS
        pause = 0.0
        while True:
            try:
                self._prepare()
                descriptor = _try_lock(marker)
            except OSError as error:
                raise _fault(error, "locked") from error
            if descriptor is not None:
                return descriptor
            if time.monotonic() > deadline:
                message = "the document stays locked by others"
                raise StoreError(message, store="documents", status=503)
            await asyncio.sleep(pause)
            pause = min(pause + 0.0002, 0.01)

    def _prepare(self) -> None:
        """Make our folders; once, remove what writers that were killed left in `new/`."""
        for folder in (self._created, self._new):
            folder.mkdir(parents=True, exist_ok=True)
        if self._is_prepared:
            return
        self._is_prepared = True
        oldest = time.time() - STALE_SECONDS
        for path in self._new.iterdir():
            with suppress(FileNotFoundError):  # another process removes it as well
                if os.lstat(path).st_mtime < oldest:
                    path.unlink()


def _try_lock(marker: Path) -> int | None:
    descriptor = os.open(marker, _LOCK, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = files.regular(marker)
        if status is not None and os.path.samestat(status, os.fstat(descriptor)):
            return descriptor
    except BlockingIOError:
        pass  # its holder may take long
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _encoded(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidName("text", "should be valid Unicode") from error
    if len(data) > MAX_BYTES:
        raise StoreError("the document is larger than 16 MiB", store="documents", status=413)
    return data


def _etag(data: bytes) -> str:
    return _quoted(hashlib.sha256(data).hexdigest())


def _quoted(digest: str) -> str:
    return f'"{digest[:32]}"'


def _fault(error: OSError, done: str) -> StoreError:
    return files.store_fault(error, store="documents", done=done)
