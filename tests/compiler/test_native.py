"""An agent's front-matter, key by key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.compiler.diagnostics import Diagnostics
from scripts.compiler.dialects.native import AgentFile, read_agent
from scripts.compiler.model import Agent, Command
from scripts.runtime.yamltext import Mapping, read
from tests.compiler.reading import codes
from tests.compiler.reading import read as read_files
from tests.compiler.reading import read_agent as read_file


def agent(yaml: str) -> tuple[Agent, list[str]]:
    """The agent of a front-matter, and its findings as `CODE line:column`."""
    node, faults = read(yaml, first_line=2)
    assert not faults
    assert isinstance(node, Mapping)
    diagnostics = Diagnostics()
    file = AgentFile("bmad/agents/stem.md", "bmad/agents/stem.md", "stem")
    found = read_agent(file, node, "Prompt.", diagnostics)
    return found, codes(list(diagnostics))


READ: dict[str, dict[str, object]] = {
    "id: no": {"id": "no"},
    "id: summarizer  ": {"id": "summarizer"},
    "x-anything: [1]": {"id": "stem"},
    "id:": {"id": "stem"},
    "description: '  Two words '": {"description": "Two words"},
    "description: >\n  folded\n  text": {"description": "folded text"},
    "persona: |\n  One\n  Two\n": {"persona": "One\nTwo\n"},
    "tools: [b, a]": {"tools": ("b", "a")},
    "memory_scope: isolated": {"memory_scope": "isolated"},
    "memory_scope: shared:a.b-c": {"memory_scope": "shared:a.b-c"},
    "memory_recall: 0": {"memory_recall": 0},
    "memory_recall: 12": {"memory_recall": 12},
    "wait_for: {docs: [prd.md, x], agents: [b]}": {
        "wait_for_docs": ("prd", "x"),
        "wait_for_agents": ("b",),
    },
    "wait_for: {}": {"wait_for_docs": ()},
    "parallel: true": {"parallel": True},
    "commands: [help, '*list', {again: Do it}, {later: }]": {
        "commands": (Command("help"), Command("list"), Command("again", "Do it"), Command("later")),
    },
    "creates: prd.md": {"creates": "prd"},
    "actions: [approve, no]": {"actions": ("approve", "no")},
    "model: openai:gpt-5": {"model": "openai:gpt-5"},
    "temperature: 0": {"temperature": 0},
    "temperature: 2": {"temperature": 2},
    "max_tokens: 010": {"max_tokens": 10},
    "timeout: 0.5": {"timeout": 0.5},
    "retries: 1": {"retries": 1},
    "retries: 10": {"retries": 10},
    "tasks: []\ntemplates:\nbudget:": {},
}


@pytest.mark.parametrize("yaml", READ)
def test_keys_are_read(yaml: str) -> None:
    found, findings = agent(yaml)
    assert findings == []
    assert {key: getattr(found, key) for key in READ[yaml]} == READ[yaml]


REFUSED = {
    "id: 12": "BMAD109 2:5",
    "id: true": "BMAD109 2:5",
    "id: a/b": "BMAD111 2:5",
    "id: SHARED": "BMAD111 2:5",
    'id: "a\\n"': "BMAD111 2:5",
    "idd: x": "BMAD108 2:1",
    "description: [x]": "BMAD109 2:14",
    'description: "a\\tb"': "BMAD110 2:14",
    'description: "a\\u2028b"': "BMAD110 2:14",
    'persona: "a\\0b"': "BMAD115 2:10",
    'persona: "\\e"': "BMAD115 2:10",
    "tools: search": "BMAD109 2:8",
    "tools: [[a]]": "BMAD109 2:9",
    "tools: [a, a]": "BMAD110 2:12",
    "memory_scope: 'shared:'": "BMAD110 2:15",
    "memory_scope: shared:a:b": "BMAD110 2:15",
    "memory_scope: shared": "BMAD114 2:15",
    "memory_recall: -1": "BMAD110 2:16",
    "memory_recall: 1001": "BMAD110 2:16",
    "memory_recall: some": "BMAD109 2:16",
    "wait_for: [a]": "BMAD109 2:11",
    "wait_for: {agent: []}": "BMAD108 2:12",
    "wait_for: {docs: [../x]}": "BMAD110 2:19",
    "wait_for: {docs: [x.]}": "BMAD110 2:19",
    "parallel: yes": "BMAD109 2:11",
    "parallel: 1": "BMAD109 2:11",
    "commands: {a: b}": "BMAD109 2:11",
    "commands: [{a: b, c: d}]": "BMAD109 2:12",
    "commands: [a b]": "BMAD111 2:12",
    "commands: [a, {a: b}]": "BMAD110 2:15",
    "creates: a__b": "BMAD110 2:10",
    "creates: [a]": "BMAD109 2:10",
    "actions: [default]": "BMAD110 2:11",
    "actions: [true]": "BMAD109 2:11",
    "actions: [a b]": "BMAD111 2:11",
    "model: a b": "BMAD110 2:8",
    "model: ''": "BMAD110 2:8",
    "temperature: 2.1": "BMAD110 2:14",
    "temperature: -0.1": "BMAD110 2:14",
    "temperature: .nan": "BMAD109 2:14",
    "temperature: 1e999": "BMAD109 2:14",
    "temperature: true": "BMAD109 2:14",
    "max_tokens: 0": "BMAD110 2:13",
    "max_tokens: 1.0": "BMAD109 2:13",
    f"max_tokens: {'9' * 5000}": "BMAD109 2:13",
    "timeout: 0": "BMAD110 2:10",
    "timeout: .inf": "BMAD109 2:10",
    "timeout: 10s": "BMAD109 2:10",
    "retries: 0": "BMAD110 2:10",
    "retries: 11": "BMAD110 2:10",
    "fallback: a b": "BMAD110 2:11",
    "budget: 5": "BMAD109 2:9",
    "budget: {}": "BMAD109 2:9",
    "budget: {token: 1}": "BMAD108 2:10",
    "budget: {tokens: 0}": "BMAD110 2:18",
    "budget: {cost_usd: 0}": "BMAD110 2:20",
    "data: a.csv": "BMAD109 2:7",
    "data: [../a.csv]": "BMAD110 2:8",
    "data: [/etc/passwd]": "BMAD110 2:8",
    "data: [a//b]": "BMAD110 2:8",
    "data: [.hidden]": "BMAD110 2:8",
    "data: [c:x]": "BMAD110 2:8",
    "data: [a.pyc]": "BMAD110 2:8",
    "data: [{inline: true}]": "BMAD109 2:8",
    "data: [{file: a, inlined: true}]": "BMAD108 2:18",
    "data: [{file: a, inline: 1}]": "BMAD109 2:26",
    "output: [a]": "BMAD109 2:9",
    "output: a.txt": "BMAD110 2:9",
    "output: ../a.json": "BMAD110 2:9",
    "output: {type: objct}": "BMAD118 2:16",
    "output: {properties: {a: {type: [string, txt]}}}": "BMAD118 2:33",
    "output: {properties: {a: {minimum: x}}}": "BMAD118 2:36",
    "output: {properties: {a: {pattern: '('}}}": "BMAD118 2:36",
    "output: {minimum: .inf}": "BMAD118 2:9",
    "output: {$ref: https://example.com/a.json}": "BMAD118 2:16",
    "output: {items: {$ref: '#/$defs/a'}}": "BMAD118 2:24",
    "output: {$ref: '#'}": "BMAD118 2:16",
    "output: {items: {$id: a}}": "BMAD118 2:23",
}


@pytest.mark.parametrize("yaml", REFUSED)
def test_each_fault_is_told_at_its_place(yaml: str) -> None:
    assert agent(yaml)[1] == [REFUSED[yaml]]


def test_all_faults_of_a_file_are_told(tmp_path: Path) -> None:
    text = "---\nid: a b\nidd: x\ntemperature: hot\ncreates: x y\n---\n"
    found = codes(read_file(tmp_path, text)[1])
    assert [each for each in found if "208" not in each] == [
        "BMAD111 2:5",
        "BMAD108 3:1",
        "BMAD109 4:14",
        "BMAD110 5:10",
    ]


def test_an_unknown_key_names_its_neighbour(tmp_path: Path) -> None:
    _, (finding,) = read_file(tmp_path, "---\ndescripton: x\n---\n")
    assert finding.hint == 'did you mean "description"?'


GOOD_IDS = ["a", "A", "analyst", "ux-expert", "a1_b2-c3", "class", "match", "None", "con", "x" * 64]
BAD_IDS = ["../../x", "/x", "a/b", "a\\b", ".", "..", "", "a\n", "a b", "x" * 65, "x" * 300, "-rf"]
BAD_IDS += ["__init__", "a__b", "a-", "1a", "NUL.txt", "é", "ﬁle", "shared", "Shared", "a\u200b"]


@pytest.mark.parametrize("id", GOOD_IDS)
def test_ids_that_fit(id: str) -> None:
    found, findings = agent(f"id: {id!r}")
    assert (found.id, findings) == (id, [])


@pytest.mark.parametrize("id", BAD_IDS)
def test_ids_that_do_not_fit(id: str) -> None:
    text = "".join(f"\\U{ord(character):08x}" for character in id)
    assert agent(f'id: "{text}"')[1] == ["BMAD111 2:5"]


@pytest.mark.parametrize(("one", "other"), [("Dev", "dev"), ("a-b", "a_b"), ("x", "x")])
def test_ids_that_are_too_near_name_both_files(tmp_path: Path, one: str, other: str) -> None:
    files = {"agents/1.md": f"---\nid: {one}\n---\n", "agents/2.md": f"---\nid: {other}\n---\n"}
    _, found = read_files(tmp_path, files)
    assert [(each.code, each.path) for each in found] == [("BMAD112", "bmad/agents/2.md")]
    assert "bmad/agents/1.md" in found[0].message


def test_a_stem_that_is_no_id_wants_one(tmp_path: Path) -> None:
    _, found = read_files(tmp_path, {"agents/my agent.md": "Hi."})
    assert codes(found) == ["BMAD111 1:1"]
    _, found = read_files(tmp_path, {"agents/my agent.md": "---\nid: mine\n---\nHi."})
    assert found == []


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_any_prompt_is_kept_or_refused(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    found, findings = read_file(tmp_path_factory.mktemp("any"), f"---\nid: a\n---\n{body}")
    if findings:
        assert [each.code for each in findings] == ["BMAD115"]
        assert any(c < " " and c not in "\t\r\n\f" for c in body)
    else:
        assert found.prompt == body
