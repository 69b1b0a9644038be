"""Memory under fire: several writers, SIGKILL, a full disk."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.errors import StoreError
from scripts.runtime.stores import quarantine
from scripts.runtime.stores.compacting import Compactor
from scripts.runtime.stores.journal import Journal
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import Entry
from scripts.runtime.stores.reading import each_line
from scripts.runtime.stores.record import BadLine, decode
from tests.faults.disk import file_size_limit
from tests.faults.rounds import ROUNDS
from tests.faults.writer import SCOPE, value
from tests.faults.writers import ROOT, Writer, writers

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


@pytest.mark.parametrize(("size", "count"), [(200, 1500), (20_000, 10_000), (60_000, 100)])
def test_four_writers_lose_and_tear_nothing(tmp_path: Path, size: int, count: int) -> None:
    count *= ROUNDS
    with writers(tmp_path, "memory", number=4, count=count, size=size) as running:
        seen, last = asyncio.run(read_beside(tmp_path, running, size))
    assert last == [count - 1] * 4
    assert seen > 10
    assert judged(tmp_path / FILE, size) == {"written": 4 * count}
    assert newest(tmp_path)[1] == {}
    (tmp_path / FILE).unlink()  # of a gigabyte, or of ten


def test_writers_that_write_in_pieces_are_found_out(tmp_path: Path) -> None:
    """The planted fault: what `json.dump` into a file opened for appending does."""
    with writers(tmp_path, "pieces", number=4, count=500, size=20_000) as running:
        assert [writer.finish() for writer in running] == [499] * 4
    found = judged(tmp_path / FILE, 20_000)
    assert found["torn"] > 0
    assert found["written"] < 4 * 500


def judged(path: Path, size: int) -> Counter[str]:
    """How many records are there as they were written, one after another; and what is wrong."""
    found: Counter[str] = Counter()
    next_number: Counter[str] = Counter()
    for number, line in enumerate(each_line(path), 1):
        try:
            record = decode(line.text or b"")
        except BadLine:
            found["torn"] += 1
            continue
        is_next = record.value == value(record.key, next_number[record.key], size)
        found["written" if is_next else "lost before"] += 1
        found["misnumbered"] += record.seq != number
        next_number[record.key] = int(record.value.split(":")[1]) + 1
    return +found


async def read_beside(folder: Path, running: Sequence[Writer], size: int) -> tuple[int, list[int]]:
    """Read until the writers have ended: whole values only, and no key's ever goes back.

    How often, and the last number that each of them had acknowledged.
    """
    memory = FileMemory(folder, history=10**9)
    ending = asyncio.gather(*(asyncio.to_thread(writer.finish) for writer in running))
    last: dict[str, int] = {}
    reads = 0
    while not ending.done():
        for entry in await memory.entries(SCOPE):
            number = int(entry.value.split(":")[1])
            assert entry.value == value(entry.key, number, size)
            assert number >= last.get(entry.key, 0)
            last[entry.key] = number
            reads += 1
        await asyncio.sleep(0)
    assert memory.problems == {}
    await memory.close()
    return reads, await ending


def program(name: str, *arguments: object) -> dict[str, Any]:
    """What a program of this folder found out."""
    command = [sys.executable, "-m", f"tests.faults.{name}", *map(str, arguments)]
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(found.stdout)
    return result


@pytest.mark.parametrize(("durability", "kills"), [("commit", 100), ("always", 20)])
def test_killed_writers_and_torn_tails(tmp_path: Path, durability: str, kills: int) -> None:
    result = program("kills", tmp_path, kills * ROUNDS, durability, "none")
    assert result["acknowledged"] > 4 * kills
    assert (result["lost"], result["twice"], result["seqs_twice"]) == (0, 0, 0)
    assert result["bad_lines"] == 0


@pytest.mark.parametrize("fault", ["buffered", "glued"])
def test_a_writer_that_is_wrong_is_found_out(tmp_path: Path, fault: str) -> None:
    result = program("kills", tmp_path, 20, "commit", fault)
    assert result["lost"] > 0
    assert result["bad_lines"] > 0


def test_a_compaction_killed_at_every_step(tmp_path: Path) -> None:
    result = program("compactions", tmp_path / "data", "steps", 0)
    assert result["steps"] > 20
    assert result["faults"] == []


@pytest.mark.parametrize("fault", ["careless", "forgetful"])
def test_a_compaction_that_is_wrong_is_found_out(tmp_path: Path, fault: str) -> None:
    assert program("compactions", tmp_path / "data", fault, 0)["faults"]


def beside(folder: Path, kind: str, count: int) -> list[str]:
    """What has gone wrong while writers and compactions were at it together."""
    result = program("compactions", folder, kind, count)
    wanted = {
        "codes": [0, 0, 0],
        "compactions": 5,
        "newest": {f"w{number}": count - 1 for number in range(3)},
        "seq": 3 * count + 1,
    }
    told = [f"{name} is {result[name]}" for name in wanted if result[name] != wanted[name]]
    return told if result["size"] < 50_000 else [*told, "it was not made smaller"]


def test_compactions_beside_writers(tmp_path: Path) -> None:
    assert beside(tmp_path, "beside", 2000 * ROUNDS) == []


def test_a_compaction_that_does_not_lock_is_found_out(tmp_path: Path) -> None:
    assert beside(tmp_path, "hasty", 500) != []


def flips(whole: bytes, count: int, detect: Callable[[bytes], Mapping[str, Any]]) -> int:
    """Flip one bit of a file's records, again and again: how often that was not seen."""
    chance = random.Random(count)
    wanted, missed = detect(whole), 0
    for _ in range(count):
        position = chance.randrange(len(whole) - 1)
        flipped = bytearray(whole)
        flipped[position] ^= 1 << chance.randrange(8)
        found = detect(bytes(flipped))
        two_became_one = whole[position] == 10
        is_seen = len(wanted) - len(found) == 1 + two_became_one
        missed += not is_seen or any(found[key] != wanted[key] for key in found)
    return missed


def write_records(folder: Path, count: int) -> None:
    async def run() -> None:
        memory = FileMemory(folder)
        for number in range(count):
            text = f"{number}: " + "the quick brown fox " * 5
            await memory.put(SCOPE, f"k{number}", {"text": text, "number": number})
        await memory.close()

    asyncio.run(run())


def test_every_bit_flip_is_detected(tmp_path: Path) -> None:
    def detect(data: bytes) -> dict[str, Any]:
        path.write_bytes(data)
        quarantine.of(path).unlink(missing_ok=True)
        journal = Journal(path, SCOPE)
        while not journal.refresh():
            pass
        entries = filter(None, map(journal.get, journal.keys()))
        found = {entry.key: entry.value for entry in entries}
        assert (journal.bad_lines > 0) is (data != whole)
        assert quarantine.of(path).exists() is (data != whole)
        journal.close()
        return found

    path = tmp_path / FILE
    write_records(tmp_path, 20)
    whole = path.read_bytes()
    assert flips(whole, 5000 * ROUNDS, detect) == 0


def test_a_reader_without_checksums_is_found_out(tmp_path: Path) -> None:
    def detect(data: bytes) -> dict[str, Any]:
        found = {}
        for line in data.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                record = json.loads(line)
                found[record["key"]] = record["value"]
        return found

    write_records(tmp_path, 20)
    assert flips((tmp_path / FILE).read_bytes(), 500, detect) > 100


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


def test_a_damaged_line_on_a_full_disk_is_not_compacted_away(tmp_path: Path) -> None:
    write_records(tmp_path, 20)
    path = tmp_path / FILE
    data = path.read_bytes().replace(b"fox", b"box", 1)
    path.write_bytes(data)

    async def run() -> None:
        memory = FileMemory(tmp_path, history=1, compactor=Compactor(1000, 1.1))
        with file_size_limit(0):
            assert len(await memory.entries(SCOPE)) == 19
        for number in range(40):
            await memory.put(SCOPE, "k1", number)
            await asyncio.sleep(0)
        assert not quarantine.of(path).exists()
        await memory.close()
        assert b"box" in path.read_bytes()
        memory = FileMemory(tmp_path, history=1, compactor=Compactor(1000, 1.1))
        while b"box" in path.read_bytes():
            await memory.put(SCOPE, "k1", "later")
            await asyncio.sleep(0.001)
        await memory.close()
        assert b"box" in quarantine.of(path).read_bytes()

    asyncio.run(run())


def test_a_compaction_on_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        memory = FileMemory(tmp_path, history=1, compactor=Compactor(1000, 1.1))
        for number in range(3):
            await memory.put(SCOPE, f"k{number}", "x" * 1000)
        size = (tmp_path / FILE).stat().st_size
        with file_size_limit(size - 100):
            for _ in range(5):
                with pytest.raises(StoreError):
                    await memory.put(SCOPE, "k0", "x" * 1000)
        await memory.put(SCOPE, "k0", "y" * 1000)
        with file_size_limit(1000):
            await memory.close()
        memory = FileMemory(tmp_path)
        assert {entry.key for entry in await memory.entries(SCOPE)} == {"k0", "k1", "k2"}
        await memory.close()

    asyncio.run(run())
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["all.jsonl"]
