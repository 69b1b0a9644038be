"""A step as the call that makes its node, with what is not a default."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from ..runtime import spec
from . import items
from .graph import Agents
from .layout import Call, Code, fits
from .model import AgentStep, Budget, Flow, Gate, Group, Step, Subflow, Tuning
from .names import class_name, module_name, variable_name

_DEEP: Final = 8  # the indentation of an argument


def node(stage: Step | Group, flow: Flow, agents: Agents, flows: dict[str, Flow]) -> Call:
    """The call for a stage of `flow`; KeyError for a flow that `flows` does not have."""
    if isinstance(stage, Group):
        members = tuple(node(step, flow, agents, flows) for step in stage.members)
        return Call("ParallelGroup", members)
    if isinstance(stage, Gate):
        return Call("Gate", (stage.id,), tuple(_gate(stage)))
    if isinstance(stage, Subflow):
        return _subflow(stage, flow, agents, flows)
    assert isinstance(stage, AgentStep)  # noqa: S101 - there is no fourth kind
    return Call(class_name(stage.agent), keywords=tuple(_agent(stage, flow, agents)))


def _common(step: Step) -> list[tuple[str, object]]:
    given = (("when", step.when), ("max_visits", step.max_visits))
    return [(name, value) for name, value in given if value is not None]


def _gate(gate: Gate) -> list[tuple[str, object]]:
    given: list[tuple[str, object]] = [("question", gate.question)] if gate.question else []
    return [*given, ("actions", gate.actions), *_common(gate)]


def _subflow(step: Subflow, flow: Flow, agents: Agents, flows: dict[str, Flow]) -> Call:
    inner = flows[step.flow]
    given: list[tuple[str, object]] = []
    if inner.on_missing_doc is not None:
        given.append(("on_missing_doc", inner.on_missing_doc))
    given += _list(step, flow, agents)
    build = Code(f"{flow_variable(inner.name)}.build")
    return Call("Subflow", (step.id, build), (*given, *_common(step)))


def _agent(step: AgentStep, flow: Flow, agents: Agents) -> list[tuple[str, object]]:
    given: list[tuple[str, object]] = []
    if step.id != step.agent:
        given.append(("id", step.id))
    verdict = Code("VERDICT") if step.output is spec.VERDICT else step.output
    for name, value in (
        ("requires", step.requires),
        ("reads", step.reads),
        ("creates", step.creates),
        ("note", Code(note_name(step, flow)) if has_long_note(step) else step.note),
        ("shows", step.shows),
        ("template", step.template),
        ("actions", step.actions),
        ("output", verdict),
    ):
        if value:
            given.append((name, value))
    return [*given, *_list(step, flow, agents), *_common(step), *tuned(step.tuning)]


def has_long_note(step: Step) -> bool:
    """Whether what a step is told does not fit on a line: then it is a constant of the module."""
    return isinstance(step, AgentStep) and ("\n" in step.note or not fits("note", step.note, _DEEP))


def note_name(step: AgentStep, flow: Flow) -> str:
    """The constant that holds a step's note: that of the first step of the flow with this note."""
    same = (each for each in flow.steps() if isinstance(each, AgentStep) and each.note == step.note)
    return f"{variable_name(next(same).id).rstrip('_').upper()}_NOTE"


def _list(step: AgentStep | Subflow, flow: Flow, agents: Agents) -> list[tuple[str, object]]:
    """The list that a step runs over, and how long that may be."""
    given: list[tuple[str, object]] = []
    if step.for_each is not None:
        (source,) = items.sources(flow, step, agents)
        given.append(("for_each", source))
    if step.max_items is not None:
        given.append(("max_items", step.max_items))
    return given


def tuned(tuning: Tuning) -> list[tuple[str, object]]:
    """What is set, by its keyword."""
    found: list[tuple[str, object]] = []
    for field in fields(Tuning):
        value = getattr(tuning, field.name)
        if isinstance(value, Budget):
            value = budget(value)
        if value is not None:
            found.append((field.name, value))
    return found


def budget(value: Budget) -> Call:
    """`Budget(tokens=…, cost_usd=…)`, with the ceilings that it has."""
    given = (("tokens", value.tokens), ("cost_usd", value.cost_usd))
    return Call("Budget", keywords=tuple(pair for pair in given if pair[1] is not None))


def flow_variable(name: str) -> str:
    """What another flow's module calls a flow's: beside `build` and `end` it would be lost."""
    module = module_name(name)
    return f"{module}_flow" if module in ("build", "end") else module
