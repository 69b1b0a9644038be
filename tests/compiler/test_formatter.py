"""ruff first, black where ruff cannot be had, and a warning where both fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.compiler import distribution, formatter
from scripts.compiler.formatter import NONE, format_files
from tests.conftest import MakeProject
from tests.project import Project

UGLY = {"a.py": b"x = { 'a':1 }\n", "deep/b.py": b"y = (  1,)\n"}
NICE = {"a.py": b'x = {"a": 1}\n', "deep/b.py": b"y = (1,)\n"}


def test_ruff_formats_all_files_at_once() -> None:
    files, name = format_files(UGLY)
    assert files == NICE
    assert name == distribution.formatter()
    assert name.startswith("ruff ")


def test_black_stands_in_for_ruff(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "ruff").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "ruff").chmod(0o755)
    files, name = format_files(UGLY)
    assert files == NICE
    assert name.startswith("black ")


def test_ruff_is_found_where_its_package_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    program = formatter.ruff_program()
    assert program is not None
    assert Path(program).name.startswith("ruff")


def test_without_both_the_text_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert format_files(UGLY) == (UGLY, NONE)
    assert distribution.formatter() == NONE


def test_nothing_is_formatted_for_nothing() -> None:
    assert format_files({}) == ({}, "")


def _without_formatters(project: Project, *words: str) -> str:
    """What the command says in a Python whose packages have no ruff and no black."""
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from scripts.compiler import distribution\n"
        "distribution.FORMATTERS = ()\n"
        f"sys.argv[1:] = {list(words)!r}\n"
        "from scripts.compiler.main import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_unformatted_text_is_said_each_time_and_mended_later(project: MakeProject) -> None:
    made = project({"agents/a.md": "A.\n"})
    said = _without_formatters(made)
    assert "generated: warning BMAD505 neither ruff nor black could be run" in said
    assert "BMAD505" in _without_formatters(made)
    assert "# agents 1 flows 1 findings 1\n" in (made.out / "manifest.sha256").read_text()
    assert "BMAD505" not in made.compile().stdout
    assert "findings 0" in (made.out / "manifest.sha256").read_text()


BROKEN_RUFF = """
from scripts.compiler import formatter
formatter.ruff_program = lambda: None
"""
WITHOUT_BLACK = """
formatter._black = lambda files: None
"""
TRAPPED = """
def trap(files):
    assert not files, f"asked to format {sorted(files)}"
    return {}, ""
from scripts.compiler import generation
generation.format_files = trap
"""


def _compiled(project: Project, change: str) -> str:
    code = (
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[2])!r})\n{change}\n"
        "sys.argv[1:] = []\nfrom scripts.compiler.main import main\nmain()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("failing", [BROKEN_RUFF, BROKEN_RUFF + WITHOUT_BLACK])
def test_a_formatter_that_fails_is_not_asked_again(project: MakeProject, failing: str) -> None:
    made = project({"agents/a.md": "---\ntools: []\n---\nA.\n"})
    warned = "BMAD505" in _compiled(made, failing)
    assert warned == (failing != BROKEN_RUFF)
    again = _compiled(made, failing + TRAPPED)
    assert "nothing changed" in again
    assert ("BMAD505" in again) == warned
    strict = made.compile("--strict")
    assert strict.returncode == (1 if warned else 0)


def test_one_tree_has_one_formatter(project: MakeProject) -> None:
    made = project({"agents/a.md": "A.\n", "agents/b.md": "B.\n"})
    _compiled(made, BROKEN_RUFF + WITHOUT_BLACK)
    (made.src / "agents/b.md").write_text("You are B.\n")
    assert "BMAD505" not in made.compile().stdout
    text = (made.out / "manifest.sha256").read_text()
    (line,) = re.findall("^# formatter (.*)$", text, re.MULTILINE)
    expected, used = line.split(", formatted by ")
    assert expected == used
    assert used.startswith("ruff ")
