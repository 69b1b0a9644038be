"""JSON Schemas in the forms that providers can hold an answer to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

WRAPPED: Final = "value"
MAX_DEPTH: Final = 32
_STRICT_KEYS: Final = frozenset(
    (
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
        *("anyOf", "$ref", "$defs", "description", "title", "pattern", "format", "minItems"),
        *("maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    )
)


def is_object(schema: Schema) -> bool:
    """Whether only objects fit: several providers take no other schema at its root."""
    return schema.get("type") == "object"


def as_object(schema: Schema) -> dict[str, Any]:
    """The schema itself, or of an object with one property that fits it."""
    if is_object(schema):
        return dict(schema)
    inner = {key: value for key, value in schema.items() if key not in ("$defs", "$schema")}
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {WRAPPED: inner},
        "required": [WRAPPED],
        "additionalProperties": False,
    }
    return wrapped | ({"$defs": schema["$defs"]} if "$defs" in schema else {})


def unwrapped(text: str) -> str:
    """What stands in the one property; the text itself when there is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict) and set(value) == {WRAPPED}:
        return json.dumps(value[WRAPPED], ensure_ascii=False)
    return text


def is_closed(schema: object, depth: int = 0) -> bool:
    """Whether all its objects name all their properties: what a grammar can be made of."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return False
    if schema.get("type") == "object" and not _names_properties(schema):
        return False
    return all(is_closed(part, depth + 1) for part in _parts(schema))


def strict(schema: Schema) -> dict[str, Any] | None:
    """The schema as OpenAI's strict mode wants it; None where that would change its meaning."""
    return _strict(schema) if is_closed(schema) and _is_plain(schema) else None


def told(schema: Schema) -> str:
    """The schema in words, for a model that nothing binds."""
    return "Answer with JSON alone, that fits this JSON Schema:\n" + json.dumps(
        schema, ensure_ascii=False
    )


def _names_properties(schema: Schema) -> bool:
    return bool(schema.get("properties")) and schema.get("additionalProperties", False) is False


def _is_plain(schema: Schema) -> bool:
    """No unknown keyword, and no property that may be left out."""
    properties = schema.get("properties", {})
    if not set(schema) <= _STRICT_KEYS | {"$schema"}:
        return False
    return set(properties) == set(schema.get("required", ())) and all(
        map(_is_plain, _parts(schema))
    )


def _parts(schema: Schema) -> list[Any]:
    found: list[Any] = []
    for key in ("properties", "$defs", "patternProperties"):
        inner = schema.get(key)
        found += inner.values() if isinstance(inner, Mapping) else []
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        inner = schema.get(key)
        found += inner if isinstance(inner, list | tuple) else []
    items = schema.get("items")
    return [*found, items] if isinstance(items, Mapping) else found


def _strict(schema: Schema) -> dict[str, Any]:
    found = {key: value for key, value in schema.items() if key != "$schema"}
    if found.get("type") == "object":
        found["additionalProperties"] = False
    for key in ("properties", "$defs"):
        if key in found:
            found[key] = {name: _strict(part) for name, part in found[key].items()}
    if "anyOf" in found:
        found["anyOf"] = [_strict(part) for part in found["anyOf"]]
    if isinstance(found.get("items"), Mapping):
        found["items"] = _strict(found["items"])
    return found
