"""Agents of other programs: what is taken, what is told, and that no text makes a reader fail."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.compiler.diagnostics import Diagnostics
from scripts.compiler.dialects import neighbours, v3
from scripts.compiler.dialects.draft import Draft
from scripts.compiler.dialects.neighbours.markdown import listed
from scripts.compiler.dialects.tree import ForeignTree
from scripts.compiler.dialects.writing import write
from scripts.runtime import spec
from scripts.runtime.yamltext import Mapping as Node
from scripts.runtime.yamltext import parse


def tree(files: Mapping[str, str]) -> ForeignTree:
    data = {path: text.encode(errors="surrogatepass") for path, text in files.items()}
    return ForeignTree(data, "src", "src", Diagnostics())


def agents(files: Mapping[str, str]) -> tuple[Draft, list[str]]:
    found = tree(files)
    draft = neighbours.read_agents(found, found.diagnostics)
    return draft, [each.code for each in found.diagnostics]


def crew(agents_: str, tasks: str) -> tuple[Draft, list[str]]:
    found = tree({"shop/config/agents.yaml": agents_, "shop/config/tasks.yaml": tasks})
    draft = neighbours.read_crew(found, found.diagnostics)
    return draft, [each.code for each in found.diagnostics]


TWO = """\
seeker: {role: Seeker, goal: Find it, backstory: You look everywhere.}
writer: {role: Writer, goal: Write it, backstory: You write plainly.}
"""


def test_a_prompt_is_what_stands_below_the_front_matter() -> None:
    body = 'Use {braces} and """quotes""".\n\n---\nA rule.\n'
    text = f"---\nname: Code Reviewer\ndescription: Reads.\n---\n{body}"
    draft, codes = agents({".claude/agents/r.md": text})
    agent = draft.agents[0]
    assert (agent.id, agent.description, agent.prompt) == ("code-reviewer", "Reads.", body)
    assert codes == []


def test_tools_of_other_programs_are_warnings_whatever_way_they_are_listed() -> None:
    for tools in ("Read, Bash(git diff:*, git log:*)", "[Read, 'Bash(git diff:*, git log:*)']"):
        text = f"---\nname: r\ndescription: d\ntools: {tools}\n---\nGo.\n"
        draft, codes = agents({".claude/agents/r.md": text})
        assert codes == ["BMAD642"]
        left = [each.name for each in draft.accounts if each.construct == "tool"]
        assert left == ["Read", "Bash(git diff:*, git log:*)"]
        assert "tools" not in draft.agents[0].keys


def test_names_in_parentheses_stay_together() -> None:
    node = parse("tools: Read, Bash(a, b), Grep")
    assert isinstance(node, Node)
    assert listed(node.entries[0][1]) == ["Read", "Bash(a, b)", "Grep"]


def test_a_skills_files_may_be_read_and_are_never_run() -> None:
    draft, _ = agents(
        {
            "skills/pdf/SKILL.md": "---\nname: pdf\ndescription: d\n---\nUse reference.md.\n",
            "skills/pdf/reference.md": "How.\n",
        }
    )
    assert draft.agents[0].keys == {"data": ["pdf/reference.md"]}
    assert list(draft.files) == ["data/pdf/reference.md"]


def test_one_name_in_two_folders_gives_two_agents() -> None:
    text = "---\nname: r\ndescription: d\n---\nGo.\n"
    files = {".claude/agents/r.md": text, "sub/.claude/agents/r.md": f"{text}Again.\n"}
    draft, codes = agents(files)
    assert sorted(agent.id for agent in draft.agents) == ["r", "sub-r"]
    assert codes == ["BMAD607"]


def test_names_in_braces_of_a_crew_are_told_once_and_count_as_approximated() -> None:
    found = tree(
        {
            "shop/config/agents.yaml": "seeker:\n  role: "
            "'{topic} Seeker'\n  goal: Find {topic} in {year}\n  backstory: Old {{ hand }}\n",
            "shop/config/tasks.yaml": "look:\n  description: Look at {place}\n  agent: seeker\n",
        }
    )
    draft = neighbours.read_crew(found, found.diagnostics)
    (told,) = [each for each in found.diagnostics if each.code == "BMAD640"]
    assert (told.path, told.line) == ("src/shop/config/agents.yaml", 2)
    assert told.message.endswith('the model: "{topic}", "{year}", "{place}"')
    assert '{"topic": "…"}' in told.hint
    left = [each for each in draft.accounts if each.construct == "placeholder"]
    assert [(each.name, each.at.path[-11:], each.at.line, each.fate) for each in left] == [
        ("topic", "agents.yaml", 2, "approximated"),
        ("year", "agents.yaml", 3, "approximated"),
        ("place", "/tasks.yaml", 2, "approximated"),
    ]


def test_a_crews_tasks_are_steps_that_see_what_they_wait_for() -> None:
    draft, codes = crew(
        TWO,
        "look: {description: Look, expected_output: Points, agent: seeker}\n"
        "tell: {description: Tell, agent: writer, context: [look], output_file: out/report.md}\n",
    )
    steps = [step.keys for step in draft.flows[0].steps]
    assert steps == [
        {
            "agent": "seeker",
            "id": "look",
            "note": "Look\n\nExpected: Points",
            "creates": "look-result.md",
        },
        {
            "agent": "writer",
            "id": "tell",
            "note": "Tell",
            "requires": ["look-result.md"],
            "creates": "report.md",
        },
    ]
    assert codes == []


def test_async_tasks_are_a_group_and_human_input_a_gate() -> None:
    draft, _ = crew(
        TWO,
        "a: {description: A, agent: seeker, async_execution: true}\n"
        "b: {description: B, agent: writer, async_execution: true}\n"
        "c: {description: C, agent: writer, human_input: true}\n",
    )
    kinds = [next(iter(step.keys)) for step in draft.flows[0].steps]
    assert kinds == ["parallel", "agent", "human"]
    assert draft.flows[0].steps[2].keys["on"] == {"reject": "c"}


def test_no_task_is_called_like_the_file_of_another() -> None:
    draft, _ = crew(
        TWO,
        "look: {description: L, agent: seeker, output_file: tell.md}\n"
        "tell: {description: T, agent: writer, human_input: true}\n"
        "tell-result: {description: R, agent: writer}\n"
        "tell-task-review: {description: R, agent: writer, async_execution: true}\n"
        "tell_task_review: {description: R, agent: writer, async_execution: true}\n",
    )
    steps = [s for each in draft.flows[0].steps for s in each.keys.get("parallel", [each.keys])]
    named = [spec.id_key(step.get("id") or step["human"]) for step in steps]
    made = {spec.id_key(step["creates"].removesuffix(".md")) for step in steps if "creates" in step}
    assert len({*named}) == len(steps) == 6
    assert len(made) == 5
    assert not made & {*named}


def test_tasks_of_nobody_and_for_nothing_are_told() -> None:
    draft, codes = crew(
        TWO,
        "a: {description: A, agent: seker}\nb: {description: B, agent: seeker, context: [zzz]}\n",
    )
    assert codes == ["BMAD645", "BMAD645"]
    assert [step.keys["id"] for step in draft.flows[0].steps] == ["b"]


def test_early_projects_have_agents_with_their_tasks() -> None:
    found = tree(
        {
            "bmad-agent/ide-bmad-orchestrator.cfg.md": (
                '## Title: Keeper\n\n- Name: Ada\n- Description: "Keeps."\n'
                '- Persona: "keeper.md"\n- Tasks:\n  - [Make Plan](tasks#make-plan)\n'
                "  - [Think](In Keeper Memory Already)\n"
            ),
            "bmad-agent/personas/keeper.md": "# Keeper\n\nYou keep.\n",
            "bmad-agent/tasks/make-plan.md": "Plan.\n",
        }
    )
    draft = v3.read(found, found.diagnostics)
    agent = draft.agents[0]
    assert agent.keys["commands"] == [
        {"make-plan": {"text": "Make Plan", "task": "make-plan.md"}},
        {"think": "Think"},
    ]
    assert "You keep." in agent.prompt
    assert [each.code for each in found.diagnostics] == ["BMAD643"]


TEXT = st.text(
    alphabet=st.sampled_from("ab-:|>\"'{}[]&#*,\n \t\0é.") | st.characters(codec="utf-8"),
    max_size=160,
)


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT)
def test_no_text_makes_a_reader_fail(one: str, two: str) -> None:
    found = tree(
        {
            ".claude/agents/a.md": f"---\nname: {one}\n---\n{two}",
            ".github/agents/b.agent.md": f"---\ndescription: x\nhandoffs:\n{one}\n---\n{two}",
            "s/x/SKILL.md": f"---\ndescription: {two}\n---\n{one}",
            "c/agents.yaml": f"a:\n  role: x\n{one}",
            "c/tasks.yaml": f"t:\n  agent: a\n{two}",
            "bmad/agents/p.md": one,
            "bmad/workflows/w.md": f"# W\n\n## {two} (Agent: p)\n{one}",
            "v3/ide-bmad-orchestrator.cfg.md": f"## Title: {one}\n{two}",
        }
    )
    for recognises, read in (
        (neighbours.has_agents, neighbours.read_agents),
        (neighbours.is_crew, neighbours.read_crew),
        (neighbours.is_prose, neighbours.read_prose),
        (v3.recognises, v3.read),
    ):
        if recognises(found):
            write(read(found, found.diagnostics))


def test_agents_of_a_collection_are_found_outside_the_folder_of_claude() -> None:
    text = "---\nname: {0}\ndescription: d\n{1}---\nGo {0}.\n"
    files = {
        "plugins/a/agents/r.md": text.format("r", ""),
        "categories/web/w.md": text.format("w", "model: opus\n"),
        "docs/page.md": text.format("page", ""),
        "skills/s/SKILL.md": text.format("s", ""),
        "skills/s/agents/inner.md": text.format("inner", "model: opus\n"),
        "skills/s/assets/blank/SKILL.md": text.format("blank", ""),
    }
    draft, _ = agents(files)
    assert [agent.id for agent in draft.agents] == ["w", "r", "s"]
    assert "s/agents/inner.md" in draft.agents[2].keys["data"]


def test_a_file_that_stands_twice_is_one_agent_and_another_of_its_name_gets_its_plugins() -> None:
    text = "---\nname: r\ndescription: d\n---\nGo {0}.\n"
    files = {
        "plugins/a/agents/r.md": text.format("a"),
        "plugins/b/agents/r.md": text.format("a"),
        "plugins/c/agents/r.md": text.format("c"),
    }
    draft, codes = agents(files)
    assert [agent.id for agent in draft.agents] == ["r", "c-r"]
    assert sorted(codes) == ["BMAD607", "BMAD611"]


def test_prompts_whose_names_have_dots_are_not_one() -> None:
    text = "---\ndescription: d\n---\nGo.\n"
    files = {f".github/prompts/shop.{name}.prompt.md": text for name in ("buy", "sell")}
    files[".github/prompts/shop.sell.prompt.md"] += "Again.\n"
    draft, codes = agents(files)
    assert [agent.id for agent in draft.agents] == ["shop-buy", "shop-sell"]
    assert codes == []


@pytest.mark.parametrize("where", ["{project-root}/bmad/m/agents/kim.md", "@.bmad/m/agents/kim.md"])
def test_a_file_that_only_says_where_an_agent_is_is_none(where: str) -> None:
    text = f"---\nname: kim\ndescription: d\n---\n1. LOAD the FULL agent file from {where}\n"
    found = ForeignTree({".claude/agents/kim.md": text.encode()}, "src", "src", Diagnostics())
    draft = neighbours.read_agents(found, found.diagnostics)
    assert draft.agents == []
    assert [each.code for each in found.diagnostics] == ["BMAD611"]


def test_agents_of_one_name_in_two_crews_are_called_after_their_crew() -> None:
    name = "a_very_long_name_of_an_agent_that_somebody_has_thought_out_for_a_crew"
    agents = "".join(f"{key}:\n  role: r\n  backstory: b\n" for key in ("writer", name))
    tasks = "write:\n  description: d\n  expected_output: o\n  agent: writer\n"
    files = {}
    for crew in ("one", "two", "three/two"):
        files[f"{crew}/config/agents.yaml"] = agents
        files[f"{crew}/config/tasks.yaml"] = tasks
    data = {path: text.encode() for path, text in files.items()}
    found = ForeignTree(data, "src", "src", Diagnostics())
    draft = neighbours.read_crew(found, found.diagnostics)
    ids = [agent.id for agent in draft.agents]
    assert {"writer", "two-writer", "two-writer-2"} <= set(ids)
    assert len(set(ids)) == 6
    assert all(spec.is_id(each) for each in ids)
    assert [each.code for each in found.diagnostics].count("BMAD607") == 4
    steps = {flow.name: flow.steps[0].keys["agent"] for flow in draft.flows}
    assert steps == {"one": "writer", "two": "two-writer", "two-2": "two-writer-2"}
