"""Documents as Markdown files: `docs/{id}.md`, replaced in one step, never half.

`docs/.store/` is ours: `revisions/{id}.jsonl` is the document's history, whose `flock` its
writers hold and whose time of change says when the document was made; `new/` is where files are
written before they take their place.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, TypeVar
from weakref import WeakValueDictionary

from ..clock import rfc3339, seconds_of
from ..errors import Conflict, InvalidName, StoreError
from . import files
from .names import document_file, document_of
from .protocol import Document, DocumentInfo, Revision
from .revisions import Draft, Head, History, digest, line_of, stamp_of

MAX_BYTES: Final = 16 * 2**20
LOCK_SECONDS: Final = 5.0
STALE_SECONDS: Final = 3600.0
REVISIONS: Final = 100  # of a document that are kept
_MAX_HEADS: Final = 4096  # documents whose histories need not be read again
_UNKNOWN: Final[Mapping[str, str]] = {"kind": "unknown"}
_DISK: Final[Mapping[str, str]] = {"kind": "disk"}

_log = logging.getLogger(__name__)
T = TypeVar("T")


class FileDocuments:
    """The documents in `folder`; any number of processes of one host may share it.

    Links, folders and files whose names are no documents' are passed over. A file that others
    have put there or changed is a document like any other: what it holds becomes a revision
    before it is written over. The newest `revisions` are kept, 0 keeps none.

    Raises InvalidName, Conflict (412) when `if_match` does not fit, and StoreError: 507 when
    there is no room, 413 for a text over 16 MiB, 503 when others keep the document locked.
    """

    def __init__(
        self,
        folder: Path,
        durability: Literal["commit", "always"] = "commit",
        *,
        revisions: int = REVISIONS,
    ) -> None:
        self._folder = folder
        self._histories = folder / ".store" / "revisions"
        self._new = folder / ".store" / "new"
        self._durable = durability == "always"
        self._keep = revisions
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._heads: dict[str, Head] = {}
        self._is_prepared = False

    async def get(self, document_id: str, rev: int | None = None) -> Document | None:
        """The document's text and what is known of it, now or at a revision."""
        path = self._path(document_id)
        if rev is not None:
            return await self._at(document_id, rev)
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

    async def _at(self, document_id: str, rev: int) -> Document | None:
        for revision, text in await self.dump(document_id):
            if revision.rev == rev:
                status = self._status(self._path(document_id))
                made = self._created(document_id, status) if status else revision.time
                info = DocumentInfo(document_id, revision.etag, made, revision.time, revision.size)
                return Document(info, text)
        return None

    async def exists(self, document_id: str) -> bool:
        """Whether there is such a document."""
        return self._status(self._path(document_id)) is not None

    async def list(
        self, prefix: str = "", *, after: str = "", limit: int | None = None
    ) -> Sequence[DocumentInfo]:
        """Documents by id: those that begin with `prefix` and come behind `after`."""
        try:
            return await asyncio.to_thread(self._list, prefix, after, limit)
        except OSError as error:
            raise _fault(error, "listed") from error

    async def put(
        self,
        document_id: str,
        text: str,
        *,
        if_match: str | None = None,
        author: Mapping[str, str] | None = None,
    ) -> tuple[DocumentInfo, bool]:
        """Write a document; the new state, and whether it is new. The same text changes nothing."""
        path = self._path(document_id)
        data = _encoded(text)
        etag = digest(data)
        if if_match is None and (same := self._unchanged(document_id, path, etag)):
            return self._info(document_id, same, f'"{etag}"'), False
        written = await self._written(document_id, data)
        try:
            history = await self._locked(document_id)
        except BaseException:
            written.unlink(missing_ok=True)
            raise

        def take_place() -> tuple[DocumentInfo, bool]:
            draft = _draft(written, text, etag, author or _UNKNOWN)
            return self._replace(document_id, history, draft, written, if_match)

        return await self._run("written", take_place, history, document_id, len(data))

    async def delete(self, document_id: str, *, if_match: str | None = None) -> bool:
        """Remove a document and its revisions; False when there was no such document."""
        path = self._path(document_id)
        if if_match is None and self._status(path) is None:
            return False
        history = await self._locked(document_id)

        def remove() -> bool:
            status = self._settle(document_id, history)
            _check_match(document_id, if_match, status, history.head.etag)
            if status is None:
                return False
            path.unlink(missing_ok=True)
            self._sync()
            return True

        return await self._run("deleted", remove, history, document_id)

    async def revisions(self, document_id: str) -> Sequence[Revision]:
        """The kept revisions, newest first: the first one is the document as it is."""
        return [revision for revision, _ in reversed(await self.dump(document_id))]

    async def dump(self, document_id: str) -> Sequence[tuple[Revision, str]]:
        """The kept revisions with their texts, oldest first.

        Where no revisions are kept it is the document as it is, as number 1.
        """
        if not await self.exists(document_id):
            return ()
        if not self._keep:
            return await self._only(document_id)
        history = await self._locked(document_id)

        def read() -> Sequence[tuple[Revision, str]]:
            status = self._settle(document_id, history)
            return () if status is None else tuple(history.kept(self._keep))

        return await self._run("read", read, history, document_id, history.head.size)

    async def _only(self, document_id: str) -> Sequence[tuple[Revision, str]]:
        found = await self.get(document_id)
        if found is None:
            return ()
        info = found.info
        return ((Revision(1, info.etag, info.updated_at, info.size, _UNKNOWN), found.text),)

    async def load(self, document_id: str, revisions: Sequence[tuple[Revision, str]]) -> None:
        """Replace the document and its history by these, oldest first; at least one.

        Numbers and times are kept: the first one's is when the document was made.
        """
        self._path(document_id)
        if not revisions:
            raise ValueError("a document has at least one revision")
        written = await self._written(document_id, _encoded(revisions[-1][1]))
        try:
            history = await self._locked(document_id)
        except BaseException:
            written.unlink(missing_ok=True)
            raise

        def take_place() -> None:
            self._load(document_id, history, written, revisions)

        await self._run("written", take_place, history, document_id, files.MAX_INLINE + 1)

    def _path(self, document_id: str) -> Path:
        return self._folder / document_file(document_id)

    def _history(self, document_id: str) -> str:
        return f"{self._histories}/{document_id}.jsonl"

    def _status(self, path: Path) -> os.stat_result | None:
        try:
            return files.regular(path)
        except OSError as error:
            raise _fault(error, "read") from error

    def _info(self, document_id: str, status: os.stat_result, etag: str) -> DocumentInfo:
        created, updated = self._created(document_id, status), rfc3339(status.st_mtime)
        return DocumentInfo(document_id, etag, created, updated, status.st_size)

    def _created(self, document_id: str, status: os.stat_result) -> str:
        history = self._status(Path(self._history(document_id)))
        return rfc3339(min(history.st_mtime, status.st_mtime) if history else status.st_mtime)

    def _unchanged(self, document_id: str, path: Path, etag: str) -> os.stat_result | None:
        """The file's status, when it is known to hold just that."""
        head = self._heads.get(document_id)
        if head is None or head.etag != etag:
            return None
        status = self._status(path)
        return status if status is not None and stamp_of(status) == head.stamp else None

    def _list(self, prefix: str, after: str, limit: int | None) -> Sequence[DocumentInfo]:
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
            descriptor = files.open_regular(self._path(document_id))
            if descriptor is not None:
                status = os.fstat(descriptor)
                etag = f'"{files.digest(descriptor)[:32]}"'
                found.append(self._info(document_id, status, etag))
        return found

    async def _written(self, document_id: str, data: bytes) -> Path:
        """The document's next file, beside its place."""
        try:
            if not self._is_prepared:
                self._prepare()
            try:
                return await files.write_new(self._new, data, document_id, durable=self._durable)
            except FileNotFoundError:  # someone removed our folders
                self._prepare()
                return await files.write_new(self._new, data, document_id, durable=self._durable)
        except OSError as error:
            raise _fault(error, "written") from error

    def _settle(self, document_id: str, history: History) -> os.stat_result | None:
        """Bring the history up to what there is; the document's status, None when it is absent."""
        known = self._heads.get(document_id)
        history.load(known, self._new)
        status = files.regular(self._path(document_id))
        if (status is None or not self._keep) and history.head.size:
            history.clear()
        if status is not None and history.head.stamp != stamp_of(status):
            self._adopt(document_id, history, status)
        return status

    def _adopt(self, document_id: str, history: History, status: os.stat_result) -> None:
        """Take in what others have written, as a revision if it is news."""
        head = history.head
        data = _content(self._path(document_id), status)
        etag = digest(data) if data is not None else ""
        if head.etag != etag and self._keep:
            try:
                text = (data or b"").decode()
            except UnicodeDecodeError:
                data = None
            if data is None:
                _log.warning("%s.md cannot be kept as a revision: it is no text", document_id)
            else:
                size, stamp = status.st_size, stamp_of(status)
                draft = Draft(text, etag, status.st_mtime, size, _DISK, stamp)
                created = min(head.created or status.st_mtime_ns, status.st_mtime_ns)
                history.append(draft, created)
                history.date(created)
        history.head.etag, history.head.stamp = etag, stamp_of(status)

    def _replace(
        self,
        document_id: str,
        history: History,
        draft: Draft,
        written: Path,
        if_match: str | None,
    ) -> tuple[DocumentInfo, bool]:
        path = self._path(document_id)
        try:
            before = self._settle(document_id, history)
            if before is None and files.is_there(path):
                raise StoreError(f"{path.name} is not a regular file", store="documents")
            _check_match(document_id, if_match, before, history.head.etag)
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        if before is not None and draft.etag == history.head.etag:
            written.unlink(missing_ok=True)
            return self._info(document_id, before, f'"{draft.etag}"'), False
        self._take_place(history, draft, written, path, before)
        _, changed, size = draft.stamp
        made = rfc3339(min(history.head.created, changed) / 1e9)
        info = DocumentInfo(document_id, f'"{draft.etag}"', made, rfc3339(changed / 1e9), size)
        return info, before is None

    def _take_place(
        self,
        history: History,
        draft: Draft,
        written: Path,
        path: Path,
        before: os.stat_result | None,
    ) -> None:
        head, made = history.head, draft.stamp[1]
        if before is not None:
            made = min(head.created or made, before.st_mtime_ns)
        try:
            if self._keep:
                history.append(draft, made)
                if self._durable:
                    history.sync()
            written.replace(path)
        except BaseException:
            # In this order: as long as the file is there, the line counts as not written.
            history.take_back(head)
            written.unlink(missing_ok=True)
            raise
        if not self._keep:
            history.head = replace(head, etag=draft.etag, stamp=draft.stamp, created=made)
        with suppress(OSError):  # the document is written, whatever becomes of its date
            history.date(made)
        self._sync()
        if self._keep:
            with suppress(OSError):  # there is time until the next write
                history.trim(self._keep, self._new, durable=self._durable)

    def _load(
        self,
        document_id: str,
        history: History,
        written: Path,
        revisions: Sequence[tuple[Revision, str]],
    ) -> None:
        times = [seconds_of(revision.time) for revision, _ in revisions]
        created, updated = (round(time * 1e9) for time in (min(times), times[-1]))
        try:
            lines = [
                line_of(revision, text, time, created)
                for (revision, text), time in zip(revisions, times, strict=True)
            ]
            os.utime(written, ns=(updated, updated))
            if self._keep:
                history.replace(b"".join(lines), self._new, durable=self._durable)
            written.replace(self._path(document_id))
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        history.date(created)
        self._sync()
        self._heads.pop(document_id, None)
        history.load(None, self._new)

    def _sync(self) -> None:
        if self._durable:
            files.sync_folder(self._folder)

    async def _run(
        self,
        done: str,
        call: Callable[[], T],
        history: History,
        document_id: str,
        size: int = 0,
    ) -> T:
        """Do the work under the lock and let go of it: at once, or in a thread when it is much."""

        def work() -> T:
            try:
                result = call()
                self._remember(document_id, history.head)
                return result
            except OSError as error:
                self._heads.pop(document_id, None)
                raise _fault(error, done) from error
            except BaseException:
                self._heads.pop(document_id, None)
                raise
            finally:
                if not files.is_there(self._path(document_id)):
                    history.remove()
                    self._heads.pop(document_id, None)
                history.close()

        much = max(size, history.unread(self._heads.get(document_id)))
        if much <= files.MAX_INLINE and not self._durable:
            return work()
        return await files.in_thread(work)

    def _remember(self, document_id: str, head: Head) -> None:
        if len(self._heads) >= _MAX_HEADS:
            with suppress(StopIteration, KeyError, RuntimeError):
                del self._heads[next(iter(self._heads))]
        self._heads[document_id] = head

    async def _locked(self, document_id: str) -> History:
        """Hold the document against writers of this and other processes."""
        history = self._try_lock(document_id)
        if history is not None:
            return history
        queue = self._queues.get(document_id) or asyncio.Lock()
        self._queues[document_id] = queue
        deadline = time.monotonic() + LOCK_SECONDS
        async with queue:
            pause = 0.0
            while (history := self._try_lock(document_id)) is None:
                if time.monotonic() > deadline:
                    message = "the document stays locked by others"
                    raise StoreError(message, store="documents", status=503)
                await asyncio.sleep(pause)
                pause = min(pause + 0.0002, 0.01)
            return history

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
            raise _fault(error, "locked") from error

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
                if not files.is_there(self._path(document_id)):
                    history.remove()
            finally:
                history.close()
        path.unlink(missing_ok=True)


def _check_match(
    document_id: str, if_match: str | None, status: os.stat_result | None, etag: str
) -> None:
    """RFC 9110: `*` means any present state, else one of the listed tags."""
    if if_match is None:
        return
    wanted = [tag.strip() for tag in if_match.split(",")]
    if status is None or not ("*" in wanted or f'"{etag}"' in wanted):
        raise Conflict(
            f"document {document_id!r} is not in the expected state",
            what=document_id,
            code="precondition_failed",
            status=412,
        )


def _draft(written: Path, text: str, etag: str, author: Mapping[str, str]) -> Draft:
    status = os.lstat(written)
    size, stamp = status.st_size, stamp_of(status)
    return Draft(text, etag, status.st_mtime, size, author, stamp, written.name)


def _content(path: Path, status: os.stat_result) -> bytes | None:
    if status.st_size > MAX_BYTES:
        return None
    descriptor = files.open_regular(path)
    if descriptor is None:
        return None
    return files.read_now(descriptor)


def _encoded(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidName("text", "should be valid Unicode") from error
    if len(data) > MAX_BYTES:
        raise StoreError("the document is larger than 16 MiB", store="documents", status=413)
    return data


def _etag(data: bytes) -> str:
    return f'"{digest(data)}"'


def _fault(error: OSError, done: str) -> StoreError:
    return files.store_fault(error, store="documents", done=done)
