"""The files that a step is about: its task, its document's template, its checklist."""

from __future__ import annotations

import re
from typing import Any, Final

from ...diagnostics import quoted
from .agents import Found
from .assets import step_key
from .crew import Crew
from .homes import Home
from .steps import Source

Files = dict[str, list[str]]  # native paths, by the key that binds them

_JOINS: Final = frozenset({"", "OR", "AND", "or", "and"})
_TEMPLATE: Final = re.compile(r"[\w-]+-tmpl(?:v\d)?\b")
_TASK: Final = re.compile(r"\b(?:task|uses?|using)\s+`?([\w-]+)", re.IGNORECASE)
_TASK_FILE: Final = re.compile(r"([\w-]+)\.md\s+task\b", re.IGNORECASE)
_FILENAME: Final = re.compile(r"^\s{2,}filename:\s*[\"']?([^\"'\n]+)", re.MULTILINE)


class Binding:
    """Binds files to the steps of one home's workflows."""

    def __init__(self, crew: Crew, home: Home) -> None:
        self.crew = crew
        self.home = home

    def bind(self, source: Source, agent: Found, keys: dict[str, Any]) -> None:
        """The task, template and checklist that a step is about."""
        found: Files = {}
        for name in source.uses:
            self._used(name, agent, source, found)
        self._mentioned(source, agent, found)
        creates = keys.get("creates")
        if creates and source.creates and "template" not in found:
            found |= self._template_of(agent, creates)
        if "template" in found:
            self._keep_one(source, creates, found)
        if "task" not in found:
            found |= self._task_of(source, agent, found)
        for key in ("task", "template", "checklist", "data"):
            names = [path.partition("/")[2] for path in dict.fromkeys(found.get(key, ()))]
            if names:
                keys[key] = names[0] if len(names) == 1 else names

    def _keep_one(self, source: Source, creates: str | None, found: Files) -> None:
        """One document has one template: the one that is named like it, else the first."""
        stem = (creates or "").removesuffix(".md")
        paths = list(dict.fromkeys(found["template"]))
        like = (p for p in paths if stem and p.rpartition("/")[2].startswith(f"{stem}-"))
        kept = next(like, paths[0])
        found["template"] = [kept]
        for path in paths:
            if path != kept:
                why = f"a step has one template: {kept} is it, the agent can read this one"
                self.crew.draft.account(source.at, "uses", path, "approximated", why)

    def _mentioned(self, source: Source, agent: Found, found: Files) -> None:
        """Templates and tasks that the step's own words name."""
        for key, pattern, text in (
            ("template", _TEMPLATE, source.note),
            ("task", _TASK, f"{source.action}\n{source.note}"),
        ):
            if key in found:
                continue
            names = pattern.findall(text)
            if key == "task":
                names += _TASK_FILE.findall(text)
            for name in names:
                path = self._lookup(agent, f"{key}s", name)
                if path is not None and path not in found.get(key, ()):
                    found.setdefault(key, []).append(path)

    def _used(self, text: str, agent: Found, source: Source, found: Files) -> None:
        """What `uses` names: of several in one text all that are there."""
        names = [word for word in re.split(r"[\s,]+", text) if word not in _JOINS]
        taken, left = False, []
        for name in names:
            folder, _, bare = name.rpartition("/")
            kinds = (folder,) if folder else ("checklists", "templates", "tasks", "data")
            path = next(filter(None, (self._lookup(agent, kind, bare) for kind in kinds)), None)
            key = path and step_key(path)
            if path and key:
                found.setdefault(key, []).append(path)
                taken = True
            else:
                left.append(name)
        if taken and left:
            why = "there is no such file"
            self.crew.draft.account(source.at, "uses", " ".join(left), "left", why)
        if not taken:
            message = f"there is no task, template or checklist {quoted(text)}"
            self.crew.find("BMAD605", source.at, message, "add the file, or remove its name")
            self.crew.draft.account(source.at, "uses", text, "left", message)

    def _lookup(self, agent: Found, kind: str, name: str) -> str | None:
        assets = self.crew.assets
        return assets.find(agent.home, kind, name) or assets.find(self.home, kind, name)

    def _template_of(self, agent: Found, creates: str) -> Files:
        """The agent's template whose document is the one that is created."""
        stem = creates.removesuffix(".md")
        files = self.crew.draft.files
        paths = [path for _, path in agent.names.get("templates", ())]
        named = [
            p
            for p in paths
            if p.rpartition("/")[2].startswith((f"{stem}-tmpl", f"{stem}-template"))
        ]
        if not named:
            for path in paths:
                filename = _FILENAME.search(files[path].data.decode())
                if filename and filename[1].strip().rpartition("/")[2] == creates:
                    named.append(path)
        return {"template": named[:1]} if named else {}

    def _task_of(self, source: Source, agent: Found, found: Files) -> Files:
        """The task that a step is about by its action, else by what it makes or validates."""
        paths = [path for _, path in agent.names.get("tasks", ())]
        stems = {path: path.rpartition("/")[2].rpartition(".")[0] for path in paths}
        wanted = set(re.split(r"[_\s-]+", source.action)) - {""} if source.action else set()
        if wanted:
            near = [p for p, stem in stems.items() if _covers(set(stem.split("-")), wanted)]
            if near:
                return {"task": [min(near, key=lambda path: (len(stems[path]), path))]}
        general = "execute-checklist" if "checklist" in found else "create-doc"
        if "checklist" in found or "template" in found:
            near = [path for path, stem in stems.items() if stem == general]
            return {"task": near} if near else {}
        return {}


def _covers(stem: set[str], wanted: set[str]) -> bool:
    """Whether a task's words are those of an action: `create_story` is `create-next-story`."""
    singular = {word.removesuffix("s") for word in wanted}
    own = {word.removesuffix("s") for word in stem}
    if "shard" in own & singular:
        return True
    return singular <= own or (len(own) > 1 and own <= singular)
