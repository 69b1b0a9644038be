"""A process that writes to memory or documents and says what was acknowledged.

python -m tests.faults.writer FOLDER memory|memory-always|documents NAME COUNT SIZE
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.memory import FileMemory

SCOPE = "shared:all"


def value(name: str, number: int, size: int) -> str:
    """What the writer `name` writes as its `number`-th: the reader can tell it whole."""
    return f"{name}:{number}:".ljust(size, "x")


def say(what: object) -> None:
    """One line, seen at once, also when we are killed in the next moment."""
    os.write(1, f"{what}\n".encode())


async def write_memory(folder: Path, name: str, count: int, size: int, *, always: bool) -> None:
    memory = FileMemory(folder, "always" if always else "commit", history=10**9)
    for number in range(count):
        await memory.put(SCOPE, name, value(name, number, size))
        say(number)
    await memory.close()


async def write_documents(folder: Path, name: str, count: int, size: int) -> None:
    documents = FileDocuments(folder)
    for number in range(count):
        await documents.put("prd", value(name, number, size))
        say(number)


def main() -> None:
    folder, kind, name, count, size = sys.argv[1:]
    say("ready")
    sys.stdin.readline()
    if kind == "documents":
        asyncio.run(write_documents(Path(folder), name, int(count), int(size)))
    else:
        always = kind == "memory-always"
        asyncio.run(write_memory(Path(folder), name, int(count), int(size), always=always))


if __name__ == "__main__":
    main()
