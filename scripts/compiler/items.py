"""The list that a `for_each` runs over: an earlier step's output, or one property of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import graph
from .model import AgentStep, Flow, Subflow
from .schema import is_array, resolved

Lister = AgentStep | Subflow
Source = tuple[str, ...]  # a step, or a step and a property of its output


def sources(flow: Flow, step: Lister, agents: graph.Agents) -> list[Source]:
    """Where the list that `step` names may come from; one that can be carried out has one."""
    if step.for_each is None:
        return []
    known = dict(_lists(flow, step, agents))
    return [source for source, name in known.items() if name == step.for_each]


def names(flow: Flow, step: Lister, agents: graph.Agents) -> set[str]:
    """Every list that `step` could run over."""
    return {name for _, name in _lists(flow, step, agents)}


def _lists(flow: Flow, step: Lister, agents: graph.Agents) -> Iterator[tuple[Source, str]]:
    """Each list of the steps before, with the name that is written for it."""
    for other in graph.earlier(flow, step, agents):
        output = graph.output(other, agents)
        if output is None:
            continue
        if is_array(output, output):
            yield (other.id,), other.id
        for name in _array_properties(output):
            yield (other.id, name), name


def _array_properties(schema: dict[str, Any]) -> list[str]:
    whole = resolved(schema, schema) or {}
    properties = whole.get("properties")
    if not isinstance(properties, dict):
        return []
    return [name for name, part in properties.items() if is_array(schema, part)]
