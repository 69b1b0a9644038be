"""What an agent sees: its own text as the system's, everything else as one user message.

Texts are put together, never formatted: a prompt may hold braces, `%s` or `{{ }}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .settings import PromptSettings
from .stores.protocol import Entry


@dataclass(slots=True)
class Sight:
    """One step's view of a run, before it becomes text. Document names are without `.md`."""

    input: str
    command: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    files: Sequence[tuple[str, str]] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    item: tuple[int, int, Any] | None = None
    scope: str = ""
    memory: Sequence[Entry] = ()

    @property
    def bare(self) -> bool:
        """Whether there is nothing but the input."""
        more = self.documents or self.memory or self.command or self.inputs or self.item
        return not (self.outputs or more or self.note or self.files)


def system_text(persona: str, prompt: str, actions: Sequence[str]) -> str:
    """Who the agent is, what it does, and the outcomes between which it must choose."""
    parts = [persona, prompt] if persona else [prompt]
    if actions:
        parts.append(
            "## Outcome\n\nEnd your answer with a last line that names your decision, "
            "exactly one of:\n\n" + "\n".join(f"Action: {action}" for action in actions)
        )
    return parts[0] if len(parts) == 1 else "\n\n".join(parts)


def user_text(sight: Sight, limits: PromptSettings) -> tuple[str, tuple[str, ...]]:
    """The message, and the names of the parts that had to be cut to their limit."""
    if sight.bare and len(sight.input) <= limits.input:
        return f"## Input\n\n{sight.input}", ()
    cut: list[str] = []
    parts = [_part("Input", sight.input, limits.input, cut)]
    if sight.command:
        parts.append(_part("Command", sight.command, limits.input, cut))
    if sight.note:
        parts.append(_part("This step", sight.note, limits.input, cut))
    if sight.files:
        parts.append(_part("Instructions", _sections(sight.files), limits.documents, cut))
    if sight.inputs:
        parts.append(_part("Further inputs", _json(sight.inputs), limits.input, cut))
    if sight.item:
        number, of, item = sight.item
        parts.append(_part(f"Item ({number} of {of})", as_text(item), limits.input, cut))
    # A text stands once: as a document, else as a result, else as something remembered.
    documents = set(sight.documents.values())
    outputs = [(step, as_text(output)) for step, output in sight.outputs.items()]
    outputs = [(step, text) for step, text in outputs if text not in documents]
    if outputs:
        text = _sections(outputs)
        parts.append(_part("Results of earlier steps", text, limits.outputs, cut))
    if sight.documents:
        text = _sections(sight.documents.items())
        parts.append(_part("Documents", text, limits.documents, cut))
    seen = documents.union(text for _, text in outputs)
    memory = [entry for entry in sight.memory if as_text(entry.value) not in seen]
    if memory:
        lines = "\n".join(f"- {entry.key}: {as_text(entry.value)}" for entry in memory)
        parts.append(_part(f"Memory ({sight.scope}), newest first", lines, limits.memory, cut))
    return "\n\n".join(parts), tuple(cut)


def as_text(value: Any) -> str:
    """Text as it is, anything else as JSON."""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _sections(items: Iterable[tuple[str, str]]) -> str:
    return "\n\n".join(f"### {name}\n\n{text}" for name, text in items)


def _part(heading: str, text: str, limit: int, cut: list[str]) -> str:
    if len(text) > limit:
        cut.append(heading)
        text = f"{text[:limit]}\n\n[{len(text) - limit} more characters were cut]"
    return f"## {heading}\n\n{text}"
