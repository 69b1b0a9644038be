"""What fits a question, of 100,000 entries in files: `python -m bench.recall`."""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from scripts.runtime.recall.indexes import Recall
from scripts.runtime.stores.memory import FileMemory
from scripts.runtime.stores.protocol import Entry

from .options import Options, deliver, parse
from .report import Aim, Report, Table

_ENTRIES = 100_000
_STORIES = 1_000
_LENGTH = 60  # words of an entry
_LIMIT = 10
_AIM = 100.0  # ms
_WORDS = [f"word{number}" for number in range(20_000)]
# As in natural text: the n-th most frequent word is n times as rare as the first.
_FREQUENCIES = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(_WORDS))))

Question = Callable[[], str]


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the tables and the aims."""
    options = parse(__doc__ or "", arguments)
    report = Report("Recall", options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-recall-") as name:
        asyncio.run(_measure(Path(name), options, report))
    deliver(report, options)


async def _measure(home: Path, options: Options, report: Report) -> None:
    entries = _ENTRIES // 10 if options.quick else _ENTRIES
    chance = random.Random(1)
    one = [(f"k{number}", _text(chance)) for number in range(entries)]
    table = Table(f"{entries:,} entries of {_LENGTH} words", ("", "p50 ms", "p99 ms", "longest ms"))
    asked = 20 * options.rounds
    for name, scopes in (("one scope", ["analyst:S"]), ("1,000 stories", _stories())):
        folder = home / name
        await _fill(folder, scopes, one)
        async with _opened(folder) as (memory, recall):
            began = time.perf_counter()
            target = scopes[0] if len(scopes) == 1 else "analyst:"
            held = await _watched(recall.find([target], "word7", limit=_LIMIT))
            table.add(f"{name}: the first time, index made", f"{_ms(began):.0f}", "", "")
            table.add(f"{name}: the same, others held up", "", "", f"{held:.1f}")
            for words, question in _questions(chance):
                times = [await _timed(recall, target, question) for _ in range(asked)]
                _told(table, f"{name}: {words}", times)
                report.aims.append(Aim(f"{name}: {words}, p99 ms", [_p99(times)], _AIM))
            times = []
            for number in range(asked):
                await memory.put(scopes[0], f"new{number}", _text(chance))
                times.append(await _timed(recall, target, lambda: _text(chance, 8)))
            _told(table, f"{name}: after a write each", times)
            report.aims.append(Aim(f"{name}: after a write, p99 ms", [_p99(times)], _AIM))
    report.tables = [table]
    report.notes.append("In one process, without HTTP; values are read from the store.")


def _stories() -> list[str]:
    return [f"analyst:S-{number}" for number in range(_STORIES)]


def _questions(chance: random.Random) -> Sequence[tuple[str, Question]]:
    return (
        ("8 words as they come", lambda: _text(chance, 8)),
        ("200 words as they come", lambda: _text(chance, 200)),
        ("the most frequent word alone", lambda: _WORDS[0]),
    )


def _text(chance: random.Random, length: int = _LENGTH) -> str:
    return " ".join(chance.choices(_WORDS, cum_weights=_FREQUENCIES, k=length))


async def _fill(folder: Path, scopes: list[str], values: list[tuple[str, str]]) -> None:
    """By `load`, scope for scope: what puts leave behind, in less time."""
    memory = FileMemory(folder)
    for place, scope in enumerate(scopes):
        own = values[place :: len(scopes)]
        stamp = "2026-01-02T03:04:05.678Z"
        writes = [Entry(key, value, scope, stamp, seq) for seq, (key, value) in enumerate(own, 1)]
        await memory.load(scope, writes)
    await memory.close()


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[tuple[FileMemory, Recall]]:
    memory = FileMemory(folder)
    recall = Recall(memory, folder / ".index")
    try:
        yield memory, recall
    finally:
        await recall.close()
        await memory.close()


async def _watched(work: Coroutine[Any, Any, object]) -> float:
    """Awaits `work`; the longest time in ms for which the loop did nothing else."""
    task = asyncio.create_task(work)
    longest = 0.0
    while not task.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, _ms(began) - 1)
    await task
    return longest


async def _timed(recall: Recall, target: str, question: Question) -> float:
    text = question()
    began = time.perf_counter()
    await recall.find([target], text, limit=_LIMIT)
    return _ms(began)


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(0.99 * len(times)))]


def _told(table: Table, name: str, times: Sequence[float]) -> None:
    middle = sorted(times)[len(times) // 2]
    table.add(name, f"{middle:.1f}", f"{_p99(times):.1f}", f"{max(times):.1f}")


if __name__ == "__main__":
    main()
