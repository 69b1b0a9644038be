"""Flows as they are written: stages, groups, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.compiler.model import Flow, Group
from tests.compiler.reading import codes, read

AGENTS = {
    "agents/a.md": "---\nactions: [yes, no]\n---\n",
    "agents/b.md": "B",
    "agents/c.md": "C",
    "agents/p.md": "---\nparallel: true\n---\n",
    "agents/q.md": "---\nparallel: true\n---\n",
}


def flow(folder: Path, sequence: str) -> tuple[Flow, list[str]]:
    """The flow of a sequence on line 3, and its findings; agents in no flow are no matter."""
    files = AGENTS | {"workflow.yaml": f"flows:\n  default:\n    sequence: {sequence}\n"}
    project, found = read(folder, files)
    return project.flows[0], codes([each for each in found if each.code != "BMAD208"])


def shape(found: Flow) -> list[str | list[str]]:
    """Step ids; those of a group in a list of their own."""
    return [
        [step.id for step in stage.members] if isinstance(stage, Group) else stage.id
        for stage in found.stages
    ]


SHAPES: dict[str, list[str | list[str]]] = {
    "[a, b, c]": ["a", "b", "c"],
    "[a, {parallel: [b, c]}]": ["a", ["b", "c"]],
    "[{parallel: [b]}, a]": ["b", "a"],
    "[{parallel: [b]}, {parallel: [c]}]": [["b", "c"]],
    "[p, a, q]": ["p", "a", "q"],
    "[a, p, q]": ["a", ["p", "q"]],
    "[p, {parallel: [b, c]}, q, a]": [["p", "b", "c", "q"], "a"],
    "[{agent: b, id: first}, {agent: b, id: second}]": ["first", "second"],
    "[{parallel: [{agent: b, id: one}, {agent: b, id: two}]}]": [["one", "two"]],
}


@pytest.mark.parametrize("sequence", SHAPES)
def test_neighbours_that_are_parallel_are_one_group(tmp_path: Path, sequence: str) -> None:
    found, findings = flow(tmp_path, sequence)
    assert (shape(found), findings) == (SHAPES[sequence], [])


def test_a_step_has_settings_of_its_own(tmp_path: Path) -> None:
    step = (
        "{agent: a, id: x, requires: [y.md], creates: z.md, on: {yes: end, no: b}, max_visits: 2}"
    )
    found, _ = flow(tmp_path, f"[{step}, b]")
    first = found.steps()[0]
    assert (first.id, first.agent, first.requires, first.creates) == ("x", "a", ("y",), "z")
    assert (first.on, first.max_visits) == ((("yes", "end"), ("no", "b")), 2)


def test_a_flow_has_a_description_and_a_rule_for_documents(tmp_path: Path) -> None:
    text = "flows: {main: {description: Two words, on_missing_doc: error, sequence: [b]}}"
    project, _ = read(tmp_path, AGENTS | {"workflow.yaml": text})
    (found,) = project.flows
    assert (found.name, found.description, found.on_missing_doc) == ("main", "Two words", "error")
    assert found.path == "bmad/workflow.yaml"


def test_flows_keep_the_order_of_their_files(tmp_path: Path) -> None:
    files = {
        "workflow.yaml": "flows: {z: {sequence: [b]}, y: {sequence: [b]}}",
        "workflows/2.yaml": "flows: {x: {sequence: [b]}}",
        "workflows/1.yaml": "flows: {w: {sequence: [b]}}",
    }
    project, _ = read(tmp_path, AGENTS | files)
    assert [each.name for each in project.flows] == ["z", "y", "w", "x"]


REFUSED = {
    "[]": ["BMAD301 2:3"],
    "b": ["BMAD109 3:15"],
    "[nobody]": ["BMAD201 3:16"],
    "[{agent: nobody}]": ["BMAD201 3:24"],
    "[b, b]": ["BMAD302 3:19"],
    "[b, {agent: c, id: B}]": ["BMAD302 3:34"],
    "[{agent: b, id: end}]": ["BMAD302 3:31"],
    "[{agent: b, id: a__b}]": ["BMAD111 3:31"],
    "[{id: x}]": ["BMAD109 3:16"],
    "[{agent: }]": ["BMAD109 3:16"],
    "[{agent: b, requires: c}]": ["BMAD109 3:37"],
    "[{agent: b, creates: x__y}]": ["BMAD110 3:36"],
    "[{agent: b, max_visits: 0}]": ["BMAD110 3:39"],
    "[{agent: b, next: c}]": ["BMAD108 3:27"],
    "[{agent: b, on: [c]}]": ["BMAD109 3:31"],
    "[{agent: b, on: {yes: end}}]": ["BMAD303 3:37"],
    "[{agent: a, on: {yse: end}}]": ["BMAD303 3:37"],
    "[{agent: a, on: {yes: x}}]": ["BMAD304 3:37"],
    "[{agent: a, on: {yes: [b]}}]": ["BMAD109 3:37"],
    "[{agent: a, on: {yes: end, no: end}}, b]": ["BMAD305 3:53"],
    "[b, {agent: a, on: {no: b}}]": ["BMAD306 3:16", "BMAD306 3:27"],
    "[{agent: a, on: {no: a}}]": ["BMAD306 3:24"],
    "[{parallel: [b, {agent: a, on: {yes: end}}]}]": ["BMAD307 3:46"],
    "[{parallel: [b, {parallel: [c]}]}]": ["BMAD307 3:32"],
    "[{parallel: [b, {human: x}]}]": ["BMAD307 3:32"],
    "[{parallel: [b, c], on: {x: end}}]": ["BMAD108 3:35"],
    "[{agent: b, tools: [x]}]": ["BMAD199 3:27"],
    "[{agent: b, when: x}]": ["BMAD309 3:33"],
    "[{agent: b, when: 'inputs.a ='}]": ["BMAD309 3:33"],
    "[{agent: b, when: [a]}]": ["BMAD109 3:33"],
    "[{agent: b, when: true}]": ["BMAD109 3:33"],
    "[{agent: b, when: results.x}]": ["BMAD310 3:33"],
    "[{agent: b, when: 'results[0]'}]": ["BMAD310 3:33"],
    "[{agent: b, when: results.b}]": ["BMAD310 3:33"],
    "[{agent: b, when: results.c}, c]": ["BMAD310 3:33"],
    "[{parallel: [b, {agent: c, when: results.b}]}]": ["BMAD310 3:48"],
    "[{human: }]": ["BMAD109 3:16"],
    "[{human: end}]": ["BMAD302 3:24"],
    "[{human: a b}]": ["BMAD111 3:24"],
    "[{human: x, agent: b}]": ["BMAD108 3:27"],
    "[b, {human: b}]": ["BMAD302 3:27"],
    "[{human: x, requires: [y]}]": ["BMAD108 3:27"],
    "[{human: x, question: [y]}]": ["BMAD109 3:37"],
    "[{human: x, actions: [a b]}]": ["BMAD111 3:37"],
    "[{human: x, actions: [default]}]": ["BMAD110 3:37"],
    "[{human: x, actions: [go], on: {approve: end}}]": ["BMAD303 3:56"],
    "[b, {human: x, on: {reject: b}}]": ["BMAD306 3:16", "BMAD306 3:27"],
    "[{human: x, on: {approve: end, reject: end}}, b]": ["BMAD305 3:61"],
    "[{flow: }]": ["BMAD109 3:16"],
    "[{flow: x}, b]": ["BMAD313 3:23"],
    "[{flow: default}]": ["BMAD314 3:23"],
    "[{flow: default, on: {x: end}}]": ["BMAD314 3:23", "BMAD108 3:32"],
    "[{agent: b, max_items: 3}]": ["BMAD312 3:38"],
    "[{agent: b, for_each: x}]": ["BMAD311 3:37"],
    "[{agent: b, temperature: 3}]": ["BMAD110 3:40"],
    "[{agent: b, budget: {}}]": ["BMAD109 3:35"],
}


@pytest.mark.parametrize("sequence", REFUSED)
def test_each_fault_is_told_at_its_place(tmp_path: Path, sequence: str) -> None:
    files = AGENTS | {"workflow.yaml": f"flows:\n  default:\n    sequence: {sequence}\n"}
    _, found = read(tmp_path, files)
    beside = ("BMAD208", "BMAD315")  # what these flows are not about
    assert codes([each for each in found if each.code not in beside]) == REFUSED[sequence]


@pytest.mark.parametrize(
    "text", ["flows: [a]", "- a", "flows: {default: {sequence: 1}}", "flow: {}"]
)
def test_a_broken_file_derives_no_flow(tmp_path: Path, text: str) -> None:
    """Else its author would read findings about an order that nobody wrote."""
    project, found = read(tmp_path, AGENTS | {"workflow.yaml": text})
    assert {each.code for each in found} - {"BMAD208"} <= {"BMAD108", "BMAD109"}
    assert [each.name for each in project.flows if not each.path] == []


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "flows:\n", "flows: {}\n"])
def test_a_file_without_flows_derives_one(tmp_path: Path, text: str) -> None:
    project, found = read(tmp_path, AGENTS | {"workflow.yaml": text})
    assert found == []
    assert [shape(each) for each in project.flows] == [["a", "b", "c", ["p", "q"]]]
