"""What forks of BMAD v4 write otherwise: numbers, several documents, lists of any name."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.compiler.diagnostics import Diagnostics
from scripts.compiler.dialects import v4
from scripts.compiler.dialects.draft import Draft
from scripts.compiler.dialects.tree import ForeignTree
from scripts.compiler.dialects.v4 import documents


def _agent(own: str, files: str = "{}") -> str:
    about = f"agent: {{id: {own}, name: N, title: T, whenToUse: U}}"
    return f"# {own}\n\n```yaml\n{about}\npersona: {{role: R}}\ndependencies: {files}\n```\n"


def _drafted(files: dict[str, str]) -> tuple[Draft, list[tuple[str, str]]]:
    tree = ForeignTree(
        {path: text.encode() for path, text in files.items()}, "s", "s", Diagnostics()
    )
    draft = v4.read(tree, tree.diagnostics)
    return draft, [(each.code, each.message) for each in tree.diagnostics]


def _steps(steps: str, head: str = "sequence") -> list[dict[str, Any]]:
    files = {
        "p/agents/pm.md": _agent(
            "pm", "{tasks: [create-doc.md, plan-it.md], templates: [a-tmpl.yaml, b-tmpl.yaml]}"
        ),
        "p/agents/dev.md": _agent("dev"),
        "p/tasks/create-doc.md": "Create.\n",
        "p/tasks/plan-it.md": "Plan.\n",
        "p/templates/a-tmpl.yaml": "template: {name: A}\nsections: []\n",
        "p/templates/b-tmpl.yaml": "template: {name: B}\nsections: []\n",
        "p/workflows/w.yaml": f"workflow:\n  id: w\n  {head}:\n{steps}",
    }
    draft, _ = _drafted(files)
    return [step.keys for flow in draft.flows for step in flow.steps]


def test_agents_that_are_numbered_are_called_by_their_names() -> None:
    files = {
        f"p/agents/{own}.md": _agent(own) for own in ("01-lead", "02-dev", "03-dev", "dev-ops")
    }
    files["p/workflows/w.yaml"] = (
        "workflow:\n  id: w\n  sequence:\n    - {agent: dev, creates: a.md}\n"
        "    - {agent: 01-lead, creates: b.md}\n    - {agent: 03-dev, creates: c.md}\n"
    )
    draft, told = _drafted(files)
    assert [agent.id for agent in draft.agents] == ["lead", "dev", "x-03-dev", "dev-ops"]
    assert [step.keys["agent"] for step in draft.flows[0].steps] == ["dev", "lead", "x-03-dev"]
    assert [step.keys["id"] for step in draft.flows[0].steps] == ["dev-a", "lead-b", "dev-c"]
    assert "BMAD608" not in dict(told)


def test_what_is_made_beside_a_document_is_part_of_it() -> None:
    first, second, third = _steps(
        "    - {agent: pm, creates: [docs/a.md, docs/b.md]}\n"
        "    - {agent: dev, requires: b.md, creates: c.md}\n"
        "    - {agent: dev, updates: b.md}\n"
    )
    assert (first["creates"], first["note"]) == (
        "a.md",
        "The document also holds what belongs into b.md.",
    )
    assert (second["requires"], second["creates"]) == (["a.md"], "c.md")
    assert (third["requires"], third["creates"]) == (["a.md"], "b.md")


def test_a_document_that_only_the_note_names_is_made() -> None:
    note = 'notes: "Look at it. SAVE OUTPUT: Create findings.md"'
    steps = _steps(f"    - {{agent: pm, {note}}}\n    - {{agent: dev, creates: x.md, {note}}}\n")
    assert [step["creates"] for step in steps] == ["findings.md", "x.md"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.md with the code", ["a"]),
        ("a.md and docs/b.md", ["a", "b"]),
        ("a.md", ["a"]),
        ("my a.md", ["my-a"]),
        ("status-{date}.md", ["status-date"]),
    ],
)
def test_files_are_found_in_words(text: str, names: list[str]) -> None:
    assert documents.read([text]).names == names


def test_a_task_that_the_note_names_goes_before_the_general_one() -> None:
    note = 'notes: "Plan (plan-it.md task). Use a-tmpl."'
    (step,) = _steps(f"    - {{agent: pm, creates: c.md, {note}}}\n")
    assert (step["task"], step["template"]) == ("plan-it.md", "a-tmpl.yaml")


def test_of_several_templates_the_documents_own_is_taken() -> None:
    both = 'uses: "b-tmpl.yaml, a-tmpl.yaml AND plan-it"'
    (step,) = _steps(f"    - {{agent: pm, creates: a.md, {both}}}\n")
    assert (step["template"], step["task"]) == ("a-tmpl.yaml", "plan-it.md")


def test_a_list_of_steps_of_any_name_is_a_flow() -> None:
    steps = "    - {agent: pm, creates: a.md}\n"
    assert [step["creates"] for step in _steps(steps, "kickoff")] == ["a.md"]
    assert _steps("    - {agent: pm, says: hello}\n", "contacts") == []
    both = f"{steps}  sequence:\n    - {{agent: dev, creates: b.md}}\n"
    assert {step["creates"] for step in _steps(both, "kickoff")} == {"a.md", "b.md"}


def test_a_page_that_shows_an_agent_is_none_beside_agents() -> None:
    files = {"p/agents/pm.md": _agent("pm"), "guide.md": _agent("example")}
    assert [agent.id for agent in _drafted(files)[0].agents] == ["pm"]
    assert [agent.id for agent in _drafted({"guide.md": _agent("example")})[0].agents] == [
        "example"
    ]
    readme = ForeignTree({"CONTRIBUTING.md": _agent("x").encode()}, "s", "s", Diagnostics())
    assert v4.recognises(readme) == ""


def test_agents_of_claude_beside_copies_of_v4_are_no_fault() -> None:
    files = {
        ".claude/agents/dev.md": _agent("dev"),
        ".claude/agents/helper.md": "---\nname: helper\ndescription: d\n---\nHelp.\n",
        "agents/dev.md": _agent("dev"),
    }
    draft, told = _drafted(files)
    assert ".claude/agents/helper.md" not in {each.at.path for each in draft.accounts}
    assert "BMAD613" not in dict(told)
