"""The flows of a v6 project: one for each workflow."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ...diagnostics import near_match, quoted
from ..draft import Draft, DraftFlow
from ..tree import ForeignTree
from .emit import Emitter, home_of, kind_of
from .helptable import Row
from .paths import Paths, folder_of, leaves
from .persona import Item, Persona, one_line, slug
from .settings import Settings
from .steps import StepWriter, write_document
from .workflow import MISSING, Workflow, add, document_of


class FlowWriter:
    """Knows the workflows by all that they are called by, and writes them as flows."""

    def __init__(
        self,
        tree: ForeignTree,
        draft: Draft,
        emitter: Emitter,
        settings: Settings,
        paths: Paths,
    ) -> None:
        self.tree = tree
        self.draft = draft
        self.emitter = emitter
        self.settings = settings
        self.paths = paths
        self.workflows: list[Workflow] = []
        self.rows: list[Row] = []
        self.ids: dict[int, str] = {}
        self.by_entry: dict[str, Workflow] = {}
        self.by_name: dict[str, Workflow] = {}
        self.of_row: dict[int, Workflow] = {}
        self.steps = StepWriter(tree, draft, emitter, settings)

    # -- who and what

    def take(
        self,
        workflows: list[Workflow],
        personas: list[Persona],
        rows: list[Row],
        ids: dict[int, str],
    ) -> None:
        """Learn of everything, and find out who carries out what. `ids` are the agents' own."""
        self.workflows, self.rows, self.ids = workflows, rows, ids
        for workflow in workflows:
            workflow.flow = workflow.id
            self.by_entry[workflow.entry] = workflow
            self.by_name.setdefault(workflow.id, workflow)
            self.by_name.setdefault(workflow.folder.rpartition("/")[2], workflow)
        self._own(personas)
        for number, row in enumerate(rows):
            self._row(number, row, personas)
        self._requires()

    def _own(self, personas: list[Persona]) -> None:
        for persona in personas:
            for item in persona.menu:
                found = self.workflow_of(item, persona)
                if found is not None and not found.owner:
                    found.owner = self.ids[id(persona)]

    def workflow_of(self, item: Item, persona: Persona) -> Workflow | None:
        """The workflow that a menu item stands for; None when it stands for none."""
        if item.skill:
            return self.by_name.get(item.skill)
        for target in item.targets:
            path = self.paths.find(target, folder_of(persona.at.path))
            if path in self.by_entry:
                return self.by_entry[path]
        return None

    def _row(self, number: int, row: Row, personas: list[Persona]) -> None:
        workflow = self.by_name.get(row.skill)
        if row.file:
            path = self.paths.find(row.file)
            workflow = self.by_entry.get(path or "")
            if path is not None and workflow is None:
                fate = "carried" if any(p.at.path == path for p in personas) else "approximated"
                why = "" if fate == "carried" else "its file is an agent's, not a workflow"
                self.draft.account(row.at, "table row", row.name, fate, why)  # type: ignore[arg-type]
                return
        if workflow is None:
            if any(persona.id == row.skill for persona in personas):
                self.draft.account(row.at, "table row", row.name, "carried")
                return
            named = row.file or row.skill
            message = f"the table names {quoted(named)}, which is not in the project"
            hint = near_match(named, self.by_name)
            self.tree.diagnostics.add("BMAD639", self.tree.at(*row.at), message, hint)
            self.draft.account(row.at, "table row", row.name, "left", "it is not in the project")
            return
        self.of_row[number] = workflow
        workflow.description = workflow.description or one_line(row.description)
        if not workflow.owner and row.agent:
            owner = next((p for p in personas if row.agent in (p.id, slug(p.name))), None)
            workflow.owner = self.ids[id(owner)] if owner else ""
        if not workflow.creates and not row.action and (name := document_of(row.outputs)):
            workflow.creates, workflow.creates_at = name, row.at
        self.draft.account(row.at, "table row", row.name, "carried")

    def _requires(self) -> None:
        """The documents of those that come before, and those that a workflow's patterns match."""
        for number, row in enumerate(self.rows):
            workflow = self.of_row.get(number)
            if workflow is None:
                continue
            for other, named in enumerate(self.rows):
                before = self.of_row.get(other)
                if before is None or before is workflow or not before.creates:
                    continue
                if (
                    row.module == named.module and named.key in row.after
                ) or row.key in named.before:
                    add(workflow.requires, before.creates)
        created = sorted({each.creates for each in self.workflows if each.creates})
        for workflow in self.workflows:
            for pattern in workflow.inputs:
                for name in created:
                    if name != workflow.creates and fnmatchcase(f"{name}.md", pattern.lower()):
                        add(workflow.requires, name)

    # -- files

    def name_files(self) -> None:
        """Give every file of every workflow its native name."""
        for workflow in self.workflows:
            if self.target_of(workflow) is workflow:
                self.names(workflow)

    def names(self, workflow: Workflow) -> list[str]:
        """The native names of all its files."""
        values = self.steps.values(workflow)
        found = []
        self.emitter.entries.add(workflow.entry)
        listed = [workflow.entry, *(part.path for part in workflow.parts), *workflow.shown]
        for path in dict.fromkeys([*listed, *workflow.files]):
            if path.endswith("workflow.yaml") and path == workflow.entry:
                continue  # what it says is filled in where it is named
            kind = kind_of(path, workflow.entry)
            if path in workflow.shown and kind == "data":
                kind = "templates"
            if path in {part.path for part in workflow.parts}:
                kind = "tasks"
            native = self.emitter.name(path, workflow.id, workflow.folder, kind, values)
            if native:
                found.append(native)
        found += self.steps.settings_of(workflow)
        return list(dict.fromkeys(found))

    def target(self, name: str, persona: Persona, item: Item) -> str:
        """The native file that a menu item names; empty, and told, when there is none."""
        base = folder_of(persona.at.path)
        place = self.tree.at(*item.at)
        if item.skill:
            workflow = self.by_name.get(name)
            workflow = self.target_of(workflow) if workflow else None
            path = workflow.entry if workflow else None
        elif leaves(name, base):
            message = f"{quoted(name)} leads out of the project"
            self.tree.diagnostics.add("BMAD612", place, message, "name a file of the project")
            return ""
        else:
            path = self.paths.find(name, base)
            workflow = self.by_entry.get(path or "")
        if workflow is not None and workflow.entry.endswith(".yaml"):
            path = workflow.parts[0].path if workflow.parts else None
        if path is None:
            known = [*self.by_name, *self.paths.by_name]
            hint = near_match(name.rpartition("/")[2], known)
            message = f"the item {quoted(item.name)} names {quoted(name)}, which is not there"
            self.tree.diagnostics.add("BMAD605", place, message, hint)
            return ""
        if path in self.emitter.native:
            return self.emitter.native[path]
        home = home_of(self.settings.module_of(path) or persona.module)
        kind = kind_of(path, path if path.endswith((".md", ".xml")) else "")
        return self.emitter.name(path, home, folder_of(path), kind, self.settings.placeholders)

    def told(self, workflow: Workflow) -> str:
        """What whoever carries a workflow out as a command is told beside its files."""
        return self.steps.told(workflow, self.target_of(workflow))

    def settings_of(self, workflow: Workflow) -> list[str]:
        """The native file of its settings, if it has one."""
        return self.steps.settings_of(self.target_of(workflow))

    # -- flows

    def write(self) -> None:
        """Every workflow as a flow."""
        for workflow in self.workflows:
            self._flow(workflow)

    def _flow(self, workflow: Workflow) -> None:
        flow = DraftFlow(workflow.flow, workflow.at, workflow.description)
        target = self.target_of(workflow)
        flow.keys["on_missing_doc"] = MISSING
        flow.steps = self.steps.of(target)
        if target.creates:
            write_document(target, flow.steps)
            if len(flow.steps) > 1:
                flow.notes.append("Its steps write one document, one after the other.")
        if target is not workflow:
            flow.notes.append(f"An old name of {target.flow}, told what stands under the old one.")
            self.steps.forward(workflow, flow.steps)
        else:
            for step in flow.steps:
                if step.at != workflow.at:
                    self.draft.account(step.at, "step", step.at.path, "carried")
        self.draft.account(workflow.at, "workflow", workflow.id, "carried")
        self.draft.flows.append(flow)

    def target_of(self, workflow: Workflow) -> Workflow:
        """The workflow that stands for one by now: itself, unless it forwards to another."""
        seen: set[str] = set()
        while workflow.id not in seen and workflow.forward in self.by_name:
            seen.add(workflow.id)
            workflow = self.by_name[workflow.forward]
        return workflow
