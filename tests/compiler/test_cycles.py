"""Circles, reachability: against a simple model, and on graphs that would break recursion."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.compiler.cycles import circle, components, reachable

NAMES = st.sampled_from("abcdefg")
GRAPHS = st.dictionaries(NAMES, st.sets(NAMES, max_size=4))


@given(GRAPHS, NAMES)
def test_reachable_is_the_closure(edges: dict[str, set[str]], start: str) -> None:
    closure = set(edges.get(start, ()))
    for _ in range(7):
        closure |= {end for name in closure for end in edges.get(name, ())}
    assert reachable(start, edges) == closure


@given(GRAPHS)
def test_components_are_those_that_reach_each_other(edges: dict[str, set[str]]) -> None:
    names = sorted(set(edges) | {end for ends in edges.values() for end in ends})
    looping = [name for name in names if name in reachable(name, edges)]
    together = {
        tuple(
            other
            for other in looping
            if other in reachable(name, edges) and name in reachable(other, edges)
        )
        for name in looping
    }
    assert {tuple(found) for found in components(names, edges)} == together


@given(GRAPHS)
def test_a_circle_is_a_way_back(edges: dict[str, set[str]]) -> None:
    for found in components(sorted(edges), edges):
        way = circle(found, edges)
        assert way[0] == way[-1] == min(found)
        assert all(end in edges[start] for start, end in pairwise(way))
        assert len(set(way)) == len(way) - 1


def test_long_circles_need_no_stack() -> None:
    names = [f"n{number:06}" for number in range(20_000)]
    edges = {name: [after] for name, after in zip(names, names[1:] + names[:1], strict=True)}
    (found,) = components(names, edges)
    assert found == names
    assert circle(found, edges) == [*names, names[0]]


def test_no_circle_is_an_error() -> None:
    with pytest.raises(ValueError, match="do not lead back"):
        circle(["a", "b"], {"a": ["b"]})
