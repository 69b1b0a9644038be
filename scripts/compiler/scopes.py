"""Which memory each agent works in, and what it leaves behind when that changes."""

from __future__ import annotations

from collections.abc import Mapping

from .diagnostics import Diagnostics, quoted
from .manifest import Manifest
from .model import Agent, AgentStep, Project

DEFAULT = "isolated"


def scopes_of(project: Project) -> dict[str, tuple[str, ...]]:
    """By agent: the `memory_scope`s of its own and of its places, sorted."""
    found = {agent.id: {agent.memory_scope or DEFAULT} for agent in project.agents}
    for step in (step for flow in project.flows for step in flow.steps()):
        if isinstance(step, AgentStep) and step.tuning.memory_scope and step.agent in found:
            found[step.agent].add(step.tuning.memory_scope)
    return {agent: tuple(sorted(scopes)) for agent, scopes in found.items()}


def check_scopes(project: Project, known: Manifest | None, found: Diagnostics) -> None:
    """Warn of agents that no longer work in a memory in which the tree in place has them work."""
    before: Mapping[str, tuple[str, ...]] = known.scopes if known is not None else {}
    now = scopes_of(project)
    for agent in project.agents:
        for scope in before.get(agent.id, ()):
            if scope not in now[agent.id]:
                _report(agent, scope, now[agent.id], found)


def _report(agent: Agent, scope: str, now: tuple[str, ...], found: Diagnostics) -> None:
    at = agent.at.get("memory_scope") or agent.at[""]
    message = (
        f"the agent {quoted(agent.id)} no longer works in the memory {quoted(scope)}: "
        "what it remembers there stays, and it does not see it"
    )
    hint = f"it works in {quoted(', '.join(now))} now; copy what it needs, or keep the old setting"
    found.add("BMAD507", at, message, hint)
