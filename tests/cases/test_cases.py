"""Each folder beside this file is a case; a new one needs no code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.compiler.diagnostics import CODES
from tests.cases import walk

CASES = walk.names()


WRITTEN = [name for name in CASES if walk.recorded(name)]
KEPT = [name for name in CASES if walk.is_kept(name)]
REFUSED = sorted(set(CASES) - set(WRITTEN) - set(KEPT))


@pytest.mark.parametrize("name", REFUSED)
def test_findings_are_those_recorded(name: str, tmp_path: Path) -> None:
    done = walk.run(name, tmp_path / "generated", "--check")
    assert walk.findings(done) == walk.recorded_findings(name)
    assert (done.returncode, done.stderr) == (1, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WRITTEN)
def test_files_are_those_recorded(name: str, tmp_path: Path) -> None:
    out = tmp_path / "generated"
    done = walk.run(name, out)
    assert walk.findings(done) == walk.recorded_findings(name)
    assert (done.returncode, done.stderr) == (0, "")
    generated = walk.generated(out)
    recorded = walk.recorded(name)
    assert sorted(generated) == sorted(recorded)
    for path, data in recorded.items():
        assert generated[path].decode() == data.decode(), path


@pytest.mark.parametrize("name", KEPT)
def test_what_is_not_broken_is_kept(name: str, tmp_path: Path) -> None:
    out = tmp_path / "generated"
    done = walk.run(name, out, "--keep-going")
    assert walk.findings(done) == walk.recorded_findings(name)
    assert (done.returncode, done.stderr) == (1, "")
    assert walk.kept(out) == (walk.FOLDER / name / walk.KEPT).read_text(encoding="utf-8")
    places = [line for line in walk.findings(done).splitlines() if not line.startswith(" ")]
    assert [line for line in places if not re.match(r"bmad/\S+:[1-9]\d*:\d+: ", line)] == []


NEWER = (
    "conditions",
    "gates",
    "lists",
    "settings-of-steps",
    "sub-flows",
    "the-language-in-one-flow",
)


@pytest.mark.parametrize("name", NEWER)
def test_the_runtime_takes_what_flows_say(name: str, tmp_path: Path) -> None:
    """What is recorded is not only text: its classes are there, and take these arguments."""
    assert walk.run(name, tmp_path / "generated").returncode == 0
    code = "from generated.flows import FLOWS\nfor flow in FLOWS.values(): flow.build()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_case_records_something() -> None:
    empty = [name for name in CASES if not walk.recorded(name) and not walk.recorded_findings(name)]
    assert empty == []


def test_every_code_about_sources_has_a_case() -> None:
    text = "".join(walk.recorded_findings(name) for name in CASES)
    seen = set(re.findall(r": (?:error|warning|note) (BMAD\d{3}) ", text))
    assert {code for code in CODES if code < "BMAD500"} - seen == set()


def test_recorded_python_holds_the_prompts() -> None:
    """The recorded modules are code of ours that holds the authors' text, byte for byte."""
    prompts = {
        node.value.value
        for path in (walk.FOLDER / "hostile-prompts" / "expected" / "agents").glob("?.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    source = walk.FOLDER / "hostile-prompts" / "bmad" / "agents" / "a.md"
    assert source.read_bytes().decode().split("\n---\n", 1)[1] in prompts
