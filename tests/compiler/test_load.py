"""A whole source folder, hostile ones among them: findings, never a traceback."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.compiler.diagnostics import CODES, Diagnostics, near_match
from scripts.compiler.load import load
from tests.compiler.reading import codes, read, read_agent, write
from tests.project import ROOT

TEXTS = {
    b"---\nid: a\n---\nCaf\xe9": ["BMAD102 4:4"],
    b"---\nid: \xff\n---\n": ["BMAD102 2:5"],
    "Hi".encode("utf-16"): ["BMAD102 1:1"],
    "Hi".encode("utf-16-le"): ["BMAD115 1:2"],
    b"\xed\xa0\x80": ["BMAD102 1:1"],
    b"Hi\n\x00": ["BMAD115 2:1"],
    b"Hi \x1b[31m": ["BMAD115 1:4"],
    b"---\nid: [" + b"[" * 2000: ["BMAD104 1:1"],
    b"---\nx: " + b"[" * 200_000 + b"\n---\n": ["BMAD103 2:35"],
    b"---\n- a\n---\n": ["BMAD109 2:1"],
    b"---\ntext\n---\n": ["BMAD109 2:1"],
    b"---\nnull\n---\n": ["BMAD109 2:1"],
    b"---\nid: a\n---\nBody\n---\nid: b\n---\n": [],
    b"---\n": ["BMAD104 1:1"],
    b"": [],
    b"\xef\xbb\xbf": [],
    b"\xef\xbb\xbf---\r\nid: a\r\n---\r\n": [],
}


@pytest.mark.parametrize("data", TEXTS, ids=lambda data: ascii(data[:20]))
def test_bytes_are_text_or_a_finding(tmp_path: Path, data: bytes) -> None:
    assert codes(read_agent(tmp_path, data)[1]) == TEXTS[data]


@pytest.mark.parametrize("name", ["agents/a.md", "workflow.yaml", "tools.yaml", "tools/x.py"])
def test_no_file_is_larger_than_a_megabyte(tmp_path: Path, name: str) -> None:
    _, found = read(tmp_path, {"agents/z.md": "", name: b"# " + b"x" * 10_000_000})
    assert [(each.code, each.path) for each in found] == [("BMAD103", f"bmad/{name}")]


def test_a_broken_agent_can_still_be_waited_for(tmp_path: Path) -> None:
    """Else one slip would bring a finding from every file that names the agent."""
    files = {
        "agents/a.md": "---\nid: first\nbroken: [\n---\n",
        "agents/b.md": "---\nwait_for: {agents: [first, c]}\n---\n",
        "agents/c.md": b"\xff",
        "workflow.yaml": "flows: {default: {sequence: [first, c, b]}}",
    }
    _, found = read(tmp_path, files)
    assert [(each.code, each.path) for each in found] == [
        ("BMAD105", "bmad/agents/a.md"),
        ("BMAD102", "bmad/agents/c.md"),
    ]


def test_a_project_needs_an_agent(tmp_path: Path) -> None:
    _, found = read(tmp_path, {"README.md": "x"})
    assert [(each.code, each.path) for each in found] == [("BMAD116", "bmad")]


def test_paths_begin_with_the_name_of_the_folder(tmp_path: Path) -> None:
    diagnostics = Diagnostics()
    src = write(tmp_path, {"agents/a.md": "---\nidd: x\n---\n", "agents/b.md": ""})
    project = load(src, "../somewhere/bmad", diagnostics)
    assert project.root == "bmad"
    assert [agent.path for agent in project.agents] == ["bmad/agents/a.md", "bmad/agents/b.md"]
    assert [found.path for found in diagnostics] == ["../somewhere/bmad/agents/a.md"]


def test_agents_are_sorted_by_code_point(tmp_path: Path) -> None:
    files = {f"agents/{number}.md": f"---\nid: {id}\n---\n" for number, id in enumerate("bZaC")}
    project, _ = read(tmp_path, files)
    assert [agent.id for agent in project.agents] == ["C", "Z", "a", "b"]


def test_the_order_of_the_folder_does_not_matter(tmp_path: Path) -> None:
    """Two folders with the same files, created in two orders."""
    files = {f"agents/{name}.md": f"---\nidd: {name}\n---\n{name}" for name in "qwertzuiop"}
    files["tools/x.py"] = "def f("
    shuffled = random.Random(3).sample(sorted(files.items()), len(files))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert read(tmp_path / "one", files) == read(tmp_path / "two", dict(shuffled))


def test_the_same_wherever_it_is_read() -> None:
    code = """
        import sys
        from pathlib import Path
        from scripts.compiler.diagnostics import Diagnostics
        from scripts.compiler.load import load
        found = Diagnostics()
        print(load(Path(sys.argv[1]), "bmad", found), list(found))
    """
    case = ROOT / "tests" / "cases" / "group-with-waits" / "bmad"
    said = set()
    for seed, zone, language in [
        ("0", "UTC", "C"),
        ("1", "Asia/Tokyo", "C.UTF-8"),
        ("2", "EST", "tr_TR"),
    ]:
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language}
        done = subprocess.run(
            [sys.executable, "-X", "utf8=0", "-c", textwrap.dedent(code), str(case)],
            cwd=ROOT,
            env=environment | {"PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
            timeout=60,
        )
        said.add(done.stdout)
    assert len(said) == 1


PIECES = (
    "---\n|---|id: |a|\n|  |- |[|]|{|}|: |, |tools|wait_for|agents|docs|'|\"|&x |*x|!t |\r|\x00"
)
PIECES += (
    "|creates: |actions: |on: |sequence: |flows: |default: |parallel: |module: |call: |f|é|\ud7ff"
)
TEXT = st.lists(st.sampled_from(PIECES.split("|")), max_size=30).map("".join)


@given(agent=TEXT, flows=TEXT, tools=TEXT, code=TEXT)
def test_any_sources_give_findings_and_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, agent: str, flows: str, tools: str, code: str
) -> None:
    files = {
        "agents/a.md": agent,
        "workflow.yaml": f"flows: {{default: {{{flows}}}}}" if len(flows) % 2 else flows,
        "tools.yaml": f"f: {{{tools}}}" if len(tools) % 2 else tools,
        "tools/a.py": code,
    }
    _, found = read(tmp_path_factory.mktemp("any"), files)
    for each in found:
        assert each.code in CODES
        assert (each.message + each.hint).isprintable()
        assert each.path.startswith("bmad")


@given(st.binary(max_size=200))
def test_any_bytes_give_findings_and_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    files = dict.fromkeys(["agents/a.md", "workflow.yaml", "tools.yaml", "tools/a.py"], data)
    read(tmp_path_factory.mktemp("any"), files)


def test_a_finding_is_one_line(tmp_path: Path) -> None:
    text = '---\n"a\\nb\\e": 1\ntools: ["x\\ny"]\n"' + "z" * 1_000 + '": 1\n---\n'
    _, found = read_agent(tmp_path, text)
    assert [each.code for each in found] == ["BMAD108", "BMAD202", "BMAD108"]
    assert all(each.message.isprintable() and len(each.message) < 300 for each in found)


def test_near_matches_stay_cheap() -> None:
    assert near_match("x" * 1_000_000, ["x" * 999_999]) == ""
    assert near_match("analist", ["reviewer", "analyst"]) == 'did you mean "analyst"?'
    assert near_match("PRD", ["plan", "prd"]) == 'did you mean "prd"?'
    assert near_match("prd", ["prd"]) == ""


@pytest.fixture
def native_agents(corpus: Path) -> Path:
    """Agents in the native form that others wrote."""
    found = sorted(corpus.glob("fmt-mgj__*/preprocessing"))
    if not found:
        pytest.skip("the native agents of others are not there")
    return found[0]


def test_real_agents_are_read(native_agents: Path) -> None:
    diagnostics = Diagnostics()
    project = load(native_agents, "preprocessing", diagnostics)
    assert [found.code for found in diagnostics] == ["BMAD114"]
    analyst, summarizer = project.agents
    assert (analyst.id, summarizer.id) == ("analyst", "summarizer")
    assert (summarizer.memory_scope, summarizer.wait_for_agents) == ("shared:default", ("analyst",))
    for agent in project.agents:
        text = (native_agents / "agents" / f"{agent.id}.md").read_bytes().decode()
        assert text.endswith("---\n" + agent.prompt)
    assert [step.id for step in project.flows[0].steps()] == ["analyst", "summarizer"]
