"""The way of each arrow: straight down to the next stage, in lanes beside them to any other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..layout import width
from ..model import Edge
from .arrange import Stage
from .boxes import COLUMN, Box

_LANE: Final = 22  # between lanes
_PORT: Final = 18  # between arrows on one side of a box
_BESIDE: Final = 5  # between a line and its label


class Label(NamedTuple):
    text: str
    x: int
    y: int
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Route:
    """`points` from the source's edge to the target's."""

    points: tuple[tuple[int, int], ...]
    label: Label | None = None


class _Way(NamedTuple):
    """An arrow that passes other stages, or leads back."""

    source: int
    target: int
    text: str

    @property
    def span(self) -> tuple[int, int]:
        return min(self.source, self.target), max(self.source, self.target)


def routes(stages: Sequence[Stage], edges: Iterable[Edge]) -> list[Route]:
    """All arrows; several from one stage to another are one, with all their actions."""
    place = {stage.id: number for number, stage in enumerate(stages)}
    actions: dict[tuple[int, int], list[str]] = {}
    for edge in edges:
        actions.setdefault((place[edge.source], place[edge.target]), []).append(edge.action)
    ways = [_Way(*pair, ", ".join(filter(None, found))) for pair, found in actions.items()]
    found = [_inside(stage) for stage in stages]
    straight = [_down(stages, way) for way in ways if way.target == way.source + 1]
    further = [way for way in ways if way.target > way.source + 1]
    back = [way for way in ways if way.target <= way.source]
    return [
        *(route for routes in found for route in routes),
        *straight,
        *_beside(stages, further, 1),
        *_beside(stages, back, -1),
    ]


def _down(stages: Sequence[Stage], way: _Way) -> Route:
    source, target = stages[way.source].outer, stages[way.target].outer
    points = ((0, source.bottom), (0, target.top))
    middle = (source.bottom + target.top) // 2 + _BESIDE
    return Route(points, Label(way.text, 2 * _BESIDE, middle) if way.text else None)


def _inside(stage: Stage) -> list[Route]:
    """What members of a group wait for."""
    boxes = {box.id: box for box in stage.boxes}
    found = []
    for edge in stage.inner:
        source, target = boxes[edge.source], boxes[edge.target]
        found.append(Route(((source.x, source.bottom), (target.x, target.top))))
    return found


def _beside(stages: Sequence[Stage], ways: Sequence[_Way], side: int) -> list[Route]:
    """Ways through lanes at the right (`side` 1) or the left (-1)."""
    ports = _ports(ways)
    found = []
    for way, x in _lanes(stages, ways):
        start = _touch(stages[way.source].outer, side, ports[way, way.source, "from"])
        end = _touch(stages[way.target].outer, side, ports[way, way.target, "to"])
        place = start[0] + side * _BESIDE, start[1] - _BESIDE
        label = Label(way.text, *place, "start" if side > 0 else "end") if way.text else None
        found.append(Route((start, (side * x, start[1]), (side * x, end[1]), end), label))
    return found


def _lanes(stages: Sequence[Stage], ways: Iterable[_Way]) -> list[tuple[_Way, int]]:
    """Each way with how far from the middle it goes: the short ones inside, none over another."""
    found: list[tuple[_Way, int]] = []
    for way in sorted(ways, key=lambda way: (way.span[1] - way.span[0], way.span)):
        first, last = way.span
        x = max(stage.outer.width // 2 for stage in stages[first : last + 1]) + _LANE
        label = width(way.text) * COLUMN + 2 * _BESIDE
        x = max(x, stages[way.source].outer.width // 2 + label)
        found.append((way, max([x, *(far + _LANE for each, far in found if _meet(way, each))])))
    return found


def _meet(one: _Way, other: _Way) -> bool:
    return one.span[0] <= other.span[1] and other.span[0] <= one.span[1]


def _ports(ways: Iterable[_Way]) -> dict[tuple[_Way, int, str], int]:
    """How far below a stage's middle each way leaves and arrives, so that few lines cross.

    Those from and to above stand above the others; of either the outer ones go around the inner.
    """
    at: dict[int, list[tuple[tuple[bool, int], _Way, str]]] = {}
    for way in ways:
        for stage, other, role in (
            (way.source, way.target, "from"),
            (way.target, way.source, "to"),
        ):
            at.setdefault(stage, []).append(((other > stage, -other), way, role))
    return {
        (way, stage, role): (2 * number - len(found) + 1) * _PORT // 2
        for stage, found in at.items()
        for number, (_, way, role) in enumerate(sorted(found))
    }


def _touch(box: Box, side: int, offset: int) -> tuple[int, int]:
    """The point of a box's side that is `offset` below its middle."""
    half = box.width // 2
    limit = box.height // 2 - 2
    offset = max(-limit, min(limit, offset))
    if box.kind == "gate":
        half -= abs(offset) * box.width // box.height
    return box.x + side * half, box.y + offset
