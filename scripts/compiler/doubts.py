"""What a flow's own mistakes leave open, so that nothing untrue is said of the rest of it."""

from __future__ import annotations

from dataclasses import dataclass

from .diagnostics import near_match
from .model import AgentStep, Flow, Subflow
from .subflows import Subflows


@dataclass(frozen=True, slots=True)
class Doubts:
    """`undefined` are names in the sequence that nothing has; they were reported.

    `edges_known` says whether it is certain which step follows which.
    """

    undefined: frozenset[str]
    edges_known: bool

    def explain(self, name: str) -> bool:
        """Whether `name` may be meant by a name that is not defined."""
        return bool(near_match(name, self.undefined))


def of_flow(flow: Flow, subflows: Subflows) -> Doubts:
    """The doubts about `flow`."""
    undefined = set()
    edges_known = True
    for step in flow.steps():
        if "\0" in step.id:
            edges_known = False  # which of the two is meant?
        if isinstance(step, Subflow) and step.flow not in subflows.flows:
            undefined.add(step.flow)
        if not isinstance(step, AgentStep):
            continue
        agent = subflows.agents.get(step.agent)
        if agent is None:
            undefined.add(step.agent)
        elif not agent.says("actions"):
            edges_known = False
    return Doubts(frozenset(undefined), edges_known and not undefined)
