"""Values of foreign YAML as plain texts with their places, whatever their authors made of them."""

from __future__ import annotations

from collections.abc import Iterator

from ....runtime.yamltext import Mapping, Node, Scalar, Sequence
from ..draft import Origin


def keys_of(node: Node | None) -> dict[str, Node]:
    """The values of a mapping by key; nothing for anything else."""
    return {key.text: value for key, value in node.entries} if isinstance(node, Mapping) else {}


def text_of(node: Node | None) -> str:
    """A text as it was written, stripped; a list as lines; empty for anything else."""
    if isinstance(node, Scalar):
        return "" if node.value is None else node.text.strip()
    if isinstance(node, Sequence):
        return "\n".join(text for item in node.items if (text := text_of(item)))
    return ""


def texts_of(node: Node | None) -> list[str]:
    """The texts of a list; of a text of several lines, its items or paragraphs."""
    if isinstance(node, Sequence):
        return [text for item in node.items if (text := text_of(item))]
    return lines_of(text_of(node))


def lines_of(text: str) -> list[str]:
    """The items of a Markdown list; the text itself when it is none."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    if lines and all(line.lstrip().startswith(("- ", "* ")) for line in lines):
        return [line.strip()[2:].strip() for line in lines]
    return [text] if text else []


def items_of(node: Node | None) -> tuple[Node, ...]:
    """The items of a list; nothing for anything else."""
    return node.items if isinstance(node, Sequence) else ()


def is_true(node: Node | None) -> bool:
    """Whether a value is the truth value true."""
    return isinstance(node, Scalar) and node.value is True


def is_flag(node: Node | None) -> bool:
    """Whether a value is a truth value or a number, which says nothing in words."""
    return isinstance(node, Scalar) and not isinstance(node.value, str)


def origin(path: str, node: Node) -> Origin:
    """The place of a value."""
    return Origin(path, node.line, node.column)


def scalars(node: Mapping, path: str) -> Iterator[tuple[str, str, Origin]]:
    """Key, text and place of every plain value of a mapping."""
    for key, value in node.entries:
        if isinstance(value, Scalar) and value.value is not None:
            yield key.text, value.text, origin(path, key)
