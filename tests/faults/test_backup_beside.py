"""Backups beside writers and compactions: as of one moment, nothing acknowledged missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from scripts.runtime.archive import Item, read_archive
from scripts.runtime.backup import Stores, back_up
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import Entry, MemoryStore, Revision
from scripts.runtime.stores.redismemory import RedisMemory
from tests.faults.rounds import ROUNDS
from tests.faults.saved import silent
from tests.faults.writer import HISTORY, SCOPE, compacted, path_of, value
from tests.faults.writers import Writer, listened_to, writers
from tests.redis_server import redis_server

SIZE = 300
WRITERS = 3
Dump = tuple[int, list[Entry]]


async def backed_up(stores: Stores, path: Path) -> dict[str, Dump | list[tuple[Revision, str]]]:
    """What a backup holds of each scope and document."""
    await back_up(stores, path, silent)
    with read_archive(path) as reader:

        def read(item: Item) -> Dump | list[tuple[Revision, str]]:
            if item.kind == "memory":
                return item.at, list(reader.writes(item))
            return list(reader.revisions(item))

        return {item.name: read(item) for item in reader.archive.items}


def number_of(text: str) -> int:
    return int(text.split(":")[1])


def wrong_writes(dump: Dump, acknowledged: Mapping[str, int], kept: int) -> list[str]:
    """What a scope in a backup lacks: `acknowledged` before it, or of its last `kept` writes."""
    seq, entries = dump
    last = entries[-kept:]
    told = []
    if [entry.seq for entry in last] != list(range(seq - len(last) + 1, seq + 1)):
        told.append("there is a gap")
    for name, newest in acknowledged.items():
        own = [number_of(entry.value) for entry in entries if entry.key == name]
        recent = [number_of(entry.value) for entry in last if entry.key == name]
        if not own or own[-1] < newest:
            told.append(f"{name} was told of {newest}")
        if recent and recent != list(range(recent[0], recent[0] + len(recent))):
            told.append(f"{name} lacks a write")
    if any(entry.value != value(entry.key, number_of(entry.value), SIZE) for entry in entries):
        told.append("a value is not as it was written")
    return told


def wrong_revisions(kept: Sequence[tuple[Revision, str]], name: str, newest: int) -> list[str]:
    """The same of a document that only `name` writes."""
    numbers = [number_of(text) for _, text in kept]
    told = [] if numbers and numbers[-1] >= newest else [f"{name} was told of {newest}"]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        told.append("a revision is missing")
    if any(
        text != value(name, number, SIZE) for number, (_, text) in zip(numbers, kept, strict=True)
    ):
        told.append("a text is not as it was written")
    return told


async def further(running: Sequence[Writer], writes: int) -> dict[str, int]:
    """Let each write so many more; the last number that each has acknowledged."""
    before = {writer.name: writer.last for writer in running}
    while any(writer.last < before[writer.name] + writes for writer in running):
        await asyncio.sleep(0.001)
    return {writer.name: writer.last for writer in running}


def memory_faults(
    folder: Path, kind: str, kept: int, memory: MemoryStore, rounds: int
) -> list[str]:
    """What backups of `memory` lack while processes write to the file."""
    path = path_of(folder)
    told: list[str] = []
    files = set()
    with writers(folder, kind, number=WRITERS, size=SIZE) as running, listened_to(running):

        async def main() -> None:
            stores = Stores(memory, FileDocuments(folder.parent / "docs"), folder)
            for round_ in range(rounds):
                acknowledged = await further(running, 100)
                found = await backed_up(stores, folder.parent / f"{round_}.zip")
                dump = found[SCOPE]
                assert isinstance(dump, tuple)
                told.extend(wrong_writes(dump, acknowledged, kept))
                files.add(path.stat().st_ino)
            await memory.close()

        asyncio.run(main())
    assert kind != "compacted" or len(files) > 1, "no compaction came between"
    return told


@pytest.mark.parametrize(("kind", "kept"), [("memory", 10**9), ("compacted", HISTORY)])
def test_writers_and_compactions_do_not_disturb_a_backup(
    tmp_path: Path, kind: str, kept: int
) -> None:
    folder = tmp_path / "memory"
    memory = compacted(folder) if kind == "compacted" else FileMemory(folder)
    assert memory_faults(folder, kind, kept, memory, 4 * ROUNDS) == []


class _Late(FileMemory):
    """The planted fault: a backup of what there was when it last looked."""

    _first: Dump | None = None

    async def dump(self, scope: str) -> Dump:
        self._first = self._first or await super().dump(scope)
        return self._first


class _Mixed(FileMemory):
    """The planted fault: the older part is as of one number, the newer part of another."""

    async def dump(self, scope: str) -> Dump:
        _, older = await super().dump(scope)
        seq, newer = await super().dump(scope)
        while seq < older[-1].seq + 40:
            seq, newer = await super().dump(scope)
        return seq, older + newer[-20:]


class _Lossy(FileMemory):
    """The planted fault: one write is left out."""

    async def dump(self, scope: str) -> Dump:
        seq, found = await super().dump(scope)
        return seq, [*found[:-7], *found[-6:]]


@pytest.mark.parametrize("store", [_Late, _Mixed, _Lossy])
def test_a_backup_that_is_wrong_is_found_out(tmp_path: Path, store: type[FileMemory]) -> None:
    folder = tmp_path / "memory"
    assert memory_faults(folder, "memory", 10**9, store(folder), 2)


def test_writers_of_documents_do_not_disturb_a_backup(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    with writers(docs, "documents", number=WRITERS, size=SIZE) as running, listened_to(running):

        async def main() -> None:
            memory = FileMemory(tmp_path / "memory")
            stores = Stores(memory, FileDocuments(docs), tmp_path / "memory")
            for round_ in range(4 * ROUNDS):
                acknowledged = await further(running, 15)
                found = await backed_up(stores, tmp_path / f"{round_}.zip")
                for name, newest in acknowledged.items():
                    kept = found[name]
                    assert isinstance(kept, list)
                    assert wrong_revisions(kept, name, newest) == []
                    lossy = [*kept[:-3], *kept[-2:]]
                    assert wrong_revisions(lossy, name, newest), "it would not see a loss"
                    assert wrong_revisions(kept[:-1], name, number_of(kept[-1][1]))
            await memory.close()

        asyncio.run(main())


class _LateRedis(RedisMemory):
    """The planted fault, of a backup from Redis."""

    async def dump(self, scope: str) -> Dump:
        seq, found = await super().dump(scope)
        return seq, found[:-5]


async def redis_faults(
    memory: RedisMemory, writes: Callable[[str, int], Awaitable[object]], path: Path
) -> list[str]:
    """What backups of a Redis lack while tasks of this process write to it."""
    acknowledged = dict.fromkeys(("w0", "w1", "w2"), -1)
    told: list[str] = []

    async def write(name: str) -> None:
        while True:
            number = acknowledged[name] + 1
            await writes(name, number)
            acknowledged[name] = number

    tasks = [asyncio.create_task(write(name)) for name in acknowledged]
    stores = Stores(memory, FileDocuments(path / "docs"), path)
    for round_ in range(4 * ROUNDS):
        before = dict(acknowledged)
        while any(acknowledged[name] < before[name] + 40 for name in before):
            for task in tasks:
                if task.done():
                    task.result()  # raises what ended it: the others would be waited for in vain
            await asyncio.sleep(0)
        found = await backed_up(stores, path / f"{type(memory).__name__}-{round_}.zip")
        dump = found[SCOPE]
        assert isinstance(dump, tuple)
        told += wrong_writes(dump, {name: before[name] + 40 for name in before}, 900)
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return told


@pytest.mark.parametrize("store", [RedisMemory, _LateRedis])
def test_writers_to_redis_do_not_disturb_a_backup(tmp_path: Path, store: type[RedisMemory]) -> None:
    async def main(memory: RedisMemory, other: RedisMemory) -> list[str]:
        try:
            return await redis_faults(
                memory,
                lambda name, number: other.put(SCOPE, name, value(name, number, SIZE)),
                tmp_path,
            )
        finally:
            await memory.close()
            await other.close()

    with redis_server(tmp_path / "redis") as server:
        settings = server.settings()
        told = asyncio.run(main(store(settings, seconds=60), RedisMemory(settings, seconds=60)))
    assert (told == []) is (store is RedisMemory)
