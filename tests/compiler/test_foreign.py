"""Projects in another form: read as native sources, told where they are wrong, kept fresh."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.compiler import translate
from scripts.compiler.arguments import Options
from scripts.compiler.diagnostics import CODES, Diagnostics
from scripts.compiler.dialects import detect, lenient, v4, writing, yamlform
from scripts.compiler.dialects.draft import Draft, DraftAgent, DraftFlow, DraftStep, Origin
from scripts.compiler.dialects.tree import ForeignTree
from scripts.compiler.fresh import is_fresh
from scripts.compiler.load import load
from scripts.runtime.yamltext import read, to_data
from tests.conftest import MakeProject
from tests.project import Project

PM = """\
# pm

```yaml
agent: {name: Pia, id: pm, title: Product Manager, whenToUse: For plans}
persona: {role: Planner}
activation-instructions: [Greet, Stay in character]
commands:
  - plan: run task plan.md
dependencies: {tasks: [plan.md]}
```
"""
DEV = PM.replace("pm", "dev").replace("Pia", "Dan")
WORKFLOW = """\
workflow:
  id: small
  sequence:
    - {agent: pm, creates: plan.md}
    - {agent: dev, requires: plan.md, creates: code.md}
"""
SMALL = {
    ".bmad-core/agents/pm.md": PM,
    ".bmad-core/agents/dev.md": DEV,
    ".bmad-core/tasks/plan.md": "Plan it.\n",
    ".bmad-core/workflows/small.yaml": WORKFLOW,
}


def tree(files: dict[str, str | bytes]) -> ForeignTree:
    data = {
        name: text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        for name, text in files.items()
    }
    return ForeignTree(data, "src", "src", Diagnostics())


def codes(found: Diagnostics) -> list[str]:
    return [f"{each.code} {each.path}:{each.line}" for each in found]


def run(project: Project, *words: str) -> tuple[int, list[str]]:
    done = project.compile(*words)
    assert done.returncode < 2, done.stderr
    return done.returncode, done.stdout.splitlines()


# What is written, and where it comes from.

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    SCALARS | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)


def _is_writable(value: Any) -> bool:
    """Whether YAML has a word for it: no half of a surrogate pair, and no merge key."""
    if isinstance(value, str):
        return not re.search("[\ud800-\udfff]", value)
    if isinstance(value, dict):
        return all(
            key != "<<" and _is_writable(key) and _is_writable(v) for key, v in value.items()
        )
    return all(map(_is_writable, value)) if isinstance(value, list) else True


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5).filter(_is_writable))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    text = "".join(f"{line.text}\n" for line in yamlform.mapping(value))
    root, faults = read(text, max_bytes=1 << 24)
    assert faults == ()
    assert (to_data(root) or {}) == value


def test_texts_of_several_lines_stand_as_blocks() -> None:
    lines = [line.text for line in yamlform.mapping({"a": "one\ntwo\n", "b": ["x", 1, None]})]
    assert lines == ["a: |", "  one", "  two", "b: [x, 1, null]"]


def test_each_line_knows_where_it_is_from() -> None:
    agent = DraftAgent("pm", Origin("a.md", 3), "About", "You\nare.", "Prompt\nhere.\n")
    agent.keys = {"commands": [{"plan": "Plan it"}, "stop"], "tasks": ["t.md"]}
    agent.origins = {"commands/plan": Origin("a.md", 7, 5), "tasks": Origin("a.md", 9)}
    agent.notes = ["A choice\nwas made."]
    flow = DraftFlow("one", Origin("w.yaml", 2))
    flow.steps = [DraftStep({"agent": "pm", "note": "a\nb"}, Origin("w.yaml", 4, 5))]
    written = writing.write(Draft("x", [agent], [flow]))
    text = written.files["agents/pm.md"].decode()
    lines = text.splitlines()
    assert lines[1] == "# A choice was made."

    def origin(line: str) -> Origin | None:
        return written.origins.origin("agents/pm.md", lines.index(line) + 1)

    assert origin("id: pm") == Origin("a.md", 3)
    assert origin("  - plan: Plan it") == Origin("a.md", 7, 5)
    assert origin("  - stop") == Origin("a.md", 3)
    assert origin("tasks: [t.md]") == Origin("a.md", 9)
    assert text.endswith("---\nPrompt\nhere.\n")
    assert written.origins.origin("workflows/one.yaml", 5) == Origin("w.yaml", 4, 5)
    assert written.origins.origin("elsewhere.md", 1) is None


# The command on a foreign tree.


def test_a_foreign_tree_compiles_like_a_native_one(project: MakeProject) -> None:
    made = project({}).write(SMALL)
    code, lines = run(made)
    assert (code, lines[-1].startswith("2 agents, 1 flow, ")) == (0, True)
    agent = (made.out / "agents/pm.py").read_text("utf-8")
    assert agent.startswith("# Generated from bmad/.bmad-core/agents/pm.md. Edit that file")
    assert 'PERSONA = """\\\nYou are Pia, Product Manager.\nRole: Planner"""' in agent
    assert (made.out / "assets/tasks/plan.md").read_text("utf-8") == "Plan it.\n"
    manifest = (made.out / "manifest.sha256").read_text("utf-8")
    assert "# dialect bmad-v4\n" in manifest
    assert sorted(re.findall(r"^# source \w+  (\S+)$", manifest, re.MULTILINE)) == sorted(
        f"bmad/{name}" for name in SMALL
    )


def test_nothing_changed_is_seen_and_every_change_is(project: MakeProject) -> None:
    made = project({}).write(SMALL)
    _, first = run(made)
    _, again = run(made)
    assert again[:-1] == first[:-1], "what was found is told again"
    assert "nothing changed" in again[-1]
    assert run(made, "--check")[0] == 0
    changes: list[dict[str, str]] = [
        {".bmad-core/tasks/plan.md": "Plan it well.\n"},
        {".bmad-core/agents/pm.md": PM.replace("Planner", "Thinker")},
        {".bmad-core/agents/qa.md": PM.replace("pm", "qa")},
        {".bmad-core/core-config.yaml": "devLoadAlwaysFiles: [docs/rules.md]\n"},
    ]
    for change in changes:
        made.write(change)
        code, lines = run(made, "--check")
        assert code == 1, change
        assert "BMAD504" in "\n".join(lines)
        assert "nothing changed" not in run(made)[1][-1]
        assert "nothing changed" in run(made)[1][-1]
    (made.src / ".bmad-core/agents/qa.md").unlink()
    assert run(made, "--check")[0] == 1


def test_a_file_that_nobody_reads_is_told_again_and_its_change_is_seen(
    project: MakeProject,
) -> None:
    made = project({}).write(SMALL)
    large = made.src / "dist" / "team.txt"
    large.parent.mkdir()
    large.write_bytes(b"x" * (1 << 20) + b"y")
    first, second = run(made)[1][-1], run(made)[1][-1]
    assert "1 warning" in first
    assert "nothing changed; 1 warning" in second
    options = Options()
    options.src, options.out = str(made.src), str(made.out)
    assert is_fresh(options), "or every run would translate all of it again"
    large.write_bytes(b"x" * (1 << 20) + b"yz")
    assert not is_fresh(options)
    large.unlink()
    assert not is_fresh(options)
    assert "warning" not in run(made)[1][-1]


def test_strict_counts_remembered_warnings(project: MakeProject) -> None:
    made = project({}).write({**SMALL, ".bmad-core/agents/notes.md": "Prose.\n"})
    assert run(made)[0] == 0
    kept = "# finding warning\tBMAD613\t1\t1\t.bmad-core/agents/notes.md\t"
    assert kept in (made.out / "manifest.sha256").read_text("utf-8")
    code, lines = run(made, "--strict")
    assert code == 1
    assert "nothing changed; 1 warning (an error under --strict)" in lines[-1]
    done = made.compile("--output-format", "json")
    assert '"code": "BMAD613", "severity": "warning"' in done.stdout


def test_the_root_of_a_repository_may_hold_the_output(tmp_path: Path) -> None:
    made = Project(tmp_path).write(SMALL, under=".").write({"docs/prd.md": "Mine.\n"}, under=".")
    assert made.compile("--src", ".").returncode == 0
    done = made.compile("--src", ".")
    assert "nothing changed" in done.stdout
    made.write({"docs/prd.md": "Changed.\n"}, under=".")
    assert "nothing changed" in made.compile("--src", ".").stdout, "documents are no sources"
    core = made.compile("--src", ".bmad-core", "--out", "other")
    assert (core.returncode, "2 agents, 1 flow" in core.stdout) == (0, True)


def test_native_sources_still_hold_no_output(project: MakeProject) -> None:
    made = project({"agents/a.md": "You.\n"})
    done = made.compile("--out", "bmad/generated")
    assert (done.returncode, "is inside the sources" in done.stderr) == (2, True)


def test_one_foreign_file_among_native_ones(project: MakeProject) -> None:
    made = project(
        {
            "agents/writer.md": "---\nwait_for: {agents: [pm]}\n---\nYou write.\n",
            "agents/pm.md": PM,
            "tasks/plan.md": "Plan it.\n",
            "tools.yaml": "",
        }
    )
    code, lines = run(made)
    assert (code, lines[-1].startswith("2 agents, 1 flow")) == (0, True)
    assert "nothing changed" in run(made)[1][-1]
    made.write({"tasks/plan.md": "Plan it well.\n"})
    assert "2 changed" in run(made)[1][-1], "the asset and the manifest"
    assert (made.out / "assets/tasks/plan.md").read_text("utf-8") == "Plan it well.\n"
    assert "from bmad/agents/pm.md" in (made.out / "agents/pm.py").read_text("utf-8")


def test_a_link_beside_foreign_files_is_told_with_a_line(project: MakeProject) -> None:
    files = {"agents/a.md": "---\ndescription: A\n---\nA.\n", "agents/pm.md": PM}
    made = project(files)
    (made.src / "agents" / "b.md").symlink_to("a.md")
    _, lines = run(made)
    assert any(line.startswith("bmad/agents/b.md:1") and "BMAD113" in line for line in lines), lines


def test_verbose_says_why_files_are_taken_for_what_they_are(project: MakeProject) -> None:
    made = project({}).write(SMALL)
    said = made.compile("--verbose").stderr
    assert (
        "form      bmad-v4: .bmad-core/agents/pm.md has a YAML block with agent: on line 4" in said
    )
    native = project({"agents/a.md": "You.\n"}, name="native")
    assert "form      native: agents/ holds prose" in native.compile("--verbose").stderr


def test_what_agents_are_is_seen_by_their_text() -> None:
    kinds = {
        PM: "v4",
        PM.replace("```yaml", "~~~yml").replace("```", "~~~"): "v4",
        '<agent id="x" name="Y">\n</agent>': "v6-xml",
        "---\nname: x\ndescription: y\n---\nz": "named",
        "---\nname: x\nmemory_scope: isolated\n---\nz": "native",
        "---\ndescription: y\n---\nz": "native",
        "Only a prompt.": "prose",
        "```yaml\nagent: x\n```\n": "prose",
        "```json\nagent:\npersona:\n```": "prose",
    }
    assert {text: detect.of_agent(text).kind for text in kinds} == kinds


# What cannot be read.


def test_findings_have_the_place_in_the_foreign_file(project: MakeProject) -> None:
    made = project({}).write({**SMALL, ".bmad-core/workflows/small.yaml": WORKFLOW + "    - {}\n"})
    broken = WORKFLOW.replace("dev, requires", "dev, id: pm-plan, requires")
    made.write({".bmad-core/workflows/small.yaml": broken})
    made.write({".bmad-core/agents/qa.md": PM.replace("pm", "qa")})
    _, lines = run(made)
    assert any("BMAD208" in line and "/agents/qa.md:4:8: " in line for line in lines), lines
    for line in lines[:-1]:
        assert re.match(r"bmad/\.bmad-core/\S+:\d+:\d+: |    hint: ", line), line


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('- "*help" - Show commands', {"*help": "Show commands"}),
        ("- x: @home now", {"x": "@home now"}),
        ("- x: *all of it", {"x": "*all of it"}),
        ("- x: `code` first", {"x": "`code` first"}),
        ("- x: {{name}} is left", {"x": "{{name}} is left"}),
        ("- x: first: second", {"x": "first: second"}),
        ("- x: 'it\\'s'", {"x": "it's"}),
        ("- {{x}}: y", {"{{x}}": "y"}),
        ("- [a] and more", "[a] and more"),
        ("- x: |\n       deep\n    less", {"x": "   deep\nless\n"}),
    ],
)
def test_a_line_is_repaired_and_told(before: str, after: object) -> None:
    source = tree({})
    root = lenient.mapping(source, "a.md", f"list:\n{before}\n- last\nrest: kept\n", 10)
    assert to_data(root) == {"list": [after, "last"], "rest": "kept"}
    found = codes(source.diagnostics)
    assert len(found) == 1
    assert all(re.fullmatch(r"BMAD601 src/a.md:1[12]", each) for each in found)


def test_a_line_is_repaired_once_at_most() -> None:
    source = tree({})
    text = "agent:\n  name: [Half\n   - a: }\nx: ]\n"
    assert lenient.mapping(source, "a.md", text) is None
    assert codes(source.diagnostics) == ["BMAD604 src/a.md:3"]


@pytest.mark.parametrize("text", ["a: [1", "a: {b: ]", "? [x]\n: y\n- z", "a: b\n  c: }\n d"])
def test_what_cannot_be_repaired_safely_is_an_error(text: str) -> None:
    source = tree({})
    assert lenient.mapping(source, "a.md", text) is None
    assert [each[:7] for each in codes(source.diagnostics)] == ["BMAD604"]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("de", '"dev" does it'),
        ("lead-dev", '"dev" does it'),
        ("p", "a person decides"),
        ("dev-lead", "a person decides"),
        ("writer", "a person decides"),
    ],
)
def test_an_agent_that_is_not_there_is_the_one_that_can_only_be_meant(
    name: str, taken: str
) -> None:
    files: dict[str, str | bytes] = dict(SMALL)
    files[".bmad-core/workflows/small.yaml"] = WORKFLOW.replace("agent: dev", f"agent: {name}")
    source = tree(files)
    v4.read(source, source.diagnostics)
    told = [each.message for each in source.diagnostics if each.code == "BMAD608"]
    assert told == [f'"{name}" is no agent: {taken}']


MISSING = """\
workflow:
  id: small
  sequence:
    - {agent: pm, creates: plan.md}
    - {agent: architect, creates: architecture.md, requires: plan.md, uses: plan}
    - {agent: dev, requires: architecture.md, creates: code.md}
"""


def test_what_an_agent_that_is_not_there_was_to_do_is_asked_and_told() -> None:
    files: dict[str, str | bytes] = dict(SMALL)
    files[".bmad-core/workflows/small.yaml"] = MISSING
    source = tree(files)
    draft = v4.read(source, source.diagnostics)
    gate = draft.flows[0].steps[1].keys
    assert gate["human"] == "architect-architecture"
    assert gate["question"] == "architect is to make architecture.md from plan.md, and use plan."
    told = {(each.name, each.fate) for each in draft.accounts if each.at.line == 5}
    assert ("architecture.md", "left") in told
    assert {("plan.md", "approximated"), ("plan", "approximated")} <= told
    assert "BMAD610 src/.bmad-core/workflows/small.yaml:5" in codes(source.diagnostics)


@pytest.mark.parametrize(
    ("step", "question"),
    [
        (
            "{agent: boss, notes: Look at it., requires: [a.md, b.md]}",
            "boss is to read a.md, b.md. Look at it.",
        ),
        ("{agent: boss, updates: a.md}", "boss is to bring a.md up to date."),
        ("{agent: boss, validates: all_artifacts}", "boss is to validate all artifacts."),
        ("{agent: boss, repeats: for_each_page}", "boss is to do so for each page."),
        ("{agent: boss}", "boss is to do this."),
    ],
)
def test_a_gate_in_place_of_an_agent_never_asks_nothing(step: str, question: str) -> None:
    files: dict[str, str | bytes] = dict(SMALL)
    files[".bmad-core/workflows/small.yaml"] = f"{WORKFLOW}    - {step}\n"
    source = tree(files)
    keys = v4.read(source, source.diagnostics).flows[0].steps[2].keys
    assert keys["question"].startswith(question)


def test_tabs_become_blanks_where_they_must() -> None:
    source = tree({})
    assert to_data(lenient.mapping(source, "a.md", "a:\n\tb: c\n")) == {"a": {"b": "c"}}
    assert codes(source.diagnostics) == ["BMAD601 src/a.md:2"]


def test_aliases_are_what_their_anchors_hold() -> None:
    source = tree({})
    text = "a: &one {x: 1, y: 'on'}\nb: {<<: *one, x: 2}\nc: [*one, plain]\n"
    root = lenient.mapping(source, "a.md", text, 5)
    one = {"x": 1, "y": "on"}
    assert to_data(root) == {"a": one, "b": {"x": 2, "y": "on"}, "c": [one, "plain"]}
    assert codes(source.diagnostics) == ["BMAD601 src/a.md:5"]


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
        "&a a: [*a]\nb: &b [*b]\n",
        "a: !!python/object:os.system &x y\nb: *x\n",
        "a: *nowhere\n",
    ],
)
def test_aliases_that_stand_for_too_much_or_nothing_are_texts(text: str) -> None:
    source = tree({})
    text = text.replace("a1: &a1", "a0: &a0 [x]\na1: &a1", 1)
    root = lenient.mapping(source, "a.md", text)
    assert root is None or len(str(to_data(root))) < 5 * len(text)
    assert {each.code for each in source.diagnostics} <= {"BMAD601", "BMAD604"}
    assert len(source.diagnostics) > 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_called_by_its_name(encoding: str) -> None:
    source = tree({**SMALL, ".bmad-core/agents/qa.md": PM.replace("pm", "qa").encode(encoding)})
    draft = v4.read(source, source.diagnostics)
    assert [agent.id for agent in draft.agents] == ["dev", "pm"]
    told = [each for each in source.diagnostics if each.path.endswith("qa.md")]
    assert [(each.code, each.line, each.message) for each in told] == [
        ("BMAD602", 1, "the file is UTF-16, not UTF-8")
    ]


def test_markdown_that_goes_on_inside_the_block_is_cut_off() -> None:
    source = tree({})
    root = lenient.mapping(source, "a.md", "a: b\n\n## Then: prose\n\nMore: of: it\n")
    assert to_data(root) == {"a": "b"}


HOSTILE = st.text(
    st.sampled_from("abc:-{}[]'\"|>*&!%@`#\n\t \\\0\u2028é😀,?~") | st.characters(), max_size=80
)


@given(HOSTILE, HOSTILE)
def test_any_text_in_a_block_or_a_workflow_ends_in_findings(block: str, flow: str) -> None:
    files: dict[str, str | bytes] = {
        ".bmad-core/agents/a.md": f"```yaml\nagent:\n  id: a\npersona:\n  role: x\n{block}\n```\n",
        ".bmad-core/workflows/w.yaml": f"workflow:\n  id: w\n  sequence:\n    - agent: a\n{flow}\n",
        ".bmad-core/tasks/t.md": flow.encode("utf-8", "surrogatepass"),
    }
    source = tree(files)
    draft = v4.read(source, source.diagnostics)
    writing.write(draft)
    assert all(each.code in CODES and each.line > 0 for each in source.diagnostics)


WORDS = st.sampled_from(["a", "b", "various", "a/b", "zz", "prd.md", "x OR y", "all_artifacts"])
STEP = st.fixed_dictionaries(
    {},
    optional={
        "agent": WORDS,
        "creates": WORDS | st.lists(WORDS, max_size=2),
        "updates": WORDS,
        "requires": WORDS | st.lists(WORDS, max_size=3),
        "condition": st.sampled_from(["user_wants", "a_left_items", "po_issues"]),
        "optional": st.booleans(),
        "action": st.sampled_from(["shard_documents", "do it", "workflow_end"]),
        "validates": st.just("all_artifacts"),
        "uses": st.sampled_from(["t", "nothing"]),
        "repeats": st.sampled_from(["for_each_epic", "per-page"]),
        "step": st.sampled_from(["repeat_cycle", "workflow_end", "mine", "shared", "end"]),
        "routes": st.just({"one": {"agent": "a"}, "two": {"continue": "to_next_step"}}),
        "notes": st.just("Note {{this}}."),
    },
)


@settings(max_examples=25)
@given(st.lists(STEP, max_size=7))
def test_any_workflow_becomes_flows_that_are_valid(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, Any]]
) -> None:
    workflow = {"workflow": {"id": "w", "sequence": steps}}
    text = "".join(f"{line.text}\n" for line in yamlform.mapping(workflow))
    src = tmp_path_factory.mktemp("any") / "bmad"
    Project(src.parent).write(
        {
            ".bmad-core/agents/a.md": PM.replace("pm", "a"),
            ".bmad-core/agents/b.md": PM.replace("pm", "b"),
            ".bmad-core/tasks/plan.md": "P\n",
            ".bmad-core/tasks/t.md": "T\n",
            ".bmad-core/workflows/w.yaml": text,
        }
    )
    found = Diagnostics()
    project = load(src, "bmad", found)
    assert {agent.id for agent in project.agents} == {"a", "b"}
    assert [each for each in found if each.severity == "error"] == []
    names = [each["agent"] for each in steps if each.get("agent") in ("a", "b")]
    placed = [getattr(s, "agent", "") for flow in project.flows for s in flow.steps()]
    assert len(placed) >= len(names)


# Going on without what is broken.


def test_keep_going_leaves_out_what_is_broken(project: MakeProject) -> None:
    made = project({}).write(
        {
            **SMALL,
            ".bmad-core/agents/qa.md": PM.replace("pm", "qa").replace("[plan.md]", "[plan.md"),
            ".bmad-core/workflows/other.yaml": WORKFLOW.replace("dev", "qa").replace("small", "o"),
        }
    )
    assert run(made)[0] == 1
    assert not made.out.exists()
    code, lines = run(made, "--keep-going")
    assert (code, lines[-1].startswith("2 agents, 2 flows")) == (1, True), lines
    assert run(made, "--keep-going")[0] == 1


def test_keep_going_works_for_native_sources_too(project: MakeProject) -> None:
    made = project(
        {
            "agents/a.md": "---\nid: [x\n---\nhi\n",
            "agents/b.md": "---\nwait_for: {agents: [a]}\n---\nYou.\n",
            "agents/c.md": "You.\n",
            "agents/d.md": "You.\n",
            "workflow.yaml": """
            flows:
              one: {sequence: [c]}
              two: {sequence: [a, c]}
              three: {sequence: [{flow: two}, c]}
              four: {sequence: [c, {agent: d, on: {x: y}}]}
            """,
        }
    )
    code, lines = run(made, "--keep-going")
    assert (code, lines[-1].startswith("2 agents, 1 flow")) == (1, True), lines
    told = [re.sub(r".* BMAD619 ", "", line) for line in lines if "BMAD619" in line]
    assert sorted(told) == [
        'the agent "a" is left out',
        'the agent "b" is left out',
        'the flow "four" is left out',
        'the flow "three" is left out',
        'the flow "two" is left out',
    ]
    assert sorted(path.name for path in (made.out / "flows").iterdir()) == ["__init__.py", "one.py"]


def test_keep_going_with_nothing_left_writes_nothing(project: MakeProject) -> None:
    made = project({"agents/a.md": "---\nid: [x\n---\nhi\n"})
    assert run(made, "--keep-going")[0] == 1
    assert not made.out.exists()


# Every construct has an account.


def test_every_construct_is_accounted_for() -> None:
    files: dict[str, str | bytes] = dict(SMALL)
    files[".bmad-core/agent-teams/all.yaml"] = "bundle: {name: A}\nagents: ['*']\n"
    files[".bmad-core/core-config.yaml"] = "prd: {prdFile: docs/prd.md}\nslashPrefix: B\n"
    source = tree(files)
    draft = v4.read(source, source.diagnostics)
    accounts = {(each.construct, each.name): each.fate for each in draft.accounts}
    assert accounts["agent", "pm"] == "carried"
    assert accounts["command", "plan"] == "carried"
    assert accounts["directives", "activation-instructions"] == "left"
    assert accounts["dependency", "plan.md"] == "carried"
    assert accounts["workflow", "small"] == "carried"
    assert accounts["step", "dev-code"] == "carried"
    assert accounts["setting", "slashPrefix"] == "approximated"
    assert accounts["team", ".bmad-core/agent-teams/all.yaml"] == "approximated"
    assert all(each.why or each.fate == "carried" for each in draft.accounts)
    assert all(each.at.path in files and each.at.line > 0 for each in draft.accounts)
    assert set(draft.taken) == set(files)


def test_import_then_compile_is_compile(tmp_path: Path) -> None:
    made = Project(tmp_path).write(SMALL)
    direct = Diagnostics()
    one = load(made.src, "bmad", direct)
    found = translate.understand(made.src, "bmad", Diagnostics())
    assert found.draft is not None
    written = writing.write(found.draft).files
    native = Project(tmp_path / "native").write(dict(written.items()))
    again = Diagnostics()
    other = load(native.src, "bmad", again)
    assert [each for each in again if each.severity != "note"] == []
    assert [(a.id, a.prompt, a.persona, a.commands) for a in one.agents] == [
        (a.id, a.prompt, a.persona, a.commands) for a in other.agents
    ]
    assert [flow.stages for flow in one.flows] == [flow.stages for flow in other.flows]
