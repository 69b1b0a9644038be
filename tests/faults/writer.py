"""A process that writes to memory and says what was acknowledged.

python -m tests.faults.writer FOLDER memory|compacted|documents|pieces NAME COUNT SIZE

`compacted` keeps HISTORY writes and makes the file smaller as often as it can; `documents` writes
to a document of its own name. `pieces` is wrong on purpose: it does not write a record in one go.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from scripts.runtime.stores.compacting import Compactor
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.names import parse_scope
from scripts.runtime.stores.protocol import Entry
from scripts.runtime.stores.record import encode, encode_value

SCOPE = "shared:all"
HISTORY = 50  # writes that `compacted` keeps


def value(name: str, number: int, size: int) -> str:
    """What the writer `name` writes as its `number`-th: the reader can tell it whole."""
    return f"{name}:{number}:".ljust(size, "x")


def say(what: object) -> None:
    """One line of 64 bytes, seen at once, also when we are killed in the next moment."""
    os.write(1, f"{what!s:<63}\n".encode())


def path_of(folder: Path) -> Path:
    """The file of SCOPE, in a folder that is there."""
    place = parse_scope(SCOPE)
    path = folder / place.folder / place.file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def time_seq() -> int:
    """A number that rises, for writers that know of no other."""
    return time.time_ns() // 1000


def line(name: str, number: int, size: int, seq: int) -> bytes:
    """The record of that value, as it stands in a file."""
    text = value(name, number, size)
    entry = Entry(name, text, SCOPE, "2026-01-01T00:00:00.000Z", seq)
    return encode(entry, encode_value(text))


async def write_memory(memory: FileMemory, name: str, count: int, size: int) -> None:
    for number in range(count):
        await memory.put(SCOPE, name, value(name, number, size))
        say(number)
        if number % 10 == 0:
            await asyncio.sleep(0)  # a write does not wait, and a compaction wants its turn
    await memory.close()


def compacted(folder: Path) -> FileMemory:
    """A memory whose file is compacted again and again."""
    return FileMemory(folder, history=HISTORY, compactor=Compactor(20_000, 1.2))


async def write_documents(folder: Path, name: str, count: int, size: int) -> None:
    documents = FileDocuments(folder)
    author = {"kind": "agent", "agent": name}
    for number in range(count):
        await documents.put(name, value(name, number, size), author=author)
        say(number)


def write_pieces(folder: Path, name: str, count: int, size: int) -> None:
    """As `json.dump` does: what stands before a long text goes out with it, the rest behind it."""
    with path_of(folder).open("a") as file:
        for number in range(count):
            text = line(name, number, size, time_seq()).decode()
            file.write(text[:-20])
            time.sleep(0.001)  # else on a busy machine each may get its turn for all it writes
            file.write(text[-20:])
            file.flush()
            say(number)


def main() -> None:
    folder, kind, name = Path(sys.argv[1]), *sys.argv[2:4]
    count, size = map(int, sys.argv[4:])
    say("ready")
    sys.stdin.readline()
    if kind == "memory":
        asyncio.run(write_memory(FileMemory(folder, history=10**9), name, count, size))
    elif kind == "compacted":
        asyncio.run(write_memory(compacted(folder), name, count, size))
    elif kind == "documents":
        asyncio.run(write_documents(folder, name, count, size))
    else:
        write_pieces(folder, name, count, size)


if __name__ == "__main__":
    main()
