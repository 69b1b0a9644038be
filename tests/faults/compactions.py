"""Compactions that are killed at every step, and beside writers of other processes.

python -m tests.faults.compactions FOLDER steps|careless|forgetful|beside|hasty COUNT

Three are wrong on purpose: `careless` writes over the file itself, `forgetful` leaves out what was
written since it began; `hasty` is one beside writers that does not lock. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.runtime.stores.compacting import Compactor, compact_now
from scripts.runtime.stores.journal import Journal
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.reading import writes
from scripts.runtime.stores.rewrite import compact, sweep
from scripts.runtime.stores.verify import verify
from tests.faults.forks import Child

SCOPE = "shared:all"
HISTORY = 10
KEYS = 4
WRITERS = 3

Say = Callable[[object], None]
Compaction = Callable[[Path, Journal], None]
CALLS = (
    "open",
    "pread",
    "write",
    "fsync",
    "fstat",
    "lstat",
    "fchmod",
    "replace",
    "unlink",
    "close",
)


def put(folder: Path, numbers: range) -> None:
    async def run() -> None:
        memory = FileMemory(folder)
        for number in numbers:
            await memory.put(SCOPE, f"k{number % KEYS}", f"{number}:".ljust(300, "x"))
        await memory.close()

    asyncio.run(run())


def properly(path: Path, journal: Journal) -> None:
    assert journal.identity is not None
    compact(path, journal.identity, journal.index.plan()(), journal.end)


def carelessly(path: Path, journal: Journal) -> None:
    data = path.read_bytes()
    places = journal.index.plan()()
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    for offset, length in places:
        os.write(descriptor, data[offset : offset + length + 1])
    os.write(descriptor, data[journal.end :])
    os.close(descriptor)


def forgetfully(path: Path, journal: Journal) -> None:
    assert journal.identity is not None
    compact(path, journal.identity, journal.index.plan()(), path.stat().st_size)


def hastily(path: Path, history: int) -> int:
    """A new file in the place of the old one, whoever writes meanwhile."""
    journal = Journal(path, SCOPE, history)
    while not journal.refresh():
        pass
    data = path.read_bytes()
    kept = [data[start : start + length + 1] for start, length in journal.index.plan()()]
    journal.close()
    new = path.with_name("hasty.tmp")
    new.write_bytes(b"".join(kept))
    new.replace(path)
    return len(data)


def die_at(step: int) -> None:
    """From now on the `step`-th call of the system is our last."""
    left = [step]

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **options)

        return called

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    fcntl.flock = counted(fcntl.flock)


def one_step(folder: Path, step: int, compaction: Compaction) -> int:
    """A compaction that ends at `step`, while others have written: how the child ended."""
    put(folder, range(40))
    path = folder / "shared" / "all.jsonl"

    def work(_: Say) -> None:
        journal = Journal(path, SCOPE, HISTORY)
        while not journal.refresh():
            pass
        put(folder, range(40, 45))
        die_at(step)
        compaction(path, journal)

    return Child(work).end()[0]


def fault_of(folder: Path) -> str | None:
    """What is wrong afterwards; None when nothing is."""
    path = folder / "shared" / "all.jsonl"
    newest = {entry.key: int(entry.value.split(":")[0]) for entry in writes(path, SCOPE)}
    if newest != {f"k{number % KEYS}": number for number in range(41, 45)}:
        return f"the newest values are {newest}"
    numbers = [int(entry.value.split(":")[0]) for entry in writes(path, SCOPE)]
    if numbers[-HISTORY:] != list(range(45 - HISTORY, 45)):
        return f"the last writes are {numbers}"
    put(folder, range(45, 46))
    if writes(path, SCOPE)[-1].seq != 46:
        return "the next number is wrong"
    sweep(folder / "shared")
    if os.listdir(folder / "shared") != ["all.jsonl"]:  # noqa: PTH208
        return f"left behind: {os.listdir(folder / 'shared')}"  # noqa: PTH208
    report = verify(path)
    return None if report.is_whole and not report.torn else f"damaged: {report}"


def steps(folder: Path, compaction: Compaction) -> dict[str, Any]:
    """Kill at the first call, the second, and so on, until the compaction gets to its end."""
    faults, step, code = [], 0, -9
    while code != 0 and step < 1000:
        step += 1
        shutil.rmtree(folder, ignore_errors=True)
        code = one_step(folder, step, compaction)
        fault = fault_of(folder)
        if fault is not None:
            faults.append(f"step {step}: {fault}")
    return {"steps": step, "faults": faults}


def write_many(folder: Path, name: str, count: int) -> None:
    async def run() -> None:
        memory = FileMemory(folder, history=HISTORY, compactor=Compactor(20_000, 1.2))
        for number in range(count):
            entry = await memory.put(SCOPE, name, number)
            if number % 20 == 0:  # rarely: a read also looks whether the file is another one
                found = await memory.get(SCOPE, name)
                assert found is not None
                assert (found.value, found.seq) == (number, entry.seq)
            if number % 100 == 0:
                await asyncio.sleep(0.001)  # the compaction's thread gets on
        await memory.close()

    asyncio.run(run())


def beside(
    folder: Path, count: int, smaller: Callable[[Path, int], int] = compact_now
) -> dict[str, Any]:
    """Writers that compact by themselves, and one process that does nothing else."""
    path = folder / "shared" / "all.jsonl"
    put(folder, range(1))
    writers = {
        f"w{index}": Child(lambda _, index=index: write_many(folder, f"w{index}", count))
        for index in range(WRITERS)
    }

    def compact_on(say: Say) -> None:
        while True:
            if smaller(path, HISTORY):
                say("compacted")

    compacting = Child(compact_on)
    times = 0
    while times < 5 and compacting.line():
        times += 1
    codes = [child.end()[0] for child in writers.values()]
    compacting.kill()
    compact_now(path, HISTORY)  # it was killed in the middle of one, maybe
    newest = {entry.key: entry for entry in writes(path, SCOPE)}
    return {
        "codes": codes,
        "compactions": times,
        "newest": {name: newest[name].value for name in writers if name in newest},
        "seq": max(entry.seq for entry in newest.values()),
        "size": path.stat().st_size,
    }


STEPS: dict[str, Compaction] = {
    "steps": properly,
    "careless": carelessly,
    "forgetful": forgetfully,
}
BESIDE = {"beside": compact_now, "hasty": hastily}


def main() -> None:
    folder, kind, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    logging.disable()
    signal.alarm(300 + count // 20)
    smaller = BESIDE.get(kind)
    result = beside(folder, count, smaller) if smaller else steps(folder, STEPS[kind])
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
