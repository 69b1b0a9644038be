"""Documents as Markdown files: `docs/{id}.md`, replaced in one step, never half.

`docs/.store/` is ours: `revisions/{id}.jsonl` is the document's history, whose `flock` its
writers hold and whose time of change says when the document was made; `new/` is where files are
written before they take their place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeVar

from ..errors import InvalidName, StoreError
from . import files
from .held import MAX_BYTES, Condition, Held, draft_of
from .protocol import Document, DocumentInfo, Revision
from .revisions import Head, digest
from .shelf import Shelf, fault

REVISIONS: Final = 100  # of a document that are kept
_UNKNOWN: Final[Mapping[str, str]] = {"kind": "unknown"}

T = TypeVar("T")


class FileDocuments:
    """The documents in `folder`; any number of processes of one host may share it.

    Links, folders and files whose names are no documents' are passed over. A file that others
    have put there or changed is a document like any other: what it holds becomes a revision
    before it is written over. The newest `revisions` are kept, 0 keeps none.

    Raises InvalidName, Conflict (412) when a condition does not hold, and StoreError: 507 when
    there is no room, 413 for a text over 16 MiB, 503 when others keep the document locked.
    """

    def __init__(
        self,
        folder: Path,
        durability: Literal["commit", "always"] = "commit",
        *,
        revisions: int = REVISIONS,
    ) -> None:
        self._shelf = Shelf(folder, revisions, durable=durability == "always")
        self._keep = revisions

    async def get(self, document_id: str, rev: int | None = None) -> Document | None:
        """The document's text and what is known of it, now or at a revision."""
        if rev is not None:
            return await self._at(document_id, rev)
        path = self._shelf.path(document_id)
        try:
            found = files.open_known(path)
            if found is None:
                return None
            descriptor, status = found
            if status.st_size > MAX_BYTES:
                os.close(descriptor)
                raise StoreError(f"{path.name} is larger than 16 MiB", store="documents")
            data = await files.read_whole(descriptor, status.st_size)
        except OSError as error:
            raise fault(error, "read") from error
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise StoreError(f"{path.name} is not UTF-8", store="documents") from error
        return Document(self._shelf.info(document_id, status, f'"{digest(data)}"'), text)

    async def _at(self, document_id: str, rev: int) -> Document | None:
        found = await self._look(
            document_id, lambda kept: [pair for pair in kept if pair[0].rev == rev]
        )
        status = self._shelf.status(document_id)
        if not found or status is None:
            return None
        revision, text = found[0]
        made = self._shelf.created(document_id, status)
        info = DocumentInfo(document_id, revision.etag, made, revision.time, revision.size)
        return Document(info, text)

    async def exists(self, document_id: str) -> bool:
        """Whether there is such a document."""
        return self._shelf.status(document_id) is not None

    async def list(
        self, prefix: str = "", *, after: str = "", limit: int | None = None
    ) -> Sequence[DocumentInfo]:
        """Documents by id: those that begin with `prefix` and come behind `after`."""
        try:
            return await asyncio.to_thread(self._shelf.list, prefix, after, limit)
        except OSError as error:
            raise fault(error, "listed") from error

    async def put(
        self,
        document_id: str,
        text: str,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
        author: Mapping[str, str] | None = None,
    ) -> tuple[DocumentInfo, bool]:
        """Write a document; the new state, and whether it is new. The same text changes nothing."""
        condition = Condition(if_match, if_none_match)
        shelf = self._shelf
        shelf.path(document_id)
        data = _encoded(text)
        etag = digest(data)
        if not condition and (same := shelf.unchanged(document_id, etag)):
            return shelf.info(document_id, same, f'"{etag}"'), False
        written = await shelf.written(document_id, data)

        def replace(held: Held, known: Head | None) -> tuple[DocumentInfo, bool]:
            draft = draft_of(written, text, etag, author or _UNKNOWN)
            return held.replace(known, draft, written, condition)

        return await self._alone(document_id, replace, written, len(data))

    async def _alone(
        self, document_id: str, work: Callable[[Held, Head | None], T], written: Path, size: int
    ) -> T:
        """Let the work have the file `written`, which is removed if its turn never comes."""
        begun = False

        def begin(held: Held, known: Head | None) -> T:
            nonlocal begun
            begun = True
            return work(held, known)

        try:
            return await self._shelf.alone(document_id, "written", begin, size)
        except BaseException:
            if not begun:
                _forget(written)
            raise

    async def delete(self, document_id: str, *, if_match: str | None = None) -> bool:
        """Remove a document and its revisions; False when there was no such document."""
        if if_match is None and not await self.exists(document_id):
            return False
        return await self._shelf.alone(
            document_id, "deleted", lambda held, known: held.remove(known, Condition(if_match))
        )

    async def revisions(self, document_id: str) -> Sequence[Revision]:
        """The kept revisions, newest first: the first one is the document as it is."""
        return (await self._look(document_id, lambda kept: [each[0] for each in kept]))[::-1]

    async def dump(self, document_id: str) -> Sequence[tuple[Revision, str]]:
        """The kept revisions with their texts, oldest first.

        Where no revisions are kept it is the document as it is, as number 1.
        """
        return await self._look(document_id, tuple)

    async def _look(
        self,
        document_id: str,
        pick: Callable[[Iterable[tuple[Revision, str]]], Sequence[T]],
    ) -> Sequence[T]:
        """What `pick` takes of the revisions, oldest first; beside the loop, they may be large."""
        if not await self.exists(document_id):
            return pick(())
        if not self._keep or self._shelf.is_fixed(document_id):
            return pick(await self._only(document_id))

        return await self._shelf.alone(
            document_id,
            "read",
            lambda held, known: pick(held.kept(known)),
            files.MAX_INLINE + 1,
        )

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
        self._shelf.path(document_id)
        if not revisions:
            raise ValueError("a document has at least one revision")
        written = await self._shelf.written(document_id, _encoded(revisions[-1][1]))

        def replace(held: Held, known: Head | None) -> None:
            held.load(written, revisions)
            held.settle(None)

        await self._alone(document_id, replace, written, files.MAX_INLINE + 1)


def _forget(written: Path) -> None:
    written.unlink(missing_ok=True)


def _encoded(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidName("text", "should be valid Unicode") from error
    if len(data) > MAX_BYTES:
        raise StoreError("the document is larger than 16 MiB", store="documents", status=413)
    return data
