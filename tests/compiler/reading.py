"""A source folder from text, and what reading it finds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.compiler.diagnostics import Diagnostic, Diagnostics
from scripts.compiler.load import load
from scripts.compiler.model import Agent, Project


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """`folder/bmad` with these files, byte for byte."""
    src = folder / "bmad"
    src.mkdir(exist_ok=True)
    for name, content in files.items():
        path = src / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return src


def read(folder: Path, files: Mapping[str, str | bytes]) -> tuple[Project, list[Diagnostic]]:
    """The project of these files, and every finding."""
    diagnostics = Diagnostics()
    project = load(write(folder, files), "bmad", diagnostics)
    return project, list(diagnostics)


def read_agent(folder: Path, text: str | bytes) -> tuple[Agent, list[Diagnostic]]:
    """A project of one agent, `agents/analyst.md`."""
    project, found = read(folder, {"agents/analyst.md": text})
    return project.agents[0], found


def codes(found: list[Diagnostic]) -> list[str]:
    """`CODE line:column` of each finding."""
    return [f"{each.code} {each.line}:{each.column}" for each in found]
