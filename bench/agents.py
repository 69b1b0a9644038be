"""The agents that a project states, in any form, found and parsed without the compiler's readers.

An agent is parseable if the parser of its form (PyYAML, `xml.etree`, `tomllib`) takes it.
"""

from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from . import declared

_BLOCK = re.compile(r"^```ya?ml[^\n]*\n(?:[^\n]*\n)*?agent:", re.MULTILINE)
_XML = re.compile(r"^[ \t]*(<agent\b[^>]*\b(?:id|name)=.*?</agent>)", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^## Title: *\S", re.MULTILINE)
_PROSE = re.compile(r"\A# Agent\b", re.IGNORECASE)
_EDITORS = {".claude", ".github", ".agents"}
_TEST_DATA = {"fixtures"}


@dataclass(frozen=True)
class Stated:
    """An agent's file, from the project's folder; `fault` says why it cannot be parsed."""

    path: str
    form: str
    fault: str = ""


def stated(folder: Path) -> list[Stated]:
    """Every agent of a project, but for test data and editors' copies of agents."""
    v4 = {each.path for each in declared.personas(folder)}
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix not in (".md", ".yaml") or _TEST_DATA & {*parts} or parts[0] in _EDITORS:
            continue
        for form, fault in _agents(path, path.read_bytes().decode(errors="replace"), v4):
            found.append(Stated("/".join(parts), form, fault))
    return found


def _agents(path: Path, text: str, v4: set[Path]) -> Iterator[tuple[str, str]]:
    """The form of each agent of a file, and why it cannot be parsed."""
    if path.name.endswith(".agent.yaml"):
        yield "YAML", _fault_of_yaml(text)
    elif path.name == "SKILL.md":
        if is_agent_skill(path):
            yield "skill", ""
    elif path.name.startswith("ide-") and path.name.endswith(".cfg.md"):
        yield from [("v3", "")] * len(_TITLE.findall(text))
    elif path.parent.name != "agents" or path.suffix != ".md":
        return
    elif path in v4:
        yield "block", ""
    elif _BLOCK.search(text):
        yield "block", "its YAML does not parse"
    elif element := _XML.search(text):
        yield "XML", _fault_of_xml(element[1])
    elif _PROSE.search(text):
        yield "prose", ""


def _fault_of_yaml(text: str) -> str:
    try:
        root = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return f"its YAML does not parse: {str(error).splitlines()[0]}"
    agent = root.get("agent") if isinstance(root, dict) else None
    return "" if isinstance(agent, dict) and "metadata" in agent else "it has no metadata"


def _fault_of_xml(text: str) -> str:
    try:
        ET.fromstring(text)  # noqa: S314 - the corpus is ours to read
    except ET.ParseError as error:
        return f"its XML is not well-formed: {error}"
    return ""


def is_agent_skill(path: Path) -> bool:
    """Whether a `SKILL.md` is an agent's, as its table or its manifest says."""
    table, manifest = path.with_name("customize.toml"), path.with_name("bmad-skill-manifest.yaml")
    if table.exists() and "agent" in tomllib.loads(table.read_text("utf-8")):
        return True
    return manifest.exists() and "type: agent" in manifest.read_text("utf-8")
