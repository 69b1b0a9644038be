"""Keys that an author added to an agent in YAML: parts of the prompt, each under its name."""

from __future__ import annotations

from typing import Any, Final

from ....runtime.yamltext import Mapping, Node, Scalar, Sequence, to_data
from .. import yamlform
from .fields import is_flag, keys_of, text_of, texts_of
from .persona import bullets

# What says something of the file, not of what the agent is to do.
OF_THE_FILE: Final = frozenset(
    {"version", "author", "type", "code", "model", "color", "created", "updated", "license", "tags"}
)
# An agent that is not written below agent: has one of these at the top of its file.
_PARTS: Final = frozenset({"persona", "role", "instructions", "menu", "principles", "prompt"})


def section(key: Scalar, value: Node) -> tuple[str, str] | None:
    """Heading and text; None for a truth value, a number or nothing."""
    title = " ".join(key.text.replace("_", " ").replace("-", " ").split()).capitalize()
    if is_flag(value):
        return None
    if isinstance(value, Scalar):
        text = text_of(value)
    elif isinstance(value, Sequence) and all(isinstance(item, Scalar) for item in value.items):
        text = "\n".join(bullets(texts_of(value)))
    else:
        text = as_yaml(value)
    return (title, text) if title and text else None


def as_yaml(node: Node) -> str:
    """A list or mapping as the YAML that a person reads."""
    data: Any = to_data(node)
    lines = yamlform.sequence(data, 0, "") if isinstance(data, list) else yamlform.mapping(data)
    return "\n".join(line.text for line in lines)


def is_whole(root: Mapping) -> bool:
    """Whether a file's own keys are an agent's, with no agent: above them."""
    keys = keys_of(root)
    return bool({"name", "id"} & keys.keys()) and bool(_PARTS & keys.keys())
