"""The picture as text: SVG that needs nothing else, light and dark as its reader likes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from .. import graph
from ..model import Edge, Flow, Project
from .arrange import Stage, arrange
from .boxes import LINE, Box
from .routes import Route, routes

_MARGIN: Final = 24
_CORNER: Final = 7  # the radius of a lane's bends
_LABEL: Final = 8  # pixels of a label's character
# Fixed, not what this Python calls printable: the same sources give the same bytes.
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_STYLE: Final = """\
svg { color-scheme: light dark; --page: #fff; --ink: #1f2328; --line: #59636e; --soft: #6e7781;
  --agent: #ddf4ff; --gate: #fff8c5; --flow: #dafbe1; --end: #f6f8fa; --frame: #f6f8fa; }
@media (prefers-color-scheme: dark) { svg { --page: #0d1117; --ink: #e6edf3; --line: #9198a1;
  --soft: #9198a1; --agent: #10294a; --gate: #3b2e06; --flow: #0f3320; --end: #21262d;
  --frame: #151b23; } }
text { font: 13px system-ui, sans-serif; fill: var(--ink); text-anchor: middle; }
.first { font-weight: 600; }
.label { font-size: 12px; fill: var(--soft); stroke: var(--page); stroke-width: 4px;
  paint-order: stroke; }
.start { text-anchor: start; }
.close { text-anchor: end; }
.page { fill: var(--page); }
.agent, .gate, .flow, .end { stroke: var(--line); }
.agent { fill: var(--agent); }
.gate { fill: var(--gate); }
.flow { fill: var(--flow); }
.end { fill: var(--end); }
.maybe rect, .maybe polygon { stroke-dasharray: 5 4; }
.frame { fill: var(--frame); stroke: var(--soft); stroke-dasharray: 4 3; }
.arrow { fill: none; stroke: var(--line); stroke-width: 1.4px; marker-end: url(#tip); }
#tip path { fill: var(--line); }"""

_TIP: Final = (
    '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"'
    ' markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z"/></marker></defs>'
)


def svg(flow: Flow, project: Project) -> str:
    """The flow as a picture, ending with a line's end."""
    agents = graph.by_id(project)
    stages = arrange(flow, agents)
    first = Edge("", graph.stage_id(flow.stages[0]) if flow.stages else graph.END)
    found = routes(stages, [first, *graph.stage_edges(flow, agents)])
    left, right = _sides(stages, found)
    width, height = right - left + 2 * _MARGIN, stages[-1].outer.bottom + 2 * _MARGIN
    place = f"{left - _MARGIN} {-_MARGIN} {width} {height}"
    size = f'width="{width}" height="{height}"'
    said = f'role="img" aria-label={quoteattr(f"The flow {flow.name}")}'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{place}" {size} {said}>',
        f"<style>\n{_STYLE}\n</style>",
        _TIP,
        f'<rect class="page" x="{left - _MARGIN}" y="{-_MARGIN}" {size}/>',
        *(_frame(stage.outer) for stage in stages if stage.is_group),
        *(f'<path class="arrow" d="{_path(route.points)}"/>' for route in found),
        *(line for stage in stages for box in stage.boxes for line in _box(box)),
        *_labels(found),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _sides(stages: Sequence[Stage], found: Sequence[Route]) -> tuple[int, int]:
    """How far to the left and to the right there is something."""
    xs = [0]
    for stage in stages:
        xs += (stage.outer.left, stage.outer.right)
    for route in found:
        xs += [x for x, _ in route.points]
        if route.label is not None and route.label.x > 0:
            xs.append(route.label.x + len(route.label.text) * _LABEL)
    return min(xs), max(xs)


def _frame(box: Box) -> str:
    return (
        f'<rect class="frame" x="{box.left}" y="{box.top}" width="{box.width}"'
        f' height="{box.height}" rx="10"><title>beside each other</title></rect>'
    )


def _box(box: Box) -> Iterator[str]:
    title = f"<title>{_text(box.title)}</title>" if box.title else ""
    opening = '<g class="maybe">' if box.maybe else "<g>"
    yield f"{opening}{title}"
    yield from _shape(box)
    top = box.y - len(box.lines) * LINE // 2 + LINE - 5
    for number, line in enumerate(box.lines):
        first = "" if number else ' class="first"'
        yield f'<text{first} x="{box.x}" y="{top + number * LINE}">{_text(line)}</text>'
    yield "</g>"


def _shape(box: Box) -> Iterator[str]:
    """Agents are boxes, gates diamonds, flows boxes with double sides, both ends are round."""
    if box.kind == "gate":
        points = f"{box.x},{box.top} {box.right},{box.y} {box.x},{box.bottom} {box.left},{box.y}"
        yield f'<polygon class="gate" points="{points}"/>'
        return
    radius = box.height // 2 if box.kind == "end" else 6
    yield (
        f'<rect class="{box.kind}" x="{box.left}" y="{box.top}" width="{box.width}"'
        f' height="{box.height}" rx="{radius}"/>'
    )
    if box.kind == "flow":
        for x in (box.left + 6, box.right - 6):
            yield f'<path class="flow" d="M{x} {box.top}V{box.bottom}"/>'


def _path(points: Sequence[tuple[int, int]]) -> str:
    """Straight lines, a curve where a member's arrow goes aside, bends where a lane does."""
    if len(points) == 2:
        (x, y), (to_x, to_y) = points
        if x == to_x:
            return f"M{x} {y}V{to_y}"
        middle = (y + to_y) // 2
        return f"M{x} {y}C{x} {middle} {to_x} {middle} {to_x} {to_y}"
    (x, y), (lane, _), _, (to_x, to_y) = points
    away = 1 if lane > x else -1
    along = 1 if to_y > y else -1
    bend = min(_CORNER, abs(to_y - y) // 2)
    return (
        f"M{x} {y}H{lane - away * bend}Q{lane} {y} {lane} {y + along * bend}"
        f"V{to_y - along * bend}Q{lane} {to_y} {lane - away * bend} {to_y}H{to_x}"
    )


def _labels(found: Sequence[Route]) -> Iterator[str]:
    for route in found:
        if route.label is not None:
            text, x, y, anchor = route.label
            side = "start" if anchor == "start" else "close"
            yield f'<text class="label {side}" x="{x}" y="{y}">{_text(text)}</text>'


def _text(text: str) -> str:
    """What XML cannot hold is replaced, and what would turn the text around."""
    return escape(
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    )
