"""The files that agents refer to: listed in the prompt, read by a tool, or put into the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .errors import RunError, ToolError
from .template import Outline, is_outlined, outline
from .tool import Tool

READER: Final = "read_asset"
_PARAMETERS: Final = {
    "type": "object",
    "properties": {"name": {"type": "string", "description": "A name from the list of assets."}},
    "required": ["name"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Assets:
    """Files below `folder`, named `<kind>/<file>`; texts are read once and kept."""

    folder: Path
    texts: dict[str, str] = field(default_factory=dict)
    outlines: dict[str, Outline | None] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The file's text. Raises RunError when the generated folder does not hold it."""
        if name not in self.texts:
            try:
                self.texts[name] = (self.folder / name).read_text("utf-8")
            except OSError as error:
                raise RunError(f"the asset {name!r} cannot be read: {error.strerror}") from None
        return self.texts[name]

    def shown(self, name: str) -> str:
        """The file as a step or a command is shown it: a template as the outline that it means."""
        found = self.outline(name)
        return self.text(name) if found is None else found.text

    def outline(self, name: str) -> Outline | None:
        """What a template in YAML says; None for any other file."""
        if not is_outlined(name):
            return None
        if name not in self.outlines:
            self.outlines[name] = outline(self.text(name))
        return self.outlines[name]

    def describe(self, system: str, listed: Sequence[str], inline: Sequence[str]) -> str:
        """The system's text with the inline files below it, and a list of what can be read."""
        parts = [system, *(f"## {name}\n\n{self.text(name)}" for name in inline)]
        if listed:
            names = "\n".join(f"- {name}" for name in listed)
            parts.append(f"## Assets\n\nRead one with the tool `{READER}`:\n\n{names}")
        return "\n\n".join(parts)

    def reader(self, listed: Sequence[str]) -> Tool:
        """The tool that reads one of `listed`, and nothing else."""

        def read_asset(name: str) -> str:
            if name not in listed:
                raise ToolError(f"there is no asset {name!r} for this agent", tool=READER)
            return self.text(name)

        return Tool(READER, read_asset, "Read one of the listed assets.", _PARAMETERS)
