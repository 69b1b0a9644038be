"""A v4 workflow as native flows: who does what in which order, with which documents and files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ....runtime.yamltext import Mapping, Node, Scalar
from .. import lenient
from ..draft import DraftFlow, Origin
from . import commands, documents, steps, stories
from .agents import one_line, text_of
from .crew import Crew
from .homes import Home
from .placing import Handoffs, Placing
from .steps import Source

_ABOUT: Final = frozenset({"id", "description", "handoff_prompts"})
_NAMES: Final = frozenset({"name", "title"})


class WorkflowReader:
    """Reads the workflows of one tree into its draft."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.tree = crew.tree
        self.draft = crew.draft

    def read(self, home: Home, path: str) -> None:
        """Add the flows of one file to the draft."""
        text = self.tree.text(path)
        before = len(self.tree.diagnostics)
        root = None if text is None else lenient.mapping(self.tree, path, text)
        if root is None:
            if text is not None and len(self.tree.diagnostics) == before:
                self.crew.find("BMAD616", Origin(path), "the file is empty", "write a workflow")
            self.draft.account(Origin(path), "workflow", path, "left", "it cannot be read")
            return
        keys = {key.text: value for key, value in root.entries}
        inner = keys.get("workflow")
        if isinstance(inner, Mapping):
            root = inner
        elif not any(key in keys for key in (*steps.SEQUENCES, "phases")):
            message = "the file has no workflow: and no list of steps"
            hint = "write workflow: with id: and sequence:, or move the file elsewhere"
            self.crew.find("BMAD616", Origin(path, root.line, root.column), message, hint)
            self.draft.account(Origin(path, root.line), "workflow", path, "left", message)
            return
        self.draft.taken[path] = f"{path} has a workflow with steps"
        found = steps.sequences(self.tree, path, root)
        found = {name: sources for name, sources in found.items() if sources}
        if not found:
            message = "the workflow has no list of steps that is known"
            hint = f"known lists are {', '.join(steps.SEQUENCES)}, phases and …{steps.SUFFIX}"
            self.crew.find("BMAD616", Origin(path, root.line, root.column), message, hint)
            self.draft.account(Origin(path, root.line), "workflow", path, "left", message)
            return
        self._flows(home, path, root, found)

    def _flows(self, home: Home, path: str, root: Mapping, found: dict[str, list[Source]]) -> None:
        keys = {key.text: value for key, value in root.entries}
        stem = path.rpartition("/")[2].rpartition(".")[0]
        own = commands.fitted(text_of(keys["id"]) if "id" in keys else stem) or "workflow"
        at = Origin(path, root.line, root.column)
        base = self.crew.free(own, home, at)
        about = one_line(next((text_of(keys[k]) for k in ("description", "name") if k in keys), ""))
        if len(found) > 1:
            names = ", ".join(commands.fitted(f"{base}-{name}") for name in found)
            self.crew.find("BMAD617", at, f"the workflow has become the flows {names}")
        for name, sources in found.items():
            flow = commands.fitted(f"{base}-{name}") if len(found) > 1 else base
            handoffs = _handoffs(keys.get("handoff_prompts"), path)
            self._place(
                Placing(self.crew, home, DraftFlow(flow, at, about), handoffs, _made(sources)),
                sources,
            )
        self.draft.account(at, "workflow", own, "carried")
        self._leftovers(path, root)

    def _place(self, flow: Placing, sources: list[Source]) -> None:
        stories.place(flow, sources)
        flow.finish()
        if flow.flow.steps:
            self.draft.flows.append(flow.flow)
        for (first, last), (_, at) in flow.handoffs.items():
            name = f"{first}_to_{last}" if last else first
            why = "no two steps that follow each other are meant by its name"
            self.draft.account(at, "handoff", name, "left", why)

    def _leftovers(self, path: str, root: Mapping) -> None:
        left = []
        keys = {key.text for key, _ in root.entries}
        for key, value in root.entries:
            name = key.text
            is_list = name in (*steps.SEQUENCES, "phases") or name.endswith(steps.SUFFIX)
            is_list = is_list or steps.are_steps(value)
            if name in _ABOUT or is_list:
                continue
            if name in _NAMES:
                self._name(path, key, is_told="description" not in keys)
                continue
            left.append(key)
            why = "it is for people who choose or read a workflow"
            self.draft.account(Origin(path, key.line, key.column), "section", name, "left", why)
        if left:
            names = ", ".join(key.text for key in left)
            at = Origin(path, left[0].line, left[0].column)
            self.crew.find("BMAD611", at, f"left out, since they are for people: {names}")

    def _name(self, path: str, key: Scalar, *, is_told: bool) -> None:
        at = Origin(path, key.line, key.column)
        if is_told and key.text == "name":
            self.draft.account(at, "section", key.text, "carried", "the flow's description")
        else:
            why = "a flow has an id and a description, and no further name"
            self.draft.account(at, "section", key.text, "left", why)


def _made(sources: list[Source]) -> set[str]:
    """Every document that some step makes."""
    named = documents.read([text for each in sources for text in (*each.creates, *each.updates)])
    return {*named.names, *named.symbols}


def _handoffs(node: Node | None, path: str) -> Handoffs:
    """The prompts whose names say between whom they pass: `a_to_b`."""
    found: Handoffs = {}
    for key, value in node.entries if isinstance(node, Mapping) else ():
        first, to, last = key.text.partition("_to_")
        ends = (first, last) if to else (key.text, "")
        found[ends] = (text_of(value), Origin(path, key.line, key.column))
    return found


def paths(home: Home, files: Iterable[str]) -> list[str]:
    """The workflow files of a home."""
    start = f"{home.folder}workflows/"
    return sorted(p for p in files if p.startswith(start) and p.endswith((".yaml", ".yml")))
