"""Writers of one document that are killed at any moment, and what is found behind them.

python -m tests.faults.document_kills FOLDER KILLS SIZE none|in_place

`in_place` is wrong on purpose: it writes over the document that is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.runtime.stores import revisions
from scripts.runtime.stores.documents import FileDocuments
from tests.faults.writer import value

WRITERS = 2
KEPT = 10**6  # none is forgotten, so that all can be counted
BATCH = 50  # kills of one document: all of it is looked at behind each


def die_before(operation: int) -> None:
    """Let this process kill itself before the so-many-th thing that it asks of the disk."""
    asked = itertools.count(1)
    for name in ("open", "write", "replace", "utime", "unlink", "close"):
        real = getattr(os, name)

        def call(*arguments: Any, real: Any = real, **options: Any) -> Any:
            if next(asked) == operation:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        setattr(os, name, call)


def write_in_place() -> None:
    """Let this process copy a new document over the old one, instead of renaming it."""
    renamed = os.replace

    def replace(source: Any, target: Any) -> None:
        if not str(target).endswith(".md"):
            renamed(source, target)
            return
        data = Path(source).read_bytes()
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(descriptor, data[: len(data) // 2])
        os.write(descriptor, data[len(data) // 2 :])
        os.close(descriptor)
        os.unlink(source)  # noqa: PTH108 - as all calls here, so that one can be the last

    os.replace = replace  # type: ignore[assignment]


FAULTS = {"none": lambda: None, "in_place": write_in_place}


def fork_writer(
    folder: Path, name: str, size: int, fault: str = "none", last: int = 0
) -> tuple[int, int]:
    """A child that writes without end; its process id, and where it tells what is acknowledged.

    It kills itself before its `last` operation, if that is not 0.
    """
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, read
    try:
        os.close(read)
        FAULTS[fault]()
        if last:
            die_before(last)
        asyncio.run(_write(folder, name, size, write))
    finally:
        os._exit(1)


async def _write(folder: Path, name: str, size: int, tell: int) -> None:
    store = FileDocuments(folder, revisions=KEPT)
    number = 0
    while True:
        await store.put("prd", value(name, number, size), author={"kind": "agent", "agent": name})
        os.write(tell, f"{number}\n".encode())
        number += 1


def kill_some(
    folder: Path, names: list[str], size: int, fault: str, chance: random.Random
) -> dict[str, int]:
    """Kill writers that are at it together; how many writes of each were acknowledged.

    The first one is killed when it has written some, the others before a certain operation,
    so that each moment has its turn.
    """
    running = {
        name: fork_writer(folder, name, size, fault, chance.randint(1, 60) if place else 0)
        for place, name in enumerate(names)
    }
    with contextlib.ExitStack() as stack:
        said = {name: stack.enter_context(os.fdopen(fd, "rb")) for name, (_, fd) in running.items()}
        told = dict.fromkeys(names, b"")
        for _ in range(chance.randint(1, 6)):
            told[names[0]] = said[names[0]].readline()
        for _ in range(chance.randint(0, 3_000)):
            pass  # not always at the moment of an acknowledgement
        for place, (child, _) in enumerate(running.values()):
            if not place:
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        for name in names:
            lines = said[name].read().splitlines(keepends=True)
            whole = [line for line in [told[name], *lines] if line.endswith(b"\n")]
            told[name] = whole[-1] if whole else b"-1"
    return {name: int(number) + 1 for name, number in told.items()}


def faults(folder: Path, acknowledged: Mapping[str, int], size: int) -> list[str]:
    """What is wrong in the folder: a write that is lost, there twice, half, or was never made."""
    store = FileDocuments(folder, revisions=KEPT)
    found = asyncio.run(store.dump("prd"))
    document = asyncio.run(store.get("prd"))
    told = [] if found else ["there is no revision"]
    if document is None or not found or document.text != found[-1][1]:
        told.append("the document is not its newest revision")
    counted: dict[str, int] = {}
    for place, (revision, text) in enumerate(found, start=1):
        name, _, rest = text.partition(":")
        number = counted.get(name, 0)
        if text != value(name, number, size):
            told.append(f"revision {revision.rev} is not what {name} wrote next")
            number = int(rest.partition(":")[0] or "0")
        if revision.rev != place or revision.author.get("agent") != name:
            told.append(f"revision {revision.rev} has another number or author")
        counted[name] = number + 1
    for name, number in acknowledged.items():
        if not number <= counted.get(name, 0) <= number + 1:
            told.append(f"{name} was told of {number}, and {counted.get(name, 0)} are there")
    left = [path.name for path in (folder / ".store" / "new").iterdir()]
    if len(left) > len(acknowledged):
        told.append(f"{len(left)} files were left behind")
    return told


def campaign(folder: Path, kills: int, size: int, fault: str) -> tuple[int, list[str]]:
    """Kill so many writers of one document; how many revisions there are, and what is wrong.

    One that is wrong on purpose is killed until it is found out: not every moment shows it.
    """
    chance = random.Random(f"{folder.name} {size}")
    acknowledged: dict[str, int] = {}
    told: list[str] = []
    for number in range(0, kills, WRITERS):
        names = [f"w{number + each}" for each in range(WRITERS)]
        acknowledged |= kill_some(folder, names, size, fault, chance)
        told += faults(folder, acknowledged, size)
        if told and fault != "none":
            break
    return len(asyncio.run(FileDocuments(folder, revisions=KEPT).revisions("prd"))), told


def main() -> None:
    """Kill so many, `BATCH` a document, and print `{kills, revisions, faults}`."""
    root, kills, size, fault = Path(sys.argv[1]), *map(int, sys.argv[2:4]), sys.argv[4]
    revisions.MAX_BYTES = 2**40  # type: ignore[misc]  # none is forgotten for its size either
    count, told = 0, list[str]()
    for start in range(0, kills, BATCH):
        found, wrong = campaign(root / str(start), min(BATCH, kills - start), size, fault)
        count, told = count + found, told + wrong
        if told and fault != "none":
            break
    sys.stdout.write(json.dumps({"kills": kills, "revisions": count, "faults": told[:20]}))


if __name__ == "__main__":
    main()
