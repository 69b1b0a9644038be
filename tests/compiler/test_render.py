"""Generated code as a person would have written it, and as the formatters would leave it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import black
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from scripts.compiler.formatter import ruff_program
from scripts.compiler.graph import edges
from scripts.compiler.model import (
    Agent,
    AgentStep,
    Asset,
    Budget,
    Command,
    Flow,
    Gate,
    Group,
    Project,
    Step,
    Subflow,
    Tool,
    Tuning,
)
from scripts.compiler.names import class_name, group_name, module_name, variable_name
from scripts.compiler.render import RUNTIME, copied_files, render
from scripts.runtime.spec import id_key, is_id
from tests.compiler.hostile import LINES, TEXTS
from tests.project import ROOT

CACHE = ROOT / ".mypy_cache" / "generated"  # the Makefile fills it
MODE = black.Mode(line_length=88)

REVIEWER = Agent(
    "reviewer",
    "bmad/agents/reviewer.md",
    'You review "user" stories.\n',
    description="Reviews the stories and asks for changes.",
    memory_scope="shared:requirements",
    wait_for_docs=("prd",),
    actions=("approve", "reject"),
)
AGENTS = (
    Agent("analyst", "bmad/agents/analyst.md", "Ask.", persona="You are Ana."),
    Agent("architect", "bmad/agents/architect.md", "", parallel=True),
    REVIEWER,
    Agent("ux", "bmad/agents/ux.md", "Draw.\n", parallel=True, retries=3, temperature=0.2),
    Agent("writer", "bmad/agents/writer.md", "Write.\n", creates="prd", model="openai:gpt-5"),
)
REVIEW = AgentStep("reviewer", "reviewer", on=(("approve", "writer"), ("reject", "analyst")))
FLOW = Flow(
    "default",
    (
        AgentStep("analyst", "analyst"),
        Group((AgentStep("architect", "architect"), AgentStep("ux", "ux"))),
        AgentStep("reviewer", "reviewer", on=REVIEW.on, max_visits=3),
        AgentStep("writer", "writer"),
    ),
    description="From an idea to reviewed stories.",
    on_missing_doc="wait",
    path="bmad/workflow.yaml",
)
TOOL = Tool(
    "text_splitter",
    "utils.text",
    "split_into_chunks",
    "Split text.",
    {
        "type": "object",
        "properties": {"text": {"type": "string"}, "size": {"type": "integer", "default": 100}},
        "required": ["text"],
        "additionalProperties": False,
    },
    source="tools/utils/text.py",
    timeout=10,
)
CODE = b"def split_into_chunks(text: str, size: int = 100) -> list[str]:\r\n    return [text]\r\n"
PROJECT = Project("bmad", AGENTS, (FLOW,), (TOOL,), {"utils/text.py": CODE})


def _text(path: str, project: Project = PROJECT) -> str:
    return render(project)[path].decode()


def test_an_agent_is_one_prompt_and_one_class() -> None:
    assert _text("agents/reviewer.py") == (
        "# Generated from bmad/agents/reviewer.md. Edit that file, then run bmad2pf.\n"
        '"""Reviews the stories and asks for changes."""\n'
        "\n"
        "from ..runtime.node import AgentNode\n"
        "\n"
        'PROMPT = """\\\n'
        'You review "user" stories.\n'
        '"""\n'
        "\n"
        "\n"
        "class Reviewer(AgentNode):\n"
        '    id = "reviewer"\n'
        "    prompt = PROMPT\n"
        '    memory_scope = "shared:requirements"\n'
        '    wait_for_docs = ("prd",)\n'
        '    actions = ("approve", "reject")\n'
    )


def test_a_flow_is_wired_in_pocketflows_words() -> None:
    assert _text("flows/default.py") == (
        "# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.\n"
        '"""From an idea to reviewed stories."""\n'
        "\n"
        "from pocketflow import AsyncFlow\n"
        "\n"
        "from ..agents import Analyst, Architect, Reviewer, Ux, Writer\n"
        "from ..runtime.group import ParallelGroup\n"
        "\n"
        "\n"
        "def build() -> AsyncFlow:\n"
        "    analyst = Analyst()\n"
        "    architect_and_ux = ParallelGroup(Architect(), Ux())\n"
        "    reviewer = Reviewer(max_visits=3)\n"
        "    writer = Writer()\n"
        "\n"
        "    analyst >> architect_and_ux >> reviewer\n"
        '    reviewer - "approve" >> writer\n'
        '    reviewer - "reject" >> analyst\n'
        "\n"
        "    return AsyncFlow(start=analyst)\n"
    )


def test_every_attribute_of_an_agent_comes_in_its_order() -> None:
    agent = Agent(
        "a",
        "bmad/agents/a.md",
        "",
        persona="You are A.",
        tools=("t",),
        memory_scope="shared:x",
        wait_for_docs=("d",),
        wait_for_agents=("b",),
        commands=(Command("draft", "Draft it."), Command("check")),
        assets=(Asset("tasks/t.md"), Asset("data/d.md", inline=True), Asset("data/e.md")),
        creates="doc",
        actions=("yes", "no"),
        output={"type": "object"},
        model="openai:m",
        fallback="mock",
        temperature=0.0,
        max_tokens=5,
        timeout=1.5,
        retries=1,
        budget=Budget(10, 0.5),
    )
    (body,) = [
        node
        for node in ast.parse(_text("agents/a.py", Project("bmad", (agent,), (_flow("a"),)))).body
        if isinstance(node, ast.ClassDef)
    ]
    assert [ast.unparse(node) for node in body.body] == [
        "id = 'a'",
        "prompt = PROMPT",
        "persona = 'You are A.'",
        "tools = ('t',)",
        "memory_scope = 'shared:x'",
        "wait_for_docs = ('d',)",
        "wait_for_agents = ('b',)",
        "assets = ('tasks/t.md', 'data/e.md')",
        "inline = ('data/d.md',)",
        "commands = (('draft', 'Draft it.'), ('check', ''))",
        "creates = 'doc'",
        "actions = ('yes', 'no')",
        "output = OUTPUT",
        "model = 'openai:m'",
        "fallback = 'mock'",
        "temperature = 0.0",
        "max_tokens = 5",
        "timeout = 1.5",
        "retries = 1",
        "budget = Budget(tokens=10, cost_usd=0.5)",
    ]


def test_an_open_outcome_follows_the_plain_order_to_the_end() -> None:
    step = AgentStep("reviewer", "reviewer", on=(("reject", "end"),))
    flow = Flow("default", (step,), path="bmad/workflow.yaml")
    text = _text("flows/default.py", Project("bmad", (REVIEWER,), (flow,)))
    assert '    end = End()\n\n    reviewer - "reject" >> end\n    reviewer >> end\n' in text
    assert "from ..runtime.flow import End\n" in text


def test_a_step_that_may_be_skipped_always_goes_on() -> None:
    on = (("approve", "end"), ("reject", "end"))
    step = AgentStep("reviewer", "reviewer", on=on, when="inputs.full")
    flow = Flow("default", (step,), path="bmad/workflow.yaml")
    text = _text("flows/default.py", Project("bmad", (REVIEWER,), (flow,)))
    assert '    reviewer = Reviewer(when="inputs.full")\n' in text
    assert text.endswith("    reviewer >> end\n\n    return AsyncFlow(start=reviewer)\n")


def test_steps_that_are_told_the_same_share_a_constant() -> None:
    note, other = "Go on from where the document stands.\nAll of it.", "Begin.\nThen stop."
    told = {"one": note, "two": other, "three": note, "four": "Short."}
    steps = tuple(AgentStep(name, "ux", note=text) for name, text in told.items())
    project = replace(PROJECT, flows=(Flow("default", steps),))
    text = _text("flows/default.py", project)
    names = ("ONE_NOTE", "TWO_NOTE", "THREE_NOTE")
    assert [text.count(f"{name} = ") for name in names] == [1, 1, 0]
    assert [text.count(f"note={name}") for name in names] == [2, 1, 0]
    assert 'note="Short."' in text


def test_no_step_hides_the_flow_that_another_runs() -> None:
    inner = Flow("publish", (AgentStep("ux", "ux"),), on_missing_doc="error")
    steps = (Subflow("publish", flow="publish"), AgentStep("build-flow", "ux"))
    outer = Flow("default", (*steps, Subflow("last", flow="build")))
    build = Flow("build", (AgentStep("ux", "ux"),))
    text = _text("flows/default.py", Project("bmad", AGENTS, (outer, inner, build)))
    assert "from . import build as build_flow\nfrom . import publish\n" in text
    assert '    publish_ = Subflow("publish", publish.build, on_missing_doc="error")\n' in text
    assert '    build_flow_ = Ux(id="build-flow")\n' in text
    assert '    last = Subflow("last", build_flow.build)\n' in text


def test_tools_with_one_function_name_stay_apart() -> None:
    tools = tuple(
        Tool(name, module, "run", "", {"type": "object"}, source=source)
        for name, module, source in (("a", "one", "tools/one.py"), ("b", "pkg.two", None))
    )
    text = _text("tools/__init__.py", Project("bmad", AGENTS, (FLOW,), tools))
    assert "from .one import run as a_tool\n" in text
    assert "from pkg.two import run as b_tool\n" in text
    assert _text("tools/__init__.py", Project("bmad", AGENTS, (FLOW,))).endswith("TOOLS = ()\n")


def test_the_runtime_and_the_tools_are_copied_byte_for_byte() -> None:
    copied = copied_files(PROJECT)
    for path in RUNTIME.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert copied[f"runtime/{path.relative_to(RUNTIME).as_posix()}"] == path.read_bytes()
    assert copied["tools/utils/text.py"] == CODE
    assert not any("__pycache__" in path for path in copied)


def test_the_graph_is_json_that_names_every_step() -> None:
    graph = json.loads(_text("graphs/default.json"))
    assert graph["flow"] == "default"
    assert {step["id"] for step in graph["steps"]} == {step.id for step in FLOW.steps()}
    assert _text("graphs/default.mmd").startswith("flowchart")


def test_only_what_is_asked_for_is_rendered() -> None:
    kept = {"agents/ux.py", "agents/writer.py"}
    assert render(PROJECT).keys() - render(PROJECT, kept).keys() == kept


# A project is large: making it smaller takes minutes and tells little more.
_NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


def _flow(*ids: str) -> Flow:
    return Flow("default", tuple(AgentStep(id, id) for id in ids))


_IDS = st.from_regex(r"[a-z][a-z0-9]{0,24}(-[a-z0-9]{1,24}){0,2}", fullmatch=True).filter(is_id)
_NAMES = st.lists(_IDS, max_size=4).map(tuple)
_SCHEMAS = st.recursive(
    st.one_of(LINES, st.booleans(), st.integers(-9, 999), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_IDS, inner, max_size=4)),
    max_leaves=12,
)


def _without(step: Step, targets: list[str]) -> Step:
    return replace(step, on=tuple(pair for pair in step.on if pair[1] not in targets))


_WHEN = st.one_of(st.none(), st.sampled_from(["inputs.a", 'story_id != "\\"" and not results.b']))
_TUNING = st.builds(
    Tuning,
    memory_scope=st.sampled_from([None, "isolated", "shared:x"]),
    model=st.one_of(st.none(), _IDS),
    timeout=st.one_of(st.none(), st.floats(1, 9)),
    budget=st.sampled_from([None, Budget(tokens=5), Budget(cost_usd=0.5)]),
)


@st.composite
def _steps(draw: st.DrawFn, id: str, agent: Agent, ids: list[str]) -> Step:
    """A step of any kind, with actions that lead anywhere; agents' own are theirs."""
    kind = draw(st.sampled_from(["agent", "agent", "gate", "flow"]))
    common: dict[str, Any] = {"when": draw(_WHEN), "max_visits": draw(st.sampled_from([None, 3]))}
    if kind == "flow":
        return Subflow(id, flow="inner-flow", **common)
    actions = agent.actions
    if kind == "gate":
        actions = tuple(draw(st.lists(_IDS, min_size=1, max_size=3, unique=True)))
    chosen = draw(st.lists(st.sampled_from(actions), unique=True)) if actions else []
    on = tuple((action, draw(st.sampled_from([*ids, "end"]))) for action in chosen)
    if kind == "gate":
        question = draw(st.one_of(st.just(""), LINES.filter(_can_be_encoded)))
        return Gate(id, on=on, question=question, actions=actions, **common)
    return AgentStep(id, agent.id, draw(_NAMES), on=on, tuning=draw(_TUNING), **common)


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """Valid projects of every shape: long names, groups, gates, flows, tools, hostile texts."""
    ids = draw(st.lists(_IDS, min_size=1, max_size=4, unique_by=id_key))
    agents = tuple(draw(_agents(id)) for id in sorted(ids))
    of = {agent.id: agent for agent in agents}
    steps: list[Step] = [draw(_steps(id, of[id], ids)) for id in ids]
    stages: list[Step | Group] = [*steps]
    if len(ids) > 2:
        members = tuple(AgentStep(id, id, when=draw(_WHEN)) for id in ids[:2])
        stages = [Group(members), *(_without(step, ids[:2]) for step in steps[2:])]
    flow = Flow("default", tuple(stages), draw(st.one_of(st.just(""), LINES)), path="bmad/w.yaml")
    inner = Flow("inner-flow", (AgentStep(ids[0], ids[0]),), path="bmad/w.yaml")
    tools = draw(st.lists(_tools(), max_size=2, unique_by=lambda tool: tool.name))
    return Project("bmad", agents, (flow, inner), tuple(tools))


@st.composite
def _agents(draw: st.DrawFn, id: str) -> Agent:
    return Agent(
        id,
        f"bmad/agents/{id}.md",
        draw(TEXTS),
        description=draw(st.one_of(st.just(""), LINES)),
        persona=draw(st.one_of(TEXTS, LINES)),
        tools=draw(_NAMES),
        wait_for_docs=draw(_NAMES),
        commands=tuple(Command(name, draw(LINES)) for name in draw(_NAMES)),
        creates=draw(st.one_of(st.none(), _IDS)),
        actions=tuple(dict.fromkeys(draw(_NAMES))),
        output=draw(st.one_of(st.none(), st.dictionaries(_IDS, _SCHEMAS, max_size=4))),
        temperature=draw(st.one_of(st.none(), st.floats(0, 2))),
        budget=draw(st.sampled_from([None, Budget(tokens=5)])),
    )


@st.composite
def _tools(draw: st.DrawFn) -> Tool:
    name = draw(_IDS)
    parameters = draw(st.dictionaries(_IDS, _SCHEMAS, max_size=4))
    return Tool(name, "utils.text", f"call_{module_name(name)}", draw(LINES), parameters, 5, "x")


def _can_be_encoded(text: str) -> bool:
    """What the reader lets through: a question is shown in graphs as it is."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_narrow(source: bytes) -> bool:
    """Whether all agree on its width: formatters measure characters beyond ASCII differently."""
    return source.isascii()


@settings(max_examples=25, phases=_NO_SHRINKING)
@given(project=projects())
def test_black_leaves_the_output_as_it_is(project: Project) -> None:
    for path, source in render(project).items():
        if path.endswith(".py") and _is_narrow(source):
            assert black.format_str(source.decode(), mode=MODE).encode() == source, path


@settings(max_examples=15, phases=_NO_SHRINKING)
@given(project=projects())
def test_ruff_leaves_the_output_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, project: Project
) -> None:
    folder = tmp_path_factory.mktemp("ruff")
    for path, source in render(project).items():
        if path.endswith(".py") and _is_narrow(source):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source)
    program = ruff_program()
    assert program is not None
    command = [program, "format", "--isolated", "--no-cache", "--diff", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not ended.stdout, ended.stdout + ended.stderr


@settings(max_examples=25, phases=_NO_SHRINKING)
@given(project=projects())
def test_what_was_written_is_what_the_class_holds(project: Project) -> None:
    files = render(project)
    for agent in project.agents:
        module = ast.parse(files[f"agents/{module_name(agent.id)}.py"])
        assert (ast.get_docstring(module, clean=False) or "") == agent.description
        values = {
            target.id: node.value
            for node in ast.walk(module)
            if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name)
        }
        assert ast.literal_eval(values["PROMPT"]) == agent.prompt
        output = ast.literal_eval(values["OUTPUT"]) if "OUTPUT" in values else None
        assert output == agent.output
        persona = values.get("PERSONA", values.get("persona", ast.Constant("")))
        assert ast.literal_eval(persona) == agent.persona
        assert class_name(agent.id) in {
            node.name for node in module.body if isinstance(node, ast.ClassDef)
        }


@settings(max_examples=25, phases=_NO_SHRINKING)
@given(project=projects())
def test_the_wiring_has_the_edges_of_the_flow(project: Project) -> None:
    flow, _ = project.flows
    found: set[tuple[str, str, str]] = set()
    module = ast.parse(render(project)["flows/default.py"])
    for node in ast.walk(module):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
            left = node.left
            while isinstance(left, ast.BinOp) and isinstance(left.op, ast.RShift):
                left = left.right
            found.add((*_end(left), ast.unparse(node.right)))
    wanted = {
        (_variable(flow, edge.source), edge.action, _variable(flow, edge.target))
        for edge in edges(flow, project)
    }
    plain_ends = {edge for edge in wanted if edge[1:] == ("", "end")}
    assert wanted - plain_ends <= found <= wanted


def _end(node: ast.expr) -> tuple[str, str]:
    if isinstance(node, ast.BinOp):
        return ast.unparse(node.left), ast.literal_eval(node.right)
    return ast.unparse(node), ""


def _variable(flow: Flow, step: str) -> str:
    if step == "end":
        return "end"
    for stage in flow.stages:
        if isinstance(stage, Group) and step in [member.id for member in stage.members]:
            names = [variable_name(member.id) for member in stage.members]
            return group_name(names, [variable_name(other.id) for other in flow.steps()])
    return variable_name(step)


def test_the_pins_are_the_projects_own() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = declared["optional-dependencies"]
    files = copied_files(PROJECT)
    core = files["requirements.txt"].decode().split()
    lower = {pin.lower() for pin in extras["service"]}
    assert {pin.lower() for pin in core} == lower
    for extra in ("openai", "anthropic", "google"):
        pins = files[f"requirements-{extra}.txt"].decode().split()
        assert pins == ["-r", "requirements.txt", *extras[extra]]
    assert all("==" in pin for pin in core)


def test_the_linters_accept_the_generated_tree(tmp_path: Path) -> None:
    for path, data in {**render(PROJECT), **copied_files(PROJECT)}.items():
        target = tmp_path / "generated" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    config = str(ROOT / "pyproject.toml")
    for command in (
        ["ruff", "check", "--config", config, "--no-cache", "generated"],
        ["mypy", "--config-file", config, "--cache-dir", str(CACHE), "-p", "generated.flows"],
    ):
        ended = subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
