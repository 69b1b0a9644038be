"""Memory writers that are killed, and tails that are torn: what was acknowledged is counted.

python -m tests.faults.kills FOLDER KILLS commit|always FAULT

Each round two writers append to one file until they are killed; then a torn tail is put behind
it. FAULT is `none`, or a writer that is wrong on purpose: `buffered` acknowledges before it
writes, `glued` appends behind a torn tail as if nothing were there. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.reading import writes
from scripts.runtime.stores.record import BadLine, decode
from tests.faults.forks import Child
from tests.faults.writer import SCOPE, line, path_of, time_seq, value

Say = Callable[[object], None]
Durability = Literal["commit", "always"]
SIZES = (200, 3_000, 60_000)
FILE = 100  # kills on one file: each writer reads it from its beginning
FOREVER = 10**9


def honest(folder: Path, durability: Durability, name: str, size: int, say: Say) -> None:
    """As the service writes."""

    async def write() -> None:
        memory = FileMemory(folder, durability, history=FOREVER)
        for number in range(FOREVER):
            await memory.put(SCOPE, name, value(name, number, size))
            say(number)

    asyncio.run(write())


def buffered(folder: Path, _: Durability, name: str, size: int, say: Say) -> None:
    """As many a program writes: the file is kept open, and its buffer with it."""
    with path_of(folder).open("ab") as file:
        for number in range(FOREVER):
            file.write(line(name, number, size, time_seq()))
            say(number)


def glued(folder: Path, _: Durability, name: str, size: int, say: Say) -> None:
    """Whole lines in one write, and no look at what stands before them."""
    descriptor = os.open(path_of(folder), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number in range(FOREVER):
        os.write(descriptor, line(name, number, size, time_seq()))
        say(number)


WRITERS = {"none": honest, "buffered": buffered, "glued": glued}


def tear(path: Path, chance: random.Random) -> None:
    """Put a part of a record behind the file."""
    part = line("torn", 1, chance.choice(SIZES), FOREVER)
    with path.open("ab") as file:
        file.write(part[: chance.randrange(1, len(part) - 2)])


def one_round(folder: Path, number: int, fault: str, durability: Durability) -> dict[str, int]:
    """Two writers until they are killed: the number of the last acknowledged write of each."""
    chance = random.Random(number)
    size = SIZES[number % len(SIZES)]
    children = {}
    for index in range(2):
        name = f"r{number}-{index}"
        children[name] = Child(
            lambda say, name=name: WRITERS[fault](folder, durability, name, size, say)
        )
    first = next(iter(children.values()))
    for _ in range(chance.randint(1, 40)):
        first.line()
    last = {}
    for name, child in children.items():
        said = child.kill()
        last[name] = int(said[-1]) if said else -1
    return last


def judge(path: Path, acknowledged: dict[str, int]) -> dict[str, int]:
    """How many acknowledged writes are not there, are there twice, and seqs that are not unique."""
    found: dict[str, Counter[int]] = {}
    records = writes(path, SCOPE)
    for record in records:
        name, number = record.value.split(":")[:2]
        found.setdefault(name, Counter())[int(number)] += 1
    lost = sum(
        found.get(name, Counter())[number] == 0
        for name, last in acknowledged.items()
        for number in range(last + 1)
    )
    twice = sum(times > 1 for counter in found.values() for times in counter.values())
    seqs = [record.seq for record in records]
    return {
        "acknowledged": sum(last + 1 for last in acknowledged.values()),
        "records": len(records),
        "lost": lost,
        "twice": twice,
        "seqs_twice": len(seqs) - len(set(seqs)),
    }


def bad_lines(path: Path) -> int:
    bad = 0
    for text in path.read_bytes().split(b"\n")[:-1]:
        try:
            decode(text)
        except BadLine:
            bad += 1
    return bad


def attempt(folder: Path, kills: int, fault: str, durability: Durability) -> Counter[str]:
    """So many kills, two a round, on one file."""
    acknowledged: dict[str, int] = {}
    chance = random.Random(kills)
    path = path_of(folder)
    for number in range(kills // 2):
        acknowledged |= one_round(folder, number, fault, durability)
        for _ in range(2):  # nobody writes between the two
            tear(path, chance)
    return Counter({**judge(path, acknowledged), "bad_lines": bad_lines(path)})


def main() -> None:
    folder, kills, durability, fault = Path(sys.argv[1]), *sys.argv[2:]
    logging.disable()  # torn tails are told of, a hundred times
    result: Counter[str] = Counter()
    for begun in range(0, int(kills), FILE):
        here = folder / str(begun)
        number = min(FILE, int(kills) - begun)
        result.update(attempt(here, number, fault, cast(Durability, durability)))
        shutil.rmtree(here)
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
