"""A configuration file as plain data, with the line of every key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import yamltext
from .errors import SettingsError

MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """`data` is empty without a file; its keys are text, its values anything."""

    data: dict[str, Any] = field(default_factory=dict)
    root: yamltext.Node | None = None

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the key or item that `path` leads to, or of the nearest one around it."""
        node, line = self.root, 1
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            line, node = found
        return line


def read_config(root: Path, name: str) -> ConfigFile:
    """Read `root/name`, if it is there. Raises SettingsError naming the line."""
    text = read_text(root, name)
    if text is None:
        return ConfigFile()
    try:
        node = yamltext.parse(text, max_bytes=MAX_BYTES)
    except yamltext.YamlError as error:
        fault = error.faults[0]
        where = f"{name}:{fault.line}"
        raise SettingsError(fault.message, where=where, hint=fault.hint or None) from None
    data = yamltext.to_data(node)
    if data is None:
        return ConfigFile()
    if not isinstance(data, dict):
        raise SettingsError("the file should be a mapping of settings", where=f"{name}:1")
    return ConfigFile(data, node)


def read_text(root: Path, name: str) -> str | None:
    """The text of `root/name`, None when there is no such file. Raises SettingsError."""
    try:
        with (root / name).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", where=name) from None
    if len(content) > MAX_BYTES:
        raise SettingsError("the file is larger than 1 MiB", where=name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError("the text is not UTF-8", where=f"{name}:{line}") from None


def _child(node: yamltext.Node | None, part: str | int) -> tuple[int, yamltext.Node] | None:
    if isinstance(node, yamltext.Mapping):
        return next(((key.line, value) for key, value in node.entries if key.text == part), None)
    if isinstance(node, yamltext.Sequence) and isinstance(part, int) and part < len(node.items):
        return node.items[part].line, node.items[part]
    return None
