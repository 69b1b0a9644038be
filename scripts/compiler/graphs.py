"""A flow as a graph: JSON for programs, Mermaid for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from . import graph
from .labels import label
from .model import AgentStep, Edge, Flow, Gate, Group, Project, Step, Subflow

_MAYBE = "stroke-dasharray: 6 4"
# What Mermaid would take for its own.
_ESCAPES = str.maketrans({character: f"#{ord(character)};" for character in "#\"'&<>`[]{}()|;\\"})


def graph_data(flow: Flow, project: Project) -> dict[str, Any]:
    """`{flow, steps, edges}` with edges between steps, from `start` and to `end`."""
    agents = graph.by_id(project)
    steps = []
    groups = 0
    for stage in flow.stages:
        is_group = isinstance(stage, Group)
        groups += is_group
        number = groups if is_group else None
        steps += [_step(step, number, agents) for step in graph.members(stage)]
    return {"flow": flow.name, "steps": steps, "edges": list(map(_edge, _edges(flow, agents)))}


def graph_json(flow: Flow, project: Project) -> str:
    """As `graph_data`, indented, ending with a line's end."""
    return json.dumps(graph_data(flow, project), indent=2) + "\n"


def _step(step: Step, group: int | None, agents: graph.Agents) -> dict[str, Any]:
    """What every step says, then what only some do."""
    further = {
        "flow": step.flow if isinstance(step, Subflow) else None,
        "question": step.question if isinstance(step, Gate) else None,
        "when": step.when,
        "for_each": step.for_each if isinstance(step, AgentStep | Subflow) else None,
    }
    return {
        "id": step.id,
        "kind": _kind(step),
        "agent": step.agent if isinstance(step, AgentStep) else None,
        "group": group,
        "requires": list(graph.required(step, agents)),
        "creates": graph.created(step, agents),
        "actions": list(graph.actions(step, agents)),
    } | {key: value for key, value in further.items() if value}


def _kind(step: Step) -> str:
    if isinstance(step, Gate):
        return "gate"
    return "flow" if isinstance(step, Subflow) else "agent"


def _edge(edge: Edge) -> dict[str, str | None]:
    return {"from": edge.source or graph.START, "to": edge.target, "action": edge.action or None}


def _edges(flow: Flow, agents: graph.Agents) -> list[Edge]:
    """Between steps, from nothing at the start (a step may be called that), in the end to `end`.

    A group is entered at those that wait for no member, and left at those for whom none waits.
    """
    first: dict[str, tuple[str, ...]] = {graph.END: (graph.END,)}
    last: dict[str, tuple[str, ...]] = {"": ("",)}
    inside: dict[str, tuple[Edge, ...]] = {}
    for stage in flow.stages:
        name = graph.stage_id(stage)
        found = graph.group_edges(stage, agents) if isinstance(stage, Group) else ()
        ids = [step.id for step in graph.members(stage)]
        inside[name] = found
        first[name] = _without(ids, (edge.target for edge in found))
        last[name] = _without(ids, (edge.source for edge in found))
    outer = list(graph.stage_edges(flow, agents))
    if flow.stages:
        outer.insert(0, Edge("", graph.stage_id(flow.stages[0])))
    result = []
    for edge in outer:
        result += [
            Edge(source, target, edge.action)
            for source in last[edge.source]
            for target in first[edge.target]
        ]
    for found in inside.values():
        result += found
    return result


def _without(ids: list[str], taken: Iterable[str]) -> tuple[str, ...]:
    gone = set(taken)
    return tuple(name for name in ids if name not in gone)


def mermaid(flow: Flow, project: Project) -> str:
    """The flow as a Mermaid flowchart, ending with a line's end."""
    agents = graph.by_id(project)
    names = {step.id: f"s{number}" for number, step in enumerate(flow.steps(), 1)}
    lines = ["flowchart TD", f"    {graph.START}([start])"]
    for number, stage in enumerate(flow.stages, 1):
        shapes = [_shape(step, names[step.id]) for step in graph.members(stage)]
        if isinstance(stage, Group):
            lines.append(f'    subgraph g{number}["beside each other"]')
            lines += [f"        {shape}" for shape in shapes]
            lines.append("    end")
        else:
            lines.append(f"    {shapes[0]}")
    lines.append("    finish([end])")
    lines += [f"    {_arrow(edge, names)}" for edge in _edges(flow, agents)]
    maybe = [names[step.id] for step in flow.steps() if step.when is not None]
    if maybe:
        lines += [f"    classDef maybe {_MAYBE}", f"    class {','.join(maybe)} maybe"]
    return "\n".join(lines) + "\n"


def _shape(step: Step, name: str) -> str:
    """Agents are boxes, gates hexagons, flows boxes with double sides."""
    opening, closing = "[", "]"
    if isinstance(step, Gate):
        opening, closing = "{{", "}}"
    elif isinstance(step, Subflow):
        opening, closing = "[[", "]]"
    return f'{name}{opening}"{"<br/>".join(map(escape, label(step)))}"{closing}'


def _arrow(edge: Edge, names: dict[str, str]) -> str:
    # Steps have names of their own here: a step may be called "start", and "end" ends a subgraph.
    source = names.get(edge.source, graph.START)
    target = names.get(edge.target, "finish")
    return (
        f'{source} -- "{escape(edge.action)}" --> {target}'
        if edge.action
        else f"{source} --> {target}"
    )


def escape(text: str) -> str:
    """`text` for a quoted Mermaid label, on one line."""
    return " ".join(text.split()).translate(_ESCAPES)
