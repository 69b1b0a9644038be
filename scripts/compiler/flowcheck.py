"""Whether one flow can run: its steps, waits, documents, actions, loops."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from ..runtime import spec
from . import cycles, doubts, graph
from .diagnostics import Diagnostics, Position, near_match, quoted
from .model import AgentStep, Flow, Group, Step
from .stepcheck import StepCheck
from .subflows import Creation, Subflows
from .twins import as_written, told_apart


class FlowCheck:
    """`circular`: the agents whose waits were reported as circles, with the circle's number."""

    def __init__(
        self,
        flow: Flow,
        subflows: Subflows,
        circular: Mapping[str, int],
        diagnostics: Diagnostics,
        *,
        creators_known: bool = True,
    ) -> None:
        self.written = flow
        self.flow = flow = told_apart(flow)
        self.agents = agents = subflows.agents
        self.circular = circular
        self.diagnostics = diagnostics
        self.steps = flow.steps()
        self.doubts = doubts.of_flow(flow, subflows)
        self.creators_known = creators_known and not self.doubts.undefined
        self.supplied = subflows.supplied(flow.name)
        self.stage_of = {
            step.id: number
            for number, stage in enumerate(flow.stages)
            for step in graph.members(stage)
        }
        self.places_of: dict[str, list[int]] = {}
        self.creators: dict[str, list[Creation]] = {}
        for step in self.steps:
            if isinstance(step, AgentStep):
                self.places_of.setdefault(step.agent, []).append(self.stage_of[step.id])
            for made in subflows.creations(step):
                self.creators.setdefault(made.document, []).append(made)
        self.after = graph.followers(graph.stage_edges(flow, agents))

    def run(self) -> None:
        """Report everything that is wrong with the flow."""
        self._check_agents()
        self._check_ids()
        own = StepCheck(self.flow, self.agents, self.stage_of, self.doubts, self.diagnostics)
        for step in self.steps:
            if isinstance(step, AgentStep):
                self._check_waits(step)
                self._check_documents(step)
            own.run(step)
        for stage in self.flow.stages:
            if isinstance(stage, Group):
                self._check_group(stage)
        self._check_creators()
        self._check_reachable()
        self._check_loops()

    def _add(self, code: str, at: Position, message: str, hint: str = "") -> None:
        self.diagnostics.add(code, at, as_written(message), as_written(hint))

    def _check_agents(self) -> None:
        for step in self.steps:
            if isinstance(step, AgentStep) and step.agent not in self.agents:
                message = f"the agent {quoted(step.agent)} is not defined"
                self._add("BMAD201", step.at, message, near_match(step.agent, self.agents))

    def _check_ids(self) -> None:
        seen: dict[str, Step] = {}
        for step in self.written.steps():
            at = step.places.get("id", step.at)
            if spec.id_key(step.id) in spec.RESERVED_STEP_IDS:
                message = f"the step id {quoted(step.id)} is reserved"
                self._add("BMAD302", at, message, self._id_hint())
            first = seen.setdefault(spec.id_key(step.id), step)
            if first is not step and self.flow.path:  # else the agents' ids were reported
                same = "taken by" if first.id == step.id else f"too near to {quoted(first.id)} of"
                message = (
                    f"the step id {quoted(step.id)} is {same} the step on line {first.at.line}"
                )
                self._add("BMAD302", at, message, self._id_hint())

    def _id_hint(self) -> str:
        own = "give the step an id of its own"
        return own if self.flow.path else "rename the agent, or write a flow"

    def _check_waits(self, step: AgentStep) -> None:
        agent = self.agents.get(step.agent)
        if agent is None:
            return
        for name in agent.wait_for_agents:
            if name not in self.agents or name == step.agent or self._is_circular(step.agent, name):
                continue
            places = self.places_of.get(name, ())
            if any(self._comes_first(place, step) for place in places):
                continue
            if not places and near_match(name, self.doubts.undefined):
                continue  # it stands there, misspelt
            where = "only comes later" if places else "is not"
            flow = quoted(self.flow.name)
            message = f"{quoted(step.agent)} waits for {quoted(name)}, which {where} in flow {flow}"
            hint = "put it before" if places else "add it to the flow, or remove the wait"
            self._add("BMAD204", agent.at[f"wait_for.agents/{name}"], message, hint)

    def _is_circular(self, one: str, other: str) -> bool:
        return one in self.circular and self.circular[one] == self.circular.get(other)

    def _comes_first(self, place: int, step: Step) -> bool:
        """Whether what stands at `place` is done, or waited for, when `step` starts."""
        own = self.stage_of[step.id]
        return place < own or (place == own and isinstance(self.flow.stages[own], Group))

    def _check_documents(self, step: AgentStep) -> None:
        own = self.stage_of[step.id]
        for document in graph.required(step, self.agents):
            creators = [made for made in self.creators.get(document, ()) if made.step is not step]
            if any(self._comes_first(self.stage_of[made.step.id], step) for made in creators):
                continue
            if document in self.supplied:
                continue
            if any(self._is_circular(step.agent, made.agent) for made in creators):
                continue
            # A step's output is kept as the document of its id.
            if self.stage_of.get(document, own) < own:
                continue
            self._report_document(step, document)

    def _report_document(self, step: AgentStep, document: str) -> None:
        if not self.creators_known:
            return
        at = self._document_place(step, document)
        hint = "a client may supply it; else let an earlier step create it"
        waits = f"{quoted(step.id)} waits for {quoted(document)}"
        flow = quoted(self.flow.name)
        if document in self.creators or document in self.stage_of:
            creator = next(iter(self.creators.get(document, ())), None)
            by = creator.step.id if creator else document
            itself = "itself" if by == step.id else f"{quoted(by)}, which comes later"
            self._add("BMAD206", at, f"{waits}, created in flow {flow} by {itself}", hint)
        else:
            message = f"{waits}, which no step of flow {flow} creates"
            code = "BMAD205"
            if self.flow.on_missing_doc == "wait":
                code, message = "BMAD210", f"{message}: a run waits until a client supplies it"
                hint = "that may be meant; else let an earlier step create it"
            self._add(code, at, message, near_match(document, self.creators) or hint)

    def _document_place(self, step: AgentStep, document: str) -> Position:
        own = step.places.get(f"requires/{document}")
        return own or self.agents[step.agent].at.get(f"wait_for.docs/{document}", step.at)

    def _check_group(self, group: Group) -> None:
        for step in group.members:
            if step.on:
                at = step.places.get("on", step.at)
                message = f'the step {quoted(step.id)} stands in a group and cannot have "on"'
                self._add("BMAD307", at, message, "move it behind the group")
        waits: dict[str, list[str]] = {}
        for edge in graph.group_edges(group, self.agents):
            waits.setdefault(edge.target, []).append(edge.source)
        agent_of = {step.id: step.agent for step in group.members}
        for circle in cycles.components(agent_of, waits):
            if any(agent_of[name] in self.circular for name in circle) or not self.flow.path:
                continue
            path = " → ".join(cycles.circle(circle, waits))
            message = f"the steps of a group wait for each other in a circle: {path}"
            at = next(step.at for step in group.members if step.id == circle[0])
            self._add("BMAD203", at, message, "remove one of these waits")

    def _check_creators(self) -> None:
        flow = quoted(self.flow.name)
        outputs = {step.id.casefold(): step for step in self.steps}
        for document, creators in self.creators.items():
            for made in creators:
                other = outputs.get(document.casefold(), made.step)
                if other is not made.step:
                    message = (
                        f"{quoted(document)} is where the output of step {quoted(other.id)} is kept"
                    )
                    self._add("BMAD207", self._creates_place(made), message, "choose another name")
            for first, second in combinations(creators, 2):
                if first.step is not second.step and self._collide(first, second):
                    both = f"{quoted(first.step.id)} and by {quoted(second.step.id)}"
                    hint = "choose another name, or let the later step require what it rewrites"
                    message = f"in flow {flow}, {quoted(document)} is created by {both}"
                    self._add("BMAD207", self._creates_place(second), message, hint)
                    break

    def _creates_place(self, made: Creation) -> Position:
        step = made.step
        if not isinstance(step, AgentStep):
            return step.at
        return step.places.get("creates") or self.agents[step.agent].at.get("creates", step.at)

    def _collide(self, first: Creation, second: Creation) -> bool:
        """Whether a run may have two versions of a document, the second not made from the first."""
        one, other = (self.flow.stages[self.stage_of[made.step.id]] for made in (first, second))
        if one is other:
            return True
        if first.agent == second.agent or second.rewrites:
            return False
        start, end = graph.stage_id(one), graph.stage_id(other)
        return end in cycles.reachable(start, self.after) or start in cycles.reachable(
            end, self.after
        )

    def _check_reachable(self) -> None:
        if not self.flow.stages or not self.doubts.edges_known:
            return
        start = graph.stage_id(self.flow.stages[0])
        reached = cycles.reachable(start, self.after) | {start}
        for stage in self.flow.stages:
            if graph.stage_id(stage) not in reached:
                for step in graph.members(stage):
                    message = f"the step {quoted(step.id)} is never reached"
                    hint = "let an action lead to it, or leave one action out of the on before it"
                    self._add("BMAD305", step.at, message, hint)

    def _check_loops(self) -> None:
        loop = graph.looping(self.flow, self.agents)
        for step in self.steps:
            if step.id in loop and step.max_visits is None:
                visits = spec.DEFAULT_MAX_VISITS
                loops = f"the step {quoted(step.id)} stands in a loop without max_visits"
                hint = f"write max_visits: {visits}"
                self._add("BMAD306", step.at, f"{loops}: {visits} is used", hint)
