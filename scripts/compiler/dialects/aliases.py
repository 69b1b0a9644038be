"""YAML with anchors, as other tools read it: each alias is what its anchor holds.

The strict reader refuses them. What it refused for that alone is composed here by PyYAML, up to
a bound on what comes of it, since a few aliases of aliases can stand for any amount of text.
"""

from __future__ import annotations

from typing import Final

import yaml

from ...runtime.yamltext import Mapping, Node, Scalar, Sequence, resolve

MAX_NODES: Final = 20_000
MAX_DEPTH: Final = 32
_MERGE: Final = "<<"


class _TooMuch(Exception):
    """What the aliases stand for passed a bound, or no value of ours can hold it."""


def expanded(text: str, first_line: int = 1) -> Node | None:
    """The root node, `<<` merged; None where an alias has no anchor, there are tags, or too much.

    A value stands at its anchor's place.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if root is None else _Expansion(first_line).node(root, 0)
    except (yaml.YAMLError, RecursionError, ValueError, _TooMuch):
        return None


class _Expansion:
    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.left = MAX_NODES

    def node(self, node: yaml.Node, depth: int) -> Node:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise _TooMuch
        line, column = node.start_mark.line + self.first_line, node.start_mark.column + 1
        if isinstance(node, yaml.ScalarNode):
            self._refuse_tag(node, "str", "null", "bool", "int", "float", "timestamp", "merge")
            text = str(node.value)
            return Scalar(text, resolve(text) if node.style is None else text, line, column)
        if isinstance(node, yaml.SequenceNode):
            self._refuse_tag(node, "seq")
            return Sequence(tuple(self.node(item, depth + 1) for item in node.value), line, column)
        assert isinstance(node, yaml.MappingNode)  # noqa: S101 - there are three kinds
        self._refuse_tag(node, "map")
        return Mapping(tuple(self._entries(node, depth).values()), line, column)

    def _refuse_tag(self, node: yaml.Node, *known: str) -> None:
        if node.tag not in {f"tag:yaml.org,2002:{name}" for name in known}:
            raise _TooMuch

    def _entries(self, node: yaml.MappingNode, depth: int) -> dict[str, tuple[Scalar, Node]]:
        """By key; what is merged in gives way to what stands there."""
        found: dict[str, tuple[Scalar, Node]] = {}
        merged: dict[str, tuple[Scalar, Node]] = {}
        for key, value in node.value:
            name = self.node(key, depth + 1)
            if not isinstance(name, Scalar):
                raise _TooMuch
            if name.text != _MERGE:
                found.setdefault(name.text, (name, self.node(value, depth + 1)))
                continue
            for each in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(each, yaml.MappingNode):
                    raise _TooMuch
                merged = self._entries(each, depth + 1) | merged
        return found | {key: entry for key, entry in merged.items() if key not in found}
