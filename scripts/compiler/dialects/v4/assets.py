"""The files that v4 agents and steps name: found in their home, in the core, in `common/`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ...diagnostics import near_match, quoted
from .. import lenient
from ..assets import is_path
from ..draft import Draft, DraftFile, Origin
from ..tree import ForeignTree
from . import homes
from .homes import Home

# What the native form has no folder for lies in `data/`, under its own name.
_NATIVE: Final = {"tasks": "tasks", "templates": "templates", "checklists": "checklists"}
_SUFFIXES: Final = ("", ".md", ".yaml", ".yml", ".txt", ".csv", ".json")
_ROOT: Final = re.compile(r"\{root\}/")
_OUTSIDE: Final = re.compile(r"[/~\\]|[A-Za-z]:")
_KEY: Final = {"task": "tasks", "template": "templates", "checklist": "checklists"}


@dataclass(slots=True)
class Assets:
    """Finds each file once and puts it into the draft."""

    tree: ForeignTree
    homes: list[Home]
    draft: Draft
    _known: dict[tuple[str, str], str | None] = field(default_factory=dict)
    _names: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def find(self, home: Home, kind: str, name: str) -> str | None:
        """The native path (`tasks/x.md`) of the file that an agent of `home` calls `name`."""
        name = name.strip().removeprefix("./")
        for folder in homes.candidates(home, self.homes, kind):
            for suffix in _SUFFIXES:
                path = f"{folder}{name}{suffix}"
                if path in self.tree.files and is_path(name + suffix):
                    return self._take(home, kind, path, name + suffix)
        return None

    def named(self, home: Home, kind: str, name: str, at: Origin) -> str | None:
        """As `find`; what is not there, or leads out of the tree, is reported at `at`."""
        place = self.tree.at(at.path, at.line, at.column)
        if _OUTSIDE.match(name) or ".." in re.split(r"[/\\]", name):
            message = f"{quoted(name)} leads out of the project"
            self.tree.diagnostics.add("BMAD612", place, message, "name a file of the project")
            return None
        found = self.find(home, kind, name)
        if found is None:
            near = self._near(home, kind, name)
            message = f"there is no file {quoted(name)} among the {kind}"
            hint = near or "it is left out; add the file, or remove its name"
            self.tree.diagnostics.add("BMAD605", place, message, hint)
        return found

    def _near(self, home: Home, kind: str, name: str) -> str:
        folders = tuple(homes.candidates(home, self.homes, kind))
        if folders not in self._names:
            found = (path for path in self.tree.files if path.startswith(folders))
            self._names[folders] = [path.rpartition("/")[2] for path in found]
        return near_match(name, self._names[folders])

    def _take(self, home: Home, kind: str, path: str, name: str) -> str | None:
        known = self._known.get((kind, path))
        if known is not None:
            return known
        text = self.tree.text(path)
        if text is None:
            return None
        if kind == "templates" and path.endswith((".yaml", ".yml")):
            text = lenient.repaired(self.tree, path, text, failure="BMAD618").text
        data = _ROOT.sub("", text).encode()
        own = f"{kind}/{name}" if kind in _NATIVE else f"data/{kind}/{name}"
        if kind == "data":
            own = f"data/{name}"
        if own in self.draft.files and self.draft.files[own].data != data:
            first, _, rest = own.partition("/")
            own = f"{first}/{home.pack or 'core'}/{rest}"
        if own not in self.draft.files:
            self.draft.files[own] = DraftFile(data, Origin(path))
            self.draft.account(Origin(path), kind.removesuffix("s"), name, "carried")
        else:
            why = f"it is the same as {self.draft.files[own].at.path}"
            self.draft.account(Origin(path), kind.removesuffix("s"), name, "carried", why)
        self.draft.taken.setdefault(path, f"{path} is named by an agent or a workflow")
        self._known[(kind, path)] = own
        return own


def key_of(path: str) -> str:
    """The native key under which a file of that path is listed: `tasks/x.md` under `tasks`."""
    return path.partition("/")[0]


def step_key(path: str) -> str | None:
    """The key that binds a file to a command or a step."""
    folder = key_of(path)
    return next((key for key, value in _KEY.items() if value == folder), None)
