"""`SKILL.md` with `customize.toml`: an agent or a workflow of current v6."""

from __future__ import annotations

import re
from typing import Any, Final

from ...diagnostics import quoted
from .. import lenient
from ..draft import Origin
from . import layers
from .fields import keys_of, lines_of, text_of
from .layers import Table
from .markdown import Page, page, sections, tell_dropped, without
from .paths import folder_of
from .persona import Item, Left, Persona, one_line, slug
from .workflow import Facts, Workflow, document_of
from .workflowfiles import WorkflowFiles

NAME: Final = "SKILL.md"
MANIFEST: Final = "bmad-skill-manifest.yaml"
_FORWARDS: Final = re.compile(r"forwards? to `?([\w-]+)`?", re.IGNORECASE)
_ROW: Final = re.compile(r"^\|(.+)\|[ \t]*$", re.MULTILINE)
_INVOKES: Final = re.compile(r"\b[Ii]nvoke the `([\w-]+)` skill")
_FILE: Final = "file:"
PAGE: Final = "workflow.md"
_BESIDE: Final = re.compile(r"(?<![\w/.}])(?:\./)?[\w-]+\.md\b")
_POINTER: Final = 400  # characters: a longer text says more than where to look
_FOR_AGENTS: Final = frozenset({"on activation", "conventions", "activation"})
_KNOWN: Final = frozenset(
    {
        "name",
        "title",
        "icon",
        "role",
        "identity",
        "communication_style",
        "principles",
        "persistent_facts",
        "menu",
        "activation_steps_prepend",
        "activation_steps_append",
        "on_complete",
    }
)


_TEXTS: Final = frozenset({"name", "title", "icon", "role", "identity", "communication_style"})
_LISTS: Final = _KNOWN - _TEXTS - {"menu"}


class Skills:
    """Reads the skills of one tree. `names` are those of all of them."""

    def __init__(self, files: WorkflowFiles) -> None:
        self.files = files
        self.tree = files.tree
        self.draft = files.draft
        self.paths = [path for path in sorted(self.tree.files) if path.rpartition("/")[2] == NAME]
        self.names = {folder_of(path).rpartition("/")[2]: path for path in self.paths}
        self.pages: set[str] = set()  # files that have a skill's text in its place
        self.unmatched: list[tuple[Origin, str]] = []

    def read(self, path: str) -> Persona | Workflow | None:
        """The agent or the workflow that a skill is; None for no text, which was reported."""
        if self.tree.text(path) is None:
            return None
        found = page(self.tree, path)
        folder = folder_of(path)
        name = folder.rpartition("/")[2] or text_of(found.keys.get("name"))
        customise = f"{folder}/customize.toml" if folder else "customize.toml"
        table, used = layers.skill_table(self.tree, customise, name)
        for kind in ("agent", "workflow"):
            self._check((table or {}).get(kind), kind, customise)
        for each in used:
            self.draft.taken[each] = f"{each} customises {name}"
        manifest = self._manifest(folder)
        if isinstance((table or {}).get("agent"), dict) or manifest.get("type") == "agent":
            return self._agent(path, name, found, table or {}, manifest)
        return self._workflow(path, name, found, table or {})

    def _check(self, about: Any, kind: str, path: str) -> None:
        """Tell of values that are not of the kind that v6 has there, and so cannot be read."""
        if about is not None and not isinstance(about, dict):
            self._refuse(path, kind, "a table")
        for key, value in about.items() if isinstance(about, dict) else ():
            if key == "menu" and not _is_list(value, dict):
                self._refuse(path, key, "a list of tables")
            elif key in _TEXTS and not isinstance(value, str):
                self._refuse(path, key, "a text")
            elif key in _LISTS and not (isinstance(value, str) or _is_list(value, str)):
                self._refuse(path, key, "a text or a list of texts")

    def _refuse(self, path: str, key: str, wanted: str) -> None:
        text = self.tree.text(path) if path in self.tree.files else None
        at = Origin(path, layers.line_of(text or "", key))
        message = f"{quoted(key)} is not {wanted}, and is left out"
        self.tree.diagnostics.add("BMAD631", self.tree.at(*at), message, f"write it as {wanted}")
        self.draft.account(at, "setting", key, "left", message)

    def _setting(self, path: str, key: str) -> Origin:
        """Where a setting of the skill at `path` stands; a layer over its own has no line here."""
        customise = f"{folder_of(path)}/customize.toml".lstrip("/")
        if customise not in self.tree.files:
            return Origin(path)
        return Origin(customise, layers.line_of(self.tree.text(customise) or "", key))

    def _manifest(self, folder: str) -> dict[str, str]:
        path = f"{folder}/{MANIFEST}".lstrip("/")
        if path not in self.tree.files:
            return {}
        self.draft.taken[path] = f"{path} says what the skill is"
        root = lenient.mapping(self.tree, path, self.tree.text(path) or "")
        return {key: text_of(value) for key, value in keys_of(root).items()}

    # -- agents

    def _agent(
        self, path: str, name: str, found: Page, table: Table, manifest: dict[str, str]
    ) -> Persona:
        about = table.get("agent") if isinstance(table.get("agent"), dict) else {}
        assert isinstance(about, dict)  # noqa: S101 - for the type checker
        persona = Persona(
            id=name,
            at=Origin(path),
            name=_text(about, "name") or manifest.get("displayName", ""),
            title=_text(about, "title") or manifest.get("title", ""),
            description=one_line(text_of(found.keys.get("description"))),
            module=self.files.settings.module_of(path),
            role=_text(about, "role") or manifest.get("role", ""),
            identity=_text(about, "identity") or manifest.get("identity", ""),
            style=_text(about, "communication_style") or manifest.get("communicationStyle", ""),
            principles=layers.texts(about.get("principles"))
            or lines_of(manifest.get("principles", "")),
        )
        self._tell_manifest(persona, folder_of(path))
        body, dropped = without(found.body, _FOR_AGENTS)
        persona.dropped = tell_dropped(self.draft, path, found.line, dropped)
        persona.sections += _body_sections(body)
        self._facts(persona, about, path, persona.id)
        self._steps(persona, about)
        self._menu(persona, about, path)
        self._table(persona, body, path, found.line)
        self._unknown("agent", about, path, persona.sections)
        return persona

    def _tell_manifest(self, persona: Persona, folder: str) -> None:
        """What becomes of the keys of a manifest that are no part of the agent's prompt."""
        path = f"{folder}/{MANIFEST}".lstrip("/")
        if path not in self.tree.files:
            return
        root = lenient.mapping(self.tree, path, self.tree.text(path) or "")
        for key, value in root.entries if root is not None else ():
            at = Origin(path, key.line, key.column)
            if key.text in ("name", "module", "type", "canonicalId"):
                why = "the skill's folder says it" if key.text == "name" else "what the skill is"
                persona.told.append((at, key.text, why))
            elif key.text == "capabilities" and text_of(value):
                persona.left.append(
                    Left(at, key.text, "the skill's own description stands instead")
                )
            elif key.text == "icon" and text_of(value):
                persona.left.append(Left(at, key.text, "only an editor shows it"))

    def _facts(self, persona: Persona, about: Table, path: str, name: str) -> None:
        facts = self.facts(about, path, name)
        persona.documents, persona.files = facts.documents, facts.files
        if facts.said:
            persona.sections.append(("Facts", "\n".join(f"- {fact}" for fact in facts.said)))

    def _steps(self, persona: Persona, about: Table) -> None:
        for key, title in (
            ("activation_steps_prepend", "Before anything else"),
            ("activation_steps_append", "Before the work begins"),
        ):
            texts = layers.texts(about.get(key))
            if texts:
                persona.sections.append((title, "\n".join(f"- {text}" for text in texts)))

    def _menu(self, persona: Persona, about: Table, path: str) -> None:
        customise = f"{folder_of(path)}/customize.toml".lstrip("/")
        text = self.tree.text(customise) or "" if customise in self.tree.files else ""
        for entry in about.get("menu") or ():
            if not isinstance(entry, dict):
                continue
            code, skill = _text(entry, "code"), _text(entry, "skill")
            line = layers.line_of(text, "code", code)
            at = Origin(customise if text else path, line)
            label = "\n\n".join(
                part for part in (_text(entry, "description"), _text(entry, "prompt")) if part
            )
            name_of = slug(code) if not code.isascii() or not code.isalnum() else code
            if not name_of:
                continue
            if not skill and not _text(entry, "prompt"):
                message = f"the menu item {quoted(code)} has neither a skill nor a prompt"
                self.tree.diagnostics.add(
                    "BMAD631", self.tree.at(*at), message, "write one of them"
                )
            asked = _INVOKES.search(_text(entry, "prompt"))
            if not skill and asked and asked[1] in self.names:
                skill = asked[1]
            persona.menu.append(Item(name_of, label, at, [], skill))

    def _table(self, persona: Persona, body: str, path: str, line: int) -> None:
        """A menu that is a Markdown table: its rows that end with a skill's name."""
        have = {item.skill for item in persona.menu}
        for row in _ROW.finditer(body):
            cells = [cell.strip().strip("`") for cell in row[1].split("|")]
            skill = cells[-1]
            if skill in self.names and skill not in have and len(cells) > 1:
                have.add(skill)
                at = Origin(path, body.count("\n", 0, row.start()) + line)
                code = next((c for c in cells if c.isalnum() and c.isupper() and len(c) < 4), "")
                persona.menu.append(Item(code or slug(skill), cells[-2], at, [], skill))

    def _unknown(self, what: str, about: Table, path: str, parts: list[tuple[str, str]]) -> None:
        """Keys that v6 does not name: texts of an author's own, which the agent may need."""
        for key, value in about.items():
            texts = layers.texts(value)
            if key not in _KNOWN and not texts and value not in ("", [], {}):
                at, why = self._setting(path, key), "it is neither a text nor a list of texts"
                self.tree.diagnostics.add(
                    "BMAD611", self.tree.at(*at), f"{quoted(key)} is left out: {why}"
                )
                self.draft.account(at, f"{what} setting", key, "left", why)
            elif key not in _KNOWN and texts:
                parts.append((key.replace("_", " ").capitalize(), "\n".join(texts)))
                self.draft.account(self._setting(path, key), f"{what} setting", key, "carried")

    # -- workflows

    def _workflow(self, path: str, name: str, found: Page, table: Table) -> Workflow:
        about: Any = table.get("workflow")
        about = about if isinstance(about, dict) else {}
        workflow = self.files.start(name, path, Origin(path))
        workflow.title = name
        workflow.description = one_line(text_of(found.keys.get("description")))
        forward = _FORWARDS.search(workflow.description)
        if forward and forward[1] in self.names and "deprecated" in workflow.description.lower():
            workflow.forward = forward[1]
        workflow.values = {"skill-name": name, "skill-root": "."}
        self._settings(workflow, about)
        facts = self.facts(about, path, name)
        workflow.facts, workflow.requires, workflow.told = facts.said, facts.documents, facts.files
        workflow.before = layers.texts(about.get("activation_steps_prepend"))
        workflow.before += layers.texts(about.get("activation_steps_append"))
        workflow.after = layers.texts(about.get("on_complete"))
        self._templates(workflow, about)
        self._page(workflow, found)
        if workflow.page:
            path, found = workflow.page, page(self.tree, workflow.page)
            workflow.values |= {key: text_of(value) for key, value in found.keys.items()}
        self.files.follow(workflow, path, found)
        return workflow

    def _page(self, workflow: Workflow, found: Page) -> None:
        """The file beside it that a skill sends to: `workflow.md`, or what a short text names."""
        names = [name.removeprefix("./") for name in _BESIDE.findall(found.body)]
        short = len(found.body.strip()) < _POINTER
        named = next((name for name in names if name == PAGE or short), "")
        path = f"{workflow.folder}/{named}".lstrip("/")
        if named and path in self.tree.files and path != workflow.entry:
            workflow.page, workflow.is_pointer = path, short
            self.pages.add(path)
            self.draft.taken[path] = f"{path} has the text of {workflow.entry}"

    def _settings(self, workflow: Workflow, about: Table) -> None:
        """Values for the texts that name them; what no text names, or can hold, is told as it is.

        A list of tables is told beside the text, which says where to find it.
        """
        texts = [self.tree.text(path) or "" for path in workflow.files if path.endswith(".md")]
        for key, value in about.items():
            name = f"workflow.{key}"
            short = layers.short(value)
            workflow.values[name] = f"what stands under {key} in the settings"
            if short is not None:
                workflow.values[name] = short or "(none)"
            is_told = short is not None and any(f"{{{name}}}" in text for text in texts)
            if key in _KNOWN or value in ("", [], {}):
                continue
            why = "it stands where a text names it" if is_told else "it is told beside the text"
            at = self._setting(workflow.entry, key)
            self.draft.account(at, "workflow setting", key, "carried", why)
            if not is_told:
                workflow.settings[key] = value

    def _templates(self, workflow: Workflow, about: Table) -> None:
        for key, value in about.items():
            if key.endswith("_template") and isinstance(value, str) and value:
                file = self.files.paths.find(value, workflow.folder)
                if file is not None and "checklist" not in key and "report" not in key:
                    workflow.shown.append(file)
                elif file is None:
                    at = self._setting(workflow.entry, key)
                    why = f"there is no file {value!r} in the project"
                    self.draft.account(at, "template", key, "left", why)

    def facts(self, about: Table, path: str, name: str) -> Facts:
        """The standing facts of a skill.

        A `file:` that the project has can be read; one that it has not is a document that
        clients may supply, told once for all.
        """
        found: list[str] = []
        documents: list[str] = []
        files: list[str] = []
        at = self._setting(path, "persistent_facts")
        for fact in layers.texts(about.get("persistent_facts")):
            if not fact.startswith(_FILE):
                found.append(fact)
                continue
            file = self.files.paths.find(fact[len(_FILE) :], folder_of(path))
            document = document_of(fact.rpartition("/")[2])
            if file is not None:
                found.append(f"What stands in {{project-root}}/{file}: read it before you begin.")
                files.append(file)
            elif document and "*" not in fact.rpartition("/")[2]:
                documents.append(document)
                why = f"clients may supply it as the document {document}"
                self.draft.account(at, "fact", fact, "approximated", why)
            else:
                self.unmatched.append((at, f"{name}: {fact}"))
        return Facts(found, list(dict.fromkeys(documents)), list(dict.fromkeys(files)))


def _body_sections(body: str) -> list[tuple[str, str]]:
    """The sections of an agent's own text, without the title of the whole."""
    found = []
    for section in sections(body):
        text = section.text
        if section.level:
            text = text.partition("\n")[2]
        if section.level > 1 and text.strip():
            found.append((section.title, text.strip()))
        elif text.strip():
            found.append(("Overview", text.strip()))
    return found


def _is_list(value: Any, kind: type[Any]) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _text(table: Table, key: str) -> str:
    value = table.get(key)
    return value.strip() if isinstance(value, str) else ""
