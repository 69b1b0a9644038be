"""A module's table as a flow of flows: its order, and a step for each row."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ....runtime import spec
from ...diagnostics import quoted
from ..draft import DraftFlow, DraftStep
from ..stepids import StepIds
from ..untaken import untaken
from .flows import FlowWriter
from .helptable import Row
from .order import Cycle, edges, ordered
from .persona import one_line, slug
from .steps import tell
from .workflow import MISSING, Workflow, add


class Tables:
    """Orders and writes the tables of a project; `taken` are the flows' names, by id_key."""

    def __init__(self, flows: FlowWriter) -> None:
        self.flows = flows
        self.taken: set[str] = set()
        self.orders: dict[str, list[tuple[Row, Workflow]]] = {}

    def order(self) -> None:
        """Put every module's workflows in order; each then sees what those before it have made."""
        for module in dict.fromkeys(row.module for row in self.flows.rows):
            self._order(module)

    def _order(self, module: str) -> None:
        numbers = [number for number, row in enumerate(self.flows.rows) if row.module == module]
        every = [self.flows.rows[number] for number in numbers]
        named = {key for row in every for key in (*row.after, *row.before)}
        others = {key for row in self.flows.rows for key in (row.key, row.skill)}
        try:
            order = ordered(every, edges(self.flows.tree, every, others))
        except Cycle as cycle:
            place = cycle.rows[0].at
            message = f"workflows follow each other in a circle: {cycle}"
            hint = "take one of the edges out of the table"
            self.flows.tree.diagnostics.add("BMAD635", self.flows.tree.at(*place), message, hint)
            self.flows.draft.account(place, "order", module, "left", message)
            return
        found: list[tuple[Row, Workflow]] = []
        for number in order:
            row, workflow = every[number], self.flows.of_row.get(numbers[number])
            if workflow is None or (row.is_anytime and row.key not in named):
                continue
            for earlier, before in found:
                is_seen = row.phase not in ("", "anytime") and not earlier.is_anytime
                is_rewritten = before.creates == workflow.creates
                if before.creates and before is not workflow and (is_seen or is_rewritten):
                    add(workflow.requires, before.creates)
            found.append((row, workflow))
        self.orders[module] = found

    def write(self) -> None:
        """A flow for every module whose table has an order."""
        self.taken = {spec.id_key(flow.name) for flow in self.flows.draft.flows}
        for module, placed in self.orders.items():
            if placed:
                self._write(module, placed)

    def _write(self, module: str, placed: list[tuple[Row, Workflow]]) -> None:
        at = placed[0][0].at
        flow = DraftFlow(self._name(module), at, self.flows.settings.titles.get(slug(module), ""))
        flow.description = flow.description or module
        flow.notes.append("The order of the module's table. Optional steps run when inputs say so:")
        flow.notes.append('"inputs": {"optional": {"<step>": true}}')
        workflows = {id(workflow): workflow for _, workflow in placed}
        made = Counter(workflow.creates for workflow in workflows.values())
        ids = StepIds(made)
        for row, workflow in placed:
            inner = self._variant(row, workflow)
            is_maker = inner == workflow.flow and made[workflow.creates] == 1
            own = workflow.creates if is_maker else ""
            self._row_step(flow, row, inner, ids.give(workflow.flow, own, slug(row.name)))
        self.flows.draft.flows.append(flow)
        self.flows.draft.account(at, "order", module, "carried")

    def _name(self, module: str) -> str:
        titles = self.flows.settings.titles
        own = next((code for code, title in titles.items() if module in (code, title)), "")
        name = own or slug(module) or "module"
        name = untaken(self.taken, name, slug(f"{name}-module"))
        self.taken.add(spec.id_key(name))
        return name

    def _row_step(self, flow: DraftFlow, row: Row, inner: str, name: str) -> None:
        keys: dict[str, Any] = {"flow": inner}
        if name != inner:
            keys["id"] = name
        step = DraftStep(keys, row.at)
        if not row.required:
            keys["when"] = f'inputs.optional["{name}"]'
            message = f"the step {quoted(name)} is optional: it runs when inputs say so"
            hint = f'send "inputs": {{"optional": {{"{name}": true}}}}'
            self.flows.tree.diagnostics.add("BMAD609", self.flows.tree.at(*row.at), message, hint)
            self.flows.draft.account(row.at, "condition", name, "carried")
        flow.steps.append(step)

    def _variant(self, row: Row, workflow: Workflow) -> str:
        """The flow of a row: the workflow's own, or one that is told the row's action."""
        same = [
            other
            for number, other in enumerate(self.flows.rows)
            if self.flows.of_row.get(number) is workflow and other.module == row.module
        ]
        if len(same) < 2 or row is same[0]:
            return workflow.flow
        name = slug(f"{workflow.flow}-{row.action or row.name}")
        if spec.id_key(name) in self.taken:
            return name
        self.taken.add(spec.id_key(name))
        flow = DraftFlow(name, row.at, one_line(row.description) or row.name)
        flow.keys["on_missing_doc"] = MISSING
        flow.steps = self.flows.steps.of(workflow)
        what = row.action or row.options or row.name
        said = f"This time it is for: {row.name} ({what}). {one_line(row.description)}".strip()
        for step in flow.steps:
            tell(step, said)
        self.flows.draft.flows.append(flow)
        return name
