"""The flows of a v6 project: one for each workflow."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ...diagnostics import near_match, quoted, several
from ..draft import Draft, DraftFlow
from ..tree import ForeignTree
from .emit import Emitter, home_of, kind_of
from .helptable import SKILL, Row
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
        self.absent: dict[str, list[Row]] = {}  # by table: rows for what is not there

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
            for path in filter(None, (workflow.entry, *workflow.leads, workflow.settings_file)):
                self.by_entry.setdefault(path, workflow)
            self.by_name.setdefault(workflow.id, workflow)
            self.by_name.setdefault(workflow.folder.rpartition("/")[2], workflow)
        self._own(personas)
        for number, row in enumerate(rows):
            self._row(number, row, personas)
        self._tell_absent()
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
            if target.startswith(SKILL) and target[len(SKILL) :] in self.by_name:
                return self.by_name[target[len(SKILL) :]]
            path = self.paths.find(target, folder_of(persona.at.path))
            if path in self.by_entry:
                return self.by_entry[path]
        return None

    def _row(self, number: int, row: Row, personas: list[Persona]) -> None:
        workflow = self.by_name.get(row.skill)
        if row.file:
            path = self.paths.find(row.file)
            workflow = self.by_entry.get(path or "")
            stem = row.file.rpartition("/")[2].partition(".")[0]
            if workflow is None and any(stem == p.id or p.at.path == path for p in personas):
                self.draft.account(row.at, "table row", row.name, "carried")
                return
            if path is not None and workflow is None:
                why = "its file is no workflow's"
                self.draft.account(row.at, "table row", row.name, "approximated", why)
                return
        if workflow is None:
            if any(persona.id == row.skill for persona in personas):
                self.draft.account(row.at, "table row", row.name, "carried")
                return
            self.absent.setdefault(row.at.path, []).append(row)
            self.draft.account(row.at, "table row", row.name, "left", "it is not in the project")
            return
        self.of_row[number] = workflow
        workflow.description = workflow.description or one_line(row.description)
        if not workflow.owner and row.agent:
            owner = next((p for p in personas if row.agent in (p.id, slug(p.name))), None)
            end = f"-{row.agent}"
            owner = owner or next((p for p in personas if p.id.endswith(end)), None)
            workflow.owner = self.ids[id(owner)] if owner else ""
        if not workflow.creates and not row.action and (name := document_of(row.outputs)):
            workflow.creates, workflow.creates_at = name, row.at
        self.draft.account(row.at, "table row", row.name, "carried")

    def _tell_absent(self) -> None:
        """One finding for each table that names what is not in the project."""
        for rows in self.absent.values():
            names = list(dict.fromkeys(row.file or row.skill for row in rows))
            verb = "is" if len(names) == 1 else "are"
            message = f"the table names {several(names)}, which {verb} not in the project"
            hint = near_match(names[0], self.by_name) if len(names) == 1 else ""
            self.tree.diagnostics.add("BMAD639", self.tree.at(*rows[0].at), message, hint)

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
        """Give every file of every workflow its native name.

        What says what is to be done comes first: a folder around it may hold it as well.
        """
        standing = [each for each in self.workflows if self.target_of(each) is each]
        for workflow in standing:
            self.emitter.entries.update(workflow.leads)
            values = self.steps.values(workflow)
            for path in workflow.tasks:
                self.emitter.name(path, workflow.id, workflow.folder, "tasks", values)
        for workflow in standing:
            self.names(workflow)

    def names(self, workflow: Workflow) -> list[str]:
        """The native names of all its files."""
        values = self.steps.values(workflow)
        found = []
        own = workflow.tasks
        for path in dict.fromkeys([*own, *workflow.shown, *workflow.files]):
            if path in (workflow.entry, workflow.settings_file) and path not in own:
                continue  # what it says is filled in where it is named, or is said elsewhere
            kind = kind_of(path, workflow.entry)
            if path in workflow.shown and kind == "data":
                kind = "templates"
            native = self.emitter.name(path, workflow.id, workflow.folder, kind, values)
            if native:
                found.append(native)
        found += self.facts(workflow.told, workflow.module)
        found += self.steps.settings_of(workflow)
        return list(dict.fromkeys(found))

    def facts(self, paths: list[str], module: str) -> list[str]:
        """The native names of files that standing facts name."""
        found = []
        for path in paths:
            home = home_of(self.settings.module_of(path) or module)
            values = self.settings.placeholders
            found.append(self.emitter.name(path, home, folder_of(path), "data", values))
        return [native for native in found if native]

    def target(self, name: str, persona: Persona, item: Item) -> str:
        """The native file that a menu item names; empty, and told, when there is none."""
        base = folder_of(persona.at.path)
        place = self.tree.at(*item.at)
        if item.skill or name.startswith(SKILL):
            workflow = self.by_name.get(name.removeprefix(SKILL))
            workflow = self.target_of(workflow) if workflow else None
            path = next(iter(workflow.leads), None) if workflow else None
        elif leaves(name, base):
            message = f"{quoted(name)} leads out of the project"
            self.tree.diagnostics.add("BMAD612", place, message, "name a file of the project")
            return ""
        else:
            path = self.paths.find(name, base)
            workflow = self.by_entry.get(path or "")
            path = next(iter(workflow.leads), path) if workflow else path
        if workflow is not None and workflow.entry.endswith(".yaml"):
            path = workflow.parts[0].path if workflow.parts else None
        if path is None:
            known = [*self.by_name, *self.tree.by_name]
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
