"""The smallest answer that fits a JSON Schema: what an offline model says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAX_DEPTH: Final = 16
_PLAIN: Final[Mapping[str, Any]] = {"integer": 1, "number": 1, "boolean": True, "null": None}


def example(schema: Mapping[str, Any]) -> Any:
    """A value for `schema`: the first of each choice, one item of each list, always the same."""
    return _value(schema, schema, "answer", 0)


def _value(node: Any, root: Mapping[str, Any], name: str, depth: int) -> Any:
    node = _resolved(node, root)
    if not isinstance(node, Mapping) or depth > MAX_DEPTH:
        return f"the {name}"
    for key in ("const", "default"):
        if key in node:
            return node[key]
    for key in ("enum", "examples"):
        if node.get(key):
            return node[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if node.get(key):
            return _value({**node[key][0], **_without(node, key)}, root, name, depth + 1)
    return _typed(node, root, name, depth)


def _typed(node: Mapping[str, Any], root: Mapping[str, Any], name: str, depth: int) -> Any:
    kind = node.get("type", "object" if {"properties", "required"} & node.keys() else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        parts = {key: {} for key in node.get("required", ())} | node.get("properties", {})
        return {key: _value(part, root, key, depth + 1) for key, part in parts.items()}
    if kind == "array":
        count = max(1, int(node.get("minItems", 1))) if node.get("maxItems", 1) else 0
        inner = node.get("items", {})
        return [_value(inner, root, name.removesuffix("s"), depth + 1) for _ in range(count)]
    if kind == "string":
        return _text(node, name)
    return node.get("minimum", _PLAIN.get(kind, 1))


def _text(node: Mapping[str, Any], name: str) -> str:
    text = f"the {name.replace('_', ' ')}"
    low, high = int(node.get("minLength", 0)), node.get("maxLength")
    text = text.ljust(low, ".")
    return text if high is None else text[: int(high)]


def _resolved(node: Any, root: Mapping[str, Any]) -> Any:
    for _ in range(MAX_DEPTH):
        reference = node.get("$ref") if isinstance(node, Mapping) else None
        if not isinstance(reference, str) or not reference.startswith("#"):
            return node
        node = root
        for part in reference[1:].split("/")[1:]:
            node = node.get(part, {}) if isinstance(node, Mapping) else {}
    return {}


def _without(node: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != key}
