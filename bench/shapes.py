"""The five flows that every framework runs, as layers of agents.

Every agent waits for the whole layer before its own; a layer of one is a plain step.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

Layers = tuple[int, ...]

SHAPES: Final[Mapping[str, Layers]] = MappingProxyType(
    {
        "seq10": (1,) * 10,
        "fan10": (10, 1),
        "fan100": (100, 1),
        "fan1000": (1000, 1),
        "dag3": (4, 4, 2),
    }
)
ANSWER: Final = "Done: nothing is missing."


def steps(shape: str) -> int:
    """How many results a run of `shape` must have."""
    return sum(SHAPES[shape])


def named(shape: str) -> list[list[str]]:
    """The layers as lists of agent names: a0x0, a0x1, …, a1x0."""
    return [[f"a{depth}x{i}" for i in range(width)] for depth, width in enumerate(SHAPES[shape])]
