"""What all workers of `bench.flow` share: read an order, run it, answer with its cost.

One line of JSON in: `{"shape", "delay", "seconds", "runs"}`; one line out:
`{"runs", "cpu", "wall"}`, in seconds for all runs together. The process stays warm between orders.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ..shapes import ANSWER, steps

# Runs the flow once and tells how many results it had.
Run = Callable[[], Awaitable[int]]
# Makes a flow of a shape whose model takes so many seconds.
Build = Callable[[str, float], Run]


async def answer(delay: float) -> str:
    """The model: a constant, at once or after `delay` seconds."""
    if delay:
        await asyncio.sleep(delay)
    return ANSWER


def serve(build: Build) -> None:
    """Answer orders until standard input ends; first tell what importing has cost."""
    asyncio.run(_serve(build))


async def _serve(build: Build) -> None:
    orders, answers = sys.stdin, os.fdopen(os.dup(1), "w", buffering=1)
    # What a framework prints must not get between the answers.
    os.dup2(2, 1)
    used = resource.getrusage(resource.RUSAGE_SELF)
    ready = {"cpu": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss / 1024}
    print(json.dumps(ready), file=answers)
    flows: dict[tuple[str, float], Run] = {}
    # Nothing else is on this loop while it waits, so a blocking read disturbs nobody.
    for line in iter(orders.readline, ""):
        order = json.loads(line)
        key = order["shape"], order["delay"]
        if key not in flows:
            flows[key] = build(*key)
        print(json.dumps(await _measured(flows[key], order)), file=answers)


async def _measured(run: Run, order: dict[str, Any]) -> dict[str, float]:
    """Run for so many seconds, or so many times, whichever is more; every answer is counted."""
    wanted, runs = steps(order["shape"]), 0
    cpu, wall = time.process_time(), time.perf_counter()
    while runs < order["runs"] or time.perf_counter() - wall < order["seconds"]:
        found = await run()
        if found != wanted:
            raise RuntimeError(f"{order['shape']}: {found} results, not {wanted}")
        runs += 1
    return {
        "runs": runs,
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
    }
