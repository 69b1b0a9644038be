"""Workflows in files of their own: `workflow.yaml` with instructions, `workflow.md` with steps."""

from __future__ import annotations

import re
from typing import Final

from ....runtime.yamltext import Mapping, Node, Scalar
from ...diagnostics import near_match, quoted
from .. import lenient
from ..draft import Draft, Fate, Origin
from ..tree import ForeignTree
from .fields import keys_of, origin, scalars, text_of
from .markdown import Page, page
from .paths import Paths, folder_of, leaves
from .persona import one_line, slug
from .settings import Settings
from .workflow import Part, Workflow, document_of

MAX_STEPS: Final = 200
_CONFIGURED: Final = re.compile(r"^(?:instructions|installed_path):", re.MULTILINE)
_EXAMPLE: Final = re.compile(r"\be\.g\.,?\s+`?\Z")
_EXAMPLE_WIDTH: Final = 8
_TEXT: Final = "text"  # stands for the file that a name is read in, where only its folder counts
_STEP_FILE: Final = re.compile(r"step-(?:[a-z]-)?(\d+)([a-z]?)(?:[-.]|$)")
_MENTION: Final = re.compile(r"[\w{}./-]*step-[\w-]+\.md\b")
_ENTRIES: Final = ("SKILL.md", "workflow.md", "workflow.yaml", "workflow.xml")
_NEXT: Final = ("nextStepFile", "nextStep", "firstStepFile", "firstStep")
_FILES: Final = ("instructions", "template", "validation", "checklist", "default_output_file")
_SPLIT: Final = re.compile(r"\s*\|\|\s*")


def _fate_of(key: str, value: Node) -> tuple[Fate, str]:
    """What becomes of a key of `workflow.yaml`."""
    if key in ("name", "description"):
        return "carried", ""
    if key in _FILES:
        return "carried", "the file that it names is what the flow's steps are made of"
    if key == "input_file_patterns":
        why = "whole documents are shown when a client supplies them; how to load them is left"
        return "approximated", why
    if key == "date":
        return "approximated", "the model is told no date of its own"
    if isinstance(value, Scalar):
        return "carried", "a value of its own for the texts that name it in braces"
    if isinstance(value, Mapping) and all(isinstance(v, Scalar) for _, v in value.entries):
        return "carried", "values of its own for the texts that name them in braces"
    return "left", "it tells an editor how to carry out the workflow, which the service does"


def is_configuration(text: str) -> bool:
    """Whether a YAML file is a workflow's: it names its instructions."""
    return len(_CONFIGURED.findall(text)) > 0 and "\nname:" in f"\n{text}"


class WorkflowFiles:
    """Reads the workflows of one tree."""

    def __init__(self, tree: ForeignTree, draft: Draft, paths: Paths, settings: Settings) -> None:
        self.tree = tree
        self.draft = draft
        self.paths = paths
        self.settings = settings

    def start(self, name: str, path: str, at: Origin) -> Workflow:
        """A workflow with what its place alone says."""
        folder = folder_of(path)
        own = slug(name) or slug(folder.rpartition("/")[2]) or "workflow"
        found = Workflow(own, at, path, folder, module=self.settings.module_of(path))
        if path.rpartition("/")[2] in _ENTRIES:
            found.files = [
                each
                for each in self.tree.below(folder)
                if not each.endswith((".toml", "manifest.json"))
            ]
        return found

    # -- workflow.yaml

    def read_configuration(self, path: str) -> Workflow | None:
        """The workflow of a `workflow.yaml`; None when it does not parse, which was reported."""
        text = self.tree.text(path)
        root = None if text is None else lenient.mapping(self.tree, path, text)
        if root is None:
            return None
        keys = keys_of(root)
        workflow = self.start(text_of(keys.get("name")), path, origin(path, root))
        workflow.title = text_of(keys.get("name"))
        workflow.description = one_line(text_of(keys.get("description")))
        workflow.values = self._values(path, root)
        instructions = self._file(workflow, keys.get("instructions"), "instructions")
        workflow.parts = [Part("", instructions)] if instructions else []
        self._configure(workflow, path, root)
        return workflow

    def configure(self, workflow: Workflow, path: str) -> bool:
        """Take the settings of a `workflow.yaml` that lies beside a workflow's own text.

        False when it does not parse, which was reported.
        """
        text = self.tree.text(path)
        root = None if text is None else lenient.mapping(self.tree, path, text)
        if root is None:
            return False
        workflow.settings_file = path
        self._configure(workflow, path, root)
        return True

    def _configure(self, workflow: Workflow, path: str, root: Mapping) -> None:
        keys = keys_of(root)
        workflow.values = self._values(path, root) | workflow.values
        template = self._file(workflow, keys.get("template"), "template")
        if template and template not in workflow.shown:
            workflow.shown.append(template)
        for name in ("validation", "checklist"):
            checklist = self._file(workflow, keys.get(name), name)
            if checklist and checklist not in workflow.files:
                workflow.files.append(checklist)
        if not workflow.creates:
            self._creates(workflow, keys.get("default_output_file"), path)
        self._inputs(workflow, keys)
        self._account_keys(path, root)

    def _account_keys(self, path: str, root: Mapping) -> None:
        """Say of each key what is made of it; of a file that is not there it was said."""
        for key, value in root.entries:
            fate, why = _fate_of(key.text, value)
            self.draft.account(origin(path, key), "workflow key", key.text, fate, why)

    def _values(self, path: str, root: Mapping) -> dict[str, str]:
        """Its own settings; of `a || b` the first that is known."""
        found = {}
        for key, text, _ in scalars(root, path):
            parts = _SPLIT.split(text)
            known = (part for part in parts if not self.settings.placeholders.resolve(part).left)
            value = next(known, parts[0]).strip("'\"")
            if value and key != "date" and value != "system-generated":
                found[key] = value
        found["installed_path"] = folder_of(path) or "."
        return found

    def _file(self, workflow: Workflow, node: Node | None, what: str) -> str | None:
        """The file that a key names, relative to the tree; told when it is not there."""
        name = text_of(node)
        if node is None or name.lower() in ("", "false", "none"):
            return None
        at = origin(workflow.settings_file or workflow.entry, node)
        found = self.reference(name, workflow, at)
        if found is None:
            self.draft.account(at, what, name, "left", "there is no such file")
        return found

    def reference(self, name: str, workflow: Workflow, at: Origin) -> str | None:
        """The file that a structured reference means; a finding when there is none."""
        values = self.settings.placeholders.with_values(workflow.values)
        place = self.tree.at(*at)
        filled = name if name.startswith("{installed_path}") else values.resolve(name).text
        if leaves(filled, workflow.folder):
            message = f"{quoted(name)} leads out of the project"
            self.tree.diagnostics.add("BMAD612", place, message, "name a file of the project")
            return None
        found = self.paths.find(filled, workflow.folder)
        if found is None and "{" not in values.resolve(name).text:
            hint = near_match(filled.rpartition("/")[2], self.tree.by_name)
            self.tree.diagnostics.add("BMAD605", place, f"there is no file {quoted(name)}", hint)
        return found

    def _creates(self, workflow: Workflow, node: Node | None, path: str) -> None:
        name = text_of(node)
        if node is None or name.lower() in ("", "false", "none"):
            return
        values = self.settings.placeholders.with_values(workflow.values)
        filled = values.resolve(name).text.rpartition("/")[2]
        workflow.creates = document_of(filled) or workflow.id
        workflow.creates_at = origin(path, node)

    def _inputs(self, workflow: Workflow, keys: dict[str, Node]) -> None:
        for value in keys_of(keys.get("input_file_patterns")).values():
            pattern = text_of(keys_of(value).get("whole")) or text_of(value)
            if pattern:
                workflow.inputs.append(pattern.rpartition("/")[2])

    # -- workflow.md and its steps

    def read_page(self, path: str) -> Workflow:
        """The workflow of a Markdown file, with the chain of its step files."""
        found = page(self.tree, path)
        stem = path.rpartition("/")[2].removesuffix(".md")
        named = text_of(found.keys.get("name"))
        own = named or (stem.removeprefix("workflow-") if stem.startswith("workflow-") else "")
        workflow = self.start(own, path, Origin(path))
        workflow.title = named or workflow.id
        workflow.description = one_line(text_of(found.keys.get("description")))
        workflow.values = {key: text_of(value) for key, value in found.keys.items()}
        self.follow(workflow, path, found)
        return workflow

    def follow(self, workflow: Workflow, path: str, found: Page) -> None:
        """Add the steps from the file at `path` on: each names the next one."""
        seen: set[str] = set()
        while len(workflow.parts) < MAX_STEPS:
            following = self._next(workflow, path, found.keys, found.body, found.line)
            if following == path:
                following = self._behind(path)
            if following is None:
                break
            if following in seen or following in (workflow.entry, workflow.page):
                at = self.tree.at(path)
                message = f"the steps lead in a circle: {quoted(following)} comes a second time"
                hint = "the workflow ends before it; name another next step, or none"
                self.tree.diagnostics.add("BMAD635", at, message, hint)
                break
            seen.add(following)
            if self.tree.text(following) is None:
                self.draft.account(Origin(following), "step", following, "left", "it is no text")
                break
            stem = following.rpartition("/")[2].removesuffix(".md")
            workflow.parts.append(Part(slug(stem), following))
            found = page(self.tree, following)
            self._output(workflow, following, found.keys)
            path = following
        workflow.aside = [
            each
            for each in workflow.files
            if _STEP_FILE.match(each.rpartition("/")[2])
            and each not in seen
            and not self._is_inners(workflow, each)
        ]
        for each in workflow.aside:
            why = "no step leads to it by itself: it can be read when a step asks for it"
            self.draft.account(Origin(each), "step", each, "approximated", why)

    def _is_inners(self, workflow: Workflow, path: str) -> bool:
        """Whether a file belongs to another workflow inside this one's folder."""
        folder = folder_of(path)
        while len(folder) > len(workflow.folder):
            if any(f"{folder}/{entry}" in self.tree.files for entry in _ENTRIES):
                return True
            folder = folder_of(folder)
        return False

    def _behind(self, path: str) -> str | None:
        """The step behind one that names itself, to be repeated: by the numbers in their names."""
        message = "the step names itself as the next one, to be repeated: it is carried out once"
        self.tree.diagnostics.add("BMAD614", self.tree.at(path), message)
        self.draft.account(Origin(path), "repetition", path, "approximated", message)
        folder, _, name = path.rpartition("/")
        own = _STEP_FILE.match(name)
        for each in sorted(self.tree.files):
            other = _STEP_FILE.match(each.rpartition("/")[2]) if folder_of(each) == folder else None
            if own and other and not other[2] and int(other[1]) == int(own[1]) + 1:
                return each
        return None

    def _next(
        self, workflow: Workflow, path: str, keys: dict[str, Node], body: str, line: int
    ) -> str | None:
        base = folder_of(path)
        for key in _NEXT:
            if text_of(keys.get(key)):
                return self._step(workflow, text_of(keys[key]), base, origin(path, keys[key]))
        mentions = list(_MENTION.finditer(body))
        own = _STEP_FILE.match(path.rpartition("/")[2])
        for mention in mentions if own is None else reversed(mentions):
            name = _STEP_FILE.match(mention[0].rpartition("/")[2])
            if name is None or name[2]:
                continue
            is_example = _EXAMPLE.search(body[: mention.start()][-_EXAMPLE_WIDTH:])
            if is_example and self._own(workflow, mention[0], base) is None:
                continue
            if own is None or int(name[1]) == int(own[1]) + 1:
                at = Origin(path, body.count("\n", 0, mention.start()) + line)
                return self._step(workflow, mention[0], base, at, declared=False)
        return _begun(workflow, body) if own is None else None

    def _step(
        self, workflow: Workflow, name: str, base: str, at: Origin, *, declared: bool = True
    ) -> str | None:
        """The file of a next step. One that front-matter declares has to be there."""
        filled = self.settings.placeholders.with_values(workflow.values).resolve(name).text
        place = self.tree.at(*at)
        if leaves(filled, base):
            message = f"{quoted(name)} leads out of the project"
            self.tree.diagnostics.add("BMAD612", place, message, "name a file of the project")
            return None
        if declared:
            found = self.paths.find(filled, base) or self.paths.find(filled, workflow.folder)
        else:
            found = self._own(workflow, filled, base)
        if found is None:
            beside = (path.rpartition("/")[2] for path in workflow.files)
            message = f"the next step {quoted(name)} is not there"
            hint = near_match(name.rpartition("/")[2], beside) or "the workflow ends here"
            code = "BMAD636" if declared else "BMAD605"
            self.tree.diagnostics.add(code, place, message, hint)
            self.draft.account(at, "step", name, "left", "there is no such file")
        return found

    def _own(self, workflow: Workflow, name: str, base: str) -> str | None:
        """The step file that a text means: a bare name is never one of another workflow."""
        places = (f"{folder}/{_TEXT}".lstrip("/") for folder in (base, workflow.folder))
        found = (self.paths.mentioned(name, place, workflow.folder) for place in places)
        return next(filter(None, found), None)

    def _output(self, workflow: Workflow, path: str, keys: dict[str, Node]) -> None:
        node = keys.get("outputFile") or keys.get("output_file")
        name = text_of(node)
        if node is None or not name or workflow.creates:
            return
        filled = self.settings.placeholders.with_values(workflow.values).resolve(name).text
        workflow.creates = document_of(filled.rpartition("/")[2])
        workflow.creates_at = origin(path, node)


def _begun(workflow: Workflow, body: str) -> str | None:
    """The first step of a text that names steps without their files' endings."""
    for path in workflow.files:
        name = path.rpartition("/")[2]
        found = _STEP_FILE.match(name)
        if found is None or found[2] or int(found[1]) > 1:
            continue
        if re.search(rf"(?<![\w-]){re.escape(name.removesuffix('.md'))}(?![\w-])", body):
            return path
    return None
