"""LangGraph: a StateGraph with a merging reducer, list edges as joins, no checkpointer."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph

from ..shapes import UNEVEN, named, steps, uneven
from .loop import Run, answer, serve


class _State(TypedDict):
    results: Annotated[dict[str, str], operator.or_]


def _node(name: str, delay: float) -> Any:
    async def execute(state: _State) -> dict[str, dict[str, str]]:
        return {"results": {name: await answer(delay)}}

    return execute


def _uneven() -> Any:
    graph = StateGraph(_State)
    for name, (seconds, waits) in uneven().items():
        graph.add_node(name, _node(name, seconds))
        graph.add_edge(list(waits) or START, name)
    for name in uneven():
        if not any(name in waits for _, waits in uneven().values()):
            graph.add_edge(name, END)
    return graph


def _layered(shape: str, delay: float) -> Any:
    graph = StateGraph(_State)
    before: list[str] = []
    for layer in named(shape):
        for name in layer:
            graph.add_node(name, _node(name, delay))
            # A list of one start is an edge; a list of several is a join.
            graph.add_edge(before or START, name)
        before = layer
    graph.add_edge(before, END)
    return graph


def build(shape: str, delay: float) -> Run:
    """One compiled graph, used for all runs."""
    compiled = (_uneven() if shape == UNEVEN else _layered(shape, delay)).compile()
    limits = {"recursion_limit": steps(shape) + 10}

    async def run() -> int:
        state = await compiled.ainvoke({"results": {}}, limits)
        return len(state["results"])

    return run


if __name__ == "__main__":
    serve(build)
