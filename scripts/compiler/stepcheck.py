"""Whether what one step says of others holds: its condition, its list, its outcomes."""

from __future__ import annotations

from collections.abc import Collection

from ..runtime.condition import parse
from . import graph, items
from .diagnostics import Diagnostics, Position, near_match, quoted
from .doubts import Doubts
from .model import AgentStep, Flow, Gate, Group, Step, Subflow
from .twins import as_written


class StepCheck:
    """Looks at the steps of one flow; `ids` are those of all of them."""

    def __init__(
        self,
        flow: Flow,
        agents: graph.Agents,
        ids: Collection[str],
        doubts: Doubts,
        diagnostics: Diagnostics,
    ) -> None:
        self.flow = flow
        self.agents = agents
        self.ids = ids
        self.doubts = doubts
        self.defined = [name for name in ids if name not in doubts.undefined]
        self.diagnostics = diagnostics

    def run(self, step: Step) -> None:
        """Report everything that is wrong with the step itself."""
        self._check_condition(step)
        self._check_actions(step)
        if isinstance(step, AgentStep):
            self._check_items(step)
        elif isinstance(step, Subflow):
            self._check_flow_items(step)

    def _add(self, code: str, at: Position, message: str, hint: str = "") -> None:
        self.diagnostics.add(code, at, as_written(message), as_written(hint))

    def _check_condition(self, step: Step) -> None:
        if step.when is None:
            return
        looked_at = parse(step.when).steps()
        before = graph.can_come_before(self.flow, step, self.agents) if looked_at else ()
        at = step.places.get("when", step.at)
        for name in sorted(map(str, looked_at)):
            looks = f"the condition of {quoted(step.id)} looks at the result of {quoted(name)}"
            if name not in self.ids:
                if self.doubts.explain(name):
                    continue
                near = near_match(name, self.defined)
                hint = near or "name a step of this flow"
                self._add("BMAD310", at, f"{looks}, which is no step of the flow", hint)
            elif name not in before and self.doubts.edges_known:
                hint = "look at an earlier step; until then the result is null"
                self._add("BMAD310", at, f"{looks}, which cannot have run before", hint)

    def _check_actions(self, step: Step) -> None:
        known = isinstance(step, Gate) or self._is_read(step)
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
            if target in self.ids or target == graph.END or self.doubts.explain(target):
                continue
            leads = f"the action {quoted(action)} leads to {quoted(target)}"
            near = near_match(target, [*self.defined, graph.END])
            hint = near or "name a step of this flow, or end"
            self._add("BMAD304", at, f"{leads}, which is no step of the flow", hint)
        if known and {action for action, _ in step.on} < set(possible):
            self._check_left_out(step, possible)

    def _is_read(self, step: Step) -> bool:
        """Whether what the step's agent can do is known."""
        agent = self.agents.get(step.agent) if isinstance(step, AgentStep) else None
        return agent is not None and not agent.is_unread

    def _check_left_out(self, step: Step, possible: tuple[str, ...]) -> None:
        in_group = any(
            isinstance(stage, Group) and step in stage.members for stage in self.flow.stages
        )
        if not step.on or not isinstance(step, AgentStep) or in_group:
            return
        said = {action for action, _ in step.on}
        left = [action for action in possible if action not in said]
        which = ", ".join(map(quoted, left))
        one = len(left) == 1
        message = f"{which} of {_who(step)} {'is' if one else 'are'} not in on"
        message += ", so the plain order is followed"
        hint = f"to say where {'it leads' if one else 'they lead'}, write that into on"
        self._add("BMAD315", step.places.get("on", step.at), message, hint)

    def _check_items(self, step: AgentStep) -> None:
        if step.for_each is None:
            if step.max_items is not None:
                message = f'{quoted(step.id)} has "max_items" without "for_each"'
                at = step.places.get("max_items", step.at)
                self._add("BMAD312", at, message, "add for_each, or remove it")
            return
        self._check_list(step, step.for_each)
        for key, given in (
            ("creates", graph.created(step, self.agents)),
            ("actions", graph.actions(step, self.agents)),
            ("on", step.on),
        ):
            if not given:
                continue
            message = f"{quoted(step.id)} runs once an item and cannot have {quoted(key)}"
            hint = "let a step after it do that"
            if key not in step.places:
                message += f", as {_who(step)} has"
                hint = f"use an agent without {key}, and {hint}"
            at = step.places.get(key) or step.places.get("for_each", step.at)
            self._add("BMAD312", at, message, hint)

    def _check_flow_items(self, step: Subflow) -> None:
        at = step.places.get("for_each", step.at)
        if step.for_each is None:
            if step.max_items is not None:
                message = f'{quoted(step.id)} has "max_items" without "for_each"'
                place = step.places.get("max_items", step.at)
                self._add("BMAD312", place, message, "add for_each, or remove it")
            return
        self._check_list(step, step.for_each)
        if step.max_items is None:
            message = f"{quoted(step.id)} runs a flow for each of a list without max_items"
            self._add("BMAD316", at, message, "write max_items: 20, or how many there may be")

    def _check_list(self, step: AgentStep | Subflow, name: str) -> None:
        found = items.sources(self.flow, step, self.agents)
        if not found and not self.doubts.edges_known:
            return
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

    def _has_broken_output(self, step: AgentStep | Subflow) -> bool:
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
