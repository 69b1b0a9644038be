"""A flow as PocketFlow writes it: nodes, chains and the edges of actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .graph import by_id, members
from .layout import WIDTH, Call, Code, assignment, lay_out, width
from .literals import string
from .model import Agent, Flow, Group, Project, Step
from .names import class_name, group_name, variable_name

_INDENT: Final = 4
_MARGIN: Final = " " * _INDENT
_END: Final = "end"


@dataclass(frozen=True, slots=True)
class Wiring:
    """The statements of a flow's `build`, indented, and what its module imports for them."""

    nodes: tuple[str, ...]
    edges: tuple[str, ...]
    result: str
    agents: tuple[str, ...]
    groups: bool
    ends: bool


def wire(project: Project, flow: Flow) -> Wiring:
    """The wiring of a flow that was found valid. KeyError for an agent or step it does not have."""
    variables = _variables(flow)
    paths = list(_paths(variables, by_id(project)))
    ends = any(path[-1] == _END for path in paths)
    nodes = [assignment(name, _node(stage), _INDENT) for name, stage in variables]
    if ends:
        nodes.append(assignment(_END, Call("End"), _INDENT))
    start = Call("AsyncFlow", keywords=(("start", Code(variables[0][0])),))
    return Wiring(
        nodes=tuple(nodes),
        edges=tuple(_statement(path) for path in paths),
        result=f"{_MARGIN}return {lay_out(start, _INDENT, _INDENT + len('return '))}",
        agents=tuple(class_name(step.agent) for step in flow.steps()),
        groups=any(isinstance(stage, Group) for stage in flow.stages),
        ends=ends,
    )


def _variables(flow: Flow) -> list[tuple[str, Step | Group]]:
    taken = {variable_name(step.id) for step in flow.steps()}
    named: list[tuple[str, Step | Group]] = []
    for stage in flow.stages:
        if isinstance(stage, Group):
            name = group_name([variable_name(step.id) for step in stage.members], taken)
        else:
            name = variable_name(stage.id)
        named.append((name, stage))
    return named


def _node(stage: Step | Group) -> Call:
    if isinstance(stage, Group):
        return Call("ParallelGroup", tuple(_node(step) for step in stage.members))
    given: list[tuple[str, object]] = []
    if stage.id != stage.agent:
        given.append(("id", stage.id))
    if stage.requires:
        given.append(("requires", stage.requires))
    if stage.creates is not None:
        given.append(("creates", stage.creates))
    if stage.max_visits is not None:
        given.append(("max_visits", stage.max_visits))
    return Call(class_name(stage.agent), keywords=tuple(given))


def _paths(
    variables: list[tuple[str, Step | Group]], agents: Mapping[str, Agent]
) -> Iterator[list[str]]:
    """What is joined by `>>`: chains in the plain order, and each action with its target."""
    # An action that names a member leads to the whole group.
    targets = {_END: _END} | {step.id: name for name, stage in variables for step in members(stage)}
    chain: list[str] = []
    for name, stage in variables:
        chain.append(name)
        if isinstance(stage, Group) or not stage.on:
            continue
        yield from _wrapped(chain)
        yield from _branches(name, stage, targets)
        chain = [name] if _has_plain_order(stage, agents) else []
    if isinstance(stage, Step) and stage.on and chain:
        chain.append(_END)
    yield from _wrapped(chain)


def _branches(name: str, step: Step, targets: Mapping[str, str]) -> Iterator[list[str]]:
    for action, target in step.on:
        yield [f"{name} - {string(action)}", targets[target]]


def _has_plain_order(step: Step, agents: Mapping[str, Agent]) -> bool:
    """Whether some outcome of the step is not in its `on`, and so follows the plain order."""
    return not set(agents[step.agent].actions) <= {action for action, _ in step.on}


def _wrapped(chain: list[str]) -> Iterator[list[str]]:
    """A chain cut into as many as its line needs; each begins where the one before ended."""
    piece = chain[:1]
    for name in chain[1:]:
        if len(piece) > 1 and _INDENT + width(" >> ".join([*piece, name])) > WIDTH:
            yield piece
            piece = piece[-1:]
        piece.append(name)
    if len(piece) > 1:
        yield piece


def _statement(path: list[str]) -> str:
    line = _MARGIN + " >> ".join(path)
    if width(line) <= WIDTH:
        return line
    deeper = f"\n{_MARGIN}    "
    head, *rest = path
    if 2 * _INDENT + width(head) > WIDTH:
        head = head.replace(" - ", f"{deeper}- ", 1)
    broken = f"{deeper}>> ".join([head, *rest])
    return f"{_MARGIN}({deeper}{broken}\n{_MARGIN})"
