"""Both stores into one archive while they serve, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from . import restoring
from .archive import Archive, Reader, new_archive, read_archive
from .clock import now
from .errors import StoreError, StoreUnavailable
from .stores.protocol import DocumentStore, MemoryStore

# What is being done, how many of how many.
Tell = Callable[[str, int, int], None]


class Stores(NamedTuple):
    """What is backed up, and the folder for notes to ourselves."""

    memory: MemoryStore
    documents: DocumentStore
    folder: Path


async def back_up(stores: Stores, path: Path, tell: Tell) -> Archive:
    """Write both stores to a new file: each scope and document as of one moment.

    All that was acknowledged before the call is in it, but for what the answer names in
    `left_out`: one file that cannot be read must not cost the backup of all others. Raises
    StoreError when a store as a whole cannot be read, and ArchiveError.
    """
    left_out: list[str] = []
    with new_archive(path) as writer:
        scopes = await stores.memory.scopes()
        for number, scope in enumerate(scopes, 1):
            tell("scope", number, len(scopes))
            with _named(scope, left_out):
                seq, entries = await stores.memory.dump(scope)
                if entries:
                    await asyncio.to_thread(writer.add_scope, scope, seq, entries)
        infos = await stores.documents.list()
        for number, info in enumerate(infos, 1):
            tell("document", number, len(infos))
            with _named(info.id, left_out):
                revisions = await stores.documents.dump(info.id)
                if revisions:  # else it was deleted meanwhile
                    await asyncio.to_thread(writer.add_document, info.id, revisions)
        if left_out and not writer.items:
            raise StoreError(f"nothing can be read: {left_out[0]}", store="backup")
        await asyncio.to_thread(writer.finish, stores.memory.backend)
    return Archive(now(), "", stores.memory.backend, tuple(writer.items), tuple(left_out))


@contextmanager
def _named(name: str, left_out: list[str]) -> Iterator[None]:
    """A fault of one scope or document is noted; a server that is gone ends all."""
    try:
        yield
    except StoreUnavailable:
        raise
    except StoreError as error:
        left_out.append(f"{name} is left out: {error.message}")


async def check(path: Path, tell: Tell) -> Archive:
    """Look an archive through. Raises ArchiveError when anything in it is damaged."""
    with read_archive(path) as reader:
        await _check(reader, tell)
        return reader.archive


async def restore(stores: Stores, path: Path, tell: Tell) -> Archive:
    """Put the scopes and documents of an archive in the place of those that are there.

    Each is replaced as a whole; others stay. Nothing is written unless all of the archive is
    sound. A mark says that it goes on, until it has ended. Raises ArchiveError and StoreError.
    """
    with read_archive(path) as reader:
        await _check(reader, tell)
        items = reader.archive.items
        await stores.memory.check()  # nothing has begun where nothing can be written
        restoring.begin(stores.folder, path.name)
        for number, item in enumerate(items, 1):
            tell("restoring", number, len(items))
            if item.kind == "memory":
                entries = await asyncio.to_thread(list, reader.writes(item))
                await stores.memory.load(item.name, entries)
            else:
                revisions = await asyncio.to_thread(list, reader.revisions(item))
                await stores.documents.load(item.name, revisions)
        restoring.end(stores.folder)
        return reader.archive


async def _check(reader: Reader, tell: Tell) -> None:
    items = reader.archive.items
    for number, item in enumerate(items, 1):
        tell("verifying", number, len(items))
        await asyncio.to_thread(reader.check, item)
