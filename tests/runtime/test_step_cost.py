"""What a step costs, counted and not timed: Python calls of a fixed flow, on any machine.

A bound that is met with room to spare should be lowered; one that breaks tells what grew.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from pocketflow import AsyncFlow

from scripts.runtime.budget import Budget
from scripts.runtime.executor import Executor, RunRequest
from scripts.runtime.flow import Flow
from scripts.runtime.models.mock import MockLLM
from scripts.runtime.node import AgentNode
from scripts.runtime.services import Services
from scripts.runtime.settings import Settings
from scripts.runtime.stores.memory import FileMemory

SHORT, LONG = 2, 22
# Python-level calls of one more step in a row, from its construction to the answer.
MAX_CALLS = 53
MAX_CALLS_WITH_ALL = 103  # with a budget, and memory in files: read before, written behind
MAX_CALLS_OF_A_RUN = 107  # what a run costs beside its steps

Calls = Counter[str]


class Plain(AgentNode):
    id = "plain"
    prompt = "Say what is missing."


class Bounded(Plain):
    id = "bounded"
    budget = Budget(tokens=10_000_000)


def _flow(agent: type[AgentNode], length: int) -> Flow:
    def build() -> Any:
        nodes = [agent(id=f"s{n}", memory_scope=f"shared:s{n}") for n in range(length)]
        for number in range(length - 1):
            nodes[number] >> nodes[number + 1]
        return AsyncFlow(start=nodes[0])

    return Flow("row", build)


def _calls(agent: type[AgentNode], length: int, services: Services) -> Calls:
    """The Python functions that the second run of a flow calls, each as often as it is called."""
    found: Calls = Counter()

    def heard(frame: FrameType, event: str, arg: object) -> None:
        if event == "call":
            found[f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_code.co_name}"] += 1

    async def main() -> None:
        executor = Executor(services, {"row": _flow(agent, length)}, [agent])
        hearers: tuple[Callable[..., None] | None, ...] = (None, heard)
        for hearer in hearers:
            sys.setprofile(hearer)
            try:
                answer = await executor.start(RunRequest("row", "An idea.", "S-1")).wait()
            finally:
                sys.setprofile(None)
            assert answer["status"] == "success"
            assert len(answer["results"]) == length

    asyncio.run(main())
    return found


def _a_step(agent: type[AgentNode], services: Services) -> Calls:
    """What LONG - SHORT more steps call, divided by their number."""
    grown = _calls(agent, LONG, services) - _calls(agent, SHORT, services)
    return Counter({name: n // (LONG - SHORT) for name, n in grown.items()})


def test_a_step_stays_short() -> None:
    found = _a_step(Plain, Services(MockLLM("Nothing.")))
    assert found.total() <= MAX_CALLS, found.most_common()


def test_a_step_with_budget_and_memory_stays_short(tmp_path: Path) -> None:
    services = Services(MockLLM("Nothing."), memory=FileMemory(tmp_path), settings=Settings())
    found = _a_step(Bounded, services)
    assert found.total() <= MAX_CALLS_WITH_ALL, found.most_common()
    assert found["budget.py:reserve"] >= 1, "the budget is not on"
    assert found["memory.py:put"] >= 1, "memory is not on"


def test_a_run_stays_short() -> None:
    services = Services(MockLLM("Nothing."))
    a_step = _a_step(Plain, services).total()
    rest = _calls(Plain, SHORT, services).total() - SHORT * a_step
    assert rest <= MAX_CALLS_OF_A_RUN
