"""The steps of a v6 workflow: what each is told and shown, and the document that they write."""

from __future__ import annotations

from typing import Any, Final

from .. import yamlform
from ..draft import Draft, DraftStep, Origin
from ..placeholders import Placeholders
from ..tree import ForeignTree
from . import layers
from .emit import Emitter
from .markdown import page, tell_dropped, without
from .persona import slug
from .settings import Settings
from .workflow import Workflow

_BEGINS: Final = "Your answer is the document `{}`, as far as this step brings it."
_GOES_ON: Final = (
    "The document `{}` is shown as the steps before left it. Your answer is the whole of it, with "
    "what this step does to it; where that is nothing, give it back unchanged."
)


class StepWriter:
    """Writes the steps of a workflow whose files have their native names."""

    def __init__(
        self, tree: ForeignTree, draft: Draft, emitter: Emitter, settings: Settings
    ) -> None:
        self.tree = tree
        self.draft = draft
        self.emitter = emitter
        self.settings = settings

    def values(self, workflow: Workflow) -> Placeholders:
        """What its placeholders stand for."""
        more = dict(workflow.values)
        more.setdefault("skill-name", workflow.id)
        return self.settings.placeholders.with_values(more)

    def of(self, workflow: Workflow) -> list[DraftStep]:
        """A workflow's steps: its parts, or all of it as one."""
        native = self.emitter.native
        leads = [native[path] for path in workflow.leads if path in native]
        parts = [part for part in workflow.parts if part.path in native]
        if not parts or parts[0].name == "":
            tasks = [native[part.path] for part in parts] or leads
            return [self._step(workflow, workflow.id, tasks, workflow.at, first=True, last=True)]
        found = []
        seen: set[str] = set()
        for number, part in enumerate(parts):
            name = part.name if part.name not in seen else slug(f"{part.name}-{number + 1}")
            seen.add(name)
            tasks = [*leads, native[part.path]]
            at = Origin(part.path)
            is_last = number == len(parts) - 1
            found.append(self._step(workflow, name, tasks, at, first=number == 0, last=is_last))
        return found

    def _step(
        self,
        workflow: Workflow,
        name: str,
        tasks: list[str],
        at: Origin,
        *,
        first: bool,
        last: bool,
    ) -> DraftStep:
        keys: dict[str, Any] = {"agent": workflow.owner}
        if name == workflow.creates:
            name = f"{name}-step"
        if name != workflow.owner:
            keys["id"] = name
        if tasks:
            names = [task.partition("/")[2] for task in tasks]
            keys["task"] = names[0] if len(names) == 1 else names
        templates = self._templates(workflow, name)
        if templates:
            keys["template"] = templates[0] if len(templates) == 1 else templates
        if workflow.requires:
            keys["reads"] = [f"{name}.md" for name in workflow.requires]
        if own_settings := self.settings_of(workflow):
            keys["data"] = own_settings[0].partition("/")[2]
        note = self._note(workflow, first=first, last=last)
        if note:
            keys["note"] = note
        return DraftStep(keys, at)

    def _templates(self, workflow: Workflow, name: str) -> list[str]:
        """The workflow's own, and those that the text of this step names."""
        shown = [
            self.emitter.native[path] for path in workflow.shown if path in self.emitter.native
        ]
        for part in workflow.parts:
            if part.name == name and part.path in self.emitter.native:
                shown += self.emitter.mentioned(part.path, "templates")
        if not shown and len(workflow.parts) == 0:
            for path in workflow.leads:
                shown += self.emitter.mentioned(path, "templates")
        own = dict.fromkeys(path for path in shown if path.startswith("templates/"))
        return [path.partition("/")[2] for path in own]

    def settings_of(self, workflow: Workflow) -> list[str]:
        """The native name of the file of its author's settings that no text can hold, if any."""
        if not workflow.settings:
            return []
        native = f"data/{workflow.id}/settings.yaml"
        while native in self.emitter.native.values():
            native = f"{native.removesuffix('.yaml')}-own.yaml"
        self.emitter.made[native] = (workflow.at, _as_yaml(workflow), self.values(workflow))
        return [native]

    def told(self, workflow: Workflow, target: Workflow) -> str:
        """What a command of a workflow is told: all that its steps are, but for files."""
        said = "" if target is workflow else self._forwarding(workflow)
        note = self._note(target, first=True, last=True)
        return "\n\n".join(part for part in (said, note) if part)

    def _note(self, workflow: Workflow, *, first: bool, last: bool) -> str:
        parts = []
        if workflow.facts:
            parts.append(
                "Facts that hold all the time:\n" + "\n".join(f"- {f}" for f in workflow.facts)
            )
        if first and workflow.before:
            parts.append("First:\n" + "\n".join(f"- {each}" for each in workflow.before))
        if last and workflow.after:
            parts.append("At the end:\n" + "\n".join(f"- {each}" for each in workflow.after))
        text = "\n\n".join(parts)
        return self.emitter.fill(workflow.entry, text, self.values(workflow)) if text else ""

    def forward(self, workflow: Workflow, steps: list[DraftStep]) -> None:
        """Tell another workflow's steps what the one says that forwards to it."""
        told = self._forwarding(workflow)
        for step in steps:
            tell(step, told)
            reads = dict.fromkeys(step.keys.get("reads", ()))
            reads |= dict.fromkeys(f"{name}.md" for name in workflow.requires)
            if reads:
                step.keys["reads"] = list(reads)

    def _forwarding(self, workflow: Workflow) -> str:
        found = page(self.tree, workflow.entry)
        text, dropped = without(found.body)
        draft = self.emitter.draft
        self.emitter.dropped += tell_dropped(draft, workflow.entry, found.line, dropped)
        if workflow.settings:
            text += f"\n\nIts settings:\n\n{_as_yaml(workflow)}"
        said = self.emitter.fill(workflow.entry, text.rstrip(), self.values(workflow))
        note = self._note(workflow, first=True, last=True)
        return "\n\n".join(part for part in (said, note) if part)


def _as_yaml(workflow: Workflow) -> str:
    lines = yamlform.mapping(layers.plain(workflow.settings))
    return "".join(f"{line.text}\n" for line in lines)


def write_document(workflow: Workflow, steps: list[DraftStep]) -> None:
    """Have the steps write the workflow's document, each on from where the one before left it."""
    name = f"{workflow.creates}.md"
    for number, step in enumerate(steps):
        step.keys["creates"] = name
        step.origins["creates"] = workflow.creates_at or workflow.at
        if number:
            step.keys["requires"] = [name]
            tell(step, _GOES_ON.format(workflow.creates))
        elif len(steps) > 1:
            tell(step, _BEGINS.format(workflow.creates))


def tell(step: DraftStep, text: str) -> None:
    """Put a text before what a step is told already."""
    step.keys["note"] = "\n\n".join(part for part in (text, step.keys.get("note", "")) if part)
