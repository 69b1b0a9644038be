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


# The uneven graph: DEPTH layers of DEPTH agents, one slow agent in each layer. An agent waits
# for one of the layer before; no path holds more than one slow agent, so that all slow ones could
# work at the same time. Seconds are those that the model takes.
UNEVEN: Final = "uneven"
DEPTH: Final = 5
SLOW, FAST = 0.1, 0.01
CRITICAL: Final = SLOW + (DEPTH - 1) * FAST  # the longest path
LAYERED: Final = DEPTH * SLOW  # what who waits for whole layers takes


def uneven() -> Mapping[str, tuple[float, tuple[str, ...]]]:
    """Each agent's seconds, and whom it waits for. Columns are shuffled from layer to layer."""
    found: dict[str, tuple[float, tuple[str, ...]]] = {}
    for layer in range(DEPTH):
        for chain in range(DEPTH):
            seconds = SLOW if chain == layer else FAST
            waits = (_place(layer - 1, chain),) if layer else ()
            found[_place(layer, chain)] = seconds, waits
    return found


def _place(layer: int, chain: int) -> str:
    return f"a{layer}x{(2 * chain + layer) % DEPTH}"  # 2 and DEPTH have no common divisor


def steps(shape: str) -> int:
    """How many results a run of `shape` must have."""
    return DEPTH * DEPTH if shape == UNEVEN else sum(SHAPES[shape])


def named(shape: str) -> list[list[str]]:
    """The layers as lists of agent names: a0x0, a0x1, …, a1x0."""
    return [[f"a{depth}x{i}" for i in range(width)] for depth, width in enumerate(SHAPES[shape])]
