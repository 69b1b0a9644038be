"""What an agent sees: its own text as the system's, everything else as one user message.

Texts are put together, never formatted: a prompt may hold braces, `%s` or `{{ }}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, Final

from .settings import PromptSettings
from .stores.protocol import Entry

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
RECALLED: Final = "Recalled entries, most relevant first"


class Sight:
    """One step's view of a run, before it becomes text. Document names are without `.md`.

    `head` is what `opening` made of the first three, where it is known.
    """

    __slots__ = (
        *("command", "documents", "files", "head", "input", "inputs", "item", "memory"),
        *("missing", "note", "outputs", "recalled", "scope"),
    )

    def __init__(self, input: str, head: tuple[str, tuple[str, ...]] | None = None) -> None:
        self.input = input
        self.head = head
        self.command = ""
        self.inputs: Mapping[str, Any] = _NOTHING
        self.note = ""
        self.files: Sequence[tuple[str, str]] = ()
        self.outputs: Mapping[str, Any] = _NOTHING
        self.documents: Mapping[str, str] = _NOTHING
        self.missing: tuple[str, ...] = ()
        self.item: tuple[int, int, Any] | None = None
        self.scope = ""
        self.memory: Sequence[Entry] = ()
        self.recalled: Sequence[Entry] = ()


def system_text(persona: str, prompt: str, actions: Sequence[str]) -> str:
    """Who the agent is, what it does, and the outcomes between which it must choose."""
    parts = [persona, prompt] if persona else [prompt]
    if actions:
        parts.append(
            "## Outcome\n\nEnd your answer with a last line that names your decision, "
            "exactly one of:\n\n" + "\n".join(f"Action: {action}" for action in actions)
        )
    return parts[0] if len(parts) == 1 else "\n\n".join(parts)


def opening(
    input: str, command: str, inputs: Mapping[str, Any], limits: PromptSettings
) -> tuple[str, tuple[str, ...]]:
    """What every step of a run sees first, and the names of the parts that had to be cut."""
    cut: list[str] = []
    parts = [_part("Input", input, limits.input, cut)]
    if command:
        parts.append(_part("Command", command, limits.input, cut))
    if inputs:
        parts.append(_part("Further inputs", _json(inputs), limits.input, cut))
    return "\n\n".join(parts), tuple(cut)


def user_text(sight: Sight, limits: PromptSettings) -> tuple[str, tuple[str, ...]]:
    """The message, and the names of the parts that had to be cut to their limit."""
    head, outputs = sight.head, sight.outputs
    if head is None:
        head = opening(sight.input, sight.command, sight.inputs, limits)
    if sight.memory or sight.documents or sight.item or sight.recalled or sight.note or sight.files:
        return _full(head, sight, limits)
    if not outputs:
        return head
    text = _sections(_texts(outputs))
    if len(text) > limits.outputs:
        return _full(head, sight, limits)
    return f"{head[0]}\n\n## Results of earlier steps\n\n{text}", head[1]


def _full(
    head: tuple[str, tuple[str, ...]], sight: Sight, limits: PromptSettings
) -> tuple[str, tuple[str, ...]]:
    parts, cut = [head[0]], [*head[1]]
    if sight.note:
        parts.append(_part("This step", sight.note, limits.input, cut))
    if sight.files:
        parts.append(_part("Instructions", _sections(sight.files), limits.documents, cut))
    if sight.item:
        number, of, item = sight.item
        parts.append(_part(f"Item ({number} of {of})", as_text(item), limits.input, cut))
    # A text stands once: as a document, else as a result, else as something remembered.
    seen = set(sight.documents.values())
    outputs = _texts(sight.outputs)
    if seen:
        outputs = [(step, text) for step, text in outputs if text not in seen]
    if outputs:
        parts.append(_part("Results of earlier steps", _sections(outputs), limits.outputs, cut))
        seen.update([text for _, text in outputs])
    if sight.documents:
        text = _sections(sight.documents.items())
        parts.append(_part("Documents", text, limits.documents, cut))
    if sight.memory or sight.recalled:
        parts += _remembered(sight, seen, limits, cut)
    return "\n\n".join(parts), tuple(cut)


def _remembered(
    sight: Sight, seen: Set[str], limits: PromptSettings, cut: list[str]
) -> Sequence[str]:
    parts = []
    lines = []
    for entry in sight.memory:
        text = entry.value if type(entry.value) is str else as_text(entry.value)
        if text not in seen:
            lines.append(f"- {entry.key}: {text}")
    if lines:
        heading = f"Memory ({sight.scope}), newest first"
        parts.append(_part(heading, "\n".join(lines), limits.memory, cut))
    if sight.recalled:
        found = [(f"{e.key} ({e.scope})", as_text(e.value)) for e in sight.recalled]
        if lines := [f"- {name}: {text}" for name, text in found if text not in seen]:
            parts.append(_part(RECALLED, "\n".join(lines), limits.recall, cut))
    return parts


def standing(sight: Sight, limits: PromptSettings) -> frozenset[tuple[str, str]]:
    """Scope and key of the entries of its memory that it shows whole, under whatever heading."""
    seen = set(sight.documents.values()).union(map(as_text, sight.outputs.values()))
    found = set()
    length = -1
    for entry in sight.memory:
        text = as_text(entry.value)
        if text not in seen:
            length += len(f"- {entry.key}: ") + len(text) + len("\n")
            if length > limits.memory:
                continue
        found.add((entry.scope, entry.key))
    return frozenset(found)


def as_text(value: Any) -> str:
    """Text as it is, anything else as JSON."""
    return value if isinstance(value, str) else _json(value)


def _texts(outputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (step, output if type(output) is str else as_text(output))
        for step, output in outputs.items()
    ]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _sections(items: Iterable[tuple[str, str]]) -> str:
    return "\n\n".join([f"### {name}\n\n{text}" for name, text in items])


def _part(heading: str, text: str, limit: int, cut: list[str]) -> str:
    if len(text) > limit:
        cut.append(heading)
        text = f"{text[:limit]}\n\n[{len(text) - limit} more characters were cut]"
    return f"## {heading}\n\n{text}"
