"""Memory in files, beside what else one could write a line with."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import aiofiles

from scripts.runtime.clock import now
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import Entry
from scripts.runtime.stores.record import encode, encode_value

from ..options import ROOT, Options
from ..process import environment
from ..report import Aim, Report, Table
from ..rounds import Candidate, Samples, interleave
from .timing import Operation, candidate, table

SCOPE: Final = "shared:bench"
FILE: Final = "shared/bench.jsonl"
SIZES: Final = {"200 B": 100, "10 kB": 9_900}  # the value's share of the record
WRITERS: Final = 64
_TABLE: Final = (
    "CREATE TABLE writes"
    " (seq INTEGER PRIMARY KEY, scope TEXT, key TEXT, value TEXT, timestamp TEXT, op TEXT)"
)
_INSERT: Final = "INSERT INTO writes (scope, key, value, timestamp, op) VALUES (?, ?, ?, ?, ?)"
_TIME: Final = "2026-01-01T00:00:00.000Z"


def measure(report: Report, folder: Path, options: Options) -> None:
    """Add the tables and aims of this store to the report."""
    loop = asyncio.new_event_loop()
    closers: list[Callable[[], Awaitable[None]]] = []
    try:
        _appends(report, folder / "commit", options, loop, closers)
        _durable(report, folder / "always", options, loop, closers)
        _reads(report, folder / "reads", options, loop, closers)
        loop.run_until_complete(_first_open(report, folder / "reads"))
        _beside_writers(report, folder / "beside", options, loop)
    finally:
        for close in closers:
            loop.run_until_complete(close())
        loop.close()


class Appends:
    """The ways to append one record."""

    def __init__(self, folder: Path, length: int, closers: list[Callable[[], Awaitable[None]]]):
        folder.mkdir(parents=True)
        self.value = "v" * length
        self.memory = FileMemory(folder / "ours")
        self._path = folder / "aiofiles.jsonl"
        self._fd = os.open(folder / "raw.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._ready = self._line()
        self._sql = sqlite3.connect(folder / "sqlite.db", isolation_level=None)
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute(_TABLE)
        self._sql.execute("CREATE INDEX newest ON writes (scope, key, seq)")
        self.synchronous("NORMAL")
        closers.append(self._close)

    def synchronous(self, how: str) -> None:
        """NORMAL syncs at a checkpoint, FULL at each commit."""
        self._sql.execute(f"PRAGMA synchronous = {how}")

    async def raw(self) -> None:
        """A kept descriptor, bytes that are there already."""
        os.write(self._fd, self._ready)

    async def encoded(self) -> None:
        """The same, with the record made of its parts each time."""
        os.write(self._fd, self._line())

    async def synced(self) -> None:
        """The same, with an fsync for each."""
        os.write(self._fd, self._line())
        os.fsync(self._fd)

    async def ours(self) -> Entry:
        """As a step writes its output."""
        return await self.memory.put(SCOPE, "key", self.value)

    async def aiofiles(self) -> None:
        """Opened, written and closed through threads."""
        async with aiofiles.open(self._path, "ab") as file:
            await file.write(self._line())

    async def sqlite(self) -> None:
        """One insert, one commit, on a connection that is kept: what ours keeps and answers."""
        text = json.dumps(self.value)
        self._sql.execute(_INSERT, (SCOPE, "key", text, now(), "set"))

    def _line(self) -> bytes:
        record = {"key": "key", "value": self.value, "scope": SCOPE, "timestamp": now()}
        return json.dumps({**record, "op": "set", "seq": 1}).encode() + b"\n"

    async def _close(self) -> None:
        await self.memory.close()
        self._sql.close()
        os.close(self._fd)


def _appends(
    report: Report,
    folder: Path,
    options: Options,
    loop: asyncio.AbstractEventLoop,
    closers: list[Callable[[], Awaitable[None]]],
) -> None:
    candidates: list[Candidate] = []
    for size, length in SIZES.items():
        ways = Appends(folder / str(length), length, closers)
        count = (2_000 if options.quick else 8_000) // (1 if length < 1_000 else 8)
        rows: dict[str, tuple[Operation, int]] = {
            "os.write, bytes ready": (ways.raw, count),
            "os.write of json.dumps": (ways.encoded, count),
            "ours": (ways.ours, count),
            "SQLite WAL, insert and commit": (ways.sqlite, count // 4),
            "aiofiles, opened each time": (ways.aiofiles, count // 40),
        }
        candidates += [
            candidate(loop, f"{size}: {name}", way, times) for name, (way, times) in rows.items()
        ]
    samples = interleave(candidates, options.rounds)
    for size in SIZES:
        names = [one.name for one in candidates if one.name.startswith(size)]
        report.tables.append(table(f"One append of {size}, durability: commit", samples, names))
        report.aims += _append_aims(samples, size)


def _append_aims(samples: Samples, size: str) -> Iterator[Aim]:
    bases = {
        "os.write, bytes ready": 2,
        "os.write of json.dumps": 2,
        "SQLite WAL, insert and commit": 1 / 3,
        "aiofiles, opened each time": 1 / 100,
    }
    for base, limit in bases.items():
        ratios = samples.ratios(f"{size}: ours", f"{size}: {base}", "wall")
        yield Aim(f"append {size}, wall: ours ÷ {base}", ratios, limit)
    base = f"{size}: os.write of json.dumps"
    yield _slowest(f"append {size}", samples, f"{size}: ours", base)


def _slowest(what: str, samples: Samples, ours: str, base: str) -> Aim:
    """How the slowest but one in 100 compare; no aim was set for that."""
    ratios = samples.ratios(ours, base, "p99")
    return Aim(f"{what}, p99: {_label(ours)} ÷ {_label(base)}", ratios)


def _label(name: str) -> str:
    return name.partition(": ")[2] or name


def _durable(
    report: Report,
    folder: Path,
    options: Options,
    loop: asyncio.AbstractEventLoop,
    closers: list[Callable[[], Awaitable[None]]],
) -> None:
    ways = Appends(folder, SIZES["200 B"], closers)
    ways.synchronous("FULL")
    ways.memory = FileMemory(folder / "durable", "always")
    closers.append(ways.memory.close)
    ours, each = f"ours, {WRITERS} writers", "fsync per write"
    few, many = (64, 1_024) if options.quick else (128, 4_096)
    candidates = [
        candidate(loop, each, ways.synced, few),
        candidate(loop, "SQLite WAL, synchronous FULL", ways.sqlite, few),
        candidate(loop, "ours, one writer", ways.ours, few),
        candidate(loop, ours, ways.ours, many, WRITERS),
    ]
    samples = interleave(candidates, options.rounds)
    names = [one.name for one in candidates]
    report.tables.append(table("One append of 200 B, durability: always", samples, names))
    report.aims.append(
        Aim(f"always, wall: {ours} ÷ {each}", samples.ratios(ours, each, "wall"), 1 / 10)
    )
    report.aims.append(_slowest("always", samples, ours, each))


def _reads(
    report: Report,
    folder: Path,
    options: Options,
    loop: asyncio.AbstractEventLoop,
    closers: list[Callable[[], Awaitable[None]]],
) -> None:
    candidates = []
    sizes = (10, 10_000, 100_000 if options.quick else 1_000_000)
    for records in sizes:
        memory = _filled(folder / str(records), records)
        closers.append(memory.close)
        loop.run_until_complete(memory.get(SCOPE, "k1"))
        get = _getter(memory, min(records, 100))
        candidates.append(candidate(loop, f"{records:,} records", get, 4_000))
    samples = interleave(candidates, options.rounds)
    names = [one.name for one in candidates]
    report.tables.append(table("Last value of a key, objects of 100 B", samples, names))
    ratios = samples.ratios(names[-1], names[0], "wall")
    report.aims.append(Aim(f"last value, wall: {names[-1]} ÷ {names[0]}", ratios, 2))
    report.aims.append(_slowest("last value", samples, names[-1], names[0]))


def _getter(memory: FileMemory, keys: int) -> Operation:
    numbers = iter(range(10**12))

    async def get() -> None:
        key = f"k{next(numbers) * 7919 % keys}"
        entry = await memory.get(SCOPE, key)
        assert entry is not None
        assert entry.key == key

    return get


def _filled(folder: Path, records: int) -> FileMemory:
    """A scope of so many keys, each written once; `k0` to `k99` last."""
    path = folder / FILE
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        for seq in range(1, records + 1):
            value = {"number": seq, "text": "x" * 70}
            entry = Entry(f"k{records - seq}", value, SCOPE, _TIME, seq)
            file.write(encode(entry, encode_value(value)))
    return FileMemory(folder)


async def _first_open(report: Report, folder: Path) -> None:
    """The first read of a large file, and how long others on the loop had to wait meanwhile."""
    largest = max(folder.iterdir(), key=lambda path: int(path.name))  # noqa: ASYNC240
    memory, gaps = FileMemory(largest), [0.0]

    async def others() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    task = asyncio.create_task(others())
    begun = time.perf_counter()
    await memory.get(SCOPE, "k1")
    wall = time.perf_counter() - begun
    task.cancel()
    size = (largest / FILE).stat().st_size
    await memory.close()
    found = Table("First read of a file", ("", "MB", "seconds", "longest block, ms"))
    found.add(
        f"{int(largest.name):,} records",
        f"{size / 1e6:.0f}",
        f"{wall:.2f}",
        f"{1e3 * max(gaps):.1f}",
    )
    report.tables.append(found)


def _beside_writers(
    report: Report, folder: Path, options: Options, loop: asyncio.AbstractEventLoop
) -> None:
    """Two processes write values of 20 kB; what a reader sees of them."""
    folder.mkdir()
    seconds = 0.5 if options.quick else 2.0
    command = [sys.executable, "-m", "bench.workers.memory_writer", str(folder), str(seconds)]
    writers = [
        subprocess.Popen([*command, name], cwd=ROOT, env=environment(folder)) for name in "ab"
    ]
    reads, looks, halves = loop.run_until_complete(_read_beside(folder, writers))
    assert [writer.wait() for writer in writers] == [0, 0]
    report.notes.append(
        f"Beside two writing processes: {reads:,} values of 20 kB read by ours, each whole; "
        f"{halves:,} of {looks:,} looks at the file itself ended inside a line."
    )


async def _read_beside(
    folder: Path, writers: Sequence[subprocess.Popen[bytes]]
) -> tuple[int, int, int]:
    memory, path = FileMemory(folder), folder / FILE
    reads = looks = halves = 0
    while any(writer.poll() is None for writer in writers):
        for entry in await memory.entries(SCOPE):
            number, _, rest = entry.value.partition(":")
            assert int(number) >= 0
            assert rest == "x" * 20_000
            reads += 1
        if path.exists():
            looks += 1
            halves += not _ends_whole(path)
        await asyncio.sleep(0)
    assert memory.problems == {}
    await memory.close()
    return reads, looks, halves


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        return file.read(1) in (b"\n", b"")
