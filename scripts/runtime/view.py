"""What an agent has in view at a visit: earlier results, documents, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .agent import Agent
from .context import FlowContext
from .prompt import Sight
from .recall.recalled import recalled
from .stores.protocol import Entry


def view(agent: Agent, context: FlowContext) -> Sight:
    """What it sees, but for what stores hold."""
    sight = Sight(context.input, context.opening)
    previous = context.previous
    if len(previous) == 1 and not agent.wait_for_agents:
        sight.outputs = {previous[0]: context.results[previous[0]]}
    elif context.results or context.outer:
        sight.outputs = _outputs(agent, context)
    if context.command:
        _show(sight, context.shows, context)
    elif agent.note or agent.shows or agent.template:
        sight.note = agent.note
        _show(sight, _assets(agent), context)
    if context.item is not None:
        sight.item = context.item
    return sight


def steps_in_view(agent: Agent, context: FlowContext) -> Sequence[str] | None:
    """The steps whose outputs it is shown; None for what stands around its flow."""
    if agent.wait_for_agents:
        waited = set(agent.wait_for_agents)
        return [step for step in context.results if context.agent_of[step] in waited]
    return context.previous or None


def _outputs(agent: Agent, context: FlowContext) -> Mapping[str, Any]:
    steps = steps_in_view(agent, context)
    if steps is None:
        return context.outer
    results = context.results
    return {step: results[step] for step in steps}


def _assets(agent: Agent) -> Sequence[str]:
    if agent.template and agent.creates and agent.template not in agent.shows:
        return (*agent.shows, agent.template)
    return agent.shows


def _show(sight: Sight, names: Sequence[str], context: FlowContext) -> None:
    assets = context.services.assets
    sight.files = [(name, assets.shown(name)) for name in names]


async def look_up(agent: Agent, sight: Sight, context: FlowContext) -> None:
    """Add what stores hold. Raises StepBlocked or DependencyError for what is missing."""
    if agent.required:
        found = await context.required(agent.step, agent.required)
        sight.documents, sight.missing = found
    if agent.reads:
        sight.documents = {**await context.present(agent.reads), **sight.documents}
    if context.services.memory is not None:
        sight.scope = agent.scope(context)
        sight.memory = await context.memory(sight.scope, agent.step)
        if agent.group is not None and context.memory_at_start:
            sight.memory = _fresh(agent.group.added(agent, context), sight)
        if agent.memory_recall and not agent.for_each:
            await recall(agent, sight, context)


async def recall(agent: Agent, sight: Sight, context: FlowContext) -> None:
    """Add the older entries that fit what it has in view."""
    sight.recalled = await recalled(context, sight, agent.id, agent.memory_recall)


def _fresh(added: Mapping[str, Any], sight: Sight) -> Sequence[Entry]:
    """Its memory with what was `added` since."""
    if not added:
        return sight.memory
    fresh = [Entry(key, value, sight.scope, "", 0) for key, value in added.items()]
    return [*fresh, *(entry for entry in sight.memory if entry.key not in added)]
