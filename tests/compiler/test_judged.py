"""The count of steps that are as declared sees each way in which one may be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import agents, judged
from bench.made import Flow, Made, Step

AGENT = "# x\n\n```yaml\nagent: {{name: {0}, id: {0}}}\npersona: {{role: R}}\n```\n"
WORKFLOW = """\
workflow:
  id: w
  sequence:
    - {agent: pm, creates: prd.md, notes: Write it.}
    - {agent: dev, requires: prd.md, creates: code.md, notes: Build it.}
    - {agent: po, validates: all_artifacts, notes: Check it.}
    - {agent: various, updates: any_flagged_documents, notes: Mend it.}
    - {agent: any, notes: Say it.}
    - {agent: nobody, notes: Sell it.}
    - {agent: pm/dev, notes: Keep it.}
"""


def file(agent: str) -> str:
    return f"bmad-core/agents/{agent}.md"


RIGHT = (
    Step("a", file("pm"), "Write it.", "prd", frozenset()),
    Step("b", file("dev"), "Build it.", "code", frozenset({"prd"})),
    Step("c", file("po"), "Check it.", "", frozenset({"prd", "code"})),
    Step("d", file("pm"), "Mend it. Unchanged else.", "prd", frozenset({"prd", "c"})),
    Step("e", file("dev"), "Mend it. Unchanged else.", "code", frozenset({"code", "c"})),
    Step("f", file("pm"), "Say it.", "", frozenset()),
    Step("g", "", "Sell it.", "", frozenset()),
    Step("h", file("pm"), "Keep it.", "", frozenset()),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("pm", "dev", "po"):
        path = tmp_path / file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(AGENT.format(name), encoding="utf-8")
    (tmp_path / "bmad-core" / "workflows").mkdir()
    (tmp_path / "bmad-core" / "workflows" / "w.yaml").write_text(WORKFLOW, encoding="utf-8")
    return tmp_path


def causes(folder: Path, *steps: Step) -> Iterator[str]:
    flow = Flow("w", "bmad-core/workflows/w.yaml", steps)
    for verdict in judged.judge(folder, Made([], [flow])):
        if verdict.cause:
            yield f"{verdict.agent}: {verdict.cause}"


def test_what_is_right_is_right_and_an_agent_that_is_not_there_is_told(folder: Path) -> None:
    assert list(causes(folder, *RIGHT)) == [
        "nobody: the project has no agent nobody: a person does it"
    ]
    told = judged.judge(folder, Made([], [Flow("w", "bmad-core/workflows/w.yaml", RIGHT)]))
    assert [each.rule for each in told if each.rule] == [
        "each document by whoever made it",
        "whoever comes next",
        "the first of several",
    ]


@pytest.mark.parametrize(
    ("number", "change", "cause"),
    [
        (0, {"file": file("dev")}, f"pm: {file('dev')} does it"),
        (0, {"creates": "plan"}, "pm: it makes plan"),
        (1, {"shown": frozenset()}, "dev: it is not shown prd"),
        (1, {"shown": frozenset({"prd", "x"})}, "dev: it is shown x as well"),
        (1, {"says": "Something else."}, "dev: no step in its place says what it says"),
        (2, {"shown": frozenset({"prd"})}, "po: it is not shown code"),
        (3, {"file": file("po")}, "various: prd is not mended by whoever made it"),
        (4, {"creates": "prd"}, "various: code is not mended by whoever made it"),
        (4, {"shown": frozenset()}, "various: who mends code is not shown it and the findings"),
        (5, {"file": file("po")}, f"any: {file('po')} does it"),
        (7, {"file": file("dev")}, f"pm/dev: {file('dev')} does it"),
    ],
)
def test_each_fault_of_a_step_is_seen(
    folder: Path, number: int, change: dict[str, object], cause: str
) -> None:
    steps = [*RIGHT]
    steps[number] = replace(steps[number], **change)  # type: ignore[arg-type]
    assert any(each.startswith(cause) for each in causes(folder, *steps))


def test_order_counts_and_so_does_a_missing_step(folder: Path) -> None:
    swapped = (RIGHT[1], RIGHT[0], *RIGHT[2:])
    assert "dev: no step in its place says what it says" in list(causes(folder, *swapped))
    without = (*RIGHT[:4], *RIGHT[5:])
    assert "various: code is not mended by whoever made it" in list(causes(folder, *without))


def test_a_workflow_that_is_no_flow_counts_as_wrong(folder: Path) -> None:
    verdicts = judged.judge(folder, Made([], []))
    assert {each.cause for each in verdicts} == {"its workflow has become no flow"}
    assert len(verdicts) == 7


def test_agents_that_cannot_be_parsed_are_told(folder: Path) -> None:
    broken = AGENT.format("x").replace("{name", "{{name: [")
    (folder / file("broken")).write_text(broken, encoding="utf-8")
    (folder / "bmad-core/agents/torn.md").write_text('<agent id="x"><a></agent>', encoding="utf-8")
    (folder / "bmad-core/agents/x.agent.yaml").write_text("agent: {metadata: {}}", encoding="utf-8")
    found = {each.path.rpartition("/")[2]: bool(each.fault) for each in agents.stated(folder)}
    assert found == {
        "pm.md": False,
        "dev.md": False,
        "po.md": False,
        "broken.md": True,
        "torn.md": True,
        "x.agent.yaml": False,
    }
