"""The cost of one operation of a store, in a loop that does nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ..process import Cost
from ..report import Table
from ..rounds import Candidate, Samples

Operation = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Timed(Cost):
    """Microseconds an operation: `cpu` and `wall` on average, `p99` the slowest but one in 100."""

    p99: float = 0.0


async def timed(operation: Operation, count: int, tasks: int = 1) -> Timed:
    """Do it `count` times in all, by so many tasks at once; then a quarter as often for the p99."""
    used, begun = time.process_time(), time.perf_counter()
    await asyncio.gather(*(_often(operation, count // tasks) for _ in range(tasks)))
    cpu, wall = time.process_time() - used, time.perf_counter() - begun
    waits: list[float] = []
    times = max(count // tasks // 4, 1)
    await asyncio.gather(*(_watched(operation, times, waits) for _ in range(tasks)))
    waits.sort()
    done = count // tasks * tasks
    return Timed(1e6 * cpu / done, 1e6 * wall / done, 0.0, 1e6 * waits[int(0.99 * len(waits))])


async def _often(operation: Operation, times: int) -> None:
    for _ in range(times):
        await operation()


async def _watched(operation: Operation, times: int, waits: list[float]) -> None:
    for _ in range(times):
        begun = time.perf_counter()
        await operation()
        waits.append(time.perf_counter() - begun)


def candidate(
    loop: asyncio.AbstractEventLoop, name: str, operation: Operation, count: int, tasks: int = 1
) -> Candidate:
    """One row to measure."""
    return Candidate(name, lambda: loop.run_until_complete(timed(operation, count, tasks)))


def table(title: str, samples: Samples, names: Sequence[str]) -> Table:
    """A row a candidate: medians."""
    found = Table(title, ("", "µs", "p99 µs", "CPU µs", "a second"))
    for name in names:
        cost = samples.median(name)
        p99s = sorted(one.p99 for one in samples.costs[name] if isinstance(one, Timed))
        p99 = p99s[len(p99s) // 2]
        label = name.partition(": ")[2] or name
        second = f"{1e6 / cost.wall:,.0f}"
        found.add(label, f"{cost.wall:.1f}", f"{p99:.1f}", f"{cost.cpu:.1f}", second)
    return found
