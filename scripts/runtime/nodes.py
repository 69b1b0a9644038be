"""The agents' places in a flow, those of the flows inside it included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .flow import AnyFlow
from .group import ParallelGroup
from .node import AgentNode
from .subflow import Subflow


def agents_in(graph: AnyFlow) -> Iterator[AgentNode]:
    """Each place once, in no particular order."""
    for node in places_in(graph):
        if isinstance(node, AgentNode):
            yield node


def steps_in(graph: AnyFlow, path: str = "") -> Iterator[tuple[str, AgentNode]]:
    """Each place by the id of its step, `flow-step.step` for those in the flows inside."""
    for node in own_places(graph):
        if isinstance(node, Subflow):
            yield from steps_in(node.build(), f"{path}{node.step}.")
        else:
            yield f"{path}{node.step}", node


def places_in(graph: AnyFlow) -> Iterator[AgentNode | Subflow]:
    """As `agents_in`, with the flows that stand as a step."""
    for node in own_places(graph):
        yield node
        if isinstance(node, Subflow):
            yield from places_in(node.build())


def own_places(graph: AnyFlow) -> Iterator[AgentNode | Subflow]:
    """As `places_in`, without what stands in the flows inside."""
    todo: list[Any] = [graph.start_node]
    seen: set[int] = set()
    while todo:
        node = todo.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        todo += node.successors.values()
        if isinstance(node, ParallelGroup):
            todo += node.members
        elif isinstance(node, AgentNode | Subflow):
            yield node
