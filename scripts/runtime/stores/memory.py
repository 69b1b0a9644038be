"""Memory in files: `isolated/{agent_id}_{story_id}.jsonl` and `shared/{namespace}.jsonl`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import InvalidName, StoreError
from .compacting import Compactor
from .damage import Damage
from .files import store_fault
from .folder import folder_fault
from .grouped import GroupSyncs
from .index import HISTORY
from .journal import Journal, Write
from .journals import FOLDERS, Journals, in_use
from .names import check_category, check_key
from .protocol import Entry
from .reading import writes
from .record import check_entry, encode, encode_value
from .rewrite import replace, sweep
from .turn import PAUSE, Turn
from .verify import refuse_damage

LOCK_SECONDS: Final = 5.0
SLICE: Final = 500  # entries that are read before others have a turn

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
        self._durable = durability == "always"
        self._compactor = compactor or Compactor()
        self._journals = Journals(folder, history, max_open, self._leave)
        self._syncs = GroupSyncs(folder)
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
        return self._damage.problems(self._journals)

    async def get(self, scope: str, key: str) -> Entry | None:
        """The newest value of a key."""
        check_key(key)
        journal = self._journals.found(scope)
        if journal is None:
            return None
        if not journal.refresh():
            await self._read_on(journal)
        return journal.get(key)

    async def entries(self, scope: str) -> list[Entry]:
        """The newest value of each key, newest first."""
        journal = self._journals.found(scope)
        if journal is None:
            return []
        if not journal.refresh():
            await self._read_on(journal)
        if len(journal.index.latest) <= SLICE:
            return journal.entries()
        with in_use(journal):
            return await _in_slices(journal, journal.keys())

    async def history(self, scope: str, key: str) -> list[Entry]:
        """The kept writes of a key, oldest first, deletions included."""
        check_key(key)
        await self._settle(self._journals.of(scope))  # which also tells what is damaged
        return await asyncio.to_thread(_read_writes, self._journals.path(scope), scope, key)

    async def put(self, scope: str, key: str, value: Any, *, category: str | None = None) -> Entry:
        """Write a value: JSON data of at most 1 MB.

        Where nobody else writes to the file, and with `commit`, this never suspends its task.
        """
        journal = self._journals.of(scope)
        if key not in journal.index.latest:
            check_key(key)
        if category is not None:
            check_category(category)
        text = encode_value(value)
        entry = journal.append(key, value, text, "set", category, patient=False)
        if entry is None:
            return await self._keep(journal, (key, value, text, "set", category))
        if self._durable:
            await self._syncs.of(journal).wait()
        if journal.end > self._compactor.above:
            self._compactor.consider(journal)
        return entry

    async def delete(self, scope: str, key: str) -> bool:
        """Forget a key; its history stays for a while. False when there was nothing."""
        if await self.get(scope, key) is None:
            return False
        await self._keep(self._journals.of(scope), (key, None, "null", "delete", None))
        return True

    async def scopes(self) -> list[str]:
        """All scopes that hold anything, sorted."""
        try:
            return await asyncio.to_thread(self._journals.scopes)
        except OSError as error:
            raise store_fault(error, store="memory", done="listed") from error

    async def dump(self, scope: str) -> tuple[int, list[Entry]]:
        """Every kept write by `seq`, deletions included, as of the one it returns (0: none)."""
        await self._settle(self._journals.of(scope))
        found = await asyncio.to_thread(_read_writes, self._journals.path(scope), scope)
        return (found[-1].seq if found else 0), found

    async def load(self, scope: str, entries: Sequence[Entry]) -> None:
        """Replace the scope by these writes; raises InvalidName for what cannot be kept."""
        path = self._journals.path(scope)
        await asyncio.to_thread(lambda: replace(path, _encoded(scope, entries)))

    async def state(self, scope: str) -> tuple[int, int]:
        """The `seq` of the newest write, and how many keys have a value."""
        journal = self._journals.of(scope)
        await self._settle(journal)
        return journal.index.seq, len(journal.index.latest)

    async def newer(self, scope: str, after: int) -> AsyncIterator[list[Entry]]:
        """The values that were written after that `seq` and are the newest, oldest first."""
        journal = self._journals.of(scope)
        await self._settle(journal)
        keys = journal.index.after(after)
        with in_use(journal):
            for start in range(0, len(keys), SLICE):
                entries = map(journal.get, keys[start : start + SLICE])
                yield [entry for entry in entries if entry is not None]
                await asyncio.sleep(0)

    async def keys(self, scope: str) -> list[str]:
        """The keys that have a value, the newest first."""
        journal = self._journals.of(scope)
        await self._settle(journal)
        return journal.keys()

    async def marks(self, name: str) -> dict[str, str]:
        """File, size and time of change: of a scope, or of each scope of `{agent_id}:`."""
        try:
            if not name.endswith(":"):
                return self._journals.mark(name)
            return await asyncio.to_thread(self._journals.marks, name[:-1])
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
        self._journals.close()
        self._syncs.close()

    async def _keep(self, journal: Journal, write: Write) -> Entry:
        entry = journal.append(*write, patient=False)
        if entry is None:
            entry = await self._wait_and_append(journal, write)
        if self._durable:
            await self._syncs.of(journal).wait()
        self._compactor.consider(journal)
        return entry

    def _leave(self, journal: Journal) -> None:
        self._damage.note(journal)
        self._syncs.forget(journal.scope)

    async def _settle(self, journal: Journal) -> None:
        """Read what is new."""
        if not journal.refresh():
            await self._read_on(journal)

    async def _read_on(self, journal: Journal) -> None:
        """A block at a time, so that others are served in between."""
        with in_use(journal):
            settled = False
            while not settled:
                await asyncio.sleep(0)
                settled = journal.refresh()

    async def _wait_and_append(self, journal: Journal, write: Write) -> Entry:
        deadline = time.monotonic() + LOCK_SECONDS
        pause = PAUSE
        with in_use(journal), closing(Turn(str(journal.path.parent))) as turn:
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
