"""What is left of a project when its broken parts are left out, for `--keep-going`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from . import graph
from .checks import check
from .diagnostics import Diagnostic, Diagnostics, quoted
from .model import Agent, AgentStep, Flow, Project, Subflow


def spared(project: Project, diagnostics: Diagnostics) -> Project:
    """The project without the agents and flows in which there are errors.

    A flow goes with an agent that it needs, and an agent with one that it waits for: what that
    leaves wrong is told as well. What is left has no errors; it may have no agents.
    """
    errors = [found for found in diagnostics if found.severity == "error"]
    while errors:
        before, project = project, _without(project, errors)
        _tell(before, project, diagnostics)
        again = Diagnostics()
        check(project, again)
        errors = [found for found in again if found.severity == "error"]
        diagnostics.extend(errors)
        if errors and project == before:
            return replace(project, agents=())  # an error of the whole, not of a part
        if not project.agents:
            break
    return project


def _tell(before: Project, after: Project, diagnostics: Diagnostics) -> None:
    """Name what is gone."""
    agents = {agent.id for agent in after.agents}
    for agent in before.agents:
        if agent.id not in agents:
            message = f"the agent {quoted(agent.id)} is left out"
            diagnostics.add("BMAD619", agent.at[""], message, "mend what is wrong with it")
    flows = {flow.name for flow in after.flows}
    for flow in before.flows:
        if flow.name not in flows:
            message = f"the flow {quoted(flow.name)} is left out"
            hint = "mend what is wrong with it, or with the agents that it needs"
            diagnostics.add("BMAD619", flow.at, message, hint)


def _without(project: Project, errors: list[Diagnostic]) -> Project:
    lines: dict[str, list[int]] = {}
    for found in errors:
        lines.setdefault(found.path, []).append(found.line)
    agents = tuple(agent for agent in project.agents if not _is_broken(agent, lines))
    if any(path.rpartition("/")[2] == "tools.yaml" or "/tools/" in path for path in lines):
        project = replace(project, tools=(), tool_files={})
    if any(not flow.path for flow in project.flows):
        return replace(project, agents=agents, flows=(graph.default_flow(agents),))
    known = {agent.id for agent in agents}
    flows = [flow for flow in project.flows if not _has_error(flow, project, lines)]
    while True:
        names = {flow.name for flow in flows}
        kept = [flow for flow in flows if all(_names(flow, known, names))]
        if len(kept) == len(flows):
            return replace(project, agents=agents, flows=tuple(flows))
        flows = kept


def _is_broken(agent: Agent, lines: dict[str, list[int]]) -> bool:
    return agent.is_unread or agent.at[""].path in lines


def _has_error(flow: Flow, project: Project, lines: dict[str, list[int]]) -> bool:
    """Whether an error stands between the flow's own line and the next flow's."""
    after = [
        other.at.line
        for other in project.flows
        if other.at.path == flow.at.path and other.at.line > flow.at.line
    ]
    end = min(after, default=0)
    found = lines.get(flow.at.path, ())
    return any(line >= flow.at.line and not 0 < end <= line for line in found)


def _names(flow: Flow, agents: set[str], flows: set[str]) -> Iterator[bool]:
    """Of each step, whether what it runs is there."""
    yield bool(flow.stages)
    for step in flow.steps():
        if isinstance(step, AgentStep):
            yield step.agent in agents
        elif isinstance(step, Subflow):
            yield step.flow in flows
