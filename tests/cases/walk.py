"""What the compiler makes of a case: `bmad/` beside `expected/`, `diagnostics.txt`, or both.

With `before/bmad/` that is compiled first, to the same place. A case with `kept.txt` is compiled
with `--keep-going`; it names the agents and flows that are there all the same.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.process import clean_environment
from tests.project import COMMAND, COMPILE_SECONDS

FOLDER = Path(__file__).parent
# The parts of a tree that differ from case to case; the rest has tests of its own.
PARTS = ("agents", "flows", "graphs")
REGISTRY = "tools/__init__.py"
KEPT = "kept.txt"
_WHERE_FROM = (b"# Generated from", b"%% Generated from")


def names() -> list[str]:
    """Every case."""
    return sorted(path.parent.name for path in FOLDER.glob("*/bmad"))


def run(name: str, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on a case, started in its folder."""
    if (FOLDER / name / "before").exists():
        _compile(FOLDER / name / "before", out).check_returncode()
    return _compile(FOLDER / name, out, *arguments)


def _compile(folder: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(COMMAND), "--out", str(out), *arguments],
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=COMPILE_SECONDS,
        check=False,
    )


def findings(done: subprocess.CompletedProcess[str]) -> str:
    """What was found, without the last line, which tells times."""
    return "".join(done.stdout.splitlines(keepends=True)[:-1])


def generated(out: Path) -> dict[str, bytes]:
    """The files of a tree that a case is about."""
    files = [path for part in PARTS for path in (out / part).glob("*") if path.is_file()]
    files.append(out / REGISTRY)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def behaviour(out: Path) -> dict[str, list[bytes]]:
    """The lines of all files that decide what a tree does, without those that say where from."""
    files = (path for part in (*PARTS, "assets", "tools") for path in (out / part).rglob("*"))
    return {
        path.relative_to(out).as_posix(): [
            line for line in path.read_bytes().splitlines() if not line.startswith(_WHERE_FROM)
        ]
        for path in sorted(files)
        if path.is_file()
    }


def is_kept(name: str) -> bool:
    """Whether a case is about what is left of a broken project."""
    return (FOLDER / name / KEPT).exists()


def kept(out: Path) -> str:
    """The agents and flows of a tree, a line each; empty without a tree."""
    agents = (_id(path) for path in (out / "agents").glob("*.py"))
    graphs = (json.loads(path.read_text("utf-8")) for path in (out / "graphs").glob("*.json"))
    lines = [f"agent {found[1]}" for found in agents if found]
    lines += [f"flow {graph['flow']}" for graph in graphs]
    lines.sort()
    return "".join(f"{line}\n" for line in lines)


def _id(path: Path) -> re.Match[str] | None:
    return re.search(r'^    id = "([^"]+)"$', path.read_text("utf-8"), re.MULTILINE)


def recorded(name: str) -> dict[str, bytes]:
    """The files in `expected/`."""
    top = FOLDER / name / "expected"
    files = (path for path in top.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in files}


def recorded_findings(name: str) -> str:
    """The text of `diagnostics.txt`, empty without one."""
    path = FOLDER / name / "diagnostics.txt"
    return path.read_text(encoding="utf-8") if path.exists() else ""
