"""Memory in files: `isolated/{agent_id}_{story_id}.jsonl` and `shared/{namespace}.jsonl`."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import InvalidName, StoreError
from .compacting import Compactor
from .damage import Damage
from .files import keepable, store_fault
from .folder import folder_fault
from .grouped import GroupSync
from .index import HISTORY
from .journal import Journal, Write
from .names import check_category, check_key, parse_scope, scope_in
from .protocol import Entry
from .reading import first_scope, writes
from .record import check_entry, encode, encode_value
from .rewrite import replace, sweep
from .turn import PAUSE, Folder, Turn
from .verify import refuse_damage

FOLDERS: Final = ("isolated", "shared")
MAX_OPEN: Final = 1024  # files that are kept open with their index
LOCK_SECONDS: Final = 5.0
SLICE: Final = 500  # entries that are read before others have a turn
SYNC_THREADS: Final = 4

Durability = Literal["commit", "always"]


class FileMemory:
    """The memory below `folder`; any number of processes of one host may share it.

    A write that returned survives the process; with `always` also a power cut. All methods
    raise InvalidName for a scope, key or value that cannot be kept, and StoreError: 507 when
    there is no room, 413 for a value over 1 MB, 503 when others keep the file locked.
    """

    backend = "file"

    def __init__(
        self,
        folder: Path,
        durability: Durability = "commit",
        *,
        max_open: int | None = None,
        history: int = HISTORY,
        compactor: Compactor | None = None,
    ) -> None:
        """A compaction keeps the newest value of each key and the last `history` writes.

        `max_open` files are kept open: 1024, where the system allows four times as many.
        """
        self._folder = folder
        self._folders = {name: Folder(str(folder / name)) for name in FOLDERS}
        self._durable = durability == "always"
        self._max_open = max_open or keepable(MAX_OPEN)
        self._history = history
        self._compactor = compactor or Compactor()
        self._journals: OrderedDict[str, Journal] = OrderedDict()
        self._syncs: dict[str, GroupSync] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._damage = Damage(folder)

    def prepare(self, *, strict: bool = False) -> None:
        """Remove what writers that were killed left behind, and see what is damaged.

        Raises StoreError when `strict` and any line of any file is.
        """
        try:
            for folder in FOLDERS:
                sweep(self._folder / folder)
            self._damage.look()
            if strict:
                refuse_damage(self._folder)
        except OSError as error:
            raise store_fault(error, store="memory", done="read") from error

    @property
    def problems(self) -> dict[str, int]:
        """Damaged lines that were found, by file, until the file is repaired and their
        quarantine removed."""
        return self._damage.problems(self._journals.values())

    async def get(self, scope: str, key: str) -> Entry | None:
        """The newest value of a key."""
        check_key(key)
        journal = self._found(scope)
        if journal is None:
            return None
        if not journal.refresh():
            await self._read_on(journal)
        return journal.get(key)

    async def entries(self, scope: str) -> list[Entry]:
        """The newest value of each key, newest first."""
        journal = self._found(scope)
        if journal is None:
            return []
        if not journal.refresh():
            await self._read_on(journal)
        if len(journal.index.latest) <= SLICE:
            return journal.entries()
        with _used(journal):
            return await _in_slices(journal, journal.keys())

    async def history(self, scope: str, key: str) -> list[Entry]:
        """The kept writes of a key, oldest first, deletions included."""
        check_key(key)
        await self._settle(self._journal(scope))  # which also tells what is damaged
        return await asyncio.to_thread(_read_writes, self._path(scope), scope, key)

    async def put(self, scope: str, key: str, value: Any, *, category: str | None = None) -> Entry:
        """Write a value: JSON data of at most 1 MB.

        Where nobody else writes to the file, and with `commit`, this never suspends its task.
        """
        journal = self._journal(scope)
        if key not in journal.index.latest:
            check_key(key)
        if category is not None:
            check_category(category)
        text = encode_value(value)
        if self._durable or journal.end > self._compactor.above:
            return await self._keep(journal, (key, value, text, "set", category))
        entry = journal.append(key, value, text, "set", category, patient=False)
        return entry or await self._keep(journal, (key, value, text, "set", category))

    async def delete(self, scope: str, key: str) -> bool:
        """Forget a key; its history stays for a while. False when there was nothing."""
        if await self.get(scope, key) is None:
            return False
        await self._keep(self._journal(scope), (key, None, "null", "delete", None))
        return True

    async def scopes(self) -> list[str]:
        """All scopes that hold anything, sorted."""
        try:
            return await asyncio.to_thread(self._scopes)
        except OSError as error:
            raise store_fault(error, store="memory", done="listed") from error

    async def dump(self, scope: str) -> tuple[int, list[Entry]]:
        """Every kept write by `seq`, deletions included, as of the one it returns (0: none)."""
        await self._settle(self._journal(scope))
        found = await asyncio.to_thread(_read_writes, self._path(scope), scope)
        return (found[-1].seq if found else 0), found

    async def load(self, scope: str, entries: Sequence[Entry]) -> None:
        """Replace the scope by these writes; raises InvalidName for what cannot be kept."""
        path = self._path(scope)
        await asyncio.to_thread(lambda: replace(path, _encoded(scope, entries)))

    async def state(self, scope: str) -> tuple[int, int]:
        """The `seq` of the newest write, and how many keys have a value."""
        journal = self._journal(scope)
        await self._settle(journal)
        return journal.index.seq, len(journal.index.latest)

    async def newer(self, scope: str, after: int) -> AsyncIterator[list[Entry]]:
        """The values that were written after that `seq` and are the newest, oldest first."""
        journal = self._journal(scope)
        await self._settle(journal)
        keys = journal.index.after(after)
        with _used(journal):
            for start in range(0, len(keys), SLICE):
                entries = map(journal.get, keys[start : start + SLICE])
                yield [entry for entry in entries if entry is not None]
                await asyncio.sleep(0)

    async def keys(self, scope: str) -> list[str]:
        """The keys that have a value, the newest first."""
        journal = self._journal(scope)
        await self._settle(journal)
        return journal.keys()

    async def marks(self, name: str) -> dict[str, str]:
        """File, size and time of change: of a scope, or of each scope of `{agent_id}:`."""
        try:
            if not name.endswith(":"):
                status = self._path(name).lstat()
                return {name: _mark(status)} if status.st_size else {}
            return await asyncio.to_thread(_marks, self._folder / FOLDERS[0], name)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise store_fault(error, store="memory", done="found") from error

    async def check(self) -> None:
        """Raises StoreError (503) when the folder can hold nothing."""
        fault = await asyncio.to_thread(folder_fault, self._folder, store="memory", inner=FOLDERS)
        if fault is not None:
            raise StoreError(fault, store="memory", status=503)

    async def close(self) -> None:
        """Give back all files; a compaction that goes on is given up."""
        await self._compactor.close()
        while self._journals:
            self._close(*self._journals.popitem())
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    async def _keep(self, journal: Journal, write: Write) -> Entry:
        entry = journal.append(*write, patient=False)
        if entry is None:
            entry = await self._wait_and_append(journal, write)
        if self._durable:
            await self._synced(journal)
        self._compactor.consider(journal)
        return entry

    def _place(self, scope: str) -> tuple[str, Folder]:
        place = parse_scope(scope)
        folder = self._folders[place.folder]
        return f"{folder.name}/{place.file}", folder

    def _path(self, scope: str) -> Path:
        return Path(self._place(scope)[0])

    def _found(self, scope: str) -> Journal | None:
        """The journal of a scope; None when it has no file: nothing is kept open for that.

        Many new stories at once would otherwise close each other's files all the time.
        """
        if scope not in self._journals and _is_missing(self._place(scope)[0]):
            return None
        return self._journal(scope)

    def _journal(self, scope: str) -> Journal:
        journal = self._journals.get(scope)
        if journal is not None:
            self._journals.move_to_end(scope)
            return journal
        name, folder = self._place(scope)
        journal = Journal(name, scope, self._history, folder)
        self._journals[scope] = journal
        if len(self._journals) > self._max_open:
            self._close_oldest(scope)
        return journal

    def _close_oldest(self, but: str) -> None:
        while len(self._journals) > self._max_open:
            # The oldest come first, and nearly always nobody uses them: not all are looked at.
            idle = (s for s, journal in self._journals.items() if not journal.users and s != but)
            scope = next(idle, None)
            if scope is None:
                return
            self._close(scope, self._journals.pop(scope))

    def _close(self, scope: str, journal: Journal) -> None:
        self._damage.note(journal)
        self._syncs.pop(scope, None)
        journal.close()

    async def _settle(self, journal: Journal) -> None:
        """Read what is new."""
        if not journal.refresh():
            await self._read_on(journal)

    async def _read_on(self, journal: Journal) -> None:
        """A block at a time, so that others are served in between."""
        with _used(journal):
            settled = False
            while not settled:
                await asyncio.sleep(0)
                settled = journal.refresh()

    async def _wait_and_append(self, journal: Journal, write: Write) -> Entry:
        deadline = time.monotonic() + LOCK_SECONDS
        pause = PAUSE
        with _used(journal), closing(Turn(str(journal.path.parent))) as turn:
            while True:
                await asyncio.sleep(pause)  # first of all: it may be another's turn
                insists = turn.insist()
                if not journal.refresh():
                    pause = 0.0
                    continue
                entry = journal.append(*write, patient=True)
                if entry is not None:
                    return entry
                if time.monotonic() > deadline:
                    message = "the memory file stays locked by others"
                    raise StoreError(message, store="memory", status=503)
                pause = PAUSE if insists else min(pause + PAUSE, 0.01)

    async def _synced(self, journal: Journal) -> None:
        group = self._syncs.get(journal.scope) or self._new_group(journal)
        try:
            await group.wait()
        except OSError as error:
            raise store_fault(error, store="memory", done="written to the disk") from error

    def _new_group(self, journal: Journal) -> GroupSync:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(SYNC_THREADS, "memory-sync")
        folders = (journal.path.parent, self._folder, self._folder.parent)
        group = self._syncs[journal.scope] = GroupSync(journal, folders, self._threads)
        return group

    def _scopes(self) -> list[str]:
        folders = (self._folder / folder for folder in FOLDERS)
        paths = (path for folder in folders for path in folder.glob("*.jsonl"))
        filled = (path for path in paths if path.lstat().st_size)
        scopes = (scope_in(path.parent.name, path.name) or first_scope(path) for path in filled)
        return sorted(filter(None, scopes))


@contextmanager
def _used(journal: Journal) -> Iterator[None]:
    """Not to be closed while we wait."""
    journal.users += 1
    try:
        yield
    finally:
        journal.users -= 1


def _is_missing(name: str) -> bool:
    try:
        os.lstat(name)  # a Path costs more
    except FileNotFoundError:
        return True
    except OSError:
        return False  # whoever opens it tells what is wrong
    return False


def _mark(status: os.stat_result) -> str:
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"


def _marks(folder: Path, owner: str) -> dict[str, str]:
    found = {}
    start = f"{owner[:-1]}_"
    with os.scandir(folder) as files:
        for file in files:
            if file.name.startswith(start) and file.name.endswith(".jsonl"):
                scope = scope_in(folder.name, file.name) or first_scope(folder / file.name)
                with suppress(FileNotFoundError):
                    status = file.stat(follow_symlinks=False)
                    if scope is not None and scope.startswith(owner) and status.st_size:
                        found[scope] = _mark(status)
    return found


async def _in_slices(journal: Journal, keys: Sequence[str]) -> list[Entry]:
    """The newest values; what changes meanwhile may be seen or not, as with any reader."""
    found: list[Entry] = []
    for start in range(0, len(keys), SLICE):
        entries = map(journal.get, keys[start : start + SLICE])
        found += [entry for entry in entries if entry is not None]
        await asyncio.sleep(0)
    return found


def _read_writes(path: Path, scope: str, key: str | None = None) -> list[Entry]:
    try:
        return writes(path, scope, key)
    except OSError as error:
        raise store_fault(error, store="memory", done="read") from error


def _encoded(scope: str, entries: Sequence[Entry]) -> bytes:
    """The file that holds these writes. Raises InvalidName and StoreError."""
    lines, seq = [], 0
    for entry in entries:
        check_key(entry.key)
        check_entry(entry, scope)
        if entry.seq <= seq:
            raise InvalidName("entries", "should be writes of this scope, by seq")
        seq = entry.seq
        lines.append(encode(entry, encode_value(entry.value)))
    return b"".join(lines)
