"""Where the boxes of a flow stand: stages below each other, the members of a group in rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .. import graph
from ..model import AgentStep, Edge, Flow, Group
from .boxes import Box, box_of

GAP: Final = 44  # between stages: room for an arrow and its label
_ROW_GAP: Final = 40
_SIDE_GAP: Final = 24
_FRAME: Final = 18  # around the members of a group
_MOST: Final = 4  # members beside each other


@dataclass(slots=True)
class Stage:
    """A row of the picture; `outer` is what arrows from and to it touch."""

    id: str
    outer: Box
    rows: list[list[Box]]
    inner: tuple[Edge, ...] = ()

    @property
    def is_group(self) -> bool:
        return len(self.rows) > 1 or len(self.rows[0]) > 1

    @property
    def boxes(self) -> list[Box]:
        return [box for row in self.rows for box in row]


def arrange(flow: Flow, agents: graph.Agents) -> list[Stage]:
    """The stages from start to end, placed around x = 0 and from y = 0 downwards."""
    stages = [_single(Box("", "end", ("start",)))]
    for stage in flow.stages:
        if isinstance(stage, Group):
            stages.append(_group(stage, agents))
        else:
            stages.append(_single(box_of(stage)))
    stages.append(_single(Box(graph.END, "end", ("end",))))
    top = 0
    for placed in stages:
        _place(placed, top)
        top = placed.outer.bottom + GAP
    return stages


def _single(box: Box) -> Stage:
    return Stage(box.id, box, [[box]])


def _group(group: Group, agents: graph.Agents) -> Stage:
    inner = graph.group_edges(group, agents)
    boxes = {member.id: box_of(member) for member in group.members}
    depth = _depths(group.members, inner)
    rows: list[list[Box]] = []
    for level in sorted(set(depth.values())):
        found = [boxes[name] for name in boxes if depth[name] == level]
        rows += [found[place : place + _MOST] for place in range(0, len(found), _MOST)]
    outer = Box(graph.stage_id(group), "end", ("",))
    outer.width = max(map(_row_width, rows)) + 2 * _FRAME
    heights = [max(box.height for box in row) for row in rows]
    outer.height = sum(heights) + _ROW_GAP * (len(rows) - 1) + 2 * _FRAME
    return Stage(outer.id, outer, rows, inner)


def _depths(members: Iterable[AgentStep], edges: Sequence[Edge]) -> Mapping[str, int]:
    """How many members each of them stands behind, at most; waits go no way round."""
    depth = {member.id: 0 for member in members}
    for _ in depth:
        for edge in edges:
            depth[edge.target] = max(depth[edge.target], depth[edge.source] + 1)
    return depth


def _row_width(row: Sequence[Box]) -> int:
    return sum(box.width for box in row) + _SIDE_GAP * (len(row) - 1)


def _place(stage: Stage, top: int) -> None:
    outer = stage.outer
    outer.y = top + outer.height // 2
    if not stage.is_group:
        return
    top += _FRAME
    for row in stage.rows:
        height = max(box.height for box in row)
        left = -_row_width(row) // 2
        for box in row:
            box.x, box.y = left + box.width // 2, top + height // 2
            left += box.width + _SIDE_GAP
        top += height + _ROW_GAP
