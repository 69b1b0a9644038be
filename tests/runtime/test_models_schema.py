"""Schemas in the forms that bind an answer: never another meaning than the author's."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.runtime.models.openai import _response_format
from scripts.runtime.models.schema import as_object, is_closed, strict, unwrapped

TEXT = {"type": "string"}
CLOSED = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}


def nested(inner: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"inner": inner}, "required": ["inner"]}


def test_strict_closes_objects_and_keeps_the_rest() -> None:
    schema = nested({"type": "array", "items": CLOSED, "maxItems": 3})
    assert strict({"$schema": "x", **schema, "$defs": {"d": CLOSED}}) == {
        "type": "object",
        "additionalProperties": False,
        "required": ["inner"],
        "properties": {
            "inner": {
                "type": "array",
                "items": {**CLOSED, "additionalProperties": False},
                "maxItems": 3,
            }
        },
        "$defs": {"d": {**CLOSED, "additionalProperties": False}},
    }


@pytest.mark.parametrize(
    "schema",
    [
        {**CLOSED, "required": []},
        {**CLOSED, "additionalProperties": True},
        {**CLOSED, "additionalProperties": TEXT},
        {"type": "object"},
        {**CLOSED, "minProperties": 1},
        {**CLOSED, "if": {}},
        {"anyOf": [CLOSED, {"type": "object"}]},
    ],
)
def test_what_cannot_be_strict(schema: dict[str, Any]) -> None:
    assert strict(schema) is None
    assert strict(nested(schema)) is None
    sent = _response_format(nested(schema))["json_schema"]
    assert (sent["strict"], sent["schema"]) == (False, nested(schema))


@pytest.mark.parametrize("open_one", [{"type": "object"}, {**CLOSED, "additionalProperties": {}}])
def test_open_objects_are_found_wherever_they_are(open_one: dict[str, Any]) -> None:
    for schema in (
        open_one,
        nested(open_one),
        {"type": "array", "items": open_one},
        {"oneOf": [TEXT, open_one]},
        {**CLOSED, "$defs": {"x": open_one}},
    ):
        assert not is_closed(schema)
    assert is_closed(nested(CLOSED))


def test_what_is_no_object_is_wrapped() -> None:
    schema = {"type": "array", "items": {"$ref": "#/$defs/x"}, "$defs": {"x": TEXT}}
    wrapped = as_object(schema)
    assert wrapped["properties"] == {"value": {"type": "array", "items": {"$ref": "#/$defs/x"}}}
    assert wrapped["$defs"] == {"x": TEXT}
    assert as_object(CLOSED) == CLOSED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"value": ["é"]}', '["é"]'),
        ('{"value": 1, "more": 2}', '{"value": 1, "more": 2}'),
        ("[1]", "[1]"),
        ("not json", "not json"),
    ],
)
def test_unwrapping(text: str, expected: str) -> None:
    assert unwrapped(text) == expected
