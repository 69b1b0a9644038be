"""Memory under fire: several writers, SIGKILL, a full disk."""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.runtime.errors import StoreError
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import Entry
from scripts.runtime.stores.record import decode
from tests.faults.writer import SCOPE, value
from tests.faults.writers import writers

FILE = Path("shared", "all.jsonl")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Warnings about torn lines are expected here."""
    caplog.set_level(logging.ERROR, "scripts.runtime.stores.journal")


def newest(folder: Path) -> tuple[dict[str, Entry], dict[str, int]]:
    async def run() -> tuple[dict[str, Entry], dict[str, int]]:
        memory = FileMemory(folder)
        try:
            found = {entry.key: entry for entry in await memory.entries(SCOPE)}
            return found, memory.problems
        finally:
            await memory.close()

    return asyncio.run(run())


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size`: a full disk, but for its number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


@pytest.mark.parametrize(("size", "count"), [(200, 1500), (20_000, 300), (60_000, 150)])
def test_four_writers_lose_and_tear_nothing(tmp_path: Path, size: int, count: int) -> None:
    with writers(tmp_path, "memory", number=4, count=count, size=size) as running:
        assert [writer.finish() for writer in running] == [count - 1] * 4
    lines = (tmp_path / FILE).read_bytes().split(b"\n")
    assert lines.pop() == b""
    records = [decode(line) for line in lines]
    assert [record.seq for record in records] == list(range(1, 4 * count + 1))
    next_number: Counter[str] = Counter()
    for record in records:
        assert record.value == value(record.key, next_number[record.key], size)
        next_number[record.key] += 1
    assert newest(tmp_path)[1] == {}


@pytest.mark.parametrize("kind", ["memory", "memory-always"])
@pytest.mark.parametrize("size", [200, 60_000])
def test_killed_writers_lose_nothing_acknowledged(tmp_path: Path, size: int, kind: str) -> None:
    chance = random.Random(size)
    for _ in range(5):
        with writers(tmp_path, kind, number=2, size=size) as running:
            running[0].wait_for(chance.randint(1, 50))
            acknowledged = {writer.name: writer.kill() for writer in running}
        found, _ = newest(tmp_path)
        for name, number in acknowledged.items():
            if number < 0:
                continue
            entry = found[name]
            there = int(entry.value.split(":")[1])
            assert there in (number, number + 1)
            assert entry.value == value(name, there, size)


def test_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    async def run() -> None:
        memory = FileMemory(tmp_path)
        kept, refused = [], []
        with file_size_limit(20_000):
            for number in range(60):
                try:
                    await memory.put(SCOPE, f"k{number}", "x" * 700)
                    kept.append(f"k{number}")
                except StoreError as error:
                    refused.append(error.status)
        assert set(refused) == {507}
        assert 10 < len(kept) < 40
        await memory.put(SCOPE, "after", 1)
        assert memory.problems == {}
        assert [entry.key for entry in await memory.entries(SCOPE)] == ["after", *kept[::-1]]
        await memory.close()

    asyncio.run(run())
    lines = (tmp_path / FILE).read_bytes().splitlines()
    assert [decode(line).seq for line in lines] == list(range(1, len(lines) + 1))


def test_full_disk_behind_a_torn_tail(tmp_path: Path) -> None:
    async def run() -> None:
        memory = FileMemory(tmp_path)
        await memory.put(SCOPE, "k", 1)
        size = (tmp_path / FILE).stat().st_size
        with (tmp_path / FILE).open("ab") as stream:
            stream.write(b'{"key":"torn')
        with file_size_limit(size + 5), pytest.raises(StoreError):
            await memory.put(SCOPE, "k", 2)
        assert (tmp_path / FILE).stat().st_size == size
        entry = await memory.put(SCOPE, "k", 3)
        assert entry.seq == 2
        assert memory.problems == {}
        await memory.close()

    asyncio.run(run())
    assert newest(tmp_path)[0]["k"].value == 3


def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    async def run() -> None:
        memory = FileMemory(tmp_path)
        with file_size_limit(0), pytest.raises(StoreError) as caught:
            await memory.put(SCOPE, "k", 1)
        assert caught.value.status == 507
        assert await memory.get(SCOPE, "k") is None
        assert (await memory.put(SCOPE, "k", 1)).seq == 1
        await memory.close()

    asyncio.run(run())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("a file")

    async def run() -> None:
        memory = FileMemory(tmp_path / "memory")
        with pytest.raises(StoreError):
            await memory.put(SCOPE, "k", 1)
        with pytest.raises(StoreError):
            await memory.get(SCOPE, "k")

    asyncio.run(run())
