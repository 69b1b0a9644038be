"""Documents: writing one beside a bare replacement, and what a finished run costs to remember."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import aiofiles

from scripts.runtime.events import Event
from scripts.runtime.stores.documents import FileDocuments
from scripts.runtime.stores.finished import FinishedRuns
from scripts.runtime.stores.runs import Done

from ..options import Options
from ..report import Aim, Report
from ..rounds import Candidate, Samples, interleave
from .timing import Operation, candidate, table

_TEXT: Final = "Forty characters of text in a long line.\n" * 50
_AUTHOR: Final = {
    "kind": "agent",
    "agent": "writer",
    "step": "agent:writer#1",
    "run_id": "0" * 36,
    "prompt": "0" * 64,
}
_UNSYNCED, _BARE = "a bare write and rename", "a bare write, sync and rename"
_BY_HAND = "the same by aiofiles"
_TOGETHER, _WRITERS = "ours: new ones, ten at once", 10
_NEW, _NEXT, _SAME = "ours: a new one", "ours: a new state", "ours: the same text again"
_KEEP_NONE = "ours: a new state, no revisions kept"
_RUN: Final = "a finished run of ten steps"


def measure(report: Report, folder: Path, options: Options) -> None:
    """Add the tables and aims of documents to the report."""
    loop = asyncio.new_event_loop()
    count = 300 if options.quick else 1_000
    try:
        writes = interleave(list(_writes(folder, loop, count)), options.rounds)
        runs = interleave(list(_runs(folder, loop, count)), options.rounds)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    names = list(writes.costs)
    report.tables.append(table("A document of 2 kB, written", writes, names))
    report.tables.append(table("Runs that succeeded, remembered", runs, list(runs.costs)))
    report.aims += _aims(writes)


def _writes(folder: Path, loop: asyncio.AbstractEventLoop, count: int) -> Iterator[Candidate]:
    folder.mkdir(exist_ok=True)
    ours = FileDocuments(folder / "docs")
    none = FileDocuments(folder / "none", revisions=0)
    numbers = itertools.count()

    def text() -> str:
        return f"{next(numbers)}\n{_TEXT}"

    def bare(*, sync: bool) -> None:
        path = folder / f"{next(numbers)}.tmp"
        with path.open("wb", buffering=0) as file:
            file.write(text().encode())
            if sync:
                os.fdatasync(file.fileno())
        path.replace(folder / "bare.md")

    async def unsynced() -> None:
        bare(sync=False)

    async def synced() -> None:
        bare(sync=True)

    async def by_hand() -> None:
        path = folder / f"{next(numbers)}.tmp"
        async with aiofiles.open(path, "w") as file:
            await file.write(text())
            await file.flush()
            await asyncio.to_thread(os.fdatasync, file.fileno())
        path.replace(folder / "by-hand.md")

    async def new() -> None:
        await ours.put(f"S-{next(numbers)}__prd", _TEXT, author=_AUTHOR)

    operations: dict[str, Operation] = {
        _UNSYNCED: unsynced,
        _BARE: synced,
        _BY_HAND: by_hand,
        _NEW: new,
        _NEXT: lambda: ours.put("next", text(), author=_AUTHOR),
        _SAME: lambda: ours.put("same", _TEXT, author=_AUTHOR),
        _KEEP_NONE: lambda: none.put("next", text(), author=_AUTHOR),
    }
    for name, operation in operations.items():
        yield candidate(loop, name, operation, count)
    yield candidate(loop, _TOGETHER, new, count, _WRITERS)


def _runs(folder: Path, loop: asyncio.AbstractEventLoop, count: int) -> Iterator[Candidate]:
    runs = FinishedRuns(folder / "done")
    sources = {f"bmad/agents/a{number}.md": "0" * 64 for number in range(10)}
    numbers = itertools.count()
    for size in (100, 1_000):
        steps = [_step(number, size) for number in range(10)]

        async def write(steps: list[Event] = steps) -> None:
            identity = hashlib.sha256(b"%d" % (next(numbers) % 500)).hexdigest()
            runs.write(identity, Done("0" * 36, float(next(numbers)), sources, steps))

        yield candidate(loop, f"{_RUN}, {size} B each", write, count)


def _step(number: int, size: int) -> Event:
    usage = {"input_tokens": 100, "output_tokens": 50, "cached_tokens": 0, "calls": 1}
    record: dict[str, Any] = {
        "name": f"agent:a{number}#1",
        "agent": f"a{number}",
        "output": (_TEXT * 10)[:size],
        "action": None,
        "usage": {**usage, "cost_usd": 0.0},
        "model": "constant-1",
        "provider": "constant",
        "finish_reason": "stop",
        "duration_ms": 0.123,
    }
    return Event(number, "step.completed", 1.0, f"a{number}", record)


def _aims(writes: Samples) -> Iterator[Aim]:
    for name in (_NEW, _NEXT, _KEEP_NONE):
        yield Aim(f"ours, {name.removeprefix('ours: ')} ÷ bare, CPU", writes.ratios(name, _BARE))
    yield Aim("ten at once ÷ bare, time", writes.ratios(_TOGETHER, _BARE, "wall"))
    yield Aim("a document: ours ÷ aiofiles, time", writes.ratios(_NEXT, _BY_HAND, "wall"))
