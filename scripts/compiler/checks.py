"""Whether what agents, tools and flows say of each other holds."""

from __future__ import annotations

from dataclasses import dataclass

from ..runtime import spec
from . import cycles, graph
from .diagnostics import Diagnostics, Position, near_match, quoted
from .flowcheck import FlowCheck
from .lengths import LengthCheck
from .model import Agent, AgentStep, Project
from .subflows import Subflows


def check(
    project: Project,
    diagnostics: Diagnostics,
    *,
    tools_known: bool = True,
    flows_known: bool = True,
) -> None:
    """Report everything between files that is wrong.

    Without `tools_known` nothing is said of tools, without `flows_known` nothing that a flow
    which could not be read may make untrue.
    """
    agents = graph.by_id(project)
    found = _Check(project, agents, diagnostics)
    if tools_known:
        found.tools()
    found.unknown_agents()
    circular = found.circles()
    subflows = Subflows(project)
    subflows.check(diagnostics, all_known=flows_known)
    LengthCheck(subflows, diagnostics).run()
    creators_known = flows_known and all(agent.says("creates") for agent in project.agents)
    for flow in project.flows:
        FlowCheck(flow, subflows, circular, diagnostics, creators_known=creators_known).run()
    if flows_known:
        found.unused_agents()


@dataclass(frozen=True, slots=True)
class _Check:
    project: Project
    agents: dict[str, Agent]
    diagnostics: Diagnostics

    def tools(self) -> None:
        known = {tool.name for tool in self.project.tools}
        for agent in self.project.agents:
            for name in agent.tools:
                if name not in known:
                    message = f"the tool {quoted(name)} is not defined in tools.yaml"
                    self._add(
                        "BMAD202", agent.at[f"tools/{name}"], message, near_match(name, known)
                    )
        if not all(agent.says("tools") for agent in self.project.agents):
            return
        used = {name for agent in self.project.agents for name in agent.tools}
        for tool in self.project.tools:
            if tool.name not in used:
                hint = f"list it under tools: of an agent: [{tool.name}]"
                self._add("BMAD404", tool.at, f"no agent uses the tool {quoted(tool.name)}", hint)

    def unknown_agents(self) -> None:
        for agent in self.project.agents:
            for name in agent.wait_for_agents:
                if name not in self.agents:
                    at = agent.at[f"wait_for.agents/{name}"]
                    message = f"the agent {quoted(name)} is not defined"
                    self._add("BMAD201", at, message, near_match(name, self.agents))

    def circles(self) -> dict[str, int]:
        """Report each circle; the agents in circles, with the number of theirs."""
        waits = graph.waits(self.agents, through_documents=False)
        found = cycles.components(sorted(waits), waits)
        circular = {name: number for number, circle in enumerate(found) for name in circle}
        for circle in found:
            self._report_circle(cycles.circle(circle, waits))
        if any(not flow.path for flow in self.project.flows):
            self._circles_of_documents(circular)
        return circular

    def _circles_of_documents(self, circular: dict[str, int]) -> None:
        # Only the derived order needs these: a flow's own order may ask a client for documents.
        waits = graph.waits(self.agents, through_documents=True)
        for circle in cycles.components(sorted(waits), waits):
            if not circular.keys() & set(circle):
                self._report_circle(cycles.circle(circle, waits))
                circular |= dict.fromkeys(circle, len(circular))

    def _report_circle(self, path: list[str]) -> None:
        first = self.agents[path[0]]
        at = first.at.get(f"wait_for.agents/{path[1]}") or first.at.get("wait_for", first.at[""])
        if len(path) == 2:
            message, hint = (
                f"the agent {quoted(path[0])} waits for itself",
                "remove it from its own list",
            )
        else:
            message = f"the agents wait for each other in a circle: {' → '.join(path)}"
            hint = "remove one of these waits"
        self._add("BMAD203", at, message, hint)

    def unused_agents(self) -> None:
        if not self.project.flows:
            return
        steps = [step for flow in self.project.flows for step in flow.steps()]
        used = {step.agent for step in steps if isinstance(step, AgentStep)}
        misspelt = used - self.agents.keys()
        for agent in self.project.agents:
            if near_match(agent.id, misspelt):
                continue  # it stands there, in a way
            if agent.id not in used and spec.is_id(agent.id):
                hint = "list it in a flow's sequence; a client can still ask it alone"
                message = f"the agent {quoted(agent.id)} stands in no flow"
                self._add("BMAD208", agent.at[""], message, hint)

    def _add(self, code: str, at: Position, message: str, hint: str = "") -> None:
        self.diagnostics.add(code, at, message, hint)
