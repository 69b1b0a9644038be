"""The documents are true: their commands run, their answers come, their tables are complete."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from scripts.compiler.arguments import FLAGS
from scripts.compiler.diagnostics import Diagnostic
from scripts.compiler.dialects import flows, native, steps, tools
from scripts.runtime.environment import NAMES, VARIABLES
from scripts.runtime.errors import (
    Conflict,
    DecisionError,
    InvalidName,
    NotFound,
    RunError,
    SourcesChanged,
)
from scripts.runtime.settings import Settings
from tests.conftest import MakeProject, StartService
from tests.documents import CUT, GUIDE, README, Block, answer_fits, blocks, codes, requests, table
from tests.process import clean_environment
from tests.project import ROOT, Project
from tests.service import Service

DOCUMENTS = [README, *sorted(GUIDE.rglob("*.md"))]
CURL_SECONDS = 60
TABLE_OF_KEYS = ("key", "type")


@pytest.fixture(scope="session")
def compiled_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample project in a folder of its own, compiled once."""
    root = tmp_path_factory.mktemp("sample")
    shutil.copytree(ROOT / "bmad", root / "bmad")
    Project(root).generate()
    return root


@pytest.fixture
def sample(compiled_sample: Path, tmp_path: Path) -> Path:
    """The same, beside data folders that no other test writes to."""
    shutil.copytree(compiled_sample / "generated", tmp_path / "generated")
    return tmp_path


def curl(service: Service, request: Block) -> str:
    """What the block's curl prints, against `service`."""
    command = shlex.split(request.text.replace("\\\n", " "))
    asked = [word.replace("localhost:8000", f"localhost:{service.port}") for word in command]
    assert asked != command, f"line {request.line} asks no service"
    done = subprocess.run(
        asked,
        cwd=service.log_file.parent,  # some write a file
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=CURL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"line {request.line}: {done.stderr}"
    return done.stdout


def check_answers(service: Service, document: Path) -> None:
    """Run each curl of a document in order, and compare what it shows with what comes."""
    asked = requests(document)
    assert asked, f"{document.name} has no request"
    for request, shown in asked:
        output = curl(service, request)
        if shown is not None:
            where = f"{document.name}:{request.line}"
            assert answer_fits(shown, output), f"{where} shows\n{shown.text}\nbut it is\n{output}"


def test_readme_first_screen(tmp_path: Path, service: StartService) -> None:
    agent = next(block for block in blocks(README) if block.kind == "markdown")
    serving = next(block for block in blocks(README) if "make run" in block.text)
    path, src = _first_agent()
    assert serving.text.strip() == f"make run SRC={src}"
    root = tmp_path / Path(src).parent
    Project(root).write({Path(path).name: agent.text}, under="bmad/agents").generate()
    check_answers(service(root), README)


def _first_agent() -> tuple[str, str]:
    """The path of the README's first agent, and its sources' folder."""
    found = re.search(r"`((\w+/bmad)/agents/\w+\.md)`:$", README.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return found[1], found[2]


@pytest.mark.parametrize(
    "src, home", [("bmad", "."), ("hello/bmad", "hello"), ("../my shop/bmad/", "../my shop")]
)
def test_make_run_works_beside_the_sources(src: str, home: str) -> None:
    compiling, serving = [line for line in _steps_of_make_run(src) if line.startswith("cd ")]
    assert shlex.split(compiling)[:3] == ["cd", home, "&&"]
    assert shlex.split(compiling)[-3:-1] == [str(ROOT / "scripts/bmad2pf.py"), "--src"]
    assert shlex.split(compiling)[-1] == f"$(basename '{src}')"
    assert shlex.split(serving)[:4] == ["cd", home, "&&", "exec"]
    assert serving.endswith("-m generated")


def test_make_run_says_that_its_sources_are_missing(tmp_path: Path) -> None:
    check = next(line for line in _steps_of_make_run("my shop/bmad") if line.startswith("test "))
    command = ["sh", "-c", check]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("There is no folder 'my shop/bmad'. SRC names")
    (tmp_path / "my shop" / "bmad").mkdir(parents=True)
    subprocess.run(command, cwd=tmp_path, check=True)


def _steps_of_make_run(src: str) -> list[str]:
    command = ["make", "--dry-run", "--silent", "run", f"SRC={src}", f"PYTHON={sys.executable}"]
    done = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_readme_agent_is_short() -> None:
    agent = next(block for block in blocks(README) if block.kind == "markdown")
    assert len(agent.text.splitlines()) <= 6


def test_readme_shows_the_sample(sample: Path) -> None:
    diagram = next(block for block in blocks(README) if block.kind == "mermaid")
    assert diagram.text == (sample / "generated/graphs/default.mmd").read_text("utf-8")
    wiring = next(block for block in blocks(README) if block.kind == "python")
    assert wiring.text in (sample / "generated/flows/default.py").read_text("utf-8")


def test_http_examples(sample: Path, service: StartService) -> None:
    check_answers(service(sample), GUIDE / "http.md")


def test_shown_json_is_json() -> None:
    shown = [block for path in DOCUMENTS for block in blocks(path) if block.kind == "json"]
    assert shown
    for block in shown:
        json.loads(block.text)


def test_plain_pocketflow_scripts(sample: Path) -> None:
    scripts = [block for block in blocks(GUIDE / "plain-pocketflow.md") if block.kind == "python"]
    assert len(scripts) > 2
    for script in scripts:
        done = subprocess.run(
            [sys.executable, "-c", script.text],
            cwd=sample,
            env=clean_environment(),
            capture_output=True,
            encoding="utf-8",
            timeout=CURL_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"line {script.line}: {done.stderr}"
        assert done.stdout.strip(), f"line {script.line} printed nothing"


def test_examples_of_agents_compile(project: MakeProject) -> None:
    """All single keys of agents.md in one agent, beside what they refer to."""
    shown = [block.text for block in blocks(GUIDE / "agents.md") if block.kind == "yaml"]
    assert len(shown) > 8
    others = {
        "agents/market-researcher.md": "Research.",
        "agents/writer.md": "---\ncreates: prd.md\n---\nWrite.",
        "agents/teller.md": "---\ncreates: stories.md\nwait_for: {docs: [prd.md]}\n---\nTell.",
        "tasks/review.md": "How to review.",
        "checklists/done.md": "What done means.",
        "tools.yaml": "check_stories: {module: stories, call: check_stories}",
        "tools/stories.py": (ROOT / "bmad/tools/stories.py").read_bytes(),
    }
    agent = f"---\n{''.join(text for text in shown if 'creates:' not in text)}---\nGo.\n"
    done = project({**others, "agents/example.md": agent.encode()}).compile("--strict")
    assert done.returncode == 0, done.stdout + done.stderr


def test_example_of_findings(compiled_sample: Path, tmp_path: Path) -> None:
    shown = next(block for block in blocks(GUIDE / "agents.md") if block.kind == "text")
    shutil.copytree(compiled_sample / "bmad", tmp_path / "bmad")
    critic = tmp_path / "bmad/agents/critic.md"
    critic.write_text(critic.read_text("utf-8").replace("check_stories]", "check_story]"), "utf-8")
    done = Project(tmp_path).compile()
    without_time = re.compile(r" \(\d+\.\d+ s\)")
    assert without_time.sub("", done.stdout + done.stderr) == without_time.sub("", shown.text)


def test_example_of_tools_compiles(project: MakeProject) -> None:
    function, entry = (
        next(block.text for block in blocks(GUIDE / "tools.md") if block.kind == kind)
        for kind in ("python", "yaml")
    )
    files = {
        "tools/calendar_days.py": function.encode(),
        "tools.yaml": entry.encode(),
        "agents/planner.md": "---\ntools: [working_days]\n---\nPlan the week.",
    }
    done = project(files).compile("--strict")
    assert done.returncode == 0, done.stdout + done.stderr


def test_example_of_flows_compiles(compiled_sample: Path, tmp_path: Path) -> None:
    shown = next(block for block in blocks(GUIDE / "flows.md") if block.kind == "yaml")
    shutil.copytree(compiled_sample / "bmad", tmp_path / "bmad")
    # The example leaves the risk scout out, and so does this project.
    (tmp_path / "bmad/agents/risk-scout.md").unlink()
    writer = tmp_path / "bmad/agents/product-writer.md"
    writer.write_text(writer.read_text("utf-8").replace(", risks.md", ""), "utf-8")
    done = Project(tmp_path).write({"workflow.yaml": shown.text.encode()}).compile("--strict")
    assert done.returncode == 0, done.stdout + done.stderr


def test_example_of_gates_compiles(project: MakeProject) -> None:
    shown = next(block.text for block in blocks(GUIDE / "flows.md") if "human:" in block.text)
    flow = f"flows:\n  default:\n    sequence:\n{textwrap.indent(shown, '    ')}"
    made = project({"agents/writer.md": "You write.", "workflow.yaml": flow.encode()})
    done = made.compile("--check", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr


def test_generated_code_is_shown_as_it_is(sample: Path) -> None:
    shown = [block for block in blocks(GUIDE / "generated-code.md") if block.kind == "python"]
    generated = (sample / "generated/flows/default.py").read_text("utf-8")
    assert len(shown) == 1
    assert shown[0].text in generated


def test_manifest_command(sample: Path) -> None:
    shown = next(
        block for block in blocks(GUIDE / "generated-code.md") if "sha256sum" in block.text
    )
    done = subprocess.run(
        ["sh", "-c", shown.text], cwd=sample, capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_sample_has_nothing_to_say(compiled_sample: Path) -> None:
    done = Project(compiled_sample).compile("--check", "--strict", "--output-format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["findings"] == []


def test_table_of_agent_keys() -> None:
    named = {key for row in table(GUIDE / "agents.md", *TABLE_OF_KEYS) for key in codes(row[0])}
    known = {*native.KEYS, "wait_for.docs", "wait_for.agents"} - {"wait_for"}
    assert named == known


def test_tables_of_flow_and_tool_keys() -> None:
    in_tools = {key for row in table(GUIDE / "tools.md", *TABLE_OF_KEYS) for key in codes(row[0])}
    assert in_tools == set(tools.KEYS)
    in_flows = {
        key for row in table(GUIDE / "flows.md", "key of a flow", "type") for key in codes(row[0])
    }
    in_steps = {
        key for row in table(GUIDE / "flows.md", "key of a step", "type") for key in codes(row[0])
    }
    assert in_flows == set(flows.FLOW_KEYS)
    known = {*steps.AGENT_KEYS, *steps.GATE_KEYS, *steps.FLOW_KEYS, "parallel"}
    assert in_steps == known


def test_table_of_settings() -> None:
    rows = list(table(GUIDE / "operator.md", "key", "variable"))
    keys = {key: row for row in rows for key in codes(row[0])}
    assert keys.keys() == dict(_settings(Settings)).keys()
    for key, default in _settings(Settings):
        assert _default_fits(keys[key][2], default), f"{key}: {keys[key][2]}, but it is {default!r}"
    variables = {name: row for row in rows for name in codes(row[1])}
    traces = table(GUIDE / "tracing.md", "variable", "default")
    variables |= {name: row for row in traces for name in codes(row[0])}
    assert variables.keys() == set(NAMES)
    for variable in VARIABLES:
        key = ".".join(variable.path)
        if key in keys:
            assert codes(keys[key][1]) == [variable.name]


def test_table_of_ranges() -> None:
    shown = {
        key: (row[1], row[2])
        for row in table(GUIDE / "operator.md", "number", "from")
        for key in codes(row[0])
    }
    assert shown == dict(_ranges(Settings))


def _ranges(model: type[BaseModel], under: str = "") -> Iterator[tuple[str, tuple[str, str]]]:
    """The numbers of the configuration file with their bounds, as the table has them."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            if name not in ("secrets", "tracing"):
                yield from _ranges(type(default), f"{under}{name}.")
            continue
        bounds = {
            side: getattr(bound, side)
            for bound in field.metadata
            for side in ("ge", "gt", "le")
            if hasattr(bound, side)
        }
        if bounds:
            least = f"above {bounds['gt']:,}" if "gt" in bounds else f"{bounds['ge']:,}"
            yield under + name, (least, f"{bounds['le']:,}")


def _settings(model: type[BaseModel], under: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of the configuration file with their defaults."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            if name not in ("secrets", "tracing"):  # of the environment alone
                yield from _settings(type(default), f"{under}{name}.")
        elif under or name == "on_missing_doc":
            yield under + name, default


def _default_fits(cell: str, default: object) -> bool:
    if default is None:
        return cell == "none"
    if hasattr(default, "get_secret_value"):
        default = default.get_secret_value()
    shown = codes(cell)[0]
    if shown.endswith("MB"):
        return default == int(shown.removesuffix("MB")) * 10**6
    if isinstance(default, bool):
        default = str(default).lower()
    return shown == ("[]" if default == () else str(default))


def test_table_of_options() -> None:
    named = {
        option.split()[0]
        for row in table(GUIDE / "generated-code.md", "option", "meaning")
        for option in codes(row[0])
    }
    assert named == {*FLAGS, "--src", "--out", "--output-format", "--version"}


def test_table_of_json_fields(compiled_sample: Path) -> None:
    done = Project(compiled_sample).compile("--check", "--output-format", "json")
    rows = list(table(GUIDE / "generated-code.md", "field", "meaning"))
    fields = [field for row in rows for field in codes(row[0])]
    assert fields == list(json.loads(done.stdout))
    of_finding = [each.name for each in dataclasses.fields(Diagnostic)]
    assert set(of_finding) <= set(codes(rows[0][1]))


def test_hooks_are_told() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    text = (GUIDE / "generated-code.md").read_text("utf-8")
    assert [hook["id"] for hook in hooks if f"`{hook['id']}`" not in text] == []


def test_table_of_routes(sample: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "generated", "openapi"],
        cwd=sample,
        env=clean_environment(),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    paths = json.loads(done.stdout)["paths"]
    served = {f"{method.upper()} {_bare(path)}" for path, item in paths.items() for method in item}
    assert set(_documented_routes()) == served


def _documented_routes() -> Iterator[str]:
    for row in table(GUIDE / "http.md", "route", "what it does"):
        method = "GET"
        for code in codes(row[0]):
            if " " in code:
                method = code.split()[0]
            yield f"{method} {_bare(code.split()[-1])}"


def _bare(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def test_table_of_events(sample: Path, service: StartService) -> None:
    listed = {
        kind: set(codes(row[1].split(":")[0]))
        for row in table(GUIDE / "http.md", "`type`", "further fields")
        for kind in codes(row[0])
    }
    child = service(sample)
    body = {"input": "A shared shopping list", "story_id": "S-1"}
    answer = child.client.post("/run", json=body, headers={"accept": "text/event-stream"})
    events = [
        json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")
    ]
    assert {"run.started", "step.started", "step.delta", "step.completed", "run.completed"} <= {
        event["type"] for event in events
    }
    for event in events:
        fields = event.keys() - {"seq", "run_id", "type", "time", "step"}
        assert fields <= listed[event["type"]], event["type"]


def test_table_of_problems() -> None:
    named = {
        (code, int(status))
        for row in table(GUIDE / "http.md", "`code`", "HTTP")
        for code in codes(row[0])
        for status in re.findall(r"\d{3}", row[1])
    }
    assert named == set(_problems())


def _problems() -> Iterator[tuple[str, int]]:
    """Each code that the source pairs with a status, but for those of a run's answer."""
    for error in (NotFound, InvalidName):
        yield error.code, error.status
    pair = re.compile(r'\b([45]\d\d)[,:]\s+"([a-z_]+)"')
    for path in sorted((ROOT / "scripts/runtime/api").glob("*.py")):
        for status, code in pair.findall(path.read_text("utf-8")):
            yield code, int(status)
    for path in sorted((ROOT / "scripts/runtime").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield from _raised(node.func.id, node)
    yield SourcesChanged(()).code, SourcesChanged(()).status


def _raised(name: str, call: ast.Call) -> Iterator[tuple[str, int]]:
    given = {word.arg: word.value for word in call.keywords}
    values = {name: node.value for name, node in given.items() if isinstance(node, ast.Constant)}
    if name == "Conflict" and "code" in values:
        yield str(values["code"]), int(str(values.get("status", Conflict.status)))
    elif name == "DecisionError" and isinstance(call.args[0], ast.Constant):
        yield str(call.args[0].value), DecisionError.status


def test_table_of_run_errors() -> None:
    named = {
        (code, int(status))
        for row in table(GUIDE / "http.md", "`error.code`", "HTTP")
        for code in codes(row[0])
        for status in re.findall(r"\d{3}", row[1])
    }
    known = {(error.code, error.status) for error in _kinds(RunError)}
    by_hand = {("cancelled", 503), ("run_in_progress", 409)}
    by_hand |= {("store_failed", status) for status in (413, 503, 507)}
    assert named == known | by_hand


def _kinds(error: type[RunError]) -> Iterator[type[RunError]]:
    yield error
    for kind in error.__subclasses__():
        yield from _kinds(kind)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        there = document.parent / path if path else document
        assert there.exists(), f"{document.name}: {target}"
        if anchor:
            assert anchor in _anchors(there), f"{document.name}: {target}"


def _anchors(document: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_changelog_has_each_section_once_and_in_order() -> None:
    order = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    for version in (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1:]:
        sections = re.findall(r"^### (.+)$", version, re.MULTILINE)
        assert sections == [name for name in order if name in sections], version.split("\n")[0]


@pytest.mark.parametrize("folder", [GUIDE, GUIDE / "diagnostics"], ids=lambda path: path.name)
def test_an_index_lists_all_pages(folder: Path) -> None:
    text = (folder / "README.md").read_text("utf-8")
    listed = re.findall(r"^- \[.+\]\(([^./]+\.md)\): .", text, re.MULTILINE)
    assert sorted(listed) == sorted({path.name for path in folder.glob("*.md")} - {"README.md"})


def test_the_index_of_findings_has_their_headings() -> None:
    lines = (GUIDE / "diagnostics" / "README.md").read_text("utf-8").splitlines()
    for path in (GUIDE / "diagnostics").glob("BMAD*.md"):
        title = path.read_text("utf-8").splitlines()[0].removeprefix(f"# {path.stem}: ")
        assert f"- [{path.stem}]({path.name}): {title}" in lines


@pytest.mark.parametrize("name", ["development.md", "decisions.md"])
def test_named_files_are_there(name: str) -> None:
    text = (GUIDE / name).read_text("utf-8")
    named = set(re.findall(r"(?<![\w/.])(?:bmad|scripts|tests|bench|config)/[\w./-]*\w", text))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_cut_mark_is_used_in_answers_only() -> None:
    """What a reader may paste has no hole in it."""
    for path in DOCUMENTS:
        for block in blocks(path):
            assert block.kind != "sh" or CUT not in block.text, f"{path.name}:{block.line}"
