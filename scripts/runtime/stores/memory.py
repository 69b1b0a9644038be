"""Memory in files: `isolated/{agent_id}_{story_id}.jsonl` and `shared/{namespace}.jsonl`."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import InvalidName, StoreError
from .files import store_fault, sync_folder
from .folder import folder_fault
from .journal import Journal, Write
from .names import check_category, check_key, parse_scope, scope_in
from .protocol import Entry
from .record import encode, encode_value
from .rewrite import first_scope, replace

PIECE: Final = 500  # values that are read before others are served
MAX_OPEN: Final = 128  # files that are kept open with their index
LOCK_SECONDS: Final = 5.0

Durability = Literal["commit", "always"]


class FileMemory:
    """The memory below `folder`; any number of processes of one host may share it.

    A write that returned survives the process; with `always` also a power cut. All methods
    raise InvalidName for a scope, key or value that cannot be kept, and StoreError: 507 when
    there is no room, 413 for a value over 1 MB, 503 when others keep the file locked.
    """

    backend = "file"

    def __init__(
        self, folder: Path, durability: Durability = "commit", *, max_open: int = MAX_OPEN
    ) -> None:
        self._folder = folder
        self._durability = durability
        self._max_open = max_open
        self._journals: OrderedDict[str, Journal] = OrderedDict()
        self._problems: dict[str, int] = {}

    @property
    def problems(self) -> dict[str, int]:
        """Lines that could not be read, for each file that was opened and holds such lines."""
        found = dict(self._problems)
        for journal in self._journals.values():
            self._note(journal, found)
        return found

    async def get(self, scope: str, key: str) -> Entry | None:
        """The newest value of a key."""
        check_key(key)
        with self._opened(scope) as journal:
            await _settle(journal)
            return journal.get(key)

    async def entries(self, scope: str) -> list[Entry]:
        """The newest value of each key, newest first."""
        with self._opened(scope) as journal:
            await _settle(journal)
            return journal.entries()

    async def history(self, scope: str, key: str) -> list[Entry]:
        """All writes of a key, oldest first, deletions included."""
        check_key(key)
        place = parse_scope(scope)
        path = self._folder / place.folder / place.file
        return await asyncio.to_thread(_history, path, scope, key)

    async def put(self, scope: str, key: str, value: Any, *, category: str | None = None) -> Entry:
        """Write a value: JSON data of at most 1 MB."""
        write = Write(check_key(key), value, encode_value(value), "set", check_category(category))
        return await self._append(scope, write)

    async def delete(self, scope: str, key: str) -> bool:
        """Forget a key; its history stays. False when there was nothing."""
        if await self.get(scope, key) is None:
            return False
        await self._append(scope, Write(key, None, "null", "delete"))
        return True

    async def scopes(self) -> list[str]:
        """All scopes that hold anything, sorted."""
        try:
            return await asyncio.to_thread(self._scopes)
        except OSError as error:
            raise store_fault(error, store="memory", done="listed") from error

    async def dump(self, scope: str) -> tuple[int, list[Entry]]:
        """Every kept write by `seq`, deletions included, as of the one it returns (0: none)."""
        place = parse_scope(scope)
        path = self._folder / place.folder / place.file
        found = await asyncio.to_thread(_writes, path, scope)
        return (found[-1].seq if found else 0), found

    async def load(self, scope: str, entries: Sequence[Entry]) -> None:
        """Replace the scope by these writes; raises InvalidName for what cannot be kept."""
        data = await asyncio.to_thread(_encoded, parse_scope(scope).text, entries)
        with self._opened(scope) as journal:
            await _lock(journal)
            try:
                await asyncio.to_thread(replace, journal.path, data)
            except OSError as error:
                raise store_fault(error, store="memory", done="replaced") from error
            finally:
                journal.unlock()
                journal.close()

    async def state(self, scope: str) -> tuple[int, int]:
        """The `seq` of the newest write, and how many keys have a value."""
        with self._opened(scope) as journal:
            await _settle(journal)
            return journal.seq, journal.count

    async def newer(self, scope: str, after: int) -> AsyncIterator[list[Entry]]:
        """The values that were written after that `seq` and are the newest, oldest first."""
        with self._opened(scope) as journal:
            await _settle(journal)
            keys = journal.keys_after(after)
            for start in range(0, len(keys), PIECE):
                found = map(journal.get, keys[start : start + PIECE])
                yield [entry for entry in found if entry is not None]
                await asyncio.sleep(0)

    async def keys(self, scope: str) -> list[str]:
        """The keys that have a value, by the `seq` of it."""
        with self._opened(scope) as journal:
            await _settle(journal)
            return journal.keys_after(0)

    async def marks(self, scopes: Sequence[str]) -> dict[str, str]:
        """File, size and time of change of each scope: the same as long as the scope is."""
        return await asyncio.to_thread(self._marks, scopes)

    def _marks(self, scopes: Sequence[str]) -> dict[str, str]:
        found = {}
        for scope in scopes:
            place = parse_scope(scope)
            try:
                status = os.lstat(self._folder / place.folder / place.file)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise store_fault(error, store="memory", done="found") from error
            found[scope] = f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"
        return found

    async def check(self) -> None:
        """Raises StoreError (503) when the folder can hold nothing."""
        fault = await asyncio.to_thread(folder_fault, self._folder, store="memory")
        if fault is not None:
            raise StoreError(fault, store="memory", status=503)

    async def close(self) -> None:
        """Give back all files."""
        while self._journals:
            self._close(self._journals.popitem()[1])

    def _scopes(self) -> list[str]:
        folders = (self._folder / "isolated", self._folder / "shared")
        paths = (path for folder in folders for path in folder.glob("*.jsonl"))
        filled = (path for path in paths if path.lstat().st_size)
        scopes = (scope_in(path.parent.name, path.name) or first_scope(path) for path in filled)
        return sorted(filter(None, scopes))

    async def _append(self, scope: str, write: Write) -> Entry:
        with self._opened(scope) as journal:
            await _settle(journal)
            await _lock(journal)
            try:
                entry = journal.append(write)
                descriptor = journal.sync_descriptor() if self._durability == "always" else None
            finally:
                journal.unlock()
            if descriptor is not None:
                await self._sync(journal, descriptor)
            return entry

    async def _sync(self, journal: Journal, descriptor: int) -> None:
        folders = (journal.path.parent, self._folder, self._folder.parent)
        try:
            await asyncio.to_thread(_sync_file, descriptor, folders if journal.is_new else ())
        except OSError as error:
            journal.close()  # what the kernel dropped must not be taken for written
            message = f"memory cannot be written to the disk: {error.strerror}"
            raise StoreError(message, store="memory") from error
        journal.is_new = False

    @contextmanager
    def _opened(self, scope: str) -> Iterator[Journal]:
        journal = self._journals.get(scope)
        if journal is None:
            place = parse_scope(scope)
            journal = Journal(self._folder / place.folder / place.file, scope)
            self._journals[scope] = journal
            self._close_oldest()
        else:
            self._journals.move_to_end(scope)
        journal.users += 1
        try:
            yield journal
        finally:
            journal.users -= 1

    def _close_oldest(self) -> None:
        surplus = len(self._journals) - self._max_open
        idle = [scope for scope, journal in self._journals.items() if not journal.users]
        for scope in idle[: max(surplus, 0)]:
            self._close(self._journals.pop(scope))

    def _close(self, journal: Journal) -> None:
        self._note(journal, self._problems)
        journal.close()

    def _note(self, journal: Journal, problems: dict[str, int]) -> None:
        name = f"{journal.path.parent.name}/{journal.path.name}"
        if journal.bad_lines:
            problems[name] = journal.bad_lines
        elif journal.seq:
            problems.pop(name, None)


async def _settle(journal: Journal) -> None:
    """Read what is new, a block at a time, so that others are served in between."""
    settled = journal.refresh()
    while not settled:
        await asyncio.sleep(0)
        settled = journal.refresh()


async def _lock(journal: Journal) -> None:
    """Take the file's lock; the return is not followed by a wait, so no one is in between."""
    if journal.try_lock():
        return
    deadline = time.monotonic() + LOCK_SECONDS
    pause = 0.0
    while not journal.try_lock():
        if time.monotonic() > deadline:
            raise StoreError("the memory file stays locked by others", store="memory", status=503)
        await asyncio.sleep(pause)
        pause = min(pause + 0.0002, 0.01)


def _history(path: Path, scope: str, key: str) -> list[Entry]:
    return [entry for entry in _writes(path, scope) if entry.key == key]


def _writes(path: Path, scope: str) -> list[Entry]:
    """All records of a file, through a reader of its own: what it sees is one moment's."""
    found: list[Entry] = []
    reader = Journal(path, scope, found.append)
    settled = False
    try:
        while not settled:
            settled = reader.refresh()
    finally:
        reader.close()
    return found


def _encoded(scope: str, entries: Sequence[Entry]) -> bytes:
    """The file that holds these writes. Raises InvalidName and StoreError."""
    lines, seq = [], 0
    for entry in entries:
        check_key(entry.key)
        check_category(entry.category)
        if entry.scope != scope or entry.seq <= seq or entry.op not in ("set", "delete"):
            raise InvalidName("entries", "should be writes of this scope, by seq")
        seq = entry.seq
        lines.append(encode(entry, encode_value(entry.value)))
    return b"".join(lines)


def _sync_file(descriptor: int, folders: tuple[Path, ...]) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for folder in folders:
        sync_folder(folder)
