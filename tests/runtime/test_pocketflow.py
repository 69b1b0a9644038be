"""PocketFlow's contract as we rely on it, and its traps that our nodes do not fall into."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest
from pocketflow import AsyncFlow, AsyncNode, AsyncParallelBatchNode

from scripts.runtime.context import FlowContext
from scripts.runtime.errors import RunError
from scripts.runtime.flow import AnyFlow
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.protocol import ModelReply
from scripts.runtime.services import Services

from .agents import Scripted, agent, chain


def test_a_flow_runs_in_plain_pocketflow_with_a_dict() -> None:
    flow = chain(agent("analyst")(), ParallelGroup(agent("a")(), agent("b")()))
    shared: dict[str, Any] = {"input": "an idea"}
    asyncio.run(flow.run_async(shared))
    assert sorted(shared["results"]) == ["a", "analyst", "b"]
    assert all("mock" in text.lower() for text in shared["results"].values())


def test_a_node_runs_alone_with_a_model_of_ones_own() -> None:
    context: Any = FlowContext("hello", services=Services(model=Scripted({"greeter": "hi"})))
    asyncio.run(agent("greeter")().run_async(context))
    assert context.results == {"greeter": "hi"}


def test_an_action_that_leads_nowhere_is_an_error_not_an_end() -> None:
    """PocketFlow itself ends such a flow with a warning, as if it were done."""
    judge = agent("judge", actions=("approve", "reject"))()
    judge - "reject" >> agent("writer")()
    model = Scripted({"judge": "fine\nAction: approve"})
    context: Any = FlowContext("x", services=Services(model=model))
    with pytest.raises(RunError, match="nothing follows action 'approve' of step 'judge'"):
        asyncio.run(AnyFlow(start=judge).run_async(context))


def test_nodes_make_one_attempt_so_that_retries_do_not_multiply() -> None:
    assert agent("a")().max_retries == 1
    assert ParallelGroup(agent("a")()).max_retries == 1


def test_runs_share_nothing_through_nodes() -> None:
    """PocketFlow copies nodes shallowly: what hangs on a node would leak between runs."""
    reviewer = agent("reviewer", actions=("approve",))
    model = Scripted({"reviewer": "ok\nAction: approve"})

    async def main() -> None:
        contexts: list[Any] = [
            FlowContext(f"n{n}", services=Services(model=model)) for n in range(3)
        ]
        await asyncio.gather(
            *(AnyFlow(start=reviewer(max_visits=1)).run_async(each) for each in contexts)
        )
        assert [each.results for each in contexts] == [{"reviewer": "ok"}] * 3

    asyncio.run(main())


def test_the_installed_pocketflow_has_no_shared_retry_counter() -> None:
    """A later build under the same version number counts retries on the node itself."""

    class Flaky(AsyncParallelBatchNode):  # type: ignore[type-arg]
        def __init__(self) -> None:
            super().__init__(max_retries=3)
            self.calls: dict[int, int] = {}

        async def prep_async(self, shared: Any) -> list[int]:
            return [1, 2, 3]

        async def exec_async(self, item: Any) -> Any:
            self.calls[item] = self.calls.get(item, 0) + 1
            await asyncio.sleep(0)
            if self.calls[item] < 3:
                raise ValueError(item)
            return item

        async def post_async(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            shared["out"] = exec_res

    shared: dict[str, Any] = {}
    asyncio.run(Flaky().run_async(shared))
    assert shared["out"] == [1, 2, 3]


def test_zero_attempts_would_never_ask_and_nobody_can_ask_for_them() -> None:
    class Never(AsyncNode):  # type: ignore[type-arg]
        async def exec_async(self, prep_res: Any) -> str:
            return "ran"

        async def post_async(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            shared["result"] = exec_res

    shared: dict[str, Any] = {}
    asyncio.run(AsyncFlow(start=Never(max_retries=0)).run_async(shared))
    assert shared["result"] is None, "PocketFlow's trap is gone: this guard can go too"
    model = Scripted({"a": ModelReply("asked")})
    context: Any = FlowContext("x", services=Services(model=model))
    asyncio.run(AnyFlow(start=agent("a", retries=1)()).run_async(context))
    assert context.results == {"a": "asked"}


def test_our_flows_never_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(chain(agent("a")(), agent("b")()).run_async({"input": "x"}))
