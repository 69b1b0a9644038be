"""The same sources give the same bytes, wherever, whenever and however they are compiled."""

from __future__ import annotations

import ast
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.compiler.formatter import ruff_program
from tests.conftest import MakeProject
from tests.faults.attempt import snapshot
from tests.process import clean_environment
from tests.project import COMMAND, Project

FILES = {
    "agents/analyst.md": "---\ndescription: Été – 漢字\ntools: [split]\n---\nAsk “why”.\n",
    "agents/architect.md": "---\nparallel: true\nactions: [a, b]\n---\nBuild.\n",
    "agents/ux-10.md": "---\nparallel: true\nmemory_scope: shared:x\n---\nDraw.\r\n",
    "agents/ux-9.md": "---\ncommands: [draft, {check: Check it.}]\n---\n" + "long " * 40,
    "workflow.yaml": (
        "flows:\n  default:\n    sequence:\n      - analyst\n"
        "      - parallel: [architect, ux-10]\n      - ux-9\n"
    ),
    "tools.yaml": "split:\n  module: text.cut\n  call: split\n",
    "tools/text/cut.py": (
        "def split(text: str, size: int = 5, marks: list[str] | None = None) -> list[str]:\n"
        '    """Split text."""\n    return [text[:size]]\n'
    ),
}
OTHERS = ("3.11", "3.12", "3.13")


@pytest.fixture
def made(project: MakeProject) -> Project:
    """A compiled project with something of everything."""
    made = project(FILES)
    made.generate()
    return made


def _again(made: Project, name: str, **environment: str) -> Project:
    other = Project(made.root.parent / name)
    other.root.mkdir()
    for path in sorted(made.src.rglob("*"), reverse=True):
        if path.is_file():
            target = other.src / path.relative_to(made.src)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    ended = other.compile(environment=environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return other


def test_order_seed_zone_and_language_have_no_say(made: Project) -> None:
    expected = snapshot(made.out)
    for number, environment in enumerate(
        (
            {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
            {"PYTHONHASHSEED": "77", "LANG": "tr_TR.UTF-8", "PYTHONUTF8": "0", "COLUMNS": "20"},
        )
    ):
        other = _again(made, f"other{number}", **environment)
        assert snapshot(other.out) == expected
        assert other.compile("--check").returncode == 0


def test_the_current_folder_and_the_umask_have_no_say(made: Project, tmp_path: Path) -> None:
    for number, mask in enumerate((0o077, 0o002)):
        out = tmp_path / f"out{number}" / "generated"
        ended = subprocess.run(
            [sys.executable, str(COMMAND), "--src", str(made.src), "--out", str(out)],
            cwd="/",
            env=clean_environment(),
            umask=mask,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert snapshot(out) == snapshot(made.out)
        for path in out.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) & mask == 0


def _python(version: str) -> str | None:
    """Another Python with the compiler's packages, where the machine has one."""
    for folder in (Path(sys.prefix).parent / f".venv-{version}", Path(sys.prefix)):
        program = folder / "bin/python"
        if program.exists() and _is(program, version):
            return str(program)
    return None


def _is(program: Path, version: str) -> bool:
    code = (
        f"import sys, yaml, jinja2, ruff; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    )
    return subprocess.run([program, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("version", OTHERS)
def test_every_python_writes_the_same(made: Project, tmp_path: Path, version: str) -> None:
    program = _python(version)
    if program is None:
        pytest.skip(f"no Python {version} with the compiler's packages")
    out = tmp_path / version / "generated"
    subprocess.run(
        [program, str(COMMAND), "--src", str(made.src), "--out", str(out)],
        check=True,
        env=clean_environment(),
        capture_output=True,
    )
    assert snapshot(out) == snapshot(made.out)


def test_formatting_the_output_again_changes_nothing(made: Project, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    ours = shutil.ignore_patterns("runtime", "cut.py", "__pycache__")
    shutil.copytree(made.out, copy, ignore=ours)
    before = snapshot(copy)
    program = ruff_program()
    assert program is not None
    subprocess.run([program, "format", "--isolated", "--no-cache", str(copy)], check=True)
    assert snapshot(copy) == before
    black = [sys.executable, "-m", "black", "--quiet", "--config", os.devnull, str(copy)]
    subprocess.run(black, check=True)
    assert snapshot(copy) == before
    for path, data in before.items():
        if path.endswith(".py"):
            ast.parse(data)


def test_no_secret_of_the_machine_comes_into_the_output(made: Project) -> None:
    canaries = {f"CANARY_{number}_KEY": f"canary-{number}-of-this-machine" for number in range(20)}
    known = {
        "OPENAI_API_KEY": "canary-openai",
        "BMAD_API_KEYS": "canary-bmad",
        "REDIS_URL": "redis://:canary-redis@h/0",
    }
    for folder in (made.root, made.src):
        (folder / ".env").write_text("\n".join(f"{k}={v}" for k, v in canaries.items()))
    (made.root / "config").mkdir()
    (made.root / "config/secrets.env").write_text("OPENAI_API_KEY=canary-file\n")
    (made.src / "agents/broken.md").write_text("---\nnope: 1\n---\n")
    broken = made.compile("--verbose", environment={**canaries, **known})
    (made.src / "agents/broken.md").unlink()
    (made.src / "agents/new.md").write_text("New.\n")
    good = made.compile("--verbose", environment={**canaries, **known})
    assert (broken.returncode, good.returncode) == (1, 0)
    said = broken.stdout + broken.stderr + good.stdout + good.stderr
    assert "canary" not in said
    assert not any(b"canary" in data for data in snapshot(made.out).values())
