"""A whole v6 project as a draft: who there is, what they do, and in which order."""

from __future__ import annotations

import re
from typing import Final

from ....runtime import spec
from ...diagnostics import Diagnostics, quoted
from ...summary import many
from .. import detect
from ..draft import Draft, Origin
from ..tree import ForeignTree
from . import agentxml, agentyaml, copies, helptable, installed, manifest, overrides
from .agents import AgentWriter
from .emit import Emitter
from .flows import FlowWriter
from .installed import Installed
from .paths import Paths, folder_of
from .persona import Persona, slug
from .settings import Settings
from .skills import NAME as SKILL
from .skills import Skills
from .tables import Tables
from .workflow import Workflow, candidates
from .workflowfiles import WorkflowFiles, is_configuration

NAME: Final = "bmad-v6"
_NAMED: Final = re.compile(r"\s*---[ \t]*\n(?:(?!---).*\n)*?name:[ \t]*\S")
_CUSTOMISE: Final = ".customize.yaml"


def recognises(tree: ForeignTree) -> str:
    """Why a tree is a v6 project; empty when it is none."""
    for path in sorted(installed.read(tree).files):
        if is_test(path):
            continue
        folder, _, name = path.rpartition("/")
        if name.endswith(agentyaml.SUFFIX):
            return f"{path} is an agent in BMAD's YAML"
        if name == SKILL and f"{folder}/customize.toml".lstrip("/") in tree.files:
            return f"{path} has a customize.toml beside it"
        if name in helptable.NAMES and helptable.is_header(tree.text(path) or ""):
            return f"{path} has the columns of a module's table"
        if name == manifest.NAME:
            return f"{path} lists installed agents"
        if copies.is_xml_agent(tree, path):
            return f"{path} has an <agent> element"
    return ""


def is_test(path: str) -> bool:
    """Whether a file is test data of BMAD's own."""
    return "/fixtures/" in f"/{path}" and "/test" in f"/{path}"


def read(tree: ForeignTree, diagnostics: Diagnostics) -> Draft:
    """The project's draft; findings go into `diagnostics`, which is the tree's."""
    found = installed.read(tree)
    tests = sorted(path for path in found.files if is_test(path))
    kept = {path: data for path, data in found.files.items() if not is_test(path)}
    doubled = copies.doubled(ForeignTree(kept, tree.shown, tree.name, diagnostics))
    for entry in doubled.workflows:
        for path in tree.below(folder_of(entry)):
            kept.pop(path, None)
    for path in doubled.agents:
        kept.pop(path, None)
    project = _Project(ForeignTree(kept, tree.shown, tree.name, diagnostics), found)
    if tests:
        project.tell_tests(tests)
    for kind, twice in (
        ("skill", found.copies),
        ("agent", found.agents),
        ("workflow", doubled.workflows),
        ("agent", doubled.agents),
    ):
        if twice:
            project.tell_copies(tree, kind, twice)
    return project.read()


class _Project:
    def __init__(self, tree: ForeignTree, found: Installed) -> None:
        self.tree = tree
        self.draft = Draft(NAME)
        self.paths = Paths(tree)
        self.settings = Settings(tree, self.draft)
        self.settings.modules |= found.modules
        self.files = WorkflowFiles(tree, self.draft, self.paths, self.settings)
        self.skills = Skills(self.files)
        self.emitter = Emitter(tree, self.draft, self.paths)
        self.personas: list[Persona] = []
        self.compiled: set[str] = set()  # agents in XML beside the YAML that they were made from
        self.workflows: list[Workflow] = []
        self.sources = {
            copies.tail(path): path
            for path in sorted(tree.files, reverse=True)
            if path.endswith(agentyaml.SUFFIX)
        }

    def tell_tests(self, paths: list[str]) -> None:
        message = f"{many(len(paths), 'file')} of test data: not read"
        hint = "name their folder with --src to read them"
        self.tree.diagnostics.add("BMAD637", self.tree.at(paths[0]), message, hint)
        for path in paths:
            self.draft.taken[path] = f"{path} is test data"
            self.draft.account(Origin(path), "test data", path, "left", "it tests BMAD itself")

    def tell_copies(self, tree: ForeignTree, kind: str, twice: dict[str, str]) -> None:
        """What stands once more, elsewhere or in the folder of an editor."""
        first, read = min(twice.items())
        message = f"a second copy of {many(len(twice), kind)} is not read, but {read}"
        hint = "the first is read: from the project, else from the first editor's folder"
        self.tree.diagnostics.add("BMAD611", self.tree.at(first), message, hint)
        for path, other in twice.items():
            same = tree.files[path] == tree.files[other]
            why = f"{other} is read" + ("" if same else ", which differs from it")
            self.draft.account(Origin(path), kind, path, "left", why)
            for each in (path,) if kind == "agent" else tree.below(folder_of(path)):
                self.draft.taken[each] = f"{each} is a copy"

    def read(self) -> Draft:
        for path in sorted(self.tree.files):
            self._read_file(path)
        self._manifests()
        self._customise()
        rows = self._tables()
        self._name_workflows()
        writer = AgentWriter(self.tree, self.draft, self.emitter, self.settings)
        writer.name(self.personas)
        flows = FlowWriter(self.tree, self.draft, self.emitter, self.settings, self.paths)
        flows.take(self.workflows, self.personas, rows, writer.ids)
        tables = Tables(flows)
        tables.order()
        flows.name_files()
        writer.write(self.personas, flows)
        flows.write()
        tables.write()
        self.emitter.write()
        self.emitter.tell_left()
        self._tell_rest(writer)
        return self.draft

    def _read_file(self, path: str) -> None:
        name = path.rpartition("/")[2]
        if name.endswith(agentyaml.SUFFIX):
            self.draft.taken[path] = f"{path} is an agent in BMAD's YAML"
            self._add(path, agentyaml.read_agent(self.tree, path))
        elif name == SKILL:
            self._read_skill(path)
        elif copies.is_xml_agent(self.tree, path):
            self._read_xml(path)
        elif name.endswith((".yaml", ".yml")):
            self._read_yaml(path)
        elif name == "workflow.md" or self._is_variant(path):
            if "/workflows/" in f"/{path}" and self._of_skill(path) is None:
                self.draft.taken[path] = f"{path} is a workflow"
                self.workflows.append(self.files.read_page(path))
        elif name == "workflow.xml" and "/workflows/" in f"/{path}" and not self._of_skill(path):
            self.draft.taken[path] = f"{path} is a workflow"
            self.workflows.append(self.files.start("", path, Origin(path)))

    def _is_variant(self, path: str) -> bool:
        """Whether it is a `workflow-create.md`: plans, guides and templates have no name."""
        name = path.rpartition("/")[2]
        if not (name.startswith("workflow-") and name.endswith(".md")) or "template" in name:
            return False
        return _NAMED.match(self.tree.text(path) or "") is not None

    def _read_skill(self, path: str) -> None:
        if installed.is_example(self.tree, path):
            why = "it is an example that another skill shows"
            self.draft.account(Origin(path), "skill", path, "left", why)
            return
        self.draft.taken[path] = f"{path} is a skill"
        found = self.skills.read(path)
        if found is None or isinstance(found, Persona):
            self._add(path, found)
        else:
            self.workflows.append(found)

    def _read_xml(self, path: str) -> None:
        source = copies.source(path, self.sources, self.tree.files)
        if source:
            self.compiled.add(path)
            self.draft.taken[path] = f"{path}: BMAD made it from {source}"
            why = f"BMAD made it from {source}"
            self.draft.account(Origin(path), "agent's copy", path, "left", why)
            return
        self.draft.taken[path] = f"{path} has an <agent> element"
        self._add(path, agentxml.read_agent(self.tree, path))

    def _read_yaml(self, path: str) -> None:
        if not is_configuration(self.tree.text(path) or "") or "template" in path.lower():
            return
        self.draft.taken[path] = f"{path} names a workflow's instructions"
        text = self._of_skill(path) or self._with(f"{folder_of(path)}/workflow.md")
        if text is not None:
            if not self.files.configure(text, path):
                why = "its YAML cannot be read"
                self.draft.account(Origin(path), "settings", path, "left", why)
            return
        found = self.files.read_configuration(path)
        if found is None:
            why = "its YAML cannot be read"
            self.draft.account(Origin(path), "workflow", path, "left", why)
        else:
            self.workflows.append(found)

    def _of_skill(self, path: str) -> Workflow | None:
        """The skill that a file lies beside, whose workflow it then belongs to."""
        return self._with(f"{folder_of(path)}/{SKILL}")

    def _with(self, entry: str) -> Workflow | None:
        entry = entry.lstrip("/")
        return next((each for each in self.workflows if each.entry == entry), None)

    def _add(self, path: str, persona: Persona | None) -> None:
        if persona is None:
            why = "it cannot be read"
            self.draft.account(Origin(path), "agent", path, "left", why)
            return
        persona.module = persona.module or self.settings.module_of(path)
        self.personas.append(persona)

    def _manifests(self) -> None:
        for path in sorted(self.tree.files):
            if path.rpartition("/")[2] != manifest.NAME:
                continue
            self.draft.taken[path] = f"{path} lists installed agents"
            known = {persona.at.path for persona in self.personas} | self.compiled
            for persona, written in manifest.read(self.tree, path):
                file = written.partition(" (")[0]
                found = self.paths.find(file)
                other = self._of_another(persona, found)
                if found is None and persona.is_empty:
                    why = "its row says nothing, and its file is not there"
                    self.draft.account(persona.at, "agent's entry", persona.id, "left", why)
                elif other:
                    self.draft.account(persona.at, "agent's entry", persona.id, "left", other)
                elif found in known or (found is None and self._has(persona)):
                    why = "the agent's own file says it"
                    self.draft.account(persona.at, "agent's entry", persona.id, "carried", why)
                else:
                    self._of_row(persona, file, found)

    def _of_another(self, persona: Persona, path: str | None) -> str:
        """Why a row is not needed whose file is an agent in another form, which is read as that."""
        if path is None or not path.endswith(".md"):
            return ""
        if detect.of_agent(self.tree.text(path) or "").kind not in ("named", "v4"):
            return ""
        return "" if self._has(persona) else f"{path} is an agent in another form"

    def _of_row(self, persona: Persona, file: str, found: str | None) -> None:
        """An agent whose file is not there, or holds none, made of what the manifest says."""
        text = self.tree.text(found) or "" if found and found.endswith(".md") else ""
        lacks = "holds no agent that can be read" if found else "is not there"
        if found and text.strip() and detect.of_agent(text).kind == "prose":
            lacks = "is prose, which becomes its prompt"
            persona.sections.append(("What it does", text))
            self.draft.taken[found] = f"{found} is an agent in prose, by its manifest"
        message = f"the file of the agent {quoted(persona.id)} {lacks}: {quoted(file)}"
        hint = "the agent is made of what its row says"
        place = self.tree.at(*persona.at)
        self.tree.diagnostics.add("BMAD644", place, message, hint)
        self.personas.append(persona)

    def _has(self, persona: Persona) -> bool:
        """Whether an agent is there by its id, or by its name in its module."""
        key = spec.id_key(slug(persona.id))
        return any(
            spec.id_key(slug(known.id)) == key
            or (persona.name and persona.name == known.name and _share_module(persona, known))
            for known in self.personas
        )

    def _customise(self) -> None:
        for path in sorted(self.tree.files):
            name = path.rpartition("/")[2]
            if not name.endswith(_CUSTOMISE):
                continue
            self.draft.taken[path] = f"{path} customises an agent"
            own = name.removesuffix(_CUSTOMISE)
            found = next((each for each in self.personas if own in _names(each)), None)
            if found is None and not overrides.says_anything(self.tree, path):
                self.draft.account(Origin(path), "customisation", own, "left", "it says nothing")
            elif found is None:
                message = f"there is no agent {quoted(own)} to customise"
                self.tree.diagnostics.add("BMAD611", self.tree.at(path), message)
                self.draft.account(Origin(path), "customisation", own, "left", message)
            else:
                overrides.customise(self.tree, path, found)
                self.draft.account(Origin(path), "customisation", own, "carried")

    def _tables(self) -> list[helptable.Row]:
        rows: list[helptable.Row] = []
        for path in sorted(self.tree.files):
            if path.rpartition("/")[2] not in helptable.NAMES:
                continue
            self.draft.taken[path] = f"{path} has the columns of a module's table"
            if path.endswith("bmad-help.csv") and any(
                other.endswith("/module-help.csv") for other in self.tree.files
            ):
                why = "an installer put it together from the modules' own tables"
                self.draft.account(Origin(path), "table", path, "left", why)
                continue
            rows += helptable.read(self.tree, path, self.draft)
        return rows

    def _name_workflows(self) -> None:
        """Ids that are all different: the module's name first where one is taken."""
        seen: dict[str, Workflow] = {}
        for workflow in self.workflows:
            own = workflow.id
            for candidate in candidates(own, workflow.module, workflow.folder):
                if candidate and spec.id_key(candidate) not in seen:
                    workflow.id = candidate
                    break
            seen[spec.id_key(workflow.id)] = workflow
            if workflow.id != own:
                message = f"the name {quoted(own)} is taken: this workflow is {quoted(workflow.id)}"
                place = self.tree.at(*workflow.at)
                self.tree.diagnostics.add("BMAD607", place, message, "rename one of them")

    def _tell_rest(self, writer: AgentWriter) -> None:
        if self.skills.unmatched:
            at, first = self.skills.unmatched[0]
            count = len(self.skills.unmatched)
            message = f"{count:,} standing facts name files that are not here, such as {first}"
            hint = "supply them as documents, or write the facts down"
            self.tree.diagnostics.add("BMAD611", self.tree.at(*at), message, hint)
            for place, fact in self.skills.unmatched:
                why = "no file of the project matches"
                self.draft.account(place, "fact", fact, "left", why)
        writer.tell_dropped()


def _share_module(one: Persona, other: Persona) -> bool:
    return one.module == other.module or not (one.module and other.module)


def _names(persona: Persona) -> set[str]:
    short = persona.id.removeprefix("bmad-").removeprefix(f"{persona.module}-")
    short = short.removeprefix("agent-")
    return {f"{start}{own}" for own in (persona.id, short) for start in ("", f"{persona.module}-")}
