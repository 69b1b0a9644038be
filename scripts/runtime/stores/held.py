"""One document that is ours alone: brought up to what there is, then replaced or removed.

All of it works at once, without the event loop, and ends by letting go of the lock.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ..clock import rfc3339, seconds_of
from ..errors import Conflict, StoreError
from . import files
from .protocol import DocumentInfo, Revision
from .revisions import Draft, Head, History, digest, line_of, stamp_of

MAX_BYTES: Final = 16 * 2**20
_DISK: Final[Mapping[str, str]] = {"kind": "disk"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document and what belongs to it are; `keep` is how many revisions are kept."""

    document_id: str
    path: Path
    new: Path
    keep: int
    durable: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """What a document has to be for a write: If-Match and If-None-Match as RFC 9110 has them."""

    match: str | None = None  # `*` is any state, else tags of which one is the present one
    none_match: str | None = None  # `*` is any state, else tags of which none may be

    def __bool__(self) -> bool:
        return self.match is not None or self.none_match is not None

    def holds(self, etag: str | None) -> bool:
        """Whether it does for a document with this etag, unquoted; None is for an absent one."""
        if self.match is not None and (etag is None or not _lists(self.match, etag)):
            return False
        if self.none_match is None or etag is None:
            return True
        return not _lists(self.none_match.replace("W/", ""), etag)  # weak tags count there


def _lists(header: str, etag: str) -> bool:
    tags = [tag.strip() for tag in header.split(",")]
    return "*" in tags or f'"{etag}"' in tags


class Held:
    """A document under its lock. All calls may raise OSError and StoreError."""

    def __init__(self, place: Place, history: History) -> None:
        self._place = place
        self.history = history

    def let_go(self) -> bool:
        """Unlock it; whether there is still such a document."""
        is_there = files.is_there(self._place.path)
        if not is_there:
            self.history.remove()
        self.history.close()
        return is_there

    def settle(self, known: Head | None) -> os.stat_result | None:
        """Bring the history up to what there is; the document's status, None when it is absent."""
        place, history = self._place, self.history
        history.load(known, place.new)
        status = files.regular(place.path)
        if (status is None or not place.keep) and history.head.size:
            history.clear()
        if status is not None and history.head.stamp != stamp_of(status):
            self._adopt(status)
        return status

    def _adopt(self, status: os.stat_result) -> None:
        """Take in what others have written, as a revision if it is news."""
        head, name = self.history.head, self._place.path.name
        data = _content(self._place.path, status)
        text, etag = _text(data), "" if data is None else digest(data)
        if text is None:
            _log.warning("%s cannot be kept as a revision: it is no text", name)
        elif head.etag != etag and self._place.keep:
            created = min(head.created or status.st_mtime_ns, status.st_mtime_ns)
            stamp = stamp_of(status)
            draft = Draft(text, etag, status.st_mtime, status.st_size, _DISK, stamp)
            self.history.append(draft, created)
            self.history.date(created)
        head = self.history.head
        head.etag, head.stamp, head.is_text = etag, stamp_of(status), text is not None

    def kept(self, known: Head | None) -> Iterator[tuple[Revision, str]]:
        """The revisions, oldest first; none when there is no document.

        Raises StoreError when the document as it is cannot be one of them.
        """
        if self.settle(known) is None:
            return iter(())
        if not self.history.head.is_text:
            name = self._place.path.name
            raise StoreError(f"{name} is not UTF-8, or too large", store="documents")
        return self.history.kept(self._place.keep)

    def check(self, condition: Condition, status: os.stat_result | None) -> None:
        """Raises Conflict (412) unless it holds."""
        if not condition.holds(None if status is None else self.history.head.etag):
            raise Conflict(
                f"document {self._place.document_id!r} is not in the expected state",
                what=self._place.document_id,
                code="precondition_failed",
                status=412,
            )

    def remove(self, known: Head | None, condition: Condition) -> bool:
        """False when there was no such document. Raises Conflict."""
        status = self.settle(known)
        self.check(condition, status)
        if status is None:
            return False
        self._place.path.unlink(missing_ok=True)
        self._sync()
        return True

    def replace(
        self, known: Head | None, draft: Draft, written: Path, condition: Condition
    ) -> tuple[DocumentInfo, bool]:
        """Put the file `written` in the document's place; the new state, and whether it is new.

        Raises Conflict, and StoreError for a file that cannot become a revision, unless
        If-Match names it.
        """
        path = self._place.path
        try:
            before = self.settle(known)
            if before is None and files.is_there(path):
                raise StoreError(f"{path.name} is not a regular file", store="documents")
            self.check(condition, before)
            if before is not None and self._place.keep and condition.match is None:
                self._refuse_loss()
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        if before is not None and draft.etag == self.history.head.etag:
            written.unlink(missing_ok=True)
            return self._info(draft, before.st_mtime_ns), False
        self._take_place(draft, written, before)
        return self._info(draft, draft.stamp[1]), before is None

    def _refuse_loss(self) -> None:
        """What cannot be a revision is lost when it is written over: who does so has to name it."""
        if not self.history.head.is_text:
            raise StoreError(
                f"{self._place.path.name} is not UTF-8, or too large, so it cannot be kept as a "
                "revision and is not written over: save it as UTF-8, or delete it",
                store="documents",
            )

    def _info(self, draft: Draft, changed: int) -> DocumentInfo:
        made = min(self.history.head.created, changed) / 1e9
        times = rfc3339(made), rfc3339(changed / 1e9)
        return DocumentInfo(self._place.document_id, f'"{draft.etag}"', *times, draft.size)

    def _take_place(self, draft: Draft, written: Path, before: os.stat_result | None) -> None:
        place, history = self._place, self.history
        head, made = history.head, draft.stamp[1]
        if before is not None:
            made = min(head.created or made, before.st_mtime_ns)
        try:
            if place.keep:
                history.append(draft, made)
                if place.durable:
                    history.sync()
            if before is not None:
                files.inherit(written, before)
            written.replace(place.path)
        except BaseException:
            # In this order: as long as the file is there, the line counts as not written.
            history.take_back(head)
            written.unlink(missing_ok=True)
            raise
        if not place.keep:
            history.head = replace(head, etag=draft.etag, stamp=draft.stamp, created=made)
        with suppress(OSError):  # the document is written, whatever becomes of its date
            history.date(made)
        self._sync()
        if place.keep and history.head.is_due(place.keep):
            with suppress(OSError):  # there is time until the next write
                history.trim(place.keep, place.new, durable=place.durable)

    def load(self, written: Path, revisions: Sequence[tuple[Revision, str]]) -> None:
        """Replace the document and its history by these, oldest first."""
        place, history = self._place, self.history
        times = [seconds_of(revision.time) for revision, _ in revisions]
        created, updated = (round(time * 1e9) for time in (min(times), times[-1]))
        try:
            lines = [
                line_of(revision, text, time, created)
                for (revision, text), time in zip(revisions, times, strict=True)
            ]
            os.utime(written, ns=(updated, updated))
            before = files.regular(place.path)
            if before is not None:
                files.inherit(written, before)
            if place.keep:
                history.replace(b"".join(lines), place.new, durable=place.durable)
            written.replace(place.path)
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        history.date(created)
        self._sync()

    def _sync(self) -> None:
        if self._place.durable:
            files.sync_folder(self._place.path.parent)


def draft_of(written: Path, text: str, etag: str, author: Mapping[str, str]) -> Draft:
    """The revision that the file `written` will be. Raises OSError."""
    status = os.lstat(written)
    size, stamp = status.st_size, stamp_of(status)
    return Draft(text, etag, status.st_mtime, size, author, stamp, written.name)


def _content(path: Path, status: os.stat_result) -> bytes | None:
    descriptor = None if status.st_size > MAX_BYTES else files.open_regular(path)
    return None if descriptor is None else files.read_now(descriptor)


def _text(data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return None
