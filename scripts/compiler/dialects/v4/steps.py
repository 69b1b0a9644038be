"""The steps of a v4 workflow, whatever words its author used, as one kind of value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ....runtime.yamltext import Mapping, Node, Scalar, Sequence
from ...diagnostics import quoted
from ..draft import Origin
from ..tree import ForeignTree
from .agents import text_of

# Keys of one meaning, the first being the one by which they are known here.
_MEANT: Final = {
    "creates": ("creates", "output", "outputs"),
    "requires": ("requires", "input", "inputs"),
    "updates": ("updates",),
    "uses": ("uses", "task", "template", "checklist"),
    "repeats": ("repeats", "repeat", "repeat_for"),
}
_WORDS: Final = {same: key for key, names in _MEANT.items() for same in names}
_SAID: Final = frozenset({"notes", "description", "action", "title", "name", "goal", "duration"})
_DOES: Final = frozenset({"action", "creates", "requires", "updates", "uses"})
_SAVED: Final = re.compile(r"SAVE OUTPUT: *(?:Create|Write|Save) +`?([\w./-]+\.md)\b")
_LABELS: Final = ("step", "id")
_KNOWN: Final = frozenset(
    {"agent", "condition", "optional", "optional_steps", "validates", "routes", *_SAID, *_LABELS}
)
SEQUENCES: Final = ("sequence", "steps", "stages")
SUFFIX: Final = "_sequence"


@dataclass(slots=True)
class Route:
    """A way that a step may take; without an agent it goes on in the plain order."""

    name: str
    agent: str
    uses: list[str]
    note: str
    at: Origin


@dataclass(slots=True)
class Source:
    """One step as it was written. `label` is its own name, `marker` that it is no step at all."""

    at: Origin
    agent: str = ""
    label: str = ""
    action: str = ""
    note: str = ""
    phase: str = ""
    condition: str = ""
    optional: bool = False
    validates: str = ""
    creates: list[str] = field(default_factory=list)
    updates: list[str] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    optional_steps: list[str] = field(default_factory=list)
    repeats: str = ""
    routes: list[Route] = field(default_factory=list)
    further: list[tuple[str, Origin]] = field(default_factory=list)

    @property
    def ends(self) -> bool:
        """Whether it says that the workflow is over."""
        return not self.agent and self.label.endswith("workflow_end")

    @property
    def is_cycle(self) -> bool:
        """Whether a cycle of stories begins with it."""
        return bool(self.agent) and self.repeats.startswith("for_each_epic")

    @property
    def repeats_before(self) -> bool:
        """Whether it marks the end of a cycle."""
        return not self.agent and self.label.startswith("repeat")


def sequences(tree: ForeignTree, path: str, root: Mapping) -> dict[str, list[Source]]:
    """The sequences of a workflow by their names, empty for the one that has none."""
    found: dict[str, list[Source]] = {}
    for key, value in root.entries:
        if key.text in SEQUENCES and isinstance(value, Sequence):
            found.setdefault("", []).extend(_steps(tree, path, value, ""))
        elif key.text == "phases":
            found.setdefault("", []).extend(_phases(tree, path, value))
        elif isinstance(value, Sequence) and (key.text.endswith(SUFFIX) or are_steps(value)):
            found[key.text.removesuffix(SUFFIX)] = list(_steps(tree, path, value, ""))
    return found


def are_steps(value: Node) -> bool:
    """Whether it is a list of steps, whatever its name: each has an agent, and what it does."""
    return (
        isinstance(value, Sequence)
        and bool(value.items)
        and all(
            isinstance(item, Mapping)
            and "agent" in (keys := {key.text for key, _ in item.entries})
            and bool(keys & _DOES)
            for item in value.items
        )
    )


def _phases(tree: ForeignTree, path: str, value: Node) -> Iterator[Source]:
    """Phases by name, or a list of them, each with its steps."""
    if isinstance(value, Mapping):
        for key, steps in value.entries:
            yield from _phase(tree, path, key.text, steps)
    elif isinstance(value, Sequence):
        for item in value.items:
            if isinstance(item, Mapping):
                keys = {key.text: inner for key, inner in item.entries}
                name = next((text_of(keys[k]) for k in ("phase", "name", "id") if k in keys), "")
                yield from _phase(tree, path, name, item)


def _phase(tree: ForeignTree, path: str, name: str, value: Node) -> Iterator[Source]:
    if isinstance(value, Mapping):
        inner = [v for k, v in value.entries if k.text in SEQUENCES and isinstance(v, Sequence)]
        if inner:
            yield from _steps(tree, path, inner[0], name)
        else:
            yield _step(tree, path, value, name)
    elif isinstance(value, Sequence):
        yield from _steps(tree, path, value, name)


def _steps(tree: ForeignTree, path: str, value: Sequence, phase: str) -> Iterator[Source]:
    for item in value.items:
        if isinstance(item, Mapping):
            yield _step(tree, path, item, phase)
        elif isinstance(item, Scalar) and item.value is not None:
            yield Source(Origin(path, item.line, item.column), label=item.text, phase=phase)


def _step(tree: ForeignTree, path: str, node: Mapping, phase: str) -> Source:
    source = Source(Origin(path, node.line, node.column), phase=phase)
    for key, value in _opened(node, source):
        _take(source, key, value, path)
    _take_saved(tree, source)
    for name, at in source.further:
        message = f"the key {quoted(name)} of a step has no meaning here and is told in its note"
        place = tree.at(at.path, at.line, at.column)
        tree.diagnostics.add("BMAD611", place, message, "")
    return source


def _take_saved(tree: ForeignTree, source: Source) -> None:
    """The document of a step that names it in its note alone: `SAVE OUTPUT: Create plan.md`."""
    saved = _SAVED.search(source.note)
    if saved is None or not source.agent or source.creates or source.updates or source.uses:
        return
    source.creates.append(saved[1])
    place = tree.at(source.at.path, source.at.line, source.at.column)
    message = f"the step creates {quoted(saved[1])}, as its note says"
    tree.diagnostics.add("BMAD610", place, message, "write creates: to name another document")


def _opened(node: Mapping, source: Source) -> Iterator[tuple[Scalar, Node]]:
    """The keys of a step, and of what a marker such as `- workflow_end: {…}` holds."""
    for key, value in node.entries:
        name = key.text
        is_known = name in _KNOWN or name in _WORDS
        if not is_known and isinstance(value, Mapping):
            source.label = source.label or name
            yield from value.entries
        elif not is_known and isinstance(value, Scalar) and value.text == "":
            source.label = source.label or name  # a marker, its keys beside it
        else:
            yield key, value


def _take(source: Source, key: Scalar, value: Node, path: str) -> None:
    name = _WORDS.get(key.text, key.text)
    if name in _MEANT and name != "repeats":
        getattr(source, name).extend(_texts(value))
    elif name in ("agent", "action", "condition", "validates"):
        setattr(source, name, text_of(value))
    elif name == "repeats":
        source.repeats = text_of(value)
    elif name == "optional":
        source.optional = text_of(value).lower() in ("true", "yes")
    elif name == "optional_steps":
        source.optional_steps.extend(_texts(value))
    elif name == "routes":
        source.routes.extend(_routes(value, path))
    elif name in _LABELS:
        source.label = text_of(value) if name == "step" else source.label or text_of(value)
    else:
        if name not in _SAID:
            source.further.append((name, Origin(path, key.line, key.column)))
        text = text_of(value)
        said = text if name in ("notes", "description") else f"{name.capitalize()}: {text}"
        source.note = "\n\n".join(part for part in (source.note, said) if part)


def _routes(value: Node, path: str) -> Iterator[Route]:
    for key, inner in value.entries if isinstance(value, Mapping) else ():
        keys = {k.text: v for k, v in inner.entries} if isinstance(inner, Mapping) else {}
        yield Route(
            key.text,
            text_of(keys["agent"]) if "agent" in keys else "",
            list(_texts(keys["uses"])) if "uses" in keys else [],
            text_of(keys["notes"]) if "notes" in keys else "",
            Origin(path, key.line, key.column),
        )


def _texts(value: Node) -> Iterator[str]:
    for item in value.items if isinstance(value, Sequence) else (value,):
        text = text_of(item)
        if text:
            yield text
