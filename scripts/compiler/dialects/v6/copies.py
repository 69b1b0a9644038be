"""What stands in a project more than once: word for word, compiled, or put into an editor's folder.

It is read once: from the project itself rather than from an editor's folder, the first by path
else, and an agent from the YAML that it was made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from .. import detect
from ..tree import ForeignTree
from .paths import folder_of

YAML: Final = ".agent.yaml"
_ENTRIES: Final = frozenset(
    {"SKILL.md", "workflow.md", "workflow.yaml", "workflow.yml", "workflow.xml"}
)
_HOMES: Final = frozenset({"bmad", "_bmad", ".bmad"})
_XML: Final = re.compile(rb"<agent\b[^>]*\b(?:id|name)\s*=")
_ID: Final = re.compile(rb"<agent\b[^>]*\bid\s*=\s*[\"']([^\"']*)")

Tail = tuple[str, str]


class Copies(NamedTuple):
    """`workflows` and `agents` that are not read: by their entry file, the one that is."""

    workflows: dict[str, str]
    agents: dict[str, str]


def is_xml_agent(tree: ForeignTree, path: str) -> bool:
    """Whether a Markdown file holds an agent in XML; what agents' folders hold, and no copy."""
    if not path.endswith(".md") or not _XML.search(tree.files[path]):
        return False
    if "agents" not in path.split("/")[:-1]:
        return False
    return detect.of_agent(tree.text(path) or "").kind == "v6-xml"


def doubled(tree: ForeignTree) -> Copies:
    """Workflows and agents that stand elsewhere in the project word for word, under one name."""
    found = Copies({}, {})
    first: dict[tuple[str, str, bytes], list[str]] = {}
    gone = ""
    for path in tree.paths:
        folder, _, name = path.rpartition("/")
        if gone and path.startswith(gone):
            continue
        if name in _ENTRIES and folder:
            known = first.setdefault((name, folder.rpartition("/")[2], tree.files[path]), [])
            same = (each for each in known if _are_same(tree, folder_of(each), folder))
            if (other := next(same, None)) is not None:
                found.workflows[path] = other
                gone = f"{folder}/"
            else:
                known.append(path)
        elif _is_agent(path, tree.files[path]):
            known = first.setdefault((name, "", tree.files[path]), [])
            if known:
                found.agents[path] = known[0]
            known.append(path)
    return found


def of_editors(tree: ForeignTree, own: Iterable[str], editors: Iterable[str]) -> dict[str, str]:
    """Agents in XML in editors' folders: by their path the project's own one, empty for none."""
    known: dict[Tail, str] = {}
    for path in own:
        if path.endswith(YAML) or _is_agent(path, tree.files[path]):
            known.setdefault(tail(path), path)
    found = {}
    for path in editors:
        if not is_xml_agent(tree, path):
            continue
        written = _ID.search(tree.files[path])
        tails = (tail(path), tail(written[1].decode(errors="replace") if written else ""))
        found[path] = next((known[each] for each in tails if each in known), "")
        if not found[path]:
            known[tail(path)] = path
    return found


def source(path: str, sources: Mapping[Tail, str], files: Mapping[str, bytes]) -> str:
    """The YAML that an agent's Markdown was made of; empty when there is none.

    It stands beside, or the Markdown is what installing the module has made of it.
    """
    beside = f"{path.removesuffix('.md').removesuffix('.agent')}{YAML}"
    if beside in files:
        return beside
    is_installed = bool(_HOMES & set(path.split("/")[:-1]))
    return sources.get(tail(path), "") if is_installed else ""


def tail(path: str) -> Tail:
    """What an agent's file has in common wherever it is installed: its module, and its name."""
    parts = path.split("/")
    name = parts.pop()
    for suffix in (YAML, ".agent.md", ".md"):
        name = name.removesuffix(suffix)
    while parts and parts[-1] == "agents":
        parts.pop()
    return parts[-1] if parts else "", name


def _is_agent(path: str, data: bytes) -> bool:
    if "agents" not in path.split("/")[:-1]:
        return False
    return path.endswith(YAML) or (path.endswith(".md") and _XML.search(data) is not None)


def _are_same(tree: ForeignTree, one: str, other: str) -> bool:
    """Whether two folders hold the same files, word for word."""
    return _inside(tree, one) == _inside(tree, other)


def _inside(tree: ForeignTree, folder: str) -> dict[str, bytes]:
    return {path[len(folder) :]: tree.files[path] for path in tree.below(folder)}
