"""Waits, documents, loops, the derived flow, and the graphs that are drawn of it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from scripts.compiler import graph, graphs
from scripts.compiler.model import AgentStep, Edge, Flow, Group
from tests.compiler.reading import codes, read
from tests.compiler.test_flows import shape


def agents(**fronts: str) -> dict[str, str]:
    return {f"agents/{name}.md": f"---\n{front}\n---\n" for name, front in fronts.items()}


def flow_file(sequence: str) -> dict[str, str]:
    return {"workflow.yaml": f"flows: {{default: {{sequence: {sequence}}}}}\n"}


def test_the_derived_flow_goes_by_waits_then_by_id(tmp_path: Path) -> None:
    files = agents(
        z="", b="wait_for: {agents: [z]}", a="wait_for: {docs: [x]}", Y="creates: x", c="creates: v"
    )
    project, found = read(tmp_path, files)
    assert found == []
    assert shape(project.flows[0]) == ["Y", "c", "z", "a", "b"]
    assert (project.flows[0].name, project.flows[0].path) == ("default", "")


def test_the_longest_way_counts(tmp_path: Path) -> None:
    """A diamond with one long side."""
    files = agents(
        a="",
        b="wait_for: {agents: [a]}",
        c="wait_for: {agents: [b]}",
        d="wait_for: {agents: [a, c]}",
        e="wait_for: {agents: [a]}",
    )
    project, _ = read(tmp_path, files)
    assert shape(project.flows[0]) == ["a", "b", "e", "c", "d"]


def test_the_derived_flow_groups_neighbours(tmp_path: Path) -> None:
    files = agents(
        a="parallel: true", b="parallel: true", c="", d="parallel: true\nwait_for: {agents: [b]}"
    )
    project, _ = read(tmp_path, files)
    assert shape(project.flows[0]) == [["a", "b"], "c", "d"]


WAITS = {
    "[a, b]": [],
    "[b, a]": ["BMAD204"],
    "[b]": ["BMAD204"],
    "[{parallel: [b, a]}]": [],
    "[{parallel: [c, b]}, a]": ["BMAD204"],
    "[a, c, b, {agent: a, id: again}]": [],
}


@pytest.mark.parametrize("sequence", WAITS)
def test_waits_are_met_by_order_or_in_the_group(tmp_path: Path, sequence: str) -> None:
    files = agents(a="", b="wait_for: {agents: [a]}", c="") | flow_file(sequence)
    _, found = read(tmp_path, files)
    assert [each.code for each in found if each.code != "BMAD208"] == WAITS[sequence]


DOCUMENTS = {
    "[a, b]": [],
    "[b, a]": ["BMAD206"],
    "[b]": ["BMAD205"],
    "[{parallel: [b, a]}]": [],
    "[{agent: c, creates: x.md}, b]": [],
    "[{agent: c, id: x}, b]": [],
    "[{parallel: [{agent: c, id: x}, b]}]": ["BMAD206"],
    "[{agent: c, requires: [z]}]": ["BMAD205"],
    "[a, {agent: a, id: again, creates: y}, {agent: c, requires: [y, x, y.md]}]": [],
}


@pytest.mark.parametrize("sequence", DOCUMENTS)
def test_documents_have_an_earlier_creator(tmp_path: Path, sequence: str) -> None:
    files = agents(a="creates: x", b="wait_for: {docs: [x]}", c="") | flow_file(sequence)
    _, found = read(tmp_path, files)
    assert [each.code for each in found if each.code != "BMAD208"] == DOCUMENTS[sequence]


CREATORS = {
    "[a, b]": ["BMAD207"],
    "[a, {agent: b, requires: [x]}]": [],
    "[a, {agent: c, reads: [x], creates: x}]": [],
    "[{agent: b, requires: [y]}, {agent: c, creates: y}, a]": ["BMAD207", "BMAD206"],
    "[{parallel: [a, {agent: b, requires: [x]}]}]": ["BMAD207"],
    "[a, {agent: a, id: again}]": [],
    "[{parallel: [a, {agent: a, id: again}]}]": ["BMAD207"],
    "[a, {agent: b, creates: y}]": [],
    "[a, {agent: b, creates: A}]": ["BMAD207"],
    "[{agent: c, creates: c}]": [],
    "[{agent: d, on: {yes: e, no: b}}, {agent: d, id: e, creates: x, on: {yes: end, no: end}}"
    ", b]": [],
}


@pytest.mark.parametrize("sequence", CREATORS)
def test_a_document_has_one_creator(tmp_path: Path, sequence: str) -> None:
    files = agents(a="creates: x", b="creates: x", c="", d="actions: [yes, no]")
    _, found = read(tmp_path, files | flow_file(sequence))
    assert [each.code for each in found if each.code != "BMAD208"] == CREATORS[sequence]


def test_a_circle_is_printed_as_a_path(tmp_path: Path) -> None:
    files = agents(
        a="wait_for: {agents: [c, x]}",
        b="wait_for: {agents: [a]}",
        c="wait_for: {agents: [b]}",
        x="",
    )
    _, (found,) = read(tmp_path, files)
    assert found.message == "the agents wait for each other in a circle: a → c → b → a"
    assert (found.path, found.line, found.column) == ("bmad/agents/a.md", 2, 21)


def test_each_circle_is_told_once(tmp_path: Path) -> None:
    files = agents(
        a="wait_for: {agents: [b]}", b="wait_for: {agents: [a]}", c="wait_for: {agents: [c, a]}"
    )
    _, found = read(tmp_path, files)
    assert [each.code for each in found] == ["BMAD203", "BMAD203"]
    _, found = read(tmp_path, files | flow_file("[a, b, c]"))
    assert [each.code for each in found] == ["BMAD203", "BMAD203"]


def test_a_circle_of_a_thousand_is_told(tmp_path: Path) -> None:
    files = agents(
        **{f"a{n:04}": f"wait_for: {{agents: [a{(n + 1) % 1000:04}]}}" for n in range(1000)}
    )
    _, (found,) = read(tmp_path, files)
    assert found.code == "BMAD203"
    assert found.message.count("→") == 1000


def test_a_thousand_agents_with_five_thousand_waits(tmp_path: Path) -> None:
    draw = random.Random(7)
    names = [f"a{n:04}" for n in range(1000)]
    waits = {name: draw.sample(names[:n], min(n, 5)) for n, name in enumerate(names)}
    fronts = {name: f"wait_for: {{agents: [{', '.join(waits[name])}]}}" for name in names}
    project, found = read(tmp_path, agents(**fronts))
    assert found == []
    place = {step.id: n for n, step in enumerate(project.flows[0].steps())}
    assert all(place[other] < place[name] for name in names for other in waits[name])


def test_loops_are_bounded(tmp_path: Path) -> None:
    group = "{parallel: [one, {agent: two, max_visits: 5}]}"
    sequence = f"[before, {group}, {{agent: judge, on: {{no: one}}}}, after]"
    files = agents(before="", one="", two="", judge="actions: [yes, no]", after="")
    project, found = read(tmp_path, files | flow_file(sequence))
    assert [each.code for each in found] == ["BMAD306", "BMAD306", "BMAD315"]
    visits = {step.id: step.max_visits for step in project.flows[0].steps()}
    assert visits == {"before": None, "one": 3, "two": 5, "judge": 3, "after": None}


EDGES = {
    "[a, b]": [Edge("a", "b"), Edge("b", "end")],
    "[{parallel: [a, b]}, c]": [Edge("a", "c"), Edge("c", "end")],
    "[{agent: j, on: {yes: c}}, b, c]": [
        Edge("j", "c", "yes"),
        Edge("j", "b"),
        Edge("b", "c"),
        Edge("c", "end"),
    ],
    "[a, {agent: j, on: {yes: end, no: a}}]": [
        Edge("a", "j"),
        Edge("j", "end", "yes"),
        Edge("j", "a", "no"),
    ],
    "[{parallel: [a, b]}, {agent: j, on: {no: b}}]": [
        Edge("a", "j"),
        Edge("j", "a", "no"),
        Edge("j", "end"),
    ],
}


@pytest.mark.parametrize("sequence", EDGES)
def test_edges_lead_from_stage_to_stage(tmp_path: Path, sequence: str) -> None:
    files = agents(a="", b="", c="", j="actions: [yes, no]") | flow_file(sequence)
    project, _ = read(tmp_path, files)
    assert list(graph.edges(project.flows[0], project)) == EDGES[sequence]


def test_the_graph_as_json(tmp_path: Path) -> None:
    files = agents(
        a="creates: x",
        b="wait_for: {docs: [x]}",
        c="wait_for: {agents: [a, b]}",
        j="actions: [yes, no]",
    )
    sequence = (
        "[{parallel: [c, a, b]}, {agent: j, id: check, requires: [x], on: {no: a, yes: end}}]"
    )
    project, _ = read(tmp_path, files | flow_file(sequence))
    found = json.loads(graphs.graph_json(project.flows[0], project))
    assert found["flow"] == "default"
    assert [(step["id"], step["agent"], step["group"]) for step in found["steps"]] == [
        ("c", "c", 1),
        ("a", "a", 1),
        ("b", "b", 1),
        ("check", "j", None),
    ]
    assert found["steps"][3] == {
        "id": "check",
        "kind": "agent",
        "agent": "j",
        "group": None,
        "requires": ["x"],
        "creates": None,
        "actions": ["yes", "no"],
    }
    edges = {(edge["from"], edge["to"], edge["action"]) for edge in found["edges"]}
    assert edges == {
        ("start", "a", None),
        ("a", "b", None),
        ("a", "c", None),
        ("b", "c", None),
        ("c", "check", None),
        ("check", "a", "no"),
        ("check", "end", "yes"),
    }


def test_a_step_may_be_called_start(tmp_path: Path) -> None:
    project, _ = read(tmp_path, agents(start="", subgraph="") | flow_file("[start, subgraph]"))
    lines = graphs.mermaid(project.flows[0], project).splitlines()
    assert lines == [
        "flowchart TD",
        "    start([start])",
        '    s1["start"]',
        '    s2["subgraph"]',
        "    finish([end])",
        "    start --> s1",
        "    s1 --> s2",
        "    s2 --> finish",
    ]


def test_what_may_be_skipped_is_dashed_and_says_why_in_short(tmp_path: Path) -> None:
    steps = (
        "[a, {agent: a, id: b, when: 'inputs.optional[\"b\"]'},"
        ' {agent: a, id: c, when: \'inputs.conditions.late or results["a"].verdict == "fail"\'},'
        ' {agent: a, id: d, when: \'inputs.depth == "full" and "x" in results.a\'}]'
    )
    project, _ = read(tmp_path, agents(a="") | flow_file(steps))
    lines = graphs.mermaid(project.flows[0], project).replace("#34;", '"').splitlines()
    assert lines[2:6] == [
        '    s1["a"]',
        '    s2["b<br/>by a<br/>optional"]',
        '    s3["c<br/>by a<br/>when late<br/>or a.verdict == "fail""]',
        '    s4["d<br/>by a<br/>when inputs.depth == "full"<br/>and "x" in results.a"]',
    ]
    assert lines[-2:] == ["    classDef maybe stroke-dasharray: 6 4", "    class s2,s3,s4 maybe"]


def test_labels_are_escaped() -> None:
    text = graphs.escape('a"]; click x "javascript:1" <b> `#`\\')
    assert not set('"`<>[]\\') & set(text)
    assert text.startswith("a#34;#93;#59; click")


def test_a_group_is_known_by_its_first_member() -> None:
    assert graph.stage_id(Group((AgentStep("b", "x"), AgentStep("a", "x")))) == "b"
    assert graph.stage_edges(Flow("f", ()), {}) == ()


def test_findings_name_the_file_that_has_the_fault(tmp_path: Path) -> None:
    files = agents(a="tools: [x]\nwait_for:\n  agents:\n    - nobody") | flow_file("[a]")
    _, found = read(tmp_path, files)
    assert codes(found) == ["BMAD202 2:9", "BMAD201 5:7"]
    assert {each.path for each in found} == {"bmad/agents/a.md"}
