"""Documents as a zip, made while it is sent: no more than one of them is held at a time."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Final

from ..clock import seconds_of
from ..errors import StoreError
from ..stores.protocol import Document, DocumentInfo, DocumentStore

_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)  # no zip can name an earlier time


class _Outlet(io.RawIOBase):
    """Keeps what was written until it is taken; nothing can go back in it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]  # any buffer
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


async def archive(
    documents: DocumentStore, infos: Iterable[DocumentInfo], story_id: str | None
) -> AsyncIterator[bytes]:
    """The bytes of a zip of these documents, as they are when each one's turn comes.

    A story's own stand as `{story}/{name}.md`, others as `{id}.md`; those that were deleted
    meanwhile are left out, those that cannot be read are named in `MISSING.txt`.
    """
    outlet = _Outlet()
    missing = []
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as file:
        for info in infos:
            try:
                document = await documents.get(info.id)
            except StoreError as error:
                missing.append(f"{info.id}: {error.message}\n")
                continue
            if document is not None:
                await asyncio.to_thread(_add, file, document, story_id)
                yield outlet.take()
        if missing:
            file.writestr("MISSING.txt", "".join(missing))
    yield outlet.take()


def _add(file: zipfile.ZipFile, document: Document, story_id: str | None) -> None:
    info = document.info
    name = info.id if story_id is None else f"{story_id}/{info.id.removeprefix(f'{story_id}__')}"
    changed = datetime.fromtimestamp(seconds_of(info.updated_at), UTC).timetuple()[:6]
    entry = zipfile.ZipInfo(f"{name}.md", max(changed, _EARLIEST))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    file.writestr(entry, document.text.encode())
