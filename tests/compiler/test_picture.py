"""Flows as SVG: every step and arrow is there, nothing covers anything, author text stays text."""

from __future__ import annotations

import itertools
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scripts.compiler import graph
from scripts.compiler.picture.arrange import arrange
from scripts.compiler.picture.boxes import Box
from scripts.compiler.picture.routes import routes
from scripts.compiler.picture.svg import svg
from tests.compiler.reading import read
from tests.compiler.test_graph import agents, flow_file

SVG = "{http://www.w3.org/2000/svg}"
LOOP = (
    "[{agent: a, max_visits: 3}, {agent: b, max_visits: 3}, {parallel: [c, d, e]},"
    " {agent: r, on: {ok: sign, back: b, again: a}, max_visits: 3},"
    ' {human: sign, question: \'Is <this> & "that" what all of you have asked for,'
    " or not at all, so that it is done again?',"
    " actions: [approve, reject, later], on: {reject: a, later: end}, max_visits: 3},"
    " {agent: a, id: last, when: 'inputs.depth == \"full\"'}]"
)
FILES = agents(a="", b="", c="", d="wait_for: {agents: [c]}", e="", r="actions: [ok, back, again]")


@pytest.fixture
def picture(tmp_path: Path) -> str:
    project, _ = read(tmp_path, FILES | flow_file(LOOP))
    return svg(project.flows[0], project)


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - our own


def texts(picture: str) -> list[str]:
    return [str(text.text) for text in parsed(picture).iter(f"{SVG}text")]


def test_every_step_action_and_end_is_there(picture: str) -> None:
    found = texts(picture)
    for word in ("start", "end", "a", "b", "c", "d", "e", "r", "sign", "last", "by a"):
        assert word in found
    for action in ("ok", "back", "again", "reject", "later"):
        assert action in found
    assert 'when inputs.depth == "full"' in found


def test_gates_are_diamonds_and_groups_are_framed(picture: str) -> None:
    root = parsed(picture)
    (diamond,) = root.iter(f"{SVG}polygon")
    assert diamond.get("class") == "gate"
    frames = [each for each in root.iter(f"{SVG}rect") if each.get("class") == "frame"]
    assert len(frames) == 1
    arrows = [each for each in root.iter(f"{SVG}path") if each.get("class") == "arrow"]
    # start, the plain order (the gate's approve among it), four ways around, one inside the group
    assert len(arrows) == 1 + 6 + 4 + 1


def test_a_question_is_shown_as_far_as_it_fits_and_whole_on_pointing(picture: str) -> None:
    titles = [each.text for each in parsed(picture).iter(f"{SVG}title")]
    assert any(str(title).endswith("or not at all, so that it is done again?") for title in titles)
    assert any(text.endswith("…") for text in texts(picture))


def test_no_box_covers_another_and_no_lane_a_box(tmp_path: Path) -> None:
    project, _ = read(tmp_path, FILES | flow_file(LOOP))
    flow, known = project.flows[0], graph.by_id(project)
    stages = arrange(flow, known)
    boxes = [box for stage in stages for box in stage.boxes]
    for one, other in itertools.combinations(boxes, 2):
        assert not _overlap(one, other), (one.id, other.id)
    for stage in stages:
        for box in stage.boxes:
            assert stage.outer.left <= box.left < box.right <= stage.outer.right
            assert stage.outer.top <= box.top < box.bottom <= stage.outer.bottom
    ways = [route.points for route in routes(stages, graph.stage_edges(flow, known))]
    lanes = [(points[1], points[2]) for points in ways if len(points) == 4]
    assert len(lanes) == 4
    for (x, y), (_, to_y) in lanes:
        for stage in stages:
            if min(y, to_y) < stage.outer.bottom and stage.outer.top < max(y, to_y):
                assert not stage.outer.left <= x <= stage.outer.right
    left = sorted(x for (x, _), _ in lanes if x < 0)
    assert len(set(left)) == len(left) == 3


def _overlap(one: Box, other: Box) -> bool:
    beside = one.right <= other.left or other.right <= one.left
    return not beside and one.top < other.bottom and other.top < one.bottom


@pytest.mark.parametrize(
    "question",
    [
        "</text><script>alert(1)</script>",
        "]]> &amp; <!-- 'x' \\\\",
        "\\u202eabc\\u0001",
        "問い" * 60,
        "x" * 500,
    ],
)
def test_any_question_is_text(tmp_path: Path, question: str) -> None:
    step = f'[a, {{human: sign, question: "{question}", actions: [ok]}}]'
    project, _ = read(tmp_path, agents(a="") | flow_file(step))
    root = parsed(svg(project.flows[0], project))
    known = {"svg", "style", "defs", "marker", "path", "rect", "g", "title", "text", "polygon"}
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= known


def test_a_flow_of_many_members_and_stages_stays_in_its_page(tmp_path: Path) -> None:
    names = [f"agent-number-{number}" for number in range(40)]
    group = f"{{parallel: [{', '.join(names[:25])}]}}"
    sequence = f"[{group}, {', '.join(names[25:])}]"
    project, _ = read(tmp_path, agents(**dict.fromkeys(names, "")) | flow_file(sequence))
    root = parsed(svg(project.flows[0], project))
    left, top, width, height = map(int, str(root.get("viewBox")).split())
    for rect in root.iter(f"{SVG}rect"):
        x, y, wide, high = (int(str(rect.get(name))) for name in ("x", "y", "width", "height"))
        assert left <= x <= x + wide <= left + width
        assert top <= y <= y + high <= top + height
