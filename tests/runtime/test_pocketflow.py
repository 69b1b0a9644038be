"""PocketFlow's contract as we rely on it, and its traps that our nodes do not fall into."""

from __future__ import annotations

import asyncio
import threading
import warnings
from typing import Any

import pytest
from pocketflow import AsyncFlow, AsyncNode, AsyncParallelBatchNode, Node

from scripts.runtime.context import FlowContext
from scripts.runtime.errors import RunError
from scripts.runtime.flow import AnyFlow
from scripts.runtime.gate import Gate
from scripts.runtime.group import ParallelGroup
from scripts.runtime.models.protocol import ModelReply, ToolCall
from scripts.runtime.node import AgentNode
from scripts.runtime.services import Services
from scripts.runtime.subflow import Subflow
from scripts.runtime.tool import Tool

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


def test_what_hangs_on_a_node_leaks_in_pocketflow_and_ours_keep_nothing() -> None:
    class Remembers(AsyncNode):  # type: ignore[type-arg]
        seen: list[str] = []  # noqa: RUF012 - that is the trap

        async def post_async(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            self.seen.append(shared["input"])
            shared["seen"] = [*self.seen]

    leaks = AsyncFlow(start=Remembers())
    for text, seen in (("one", ["one"]), ("two", ["one", "two"])):
        shared: dict[str, Any] = {"input": text}
        asyncio.run(leaks.run_async(shared))
        assert shared["seen"] == seen, "PocketFlow's trap is gone: this guard can go too"

    member, lister = agent("member"), agent("lister", output={"type": "array"})
    nodes = [lister(), ParallelGroup(member(), member(id="m2", for_each=("lister",)))]
    flow = chain(*nodes)
    before = [dict(vars(node)) for node in nodes]
    model = Scripted({"lister": '["a", "b"]'})
    for number in range(2):
        context: Any = FlowContext(f"n{number}", services=Services(model=model))
        asyncio.run(flow.run_async(context))
        assert context.results["m2"] == ["m2 says so"] * 2
        assert [vars(node) for node in nodes] == before


def test_a_sync_node_blocks_the_loop_in_pocketflow_and_none_of_ours_is_one() -> None:
    beats: list[str] = []

    class Sync(Node):  # type: ignore[type-arg]
        def exec(self, prep_res: Any) -> None:
            beats.append("begun")
            assert beats == ["begun"], "PocketFlow's trap is gone: this guard can go too"

    async def main() -> None:
        beat = asyncio.get_running_loop().call_soon(beats.append, "beat")
        await AsyncFlow(start=Sync()).run_async({})
        assert beats == ["begun"]
        beat.cancel()

    asyncio.run(main())
    for kind in (AgentNode, ParallelGroup, Gate, Subflow):
        assert issubclass(kind, AsyncNode)
        for name in ("prep", "exec", "post", "exec_fallback", "_exec"):
            assert getattr(kind, name) is getattr(AsyncNode, name), (kind, name)


def test_a_tool_that_blocks_its_thread_leaves_the_loop_alone() -> None:
    answered = threading.Event()

    def block() -> str:
        assert answered.wait(30), "the loop did not come round while the tool was blocking"
        return "found"

    async def main() -> None:
        call = ModelReply("", (ToolCall("1", "block", "{}"),))
        model = Scripted({"user": [call, "done"]})
        tool = Tool("block", block, "Blocks.", {"type": "object"})
        services = Services(model=model, tools={"block": tool})
        context: Any = FlowContext("x", services=services)
        run = asyncio.create_task(chain(agent("user", tools=("block",))()).run_async(context))
        while not model.asked:
            await asyncio.sleep(0)
        answered.set()  # only a loop that is not blocked comes here
        await run
        assert context.results == {"user": "done"}

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
    with pytest.raises(TypeError, match="has no setting 'max_retries'"):
        agent("a")(max_retries=0)


def test_our_flows_never_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(chain(agent("a")(), agent("b")()).run_async({"input": "x"}))
