"""Schemas of answers: what is one, and where its lists are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from scripts.compiler.schema import MAX_DEPTH, MAX_SIZE, faults, is_array


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


FINE: list[dict[str, Any]] = [
    {},
    {"type": ["object", "null"], "x-own": 1},
    {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}},
    {"$schema": "https://example.com/unknown"},
    {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}},
    {"$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}},
    {"properties": {"parent": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}}},
    {"const": {"$ref": "https://example.com"}, "enum": [{"$id": "x"}]},
    {"properties": {"$ref": {"type": "string"}, "default": {"type": "string"}}},
    nested(MAX_DEPTH - 1),
]
BROKEN: list[tuple[dict[str, Any], tuple[str | int, ...]]] = [
    ({"type": "text"}, ("type",)),
    ({"items": [{}]}, ("items",)),
    ({"allOf": [{}, {"required": "a"}]}, ("allOf", 1, "required")),
    (
        {"properties": {"default": {"$ref": "https://example.com"}}},
        ("properties", "default", "$ref"),
    ),
    ({"$ref": "other.json"}, ("$ref",)),
    ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, ("$defs", "a", "$ref")),
    ({"allOf": [{"anyOf": [{"not": {"$ref": "#"}}]}]}, ("allOf", 0, "anyOf", 0, "not", "$ref")),
    ({"$ref": "#nowhere"}, ("$ref",)),
    ({"title": "\ud800"}, ()),
    ({"title": "x" * MAX_SIZE}, ()),
    (nested(MAX_DEPTH + 1), ()),
    (nested(500), ()),
]


@pytest.mark.parametrize("schema", FINE, ids=str)
def test_a_schema_without_faults(schema: dict[str, Any]) -> None:
    assert faults(schema) == []


@pytest.mark.parametrize(("schema", "path"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_fault_is_told_under_its_keys(
    schema: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    assert path in [fault.path for fault in faults(schema)]


_WORDS = st.sampled_from(
    ["type", "items", "properties", "$ref", "required", "allOf", "not", "object", "#"]
)
_SCHEMAS = st.recursive(
    st.one_of(_WORDS, st.none(), st.booleans(), st.integers(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_WORDS, inner, max_size=3),
        st.just({"$ref": "#"}),
    ),
)


@given(schema=st.dictionaries(_WORDS, _SCHEMAS, max_size=4), answer=_SCHEMAS)
def test_what_passes_can_be_used(schema: dict[str, Any], answer: Any) -> None:
    if not faults(schema):
        list(Draft202012Validator(schema).iter_errors(answer))


LIST = {"type": "array"}
ARRAYS: list[tuple[Any, bool]] = [
    (LIST, True),
    ({"type": ["null", "array"]}, True),
    ({"$ref": "#/$defs/list"}, True),
    ({"$ref": "#/$defs/none"}, False),
    ({"type": "object"}, False),
    ({}, False),
    (True, False),
]


@pytest.mark.parametrize(("part", "expected"), ARRAYS)
def test_lists_are_found(part: Any, expected: bool) -> None:
    assert is_array({"$defs": {"list": LIST}}, part) is expected
