"""A whole v4 project as a draft."""

from __future__ import annotations

from ....runtime import spec
from ....runtime.yamltext import Scalar, Sequence
from ...diagnostics import Diagnostics, quoted
from .. import detect, lenient
from ..draft import Draft, DraftAgent, Origin
from ..tree import ForeignTree
from ..untaken import untaken
from . import homes, settings
from .agents import AgentReader, Found
from .assets import Assets
from .commands import fitted
from .crew import Crew
from .homes import Home
from .workflows import WorkflowReader, paths

NAME = "bmad-v4"


def recognises(tree: ForeignTree) -> str:
    """Why a tree is a v4 project; empty when it is none."""
    found = homes.find(tree)
    if not found:
        return ""
    return f"{found[0].agents[0]} has a YAML block with agent:"


def read(tree: ForeignTree, diagnostics: Diagnostics) -> Draft:
    """The project's draft; findings go into `diagnostics`, which is the tree's."""
    return _Project(tree, diagnostics).read()


class _Project:
    def __init__(self, tree: ForeignTree, diagnostics: Diagnostics) -> None:
        self.tree = tree
        self.diagnostics = diagnostics
        self.draft = Draft(NAME)
        self.homes = homes.find(tree)
        self.assets = Assets(tree, self.homes, self.draft)
        self.agents: list[Found] = []
        self.by_id: dict[str, Found] = {}  # by the id that they have now

    def read(self) -> Draft:
        reader = AgentReader(self.assets)
        for home in self.homes:
            own: dict[str, Found] = {}
            for path in home.agents:
                if (found := reader.read(home, path)) is not None:
                    self._take(home, found, own)
            self._tell_strangers(home)
        self._set_standing()
        workflows = WorkflowReader(Crew(self.assets, self.agents))
        for home in self.homes:
            for path in paths(home, self.tree.files) if not home.is_copy else ():
                workflows.read(home, path)
        for home in self.homes:
            self._read_teams(home)
        self._tell_dropped()
        return self.draft

    def _set_standing(self) -> None:
        """The documents that agents are always shown, as `core-config.yaml` says."""
        for path in sorted(self.tree.files):
            if path.rpartition("/")[2] == "core-config.yaml":
                settings.read(self.tree, path, self.agents, self.draft)

    def _read_teams(self, home: Home) -> None:
        """Teams are subsets for an editor; here every agent and every workflow is there."""
        start = f"{home.folder}agent-teams/"
        for path in sorted(self.tree.files):
            if path.startswith(start) and path.endswith((".yaml", ".yml")):
                self._read_team(home, path)

    def _read_team(self, home: Home, path: str) -> None:
        root = lenient.mapping(self.tree, path, self.tree.text(path) or "")
        if root is None:
            return
        self.draft.taken[path] = f"{path} is a team of agents"
        why = "a service has all agents and all workflows; a team is a choice for an editor"
        self.draft.account(Origin(path, root.line), "team", path, "approximated", why)
        for key, value in root.entries:
            if key.text != "agents" or not isinstance(value, Sequence):
                continue
            for item in value.items:
                if isinstance(item, Scalar) and item.text != "*" and not self._is_agent(item.text):
                    message = f"the team names {quoted(item.text)}, which is no agent"
                    at = self.tree.at(path, item.line, item.column)
                    self.diagnostics.add("BMAD608", at, message, "remove it from the team")

    def _is_agent(self, name: str) -> bool:
        key = spec.id_key(fitted(name))
        return any(
            key in (found.own_key(), found.stem_key(), found.plain_key()) for found in self.agents
        )

    def _take(self, home: Home, found: Found, own: dict[str, Found]) -> None:
        draft, key = found.draft, spec.id_key(found.draft.id)
        if key in own:
            first = own[key].draft.at
            message = f"the id {quoted(draft.id)} is taken by {first.path}"
            at = self.tree.at(draft.at.path, draft.at.line, draft.at.column)
            self.diagnostics.add("BMAD615", at, message, "give one of them another id")
            self._leave(draft, message)
            return
        own[key] = found
        if key in self.by_id and home.is_copy:
            why = f"an editor's copy of {self.by_id[key].draft.at.path}"
            self._leave(draft, why)
            at = self.tree.at(draft.at.path, draft.at.line, draft.at.column)
            self.diagnostics.add("BMAD611", at, f"{quoted(draft.id)} is left out: {why}")
            return
        if key in self.by_id:
            self._rename(home, found)
        self.by_id[spec.id_key(draft.id)] = found
        self.agents.append(found)
        self.draft.agents.append(draft)
        self.draft.account(draft.at, "agent", found.own_id, "carried")

    def _leave(self, draft: DraftAgent, why: str) -> None:
        """Leave an agent out, with all that was carried over for it."""
        path, accounts = draft.at.path, self.draft.accounts
        self.draft.accounts = [each for each in accounts if each.at.path != path]
        self.draft.account(draft.at, "agent", draft.id, "left", why)

    def _tell_strangers(self, home: Home) -> None:
        """Files beside agents that are none, but for those that another reader takes."""
        start = f"{home.folder}agents/"
        for path in sorted(self.tree.files):
            if not path.startswith(start) or not path.endswith(".md") or path in home.agents:
                continue
            if ".claude/agents/" in f"/{path}":
                continue  # those of Claude Code, which are read or refused as that
            text = self.tree.text(path)
            if text is None:
                self.draft.account(Origin(path), "file", path, "left", "it cannot be read")
            elif not self._is_anothers(home, text):
                message = f"this is no agent: {detect.no_agent(text)}"
                hint = "move it elsewhere, or mend its block"
                self.diagnostics.add("BMAD613", self.tree.at(path), message, hint)
                self.draft.account(Origin(path), "file", path, "left", message)

    def _is_anothers(self, home: Home, text: str) -> bool:
        """Whether a file beside agents is an agent of another form, which is read there."""
        kind = detect.of_agent(text).kind
        return kind == "v6-xml" or (kind in ("native", "named") and not home.folder)

    def _rename(self, home: Home, found: Found) -> None:
        draft = found.draft
        first = self.by_id[spec.id_key(draft.id)].draft.at
        pack = home.pack if home.pack[0].isalpha() else f"pack-{home.pack}"
        new = untaken(self.by_id, fitted(f"{pack}-{draft.id}"))
        message = f"the id {quoted(draft.id)} is taken by {first.path}: here it is {quoted(new)}"
        at = self.tree.at(draft.at.path, draft.at.line, draft.at.column)
        self.diagnostics.add("BMAD607", at, message, "rename one of them to choose the id yourself")
        draft.notes.append(f"Its own id, {draft.id}, is taken by {first.path}.")
        draft.id = new

    def _tell_dropped(self) -> None:
        count = sum(found.dropped for found in self.agents)
        if not count:
            return
        first = self.agents[0].draft.at
        agents = len(self.agents)
        left = "greetings, help, staying in character, resolution of files"
        message = (
            f"directives and commands for a conversation are left out, {count} in "
            f"{agents} {'agent' if agents == 1 else 'agents'}: {left}"
        )
        at = self.tree.at(first.path, first.line, first.column)
        self.diagnostics.add("BMAD600", at, message, "a service has nobody to greet")
        self.draft.account(Origin(first.path), "directives", str(count), "left", left)
