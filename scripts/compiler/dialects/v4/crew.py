"""Whom and what the workflows of a tree may name: its agents, its files, the flows so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from ....runtime import spec
from ...diagnostics import quoted
from ..draft import Draft, Origin
from ..tree import ForeignTree
from ..untaken import untaken
from . import commands
from .agents import Found
from .assets import Assets
from .homes import Home


@dataclass(slots=True)
class Crew:
    """What all workflows of one tree share."""

    assets: Assets
    agents: list[Found]
    names: set[str] = field(default_factory=set)  # of flows, as they are told apart

    @property
    def tree(self) -> ForeignTree:
        return self.assets.tree

    @property
    def draft(self) -> Draft:
        return self.assets.draft

    def agent(self, home: Home, name: str) -> Found | None:
        """The agent that a workflow of `home` calls so: of its own home first, then any."""
        key = spec.id_key(commands.fitted(name))
        own = [found for found in self.agents if found.home.folder == home.folder]
        for among, names in (
            (own, Found.own_key),
            (own, Found.stem_key),
            (own, Found.plain_key),
            (self.agents, Found.own_key),
        ):
            found = next((each for each in among if names(each) == key), None)
            if found is not None:
                return found
        return None

    def nearest(self, home: Home, name: str) -> Found | None:
        """Whom a name that no agent has can only mean: of its own home first, then of the core.

        Either it is short for exactly one (`game-dev`), or it ends with one's whole name
        (`solution-architect`).
        """
        parts = _words(name)
        for folder in dict.fromkeys((home.folder, *(each.home.folder for each in self.agents))):
            among = [a for a in self.agents if a.home.folder == folder]
            if folder != home.folder and any(found.home.pack for found in among):
                continue
            near = [a for a in among if _is_short(parts, _words(a.own_id))]
            near = near or [a for a in among if parts[1:] and _words(a.own_id) == parts[-1:]]
            if len(near) == 1:
                return near[0]
        return None

    def free(self, own: str, home: Home, at: Origin) -> str:
        """A name for a flow that no other has."""
        if spec.id_key(own) in self.names:
            new = commands.fitted(f"{home.pack or 'core'}-{own}")
            self.find(
                "BMAD607", at, f"the flow {quoted(own)} is there already: this is {quoted(new)}"
            )
            own = new
        name = untaken(self.names, own)
        self.names.add(spec.id_key(name))
        return name

    def find(self, code: str, at: Origin, message: str, hint: str = "") -> None:
        """Tell of a place in a workflow."""
        place = self.tree.at(at.path, at.line, at.column)
        self.tree.diagnostics.add(code, place, message, hint)


def _words(name: str) -> list[str]:
    return commands.fitted(name).lower().split("-")


def _is_short(parts: list[str], whole: list[str]) -> bool:
    """Whether each word is the other's, or begins it."""
    return len(parts) == len(whole) and all(
        len(one) > 1 and other.startswith(one) for one, other in zip(parts, whole, strict=True)
    )
