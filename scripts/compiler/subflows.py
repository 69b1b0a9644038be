"""Flows that stand as steps in others: which run which, and what that makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import cycles, graph
from .diagnostics import Diagnostics, near_match, quoted
from .model import AgentStep, Flow, Project, Step, Subflow


class Creation(NamedTuple):
    """A document that comes of a step, or of a step of the flow that it runs."""

    document: str
    step: Step
    agent: str
    rewrites: bool  # it was made from the document as it was


class Subflows:
    """The flows of a project by name, the first where a name is taken twice."""

    def __init__(self, project: Project) -> None:
        self.agents = graph.by_id(project)
        self.flows = {flow.name: flow for flow in reversed(project.flows)}

    def inner(self, flow: Flow) -> list[str]:
        """The names of the flows that stand in `flow`, unknown ones left out."""
        names = (step.flow for step in flow.steps() if isinstance(step, Subflow))
        return [name for name in names if name in self.flows]

    def check(self, diagnostics: Diagnostics, *, all_known: bool) -> None:
        """Report unknown flows, if `all_known`, and flows that run themselves."""
        for flow in self.flows.values() if all_known else ():
            for step in flow.steps():
                if isinstance(step, Subflow) and step.flow not in self.flows:
                    message = f"the flow {quoted(step.flow)} is not defined"
                    near = near_match(step.flow, self.flows)
                    diagnostics.add("BMAD313", step.at, message, near)
        edges = {name: self.inner(flow) for name, flow in self.flows.items()}
        for circle in cycles.components(sorted(edges), edges):
            path = cycles.circle(circle, edges)
            message = f"the flow {quoted(path[0])} runs itself: {' → '.join(path)}"
            at = next(
                step.at
                for step in self.flows[path[0]].steps()
                if isinstance(step, Subflow) and step.flow == path[1]
            )
            diagnostics.add("BMAD314", at, message, "remove one of these steps")

    def creations(self, step: Step) -> list[Creation]:
        """What `step` creates, itself or by the flow that it runs."""
        return [found._replace(step=step) for found in self._created(step, frozenset())]

    def _created(self, step: Step, above: frozenset[str]) -> Iterator[Creation]:
        if isinstance(step, AgentStep):
            document = graph.created(step, self.agents)
            if document is not None:
                rewrites = document in graph.shown(step, self.agents)
                yield Creation(document, step, step.agent, rewrites)
        elif isinstance(step, Subflow) and step.for_each is not None:
            return  # each item has documents of its own
        elif isinstance(step, Subflow) and step.flow in self.flows and step.flow not in above:
            for inner in self.flows[step.flow].steps():
                yield from self._created(inner, above | {step.flow})

    def supplied(self, name: str, above: frozenset[str] = frozenset()) -> set[str]:
        """The documents that other flows have created before they run the flow `name`."""
        found: set[str] = set()
        for flow in self.flows.values():
            if flow.name in above:
                continue
            for step in flow.steps():
                if not isinstance(step, Subflow) or step.flow != name:
                    continue
                before = graph.earlier(flow, step, self.agents)
                found |= {made.document for other in before for made in self.creations(other)}
                found |= self.supplied(flow.name, above | {name, flow.name})
        return found
