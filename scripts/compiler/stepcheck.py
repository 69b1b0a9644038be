"""Whether what one step says of others holds: its condition, its list, its outcomes."""

from __future__ import annotations

from collections.abc import Collection

from ..runtime.condition import parse
from . import graph, items
from .diagnostics import Diagnostics, Position, near_match, quoted
from .model import AgentStep, Flow, Gate, Step


class StepCheck:
    """Looks at the steps of one flow; `ids` are those of all of them."""

    def __init__(
        self, flow: Flow, agents: graph.Agents, ids: Collection[str], diagnostics: Diagnostics
    ) -> None:
        self.flow = flow
        self.agents = agents
        self.ids = ids
        self.diagnostics = diagnostics

    def run(self, step: Step) -> None:
        """Report everything that is wrong with the step itself."""
        self._check_condition(step)
        self._check_actions(step)
        if isinstance(step, AgentStep):
            self._check_items(step)

    def _add(self, code: str, at: Position, message: str, hint: str = "") -> None:
        self.diagnostics.add(code, at, message, hint)

    def _check_condition(self, step: Step) -> None:
        if step.when is None:
            return
        looked_at = parse(step.when).steps()
        before = graph.can_come_before(self.flow, step, self.agents) if looked_at else ()
        at = step.places.get("when", step.at)
        for name in sorted(map(str, looked_at)):
            looks = f"the condition of {quoted(step.id)} looks at the result of {quoted(name)}"
            if name not in self.ids:
                near = near_match(name, self.ids)
                hint = near or "name a step of this flow"
                self._add("BMAD310", at, f"{looks}, which is no step of the flow", hint)
            elif name not in before:
                hint = "look at an earlier step; until then the result is null"
                self._add("BMAD310", at, f"{looks}, which cannot have run before", hint)

    def _check_actions(self, step: Step) -> None:
        known = isinstance(step, Gate) or (
            isinstance(step, AgentStep) and step.agent in self.agents
        )
        possible = graph.actions(step, self.agents)
        for action, target in step.on:
            at = step.places.get(f"on/{action}", step.at)
            if known and action not in possible:
                has = ", ".join((*possible, action))
                where = "beside it" if isinstance(step, Gate) else "in its file"
                hint = near_match(action, possible) or f"write actions: [{has}] {where}"
                self._add(
                    "BMAD303", at, f"{_who(step)} cannot choose the action {quoted(action)}", hint
                )
            if target != graph.END and target not in self.ids:
                leads = f"the action {quoted(action)} leads to {quoted(target)}"
                near = near_match(target, [*self.ids, graph.END])
                hint = near or "name a step of this flow, or end"
                self._add("BMAD304", at, f"{leads}, which is no step of the flow", hint)

    def _check_items(self, step: AgentStep) -> None:
        if step.for_each is None:
            if step.max_items is not None:
                message = f'{quoted(step.id)} has "max_items" without "for_each"'
                at = step.places.get("max_items", step.at)
                self._add("BMAD312", at, message, "add for_each, or remove it")
            return
        self._check_list(step, step.for_each)
        agent = self.agents.get(step.agent)
        for key, given in (
            ("creates", graph.created(step, self.agents)),
            ("actions", graph.actions(step, self.agents)),
            ("on", step.on),
        ):
            if given:
                own = agent.at.get(key) if agent else None
                message = f"{quoted(step.id)} runs once an item and cannot have {quoted(key)}"
                hint = "let a step after it do that"
                self._add("BMAD312", step.places.get(key) or own or step.at, message, hint)

    def _check_list(self, step: AgentStep, name: str) -> None:
        found = items.sources(self.flow, step, self.agents)
        if len(found) == 1 or (not found and self._has_broken_output(step)):
            return
        at = step.places.get("for_each", step.at)
        if found:
            both = " and ".join(quoted(source[0]) for source in found)
            message = f"the list {quoted(name)} is given by {both}"
            self._add("BMAD311", at, message, "give one of the lists another name")
            return
        near = near_match(name, items.names(self.flow, step, self.agents))
        hint = near or "let an earlier agent have an output with a list of that name"
        self._add("BMAD311", at, f"no earlier step gives the list {quoted(name)}", hint)

    def _has_broken_output(self, step: AgentStep) -> bool:
        """Whether some output could not be read, so that nobody knows its lists."""
        for other in graph.earlier(self.flow, step, self.agents):
            agent = self.agents.get(other.agent) if isinstance(other, AgentStep) else None
            if agent is not None and agent.output is None and "output" in agent.at:
                return True
        return False


def _who(step: Step) -> str:
    if isinstance(step, AgentStep):
        return f"the agent {quoted(step.agent)}"
    return f"the gate {quoted(step.id)}"
