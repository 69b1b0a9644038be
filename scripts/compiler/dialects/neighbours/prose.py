"""Projects in plain prose: `bmad/agents/*.md`, and workflows whose headings name agents."""

from __future__ import annotations

import re
from typing import Final

from ....runtime import spec
from ...diagnostics import Diagnostics, quoted
from .. import detect
from ..draft import Draft, DraftAgent, DraftFlow, DraftStep, Origin
from ..tree import ForeignTree
from ..v6.markdown import Section, sections
from ..v6.paths import folder_of
from ..v6.persona import one_line, slug

NAME: Final = "prose"
_HOMES: Final = ("bmad", "_bmad", ".bmad")
_NAMES: Final = re.compile(r"^(?:agents?|rôles?|roles?)\s*[:—–-]+\s*", re.IGNORECASE)
_AGENT: Final = re.compile(r"\bAgents?\b[*_]*\s*:[*_]*\s*([^)`\n(]+)", re.IGNORECASE)
_NOT_AGENTS: Final = frozenset({"readme.md", "index.md", "template.md"})


def recognises(tree: ForeignTree) -> str:
    """Why a tree is a project in prose; empty when it is none."""
    found = _agents(tree)
    return f"{found[0]} is an agent in prose" if found else ""


def _agents(tree: ForeignTree) -> list[str]:
    """The agents' files, when all of a home's agents are prose."""
    found = []
    for path in sorted(tree.files):
        folder, _, name = path.rpartition("/")
        home, _, last = folder.rpartition("/")
        is_home = home.rpartition("/")[2] in _HOMES
        if last != "agents" or not is_home or not name.endswith(".md"):
            continue
        if name.lower() in _NOT_AGENTS:
            continue
        if detect.of_agent(tree.text(path) or "").kind != "prose":
            return []
        found.append(path)
    return found


def read(tree: ForeignTree, diagnostics: Diagnostics) -> Draft:
    """The project's draft; findings go into `diagnostics`, which is the tree's."""
    draft = Draft(NAME)
    names: dict[str, str] = {}
    for path in _agents(tree):
        _read_agent(tree, draft, path, names)
    homes = {folder_of(folder_of(path)) for path in _agents(tree)}
    for path in sorted(tree.files):
        folder, _, name = path.rpartition("/")
        if folder_of(folder) in homes and folder.endswith("workflows") and name.endswith(".md"):
            _read_flow(tree, draft, path, names, diagnostics)
    return draft


def _read_agent(tree: ForeignTree, draft: Draft, path: str, names: dict[str, str]) -> None:
    text = tree.text(path) or ""
    stem = path.rpartition("/")[2].removesuffix(".md")
    own = slug(stem) or "agent"
    taken = {spec.id_key(agent.id) for agent in draft.agents}
    own = next(
        name
        for name in (own, *(f"{own[:60]}-{n}" for n in range(2, 999)))
        if spec.id_key(name) not in taken
    )
    title = next((each.title for each in sections(text) if each.level == 1), stem)
    title = _NAMES.sub("", one_line(title)).strip()
    agent = DraftAgent(own, Origin(path), description=title)
    agent.prompt = text if text.endswith("\n") else f"{text}\n"
    for name in (own, slug(title), slug(stem)):
        names.setdefault(name, own)
    draft.agents.append(agent)
    draft.taken[path] = f"{path} is an agent in prose"
    draft.account(Origin(path), "agent", own, "carried")


def _read_flow(
    tree: ForeignTree, draft: Draft, path: str, names: dict[str, str], diagnostics: Diagnostics
) -> None:
    text = tree.text(path) or ""
    name = slug(path.rpartition("/")[2].removesuffix(".md")) or "workflow"
    flow = DraftFlow(name, Origin(path), notes=["Its steps are the headings that name an agent."])
    place = 1
    for section in sections(text):
        at = Origin(path, place)
        place += section.text.count("\n") + 1
        if section.level == 1:
            flow.description = one_line(section.title)
        if section.level > 1:
            _read_step(draft, flow, section, at, names)
    draft.taken[path] = f"{path} is a workflow in prose"
    if not flow.steps:
        message = f"the workflow {quoted(name)} names no agent, and is left out"
        hint = "write its order as a flow in workflow.yaml"
        diagnostics.add("BMAD643", tree.at(path), message, hint)
        draft.account(Origin(path), "workflow", name, "left", "it names no agent of the project")
        return
    message = f"the workflow {quoted(name)} is prose: its steps are headings that name an agent"
    diagnostics.add("BMAD643", tree.at(path), message, "look through the flow")
    draft.flows.append(flow)
    draft.account(Origin(path), "workflow", name, "approximated", "its steps are its headings")


def _read_step(
    draft: Draft, flow: DraftFlow, section: Section, at: Origin, names: dict[str, str]
) -> None:
    agent = next(
        (names[slug(found)] for found in _AGENT.findall(section.text) if slug(found) in names),
        None,
    )
    if agent is None:
        draft.account(at, "section", section.title, "left", "it names no agent of the project")
        return
    step_id = slug(_AGENT.sub("", section.title)) or f"step-{len(flow.steps) + 1}"
    taken = {step.keys["id"] for step in flow.steps}
    while step_id in taken or step_id == "end":
        step_id = f"{step_id[:58]}-{len(flow.steps) + 1}"
    keys = {"agent": agent, "id": step_id, "note": section.text.strip()}
    flow.steps.append(DraftStep(keys, at))
    draft.account(at, "section", section.title, "carried")
