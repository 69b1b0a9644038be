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
        elif isinstance(node, Subflow):
            yield from agents_in(node.build())
        elif isinstance(node, AgentNode):
            yield node
