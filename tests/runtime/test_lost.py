"""What was paid for a step that then failed: shown, counted, and kept for the next attempt."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.budget import Budget
from scripts.runtime.errors import ModelError, StoreError
from scripts.runtime.events import Event
from scripts.runtime.executor import Executor
from scripts.runtime.flow import AnyFlow, Flow
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.protocol import ModelReply, ToolCall, Usage
from scripts.runtime.services import Services
from scripts.runtime.settings import Settings
from scripts.runtime.stores.runfile import FileRuns
from scripts.runtime.stores.runs import MemoryRuns, RunStore
from scripts.runtime.subflow import Subflow
from scripts.runtime.tool import Tool

from .agents import Remembering, Scripted, agent, chain, request, run_flow, until

LIST = {"type": "array"}
PAID = ModelReply("not JSON", usage=Usage(100, 20, 5))
CALLS_FIND = ModelReply("", (ToolCall("1", "find", "{}"),), Usage(100, 20), "tool_calls")
TOOL = Tool("find", lambda: "found", "Finds.", {"type": "object"})
Writer = agent("writer", output=LIST)
Finder = agent("finder", tools=("find",))
DOWN = ModelError("down", provider="scripted")


def failed(events: list[Event], step: str) -> dict[str, Any]:
    return next(dict(e.data) for e in events if (e.type, e.step) == ("step.failed", step))


def test_a_step_that_fails_after_paid_answers_shows_and_counts_them() -> None:
    answer, events = run_flow(lambda: chain(Writer()), Scripted({"writer": PAID}))
    assert answer["error"]["code"] == "output_invalid"
    assert answer["usage"]["calls"] == 3
    assert answer["usage"]["input_tokens"] == 300
    assert answer["usage"]["cached_tokens"] == 15
    assert answer["usage"]["providers"] == ["scripted"]
    event = failed(events, "writer")
    assert (event["name"], event["agent"]) == ("agent:writer#1", "writer")
    assert event["usage"]["output_tokens"] == 60
    assert (event["provider"], event["model"]) == ("scripted", "scripted-1")


def test_tool_rounds_that_end_in_a_fault_are_counted() -> None:
    model = Scripted({"finder": [CALLS_FIND, CALLS_FIND, DOWN]})
    answer, events = run_flow(lambda: chain(Finder()), model, tools={"find": TOOL})
    assert answer["error"]["code"] == "model_failed"
    assert answer["usage"]["calls"] == failed(events, "finder")["usage"]["calls"] == 2
    assert answer["usage"]["input_tokens"] == 200


def test_a_failure_that_nobody_was_paid_for_costs_nothing() -> None:
    answer, events = run_flow(lambda: chain(Writer()), Scripted({"writer": DOWN}))
    assert answer["usage"]["calls"] == 0
    assert set(failed(events, "writer")) == {"error"}


def test_an_output_that_cannot_be_kept_was_paid_for() -> None:
    class Full(Remembering):
        async def put(self, scope: str, key: str, value: Any, **more: Any) -> Any:
            raise StoreError("no room", store="memory", status=507)

    model = Scripted({"a": ModelReply("text", usage=Usage(7, 3))})
    answer, _ = run_flow(lambda: chain(agent("a")()), model, memory=Full())
    assert (answer["error"]["code"], answer["usage"]["input_tokens"]) == ("store_failed", 7)


def test_inside_a_sub_flow_it_counts_once() -> None:
    def build() -> AnyFlow:
        return chain(Subflow("inner", Flow("inner", lambda: chain(Writer())).build))

    answer, events = run_flow(build, Scripted({"inner.writer": PAID}))
    assert answer["usage"]["calls"] == 3
    assert failed(events, "inner.writer")["name"] == "agent:inner.writer#1"


def test_a_step_broken_off_after_a_paid_answer_says_so_and_one_before_does_not() -> None:
    asked = asyncio.Event()

    async def never(_: object) -> ModelReply:
        asked.set()
        return await asyncio.Future()

    async def main() -> None:
        model = Scripted({"finder": [CALLS_FIND, never], "other": never})
        flows = make(lambda: chain(ParallelGroup(Finder(), agent("other")())), model, MemoryRuns())
        run = flows.start(request())
        await until(run, "step.tool")
        await asked.wait()
        run.cancel()
        answer = await run.wait()
        assert answer["error"]["code"] == "cancelled"
        assert answer["usage"]["calls"] == 1
        events = list(run.events())
        assert failed(events, "finder")["error"]["code"] == "cancelled"
        assert [e.step for e in events if e.type == "step.failed"] == ["finder"]

    asyncio.run(main())


def make(build: Any, model: Any, runs: RunStore) -> Executor:
    settings = Settings.model_validate({"llm": {"prices": {"scripted-1": PRICE}}})
    services = Services(model=model, settings=settings, tools={"find": TOOL})
    return Executor(services, {"default": Flow("default", build)}, (), runs)


PRICE = {"input": 1_000_000, "output": 0}  # a dollar a token


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_the_next_attempt_knows_what_the_last_one_lost(kind: str, tmp_path: Path) -> None:
    """Its budget does too: it has room for two of these calls, and another has used one up."""
    spender = agent(
        "finder", tools=("find",), budget=Budget(tokens=400), max_tokens=150, prompt="Find."
    )
    kept = MemoryRuns()

    def runs() -> RunStore:
        return kept if kind == "memory" else FileRuns(tmp_path / "runs")

    async def main() -> None:
        model = Scripted({"finder": [CALLS_FIND, DOWN, CALLS_FIND, ModelReply("never")]})
        totals = []
        for _ in range(2):
            answer = await make(lambda: chain(spender()), model, runs()).start(request()).wait()
            totals.append((answer["usage"]["calls"], answer["usage"]["cost_usd"]))
        assert answer["error"]["code"] == "budget_exceeded"
        assert totals == [(1, 100), (2, 200)]
        assert len(model.asked) == 3

    asyncio.run(main())


def test_after_a_success_nothing_of_it_is_left(tmp_path: Path) -> None:
    async def main() -> None:
        model = Scripted({"writer": [PAID, PAID, PAID, ModelReply("[1]", usage=Usage(1, 1))]})
        for calls in (3, 4, 1):
            flows = make(lambda: chain(Writer()), model, FileRuns(tmp_path / "runs"))
            answer = await flows.start(request()).wait()
            assert answer["usage"]["calls"] == calls

    asyncio.run(main())


def test_a_fallback_has_its_own_price() -> None:
    prices = {"scripted-1": {"input": 10_000, "output": 0}, "m-2": {"input": 20_000, "output": 0}}
    settings = {"llm": {"prices": prices}}
    build = lambda: chain(agent("finder", tools=("find",), fallback="m-2")())  # noqa: E731
    last = ModelReply("found", usage=Usage(50, 1))
    for end, cost, calls in ((last, 2.0, 2), (DOWN, 1.0, 1)):
        model = Scripted({"finder": [CALLS_FIND, DOWN, end]})
        answer, _ = run_flow(build, model, settings=settings, tools={"find": TOOL})
        assert (answer["usage"]["cost_usd"], answer["usage"]["calls"]) == (cost, calls)
        assert len(model.asked) == 3


def test_a_provider_that_tells_no_tokens_is_not_free() -> None:
    settings = {"llm": {"prices": {"scripted-1": PRICE}}}
    answer, _ = run_flow(lambda: chain(agent("a")()), Scripted(), settings=settings)
    assert answer["usage"]["cost_usd"] is None
