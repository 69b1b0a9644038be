"""What is counted, and that counting stays bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scripts.runtime.errors import StoreError
from scripts.runtime.events import Event
from scripts.runtime.metrics import Metrics
from scripts.runtime.series import BOUNDS, MAX_SERIES, Counter, Sample, Timer
from scripts.runtime.stores.counted import counted
from scripts.runtime.stores.memory import FileMemory

USAGE = {"input_tokens": 10, "output_tokens": 4, "cached_tokens": 2, "calls": 2, "cost_usd": 0.5}
PAID = {"usage": USAGE, "provider": "openai", "model": "m-1"}
ANSWER = {"answer": {"status": "success", "duration_ms": 1500.0}}
WHO = ("openai", "m-1")


def counts(metrics: Metrics) -> dict[str, dict[tuple[str, ...], float]]:
    """Each metric's series; of a histogram how many."""
    return {
        family.name: {s.labels: sum(s.counts) if s.counts else s.value for s in family.samples}
        for family in metrics.families()
    }


def run(*events: tuple[str, str | None, dict[str, Any]]) -> dict[str, dict[tuple[str, ...], float]]:
    metrics = Metrics(tools=("find",))
    found = [Event(n, type, 0.0, step, data) for n, (type, step, data) in enumerate(events, 1)]
    metrics.run("default", found)
    return counts(metrics)


def test_a_run_is_counted_by_its_events() -> None:
    found = run(
        ("run.started", None, {"flow": "default"}),
        ("step.started", "a", {"agent": "a"}),
        ("step.completed", "a", {"agent": "a", "duration_ms": 20.0, **PAID}),
        ("step.completed", "gate", {"output": {}}),
        ("step.skipped", "b", {"when": "false"}),
        ("step.retrying", "c", {"attempt": 1}),
        ("step.queued", "c", {"reason": "concurrency", "waited_ms": 40.0}),
        ("step.tool", "c", {"tool": "find", "status": "ok", "duration_ms": 1.0}),
        ("step.tool", "c", {"tool": "rm -rf", "status": "error", "duration_ms": 0.0}),
        ("step.failed", "c", {"error": {"code": "model_failed"}, **PAID}),
        ("step.failed", "d", {"error": {"code": "model_timeout"}}),
        ("run.failed", None, {"answer": {"status": "error", "duration_ms": 3.0}}),
    )
    assert found["bmad_run_seconds"] == {("default", "error"): 1}
    assert found["bmad_step_seconds"] == {("default", "a", "a"): 1, ("default", "gate", ""): 1}
    assert found["bmad_steps_skipped"] == {("default", "b"): 1}
    assert found["bmad_step_retries"] == {("default", "c"): 1}
    assert found["bmad_queue_seconds"] == {("concurrency",): 1}
    assert found["bmad_tool_seconds"] == {("find", "ok"): 1, ("other", "error"): 1}
    assert found["bmad_step_failures"] == {
        ("default", "c", "model_failed"): 1,
        ("default", "d", "model_timeout"): 1,
    }
    assert found["bmad_model_answers"] == {WHO: 4}
    assert found["bmad_model_tokens"] == {
        (*WHO, "input"): 20,
        (*WHO, "output"): 8,
        (*WHO, "cached"): 4,
    }
    assert found["bmad_model_cost_usd"] == {WHO: 1.0}
    assert found["bmad_model_answers_unpriced"] == {}


def test_a_cost_that_nobody_knows_is_not_nothing() -> None:
    unknown = {**PAID, "usage": {**USAGE, "cost_usd": None}}
    found = run(("step.completed", "a", {"agent": "a", "duration_ms": 1.0, **unknown}))
    assert found["bmad_model_cost_usd"] == {}
    assert found["bmad_model_answers_unpriced"] == {WHO: 2}


def test_a_cancelled_run_is_no_error() -> None:
    found = run(("run.cancelled", None, {"answer": {"status": "error", "duration_ms": 0.0}}))
    assert found["bmad_run_seconds"] == {("default", "cancelled"): 1}


def test_series_are_bounded_whatever_a_client_or_a_provider_sends() -> None:
    counter, timer = Counter("c", "", ("model", "kind")), Timer("t", "", ("model", "kind"))
    for number in range(MAX_SERIES + 5):
        counter.add((f"m-{number}", "input"))
        timer.add((f"m-{number}", "input"), 1.0)
    counter.add(("m-1", "input"))
    for family in (counter.family(), timer.family()):
        assert len(family.samples) == MAX_SERIES + 1
    assert counter.values["other", "other"] == 5
    assert counter.values["m-1", "input"] == 2
    long = {**PAID, "model": "m" * 100_000}
    found = run(("step.completed", "a", {"agent": "a", "duration_ms": 1.0, **long}))
    assert all(len(name) == 100 for _, name in found["bmad_model_answers"])
    metrics = Metrics()
    metrics.request("BREW", "/run", 405, 0.1)
    assert counts(metrics)["bmad_http_request_seconds"] == {("other", "/run", "405"): 1}


@pytest.mark.parametrize("seconds, place", [(0.0, 0), (0.005, 0), (0.0051, 1), (901.0, -1)])
def test_seconds_fall_below_their_bound(seconds: float, place: int) -> None:
    timer = Timer("t", "", ())
    timer.add((), seconds)
    sample = timer.family().samples[0]
    assert len(sample.counts) == len(BOUNDS) + 1
    assert sample.counts[place] == 1
    assert sample.value == seconds


def test_a_family_is_a_copy() -> None:
    timer = Timer("t", "", ())
    timer.add((), 1.0)
    before = timer.family().samples
    timer.add((), 1.0)
    assert sum(before[0].counts) == 1
    assert isinstance(before[0], Sample)


def test_a_counted_memory_is_the_same_memory(tmp_path: Any) -> None:
    metrics = Metrics()

    async def main() -> None:
        memory = counted(FileMemory(tmp_path), metrics.timed)
        assert memory.backend == "file"
        put = await memory.put("shared:a", "k", 1)
        assert (await memory.get("shared:a", "k")) == put
        assert await memory.entries("shared:a") == [put]
        assert await memory.history("shared:a", "k") == [put]
        assert await memory.delete("shared:a", "k")
        with pytest.raises(StoreError):
            await memory.put("shared:a", "k", "x" * 2_000_000)
        await memory.close()

    asyncio.run(main())
    found = counts(metrics)["bmad_memory_seconds"]
    assert found.pop(("put", "store_failed")) == 1
    names = ("put", "get", "entries", "history", "delete")
    assert found == {(name, "ok"): 1 for name in names}


def test_a_memory_operation_that_is_broken_off_is_counted() -> None:
    metrics = Metrics()

    async def main() -> None:
        call = asyncio.ensure_future(metrics.timed("get", asyncio.sleep(60)))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(main())
    assert counts(metrics)["bmad_memory_seconds"] == {("get", "broken_off"): 1}
