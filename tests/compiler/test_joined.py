"""Two forms in one tree: what both call by one name is told apart, wherever it is named."""

from __future__ import annotations

import pytest

from scripts.compiler.diagnostics import Diagnostics
from scripts.compiler.dialects import v4
from scripts.compiler.dialects.draft import Draft, DraftAgent, DraftFlow, DraftStep, Origin
from scripts.compiler.dialects.registry import joined
from scripts.compiler.dialects.tree import ForeignTree
from scripts.compiler.dialects.untaken import untaken
from scripts.compiler.dialects.writing import write
from scripts.runtime import spec
from tests.conftest import MakeProject

AT = Origin("a.md")


def _draft(dialect: str, *ids: str) -> Draft:
    draft = Draft(dialect, [DraftAgent(each, AT, prompt="Do.\n") for each in ids])
    draft.flows.append(DraftFlow("plan", AT, steps=[DraftStep({"agent": ids[0]}, AT)]))
    return draft


def test_renamed_agents_and_flows_are_named_so_everywhere(project: MakeProject) -> None:
    long = "a" + "-b" * 30 + "cc"
    one, other = _draft("bmad-v4", "pm", long), _draft("crewai", "pm", long, "crewai-pm")
    group = [{"agent": "pm", "id": "x"}, {"agent": long}]
    other.flows.append(DraftFlow("whole", AT, steps=[DraftStep({"flow": "plan"}, AT)]))
    other.flows.append(DraftFlow("group", AT, steps=[DraftStep({"parallel": group}, AT)]))
    diagnostics = Diagnostics()
    tree = ForeignTree({}, "s", "s", diagnostics)
    whole = joined(one, other, tree, diagnostics)
    ids = [agent.id for agent in whole.agents]
    assert ids[:2] + ids[2:3] == ["pm", long, "crewai-pm-2"], "crewai-pm is there already"
    assert ids[3] != long
    assert [flow.name for flow in whole.flows] == ["plan", "crewai-plan", "whole", "group"]
    steps = [step.keys for flow in whole.flows for step in flow.steps]
    assert steps[1] == {"agent": "crewai-pm-2", "id": "pm"}
    assert steps[2] == {"flow": "crewai-plan", "id": "plan"}
    assert steps[3]["parallel"] == [
        {"agent": "crewai-pm-2", "id": "x"},
        {"agent": ids[3], "id": long},
    ]
    assert [each.code for each in diagnostics] == ["BMAD607"] * 3
    files = {path: data.decode() for path, data in write(whole).files.items()}
    assert project(files).compile("--check").returncode == 0


@pytest.mark.parametrize("length", [1, 57, 62, 64, 200])
def test_a_name_that_is_free_is_found_however_long_it_is(length: int) -> None:
    name = ("ab-" * length)[:length].rstrip("-")[: spec.MAX_ID].rstrip("-")
    taken: set[str] = set()
    for _ in range(300):
        new = untaken(taken, name, f"{name[:50]}-more")
        assert spec.is_id(new)
        assert spec.id_key(new) not in taken
        taken.add(spec.id_key(new))


def test_workflows_of_one_long_name_end_in_flows_of_their_own() -> None:
    long = "w" * 64
    agent = "```yaml\nagent: {id: pm, title: P}\npersona: {role: R}\n```\n"
    files = {}
    for pack in ("a", "b", "c"):
        files[f"{pack}/agents/pm.md"] = agent
        files[f"{pack}/workflows/w.yaml"] = (
            f"workflow:\n  id: {long}\n  sequence:\n    - {{agent: pm, creates: a.md}}\n"
        )
    data = {path: text.encode() for path, text in files.items()}
    tree = ForeignTree(data, "s", "s", Diagnostics())
    names = [flow.name for flow in v4.read(tree, tree.diagnostics).flows]
    assert len({spec.id_key(name) for name in names}) == 3
    assert all(spec.is_id(name) for name in names)
