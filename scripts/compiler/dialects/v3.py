"""BMAD v3: personas in prose and one configuration document that names their tasks.

Rare and early: what the document lists becomes agents with commands, and a finding says that
this is all that is read of it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ...runtime import spec
from ..diagnostics import Diagnostics, quoted
from .assets import is_path
from .draft import Draft, DraftAgent, DraftFile, Origin
from .tree import ForeignTree
from .v6.paths import folder_of, joined
from .v6.persona import SERVICE, one_line, slug

NAME: Final = "bmad-v3"
_CONFIGURATION: Final = re.compile(r"(?:ide|web)-bmad-orchestrator.*\.cfg\.md$")
_TITLE: Final = re.compile(r"^##[ \t]+Title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_FIELD: Final = re.compile(r"^[ \t]*-[ \t]*([A-Za-z]+):[ \t]*\"?(.*?)\"?[ \t]*$", re.MULTILINE)
_LINK: Final = re.compile(r"\[([^\]\n]+)\]\(([^)\n]+)\)")
_KINDS: Final = {
    "tasks": "task",
    "templates": "template",
    "checklists": "checklist",
    "data": "data",
}


def recognises(tree: ForeignTree) -> str:
    """Why a tree is a v3 project; empty when it is none."""
    path = _configuration(tree)
    return f"{path} lists agents by ## Title:" if path else ""


def _configuration(tree: ForeignTree) -> str:
    """The document that is read: that for editors before that for the web."""
    found = [
        path
        for path in sorted(tree.files)
        if _CONFIGURATION.search(path) and _TITLE.search(tree.text(path) or "")
    ]
    return min(found, key=lambda path: ("/web-" in f"/{path}", path), default="")


def read(tree: ForeignTree, diagnostics: Diagnostics) -> Draft:
    """The project's draft; findings go into `diagnostics`, which is the tree's."""
    return _Reader(tree, diagnostics, _configuration(tree)).read()


class _Reader:
    def __init__(self, tree: ForeignTree, diagnostics: Diagnostics, path: str) -> None:
        self.tree = tree
        self.diagnostics = diagnostics
        self.path = path
        self.folder = folder_of(path)
        self.draft = Draft(NAME)
        self.ids: dict[str, str] = {}

    def read(self) -> Draft:
        text = self.tree.text(self.path) or ""
        self.draft.taken[self.path] = f"{self.path} lists agents by ## Title:"
        titles = list(_TITLE.finditer(text))
        for title, following in zip(titles, [*titles[1:], None], strict=True):
            end = following.start() if following else len(text)
            line = text.count("\n", 0, title.start()) + 1
            self._agent(title[1], text[title.end() : end], line)
        message = "BMAD v3 is read as well as can be: agents, their tasks and files, and no flow"
        hint = "import it, look through the agents, and write a workflow.yaml"
        self.diagnostics.add("BMAD643", self.tree.at(self.path), message, hint)
        return self.draft

    def _agent(self, title: str, block: str, line: int) -> None:
        at = Origin(self.path, line)
        fields = {name.lower(): value for name, value in _FIELD.findall(block)}
        own = self._id(title, at)
        persona = joined(self.folder, f"personas/{fields.get('persona', '')}") or ""
        name, title_of = fields.get("name", ""), one_line(title)
        agent = DraftAgent(own, at, description=one_line(fields.get("description", title)))
        agent.persona = f"You are {name}, {title_of}." if name else f"You are {title_of}."
        parts = []
        if persona in self.tree.files and fields.get("persona"):
            parts.append((self.tree.text(persona) or "").strip())
            self.draft.taken[persona] = f"{persona} is the persona of {own}"
            agent.origins["prompt"] = Origin(persona)
            self.draft.account(Origin(persona), "persona", persona, "carried")
        elif fields.get("persona"):
            named = fields["persona"]
            message = f"the persona {quoted(named)} is not there"
            self.diagnostics.add("BMAD605", self.tree.at(*at), message)
            self.draft.account(at, "persona", named, "left", "there is no such file")
        parts.append(SERVICE)
        if fields.get("customize"):
            parts.append(f"## Above all else\n\n{fields['customize']}")
        agent.prompt = "\n\n".join(parts) + "\n"
        self._links(agent, block, line)
        self.draft.agents.append(agent)
        self.draft.account(at, "agent", own, "carried")

    def _id(self, title: str, at: Origin) -> str:
        own = slug(re.sub(r"\([^)]*\)", "", title)) or "agent"
        if spec.id_key(own) in self.ids:
            first, number = own, 2
            while spec.id_key(own) in self.ids:
                own, number = f"{first[:56]}-{number}", number + 1
            message = f"the id {quoted(first)} is taken: here it is {quoted(own)}"
            self.diagnostics.add("BMAD607", self.tree.at(*at), message, "rename one of them")
        self.ids[spec.id_key(own)] = own
        return own

    def _links(self, agent: DraftAgent, block: str, line: int) -> None:
        files: dict[str, list[str]] = {}
        commands: dict[str, Any] = {}
        for found in _LINK.finditer(block):
            at = Origin(self.path, line + block.count("\n", 0, found.start()))
            label, target = one_line(found[1]), found[2].strip()
            name = slug(label)
            native = self._native(target, at)
            if native is None:
                if name and name not in commands:
                    commands[name] = label
                continue
            kind, _, file = native.partition("/")
            if file not in files.setdefault(kind, []):
                files[kind].append(file)
            if name and name not in commands:
                commands[name] = {"text": label, _KINDS[kind]: file}
                agent.origins[f"commands/{name}"] = at
            self.draft.account(at, "command", label, "carried")
        if commands:
            agent.keys["commands"] = [{name: value} for name, value in commands.items()]
        agent.keys |= {kind: sorted(files[kind]) for kind in _KINDS if kind in files}

    def _native(self, target: str, at: Origin) -> str | None:
        """The file of a link, `tasks#create-prd` or `create-prd.md`; None for words."""
        if " " in target:
            self.draft.account(at, "command", target, "carried", "its persona knows what to do")
            return None
        kind, mark, name = target.partition("#")
        kind, name = (kind, name) if mark else ("tasks", target)
        file = name if name.endswith((".md", ".yml", ".txt")) else f"{name}.md"
        path = joined(self.folder, f"{kind}/{file}") or ""
        if kind not in _KINDS or path not in self.tree.files or not is_path(f"{kind}/{file}"):
            message = f"there is no file {quoted(target)}"
            self.diagnostics.add("BMAD605", self.tree.at(*at), message)
            self.draft.account(at, "file", target, "left", "there is no such file")
            return None
        native = f"{kind}/{file}"
        text = self.tree.text(path)
        if text is None:
            return None
        self.draft.files[native] = DraftFile(text.encode(), Origin(path))
        self.draft.taken[path] = f"{path} is named by {self.path}"
        return native
