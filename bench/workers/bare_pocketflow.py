"""PocketFlow as its own examples write it: a node a step, a parallel batch node a layer."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pocketflow import AsyncFlow, AsyncNode, AsyncParallelBatchNode

from ..shapes import named
from .loop import Run, answer, serve

if TYPE_CHECKING:
    # The stubs of the batch node give exec the whole list, though it gets one item.
    _Flow = AsyncFlow[Any, Any]
    _Node = AsyncNode[None, str, str]
    _Batch = AsyncNode[Any, Any, str]
else:
    _Flow, _Node, _Batch = AsyncFlow, AsyncNode, AsyncParallelBatchNode


class _Step(_Node):
    """One agent."""

    def __init__(self, name: str, delay: float) -> None:
        super().__init__()
        self.name, self.delay = name, delay

    async def exec_async(self, prep_res: Any) -> str:
        return await answer(self.delay)

    async def post_async(self, shared: dict[str, str], prep_res: Any, exec_res: str) -> str:
        shared[self.name] = exec_res
        return "default"


class _Layer(_Batch):
    """All agents of a layer."""

    def __init__(self, names: list[str], delay: float) -> None:
        super().__init__()
        self.names, self.delay = names, delay

    async def prep_async(self, shared: dict[str, str]) -> list[str]:
        return self.names

    async def exec_async(self, prep_res: str) -> str:
        return await answer(self.delay)

    async def post_async(
        self, shared: dict[str, str], prep_res: list[str], exec_res: list[str]
    ) -> str:
        shared.update(zip(prep_res, exec_res, strict=True))
        return "default"


def build(shape: str, delay: float) -> Run:
    """One flow, used for all runs."""
    nodes = [
        _Layer(layer, delay) if len(layer) > 1 else _Step(layer[0], delay) for layer in named(shape)
    ]
    for one, following in pairwise(nodes):
        one >> following
    flow = _Flow(start=nodes[0])

    async def run() -> int:
        shared: dict[str, str] = {}
        await flow.run_async(shared)
        return len(shared)

    return run


if __name__ == "__main__":
    serve(build)
