"""The commands of a v4 agent: named actions, bound to the files that their texts name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ....runtime import spec
from ....runtime.yamltext import Mapping, Node, Scalar, Sequence, to_data
from .. import yamlform
from ..draft import Origin

# What only makes sense in a conversation.
INTERACTIVE: Final = frozenset({"help", "exit", "yolo"})
_DASH: Final = re.compile(
    r"^\*?(?P<name>[^\s:\"]+)\"?(?P<args>(?:\s+[{\[<][^}\]>]*[}\]>])*)\s*(?:[-–—:]\s*)(?P<text>.+)$",
    re.DOTALL,
)
_ARGUMENTS: Final = re.compile(r"[{\[<(]([^}\]>)]*)[}\]>)]")
_NOT_ID: Final = re.compile(r"[^A-Za-z0-9]+")
_FILE: Final = re.compile(r"[\w-]+\.(?:md|ya?ml)\b")


@dataclass(slots=True)
class Command:
    """`files` by the key that binds them (`task`, `template`, `checklist`, `data`)."""

    name: str
    text: str
    at: Origin
    files: dict[str, list[str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def read(node: Node | None, path: str) -> Iterator[Command]:
    """Every command, whatever way it is written."""
    if isinstance(node, Mapping):
        for key, value in node.entries:
            yield _command(key.text, value, Origin(path, key.line, key.column))
    elif isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Mapping):
                for key, value in item.entries:
                    yield _command(key.text, value, Origin(path, key.line, key.column))
            elif isinstance(item, Scalar) and item.value is not None:
                yield _from_text(item, Origin(path, item.line, item.column))


def _command(key: str, value: Node, at: Origin) -> Command:
    text = value.text if isinstance(value, Scalar) else as_text(value)
    return _named(key, "" if isinstance(value, Scalar) and value.value is None else text, at)


def _from_text(item: Scalar, at: Origin) -> Command:
    found = _DASH.match(item.text)
    if found is None:
        return _named(item.text, "", at)
    return _named(found["name"] + found["args"], found["text"], at)


def _named(name: str, text: str, at: Origin) -> Command:
    arguments = [each.strip() for each in _ARGUMENTS.findall(name) if each.strip()]
    bare = _ARGUMENTS.sub("", name).strip().strip("*\"'").strip()
    if arguments:
        given = ", ".join(arguments)
        text = f"{text}\n\nThe input gives: {given}." if text else f"The input gives: {given}."
    return Command(bare, text, at)


def as_text(node: Node) -> str:
    """A list or mapping as the YAML that a person reads."""
    data: Any = to_data(node)
    lines = yamlform.sequence(data, 0, "") if isinstance(data, list) else yamlform.mapping(data)
    return "\n".join(line.text for line in lines)


def fitted(name: str) -> str:
    """A command's or a step's name as an id; empty when nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = [word for word in _NOT_ID.split(plain) if word]
    fit = "-".join(words)[: spec.MAX_ID].rstrip("-")
    if fit and not fit[0].isalpha():
        fit = f"x-{fit}"[: spec.MAX_ID].rstrip("-")
    return fit


def bind(command: Command, files: dict[str, list[tuple[str, str]]]) -> None:
    """Bind the files that the command's name or text mentions.

    `files` gives, by key, the names that the agent calls its files by, with their native paths.
    """
    said = f"{command.name}\n{command.text}"
    stems = set()
    for key, named in files.items():
        for name, path in named:
            stem = re.sub(r"\.\w+$", "", name)
            stems.add(stem)
            if stem in said and mentions(said, stem):
                command.files.setdefault(key, []).append(path)
    command.unknown = sorted(
        {name for name in _FILE.findall(command.text) if name.rpartition(".")[0] not in stems}
    )


def mentions(text: str, stem: str) -> bool:
    """Whether `text` names a file of that stem, as a whole word."""
    return re.search(rf"(?<![\w-]){re.escape(stem)}(?![\w-])", text) is not None
