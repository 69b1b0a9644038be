"""Conditions: what they mean, and all that they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.runtime.condition import ConditionFault, parse

INPUTS = {"depth": "full", "count": 3, "tags": ["a", "b"], "nested": {"deep": True}}
RESULTS = {"plan": {"score": 4, "stories": [{"id": 1}]}, "my-step": "text"}


def holds(text: str) -> bool:
    return parse(text).holds(INPUTS, RESULTS, "S-1")


@pytest.mark.parametrize(
    "text",
    [
        'inputs.depth == "full"',
        "inputs.depth == 'full' and inputs.count >= 3",
        'inputs.depth == "brief" or inputs.count != 4',
        "not inputs.missing",
        "inputs.missing == null",
        "inputs.nested.deep == true",
        "inputs.nested.deep",
        "not (inputs.count < 3)",
        "0 < inputs.count <= 3",
        "inputs.count > -1",
        '"a" in inputs.tags',
        '"z" not in inputs.tags',
        'story_id in ("S-1", "S-2")',
        'story_id in ["S-1"]',
        'results["my-step"] == "text"',
        "results.plan.score > 3.5",
        "results.plan.stories[0].id == 1",
        "results.plan.stories[7] == null",
        '"x" not in inputs.missing',
    ],
)
def test_what_is_true(text: str) -> None:
    assert holds(text) is True


@pytest.mark.parametrize(
    "text",
    [
        'inputs.depth == "brief"',
        "inputs.missing.deeper",
        "inputs.depth < 3",
        "inputs.missing > 0",
        '"a" in inputs.missing',
        "results.nothing.score > 1",
        "false or null",
        "inputs.depth.real",
    ],
)
def test_what_is_false(text: str) -> None:
    assert holds(text) is False


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("inputs.", 1),
        ("print(1)", 1),
        ("inputs.depth == open", 17),
        ("__import__('os')", 1),
        ("inputs.depth + 1", 1),
        ("(lambda: 1)()", 1),
        ("[x for x in inputs]", 1),
        ("f'{inputs}'", 1),
        ("inputs[story_id]", 1),
        ("inputs[0:1]", 1),
        ("inputs.depth is null", 1),
        ("b'x'", 1),
        ("1j", 1),
        ("...", 1),
        ("inputs if true else results", 1),
        ("(x := 1)", 2),
        ("-inputs.count", 1),
        ("a" * 2000, 1),
        ("not " * 40 + "true", 1),
        ("(" * 900 + ")" * 100, 1),
    ],
)
def test_what_is_refused(text: str, column: int) -> None:
    with pytest.raises(ConditionFault) as found:
        parse(text)
    assert found.value.column >= 1
    if column > 1:
        assert found.value.column == column


def test_dunder_attributes_reach_nothing() -> None:
    assert holds("inputs.__class__ == null")
    assert holds("results.__class__.__mro__ == null")


def test_the_steps_it_looks_at_are_known() -> None:
    assert parse('results.plan.score > 1 or results["my-step"]').steps() == {"plan", "my-step"}


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = parse(text)
    except ConditionFault:
        return
    condition.holds(INPUTS, RESULTS, "S-1")


VALUES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@given(VALUES, VALUES, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]))
def test_any_two_values_can_be_compared(left: Any, right: Any, sign: str) -> None:
    condition = parse(f"inputs.left {sign} inputs.right")
    assert condition.holds({"left": left, "right": right}, {}, "S") in (True, False)
