"""A flow as PocketFlow writes it: nodes, chains and the edges of actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .graph import by_id, has_plain_order, members
from .layout import WIDTH, Call, Code, assignment, lay_out, width
from .literals import prose, string
from .model import Agent, AgentStep, Flow, Group, Project, Step, Subflow
from .names import class_name, group_name, module_name, variable_name
from .nodes import flow_variable, has_long_note, node, note_name

_INDENT: Final = 4
_MARGIN: Final = " " * _INDENT
_END: Final = "end"
# What a flow's module may need, in the order of its import lines.
_RUNTIME: Final = (
    ("budget", "Budget"),
    ("flow", "End"),
    ("gate", "Gate"),
    ("group", "ParallelGroup"),
    ("spec", "VERDICT"),
    ("subflow", "Subflow"),
)


@dataclass(frozen=True, slots=True)
class Wiring:
    """The statements of a flow's `build`, indented, and what its module needs for them.

    `notes` are constants of the module, `agents`, `flows` and `runtime` its imports.
    """

    nodes: tuple[str, ...]
    edges: tuple[str, ...]
    result: str
    notes: tuple[str, ...]
    agents: tuple[str, ...]
    flows: tuple[str, ...]
    runtime: tuple[tuple[str, str], ...]


def wire(project: Project, flow: Flow) -> Wiring:
    """The wiring of a flow that was found valid. KeyError for an agent or step it does not have."""
    agents, flows = by_id(project), {each.name: each for each in project.flows}
    inner = sorted({step.flow for step in flow.steps() if isinstance(step, Subflow)})
    variables = _variables(flow, {flow_variable(name) for name in inner})
    paths = list(_paths(variables, agents))
    ends = any(path[-1] == _END for path in paths)
    calls = [(name, node(stage, flow, agents, flows)) for name, stage in variables]
    if ends:
        calls.append((_END, Call("End")))
    start = Call("AsyncFlow", keywords=(("start", Code(variables[0][0])),))
    used = {name for _, call in calls for name in _functions(call)}
    return Wiring(
        nodes=tuple(assignment(name, call, _INDENT) for name, call in calls),
        edges=tuple(_statement(path) for path in paths),
        result=f"{_MARGIN}return {lay_out(start, _INDENT, _INDENT + len('return '))}",
        notes=tuple(f"{name} = {prose(note)}" for name, note in _notes(flow).items()),
        agents=tuple(class_name(s.agent) for s in flow.steps() if isinstance(s, AgentStep)),
        flows=tuple(map(_flow_import, inner)),
        runtime=tuple((module, name) for module, name in _RUNTIME if name in used),
    )


def _notes(flow: Flow) -> dict[str, str]:
    """The long notes of a flow's steps by the name of their constant."""
    steps = (step for step in flow.steps() if isinstance(step, AgentStep))
    return {note_name(step, flow): step.note for step in steps if has_long_note(step)}


def _flow_import(name: str) -> str:
    module, variable = module_name(name), flow_variable(name)
    return module if module == variable else f"{module} as {variable}"


def _functions(call: Call) -> Iterator[str]:
    """What a call calls, and what its arguments do."""
    yield call.function
    for value in (*call.arguments, *(value for _, value in call.keywords)):
        if isinstance(value, Call):
            yield from _functions(value)
        elif isinstance(value, Code):
            yield value.text


def _variables(flow: Flow, modules: set[str]) -> list[tuple[str, Step | Group]]:
    """The name of each stage, none of which hides a flow's module."""

    def own(step: Step) -> str:
        name = variable_name(step.id)
        return f"{name}_" if name in modules else name

    taken = modules | {own(step) for step in flow.steps()}
    return [
        (
            group_name(map(own, stage.members), taken) if isinstance(stage, Group) else own(stage),
            stage,
        )
        for stage in flow.stages
    ]


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
        chain = [name] if has_plain_order(stage, agents) else []
    if isinstance(stage, Step) and stage.on and chain:
        chain.append(_END)
    yield from _wrapped(chain)


def _branches(name: str, step: Step, targets: Mapping[str, str]) -> Iterator[list[str]]:
    for action, target in step.on:
        yield [f"{name} - {string(action)}", targets[target]]


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
