"""A v4 agent: the YAML block of its file as a draft in native words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, Final

from ....runtime import spec
from ....runtime.yamltext import Mapping, Node, Scalar, Sequence
from ...diagnostics import quoted
from .. import detect, lenient
from ..draft import DraftAgent, Origin
from . import commands, homes
from .assets import Assets, key_of
from .commands import Command
from .homes import Home

# Directives for an editor or a conversation, by the key they stand under.
INTERACTIVE: Final = frozenset(
    {
        "activation-instructions",
        "IDE-FILE-RESOLUTION",
        "IIDE-FILE-RESOLUTION",
        "REQUEST-RESOLUTION",
        "startup",
        "root",
        "fuzzy-matching",
        "help-display-template",
        "kb-mode-behavior",
        "loading",
        "transformation",
        "auto_permission",
    }
)
_KNOWN: Final = frozenset({"agent", "persona", "core_principles", "commands", "dependencies"})
_ABOUT: Final = frozenset({"id", "name", "title", "whenToUse", "customization"})
_KINDS: Final[dict[str, tuple[type[Node], ...]]] = {
    "agent": (Mapping,),
    "persona": (Mapping,),
    "commands": (Sequence, Mapping),
    "dependencies": (Mapping,),
}
_NAMES: Final[dict[type[Node], str]] = {Mapping: "mapping", Sequence: "list"}
_PERSONA: Final[tuple[str, ...]] = ("role", "style", "identity", "focus")
_PLACES: Final = {
    "tasks": "task",
    "templates": "template",
    "checklists": "checklist",
    "data": "data",
}
_NUMBER: Final = re.compile(r"^\d+(?:[-_. ]+|$)")
_LOADS: Final = re.compile(r"devLoadAlwaysFiles")
SERVICE: Final = (
    "## In service\n\nNobody can be asked while you work. Where a text tells you to ask, to offer "
    "options, to elicit or to wait for a person, decide yourself and say what you assumed. Your "
    "answer is the document or the result itself."
)


@dataclass(slots=True)
class Found:
    """An agent as it was read; `names` are what its author calls its files by, with native paths.

    `dropped` counts the directives that were left out.
    """

    draft: DraftAgent
    home: Home
    own_id: str
    names: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)
    dropped: int = 0
    loads_always: bool = False

    def own_key(self) -> str:
        """What its own id is told apart by."""
        return spec.id_key(commands.fitted(self.own_id))

    @property
    def plain(self) -> str:
        """Its own id without a number in front, by which a folder puts its agents in order."""
        return unnumbered(self.own_id)

    def plain_key(self) -> str:
        """What it is told apart by without that number."""
        return spec.id_key(commands.fitted(self.plain))

    def stem_key(self) -> str:
        """What its file's name is told apart by; workflows use that as well."""
        stem = self.draft.at.path.rpartition("/")[2].rpartition(".")[0]
        return spec.id_key(commands.fitted(stem))


def unnumbered(own: str) -> str:
    """An id without a number in front; the id itself where nothing else is left."""
    return _NUMBER.sub("", own) or own


class AgentReader:
    """Reads the agents of one tree."""

    def __init__(self, assets: Assets) -> None:
        self.assets = assets
        self.tree = assets.tree
        self.draft = assets.draft
        self.given: set[tuple[str, str]] = set()  # ids of each home

    def read(self, home: Home, path: str) -> Found | None:
        """The agent in a file; None when it cannot be understood, which was reported."""
        text = self.tree.text(path)
        fence = None if text is None else detect.fenced_agent(text)
        if fence is None:
            return None
        self.draft.taken[path] = f"{path} has a YAML block with agent: on line {fence.line}"
        if not fence.closed:
            at = self.tree.at(path, fence.line - 1)
            message = "the block that begins here is not closed: it is read to the end of the file"
            self.tree.diagnostics.add("BMAD601", at, message, "write ``` below it")
        root = lenient.mapping(self.tree, path, fence.text, fence.line)
        if root is None:
            why = "its YAML cannot be read"
            self.draft.account(Origin(path, fence.line), "agent", path, "left", why)
            return None
        return self._read(home, path, root)

    def _read(self, home: Home, path: str, root: Mapping) -> Found:
        keys = {key.text: value for key, value in root.entries}
        self._check_kinds(path, root)
        about = _mapping(keys.get("agent"))
        at = Origin(path, root.line, root.column)
        if isinstance(keys.get("agent"), Mapping):
            at = Origin(path, keys["agent"].line, keys["agent"].column)
        stem = path.rpartition("/")[2].rpartition(".")[0]
        own = _text(about.get("id")) or stem
        found = Found(DraftAgent(own, at), home, own)
        self._check_id(found, stem, about.get("id"), path)
        title, name = _text(about.get("title")), _text(about.get("name"))
        found.draft.description = one_line(_text(about.get("whenToUse")) or title or name)
        self._fill(found, path, root, keys, about)
        self._leave(path, keys.get("agent"))
        return found

    def _check_kinds(self, path: str, root: Mapping) -> None:
        """Tell of parts that are not laid out as v4 lays them out, and so cannot be read."""
        for key, value in root.entries:
            wanted = _KINDS.get(key.text, ())
            if wanted and not isinstance(value, wanted) and not _is_null(value):
                what = " or ".join(_NAMES[kind] for kind in wanted)
                message = f"{quoted(key.text)} is no {what}, and is left out"
                at = self.tree.at(path, value.line, value.column)
                self.tree.diagnostics.add("BMAD631", at, message, f"write it as a {what}")
                self._account(path, key, "section", "left", message)

    def _leave(self, path: str, node: Node | None) -> None:
        """What an agent says of itself that only an editor shows."""
        for key, value in node.entries if isinstance(node, Mapping) else ():
            if key.text not in _ABOUT and not _is_null(value):
                why = "only an editor shows it" if key.text == "icon" else "it has no meaning here"
                self._account(path, key, "agent key", "left", why)

    def _check_id(self, found: Found, stem: str, node: Node | None, path: str) -> None:
        own = found.own_id
        fit = own if spec.is_id(own) and spec.id_key(own) not in spec.RESERVED_AGENT_IDS else ""
        if not fit:
            fit = commands.fitted(found.plain)
            if (found.home.folder, spec.id_key(fit)) in self.given:
                fit = commands.fitted(own)
            fit = fit or commands.fitted(stem) or "agent"
            if spec.id_key(fit) in spec.RESERVED_AGENT_IDS:
                fit = f"{fit}-agent"
            message = f"the id {quoted(own)} is written {quoted(fit)}"
            line = node.line if node is not None else 1
            hint = "give it an id of letters, digits and single -"
            self.tree.diagnostics.add("BMAD606", self.tree.at(path, line), message, hint)
        found.draft.id = fit
        self.given.add((found.home.folder, spec.id_key(fit)))

    def _fill(
        self, found: Found, path: str, root: Mapping, keys: dict[str, Node], about: dict[str, Node]
    ) -> None:
        draft = found.draft
        persona = _mapping(keys.get("persona"))
        draft.persona = self._persona(about, persona)
        self._dependencies(found, path, keys.get("dependencies"))
        self._commands(found, path, keys.get("commands"))
        parts = [_heading("Principles", each) for each in self._principles(keys, persona)]
        parts.append(_listed(found.commands))
        for key, value in root.entries:
            if key.text in INTERACTIVE:
                found.dropped += _count(value)
                found.loads_always |= _loads_always(value)
                self._account(path, key, "directives", "left", "they are for a conversation")
            elif key.text not in _KNOWN:
                parts.append(_heading(_title(key.text), value))
                self._account(path, key, "section", "carried")
        parts.append(SERVICE)
        custom = about.get("customization")
        if custom is not None and text_of(custom):
            parts.append(f"## Above all else\n\n{text_of(custom)}")
        draft.prompt = "\n\n".join(part for part in parts if part) + "\n"
        self._keys(found)

    def _persona(self, about: dict[str, Node], persona: dict[str, Node]) -> str:
        """Who it is, in a fixed order, then whatever else its author wrote of it."""
        name, title = _text(about.get("name")), _text(about.get("title"))
        who = f"{name}, {title}" if name and title else name or title
        lines = [f"You are {who}."] if who else []
        ordered = [key for key in _PERSONA if key in persona]
        ordered += [key for key in persona if key not in (*_PERSONA, "core_principles")]
        for key in ordered:
            text = text_of(persona[key])
            if text:
                lines.append(
                    f"{_title(key)}: {text}" if "\n" not in text else f"{_title(key)}:\n{text}"
                )
        return "\n".join(lines)

    def _principles(self, keys: dict[str, Node], persona: dict[str, Node]) -> Iterator[Node]:
        for node in (persona.get("core_principles"), keys.get("core_principles")):
            if node is not None and not _is_null(node):
                yield node

    def _dependencies(self, found: Found, path: str, node: Node | None) -> None:
        for key, value in node.entries if isinstance(node, Mapping) else ():
            kind = key.text.replace("_", "-")
            if kind not in homes.KINDS:
                if not _is_null(value):
                    message = f"the dependencies under {quoted(key.text)} are left out"
                    at = self.tree.at(path, key.line, key.column)
                    hint = f"known kinds are {', '.join(homes.KINDS)}"
                    self.tree.diagnostics.add("BMAD611", at, message, hint)
                    self._account(path, key, "dependency", "left", "a kind that is not known")
                continue
            for item in _items(value):
                self._dependency(found, kind, item.text, Origin(path, item.line, item.column))

    def _dependency(self, found: Found, kind: str, name: str, at: Origin) -> None:
        native = self.assets.named(found.home, kind, name, at)
        if native is None:
            self.draft.account(at, "dependency", name, "left", "there is no such file")
            return
        self.draft.account(at, "dependency", name, "carried")
        named = found.names.setdefault(key_of(native), [])
        if all(native != other for _, other in named):
            named.append((name, native))
            below = native.partition("/")[2]
            found.draft.origins[f"{key_of(native)}/{below}"] = at

    def _commands(self, found: Found, path: str, node: Node | None) -> None:
        bindable = {key: found.names.get(kind, []) for kind, key in _PLACES.items()}
        seen: dict[str, Command] = {}
        for command in commands.read(node, path):
            name = commands.fitted(command.name)
            if name.lower() in commands.INTERACTIVE or not name:
                found.dropped += 1
                why = "it is for a conversation"
                self.draft.account(command.at, "command", command.name, "left", why)
                continue
            if name in seen:
                message = f"the command {quoted(name)} stands twice; the first is read"
                at = self.tree.at(path, command.at.line, command.at.column)
                self.tree.diagnostics.add("BMAD611", at, message, "remove one of them")
                self.draft.account(command.at, "command", name, "left", "it stands twice")
                continue
            commands.bind(command, bindable)
            self._check_command(command, path)
            seen[name] = command
            self.draft.account(command.at, "command", name, "carried")
            found.draft.origins[f"commands/{name}"] = command.at
            command.name = name
        found.commands = list(seen.values())

    def _check_command(self, command: Command, path: str) -> None:
        for name in command.unknown:
            at = self.tree.at(path, command.at.line, command.at.column)
            message = f"the command names {quoted(name)}, which is none of the agent's files"
            hint = "add it to the dependencies, if the agent shall read it"
            self.tree.diagnostics.add("BMAD605", at, message, hint)

    def _keys(self, found: Found) -> None:
        keys = found.draft.keys
        if found.commands:
            keys["commands"] = [_command(command) for command in found.commands]
        for kind in ("tasks", "templates", "checklists", "data"):
            if found.names.get(kind):
                keys[kind] = [path.partition("/")[2] for _, path in found.names[kind]]

    def _account(self, path: str, key: Scalar, construct: str, fate: Any, why: str = "") -> None:
        at = Origin(path, key.line, key.column)
        self.draft.account(at, construct, key.text, fate, why)


def _listed(found: list[Command]) -> str:
    """What can be asked of an agent: principles and tasks refer to it by name."""
    lines = []
    for command in found:
        text = indent(command.text, "  ").strip()
        joint = ":\n  " if "\n" in command.text else ": "
        lines.append(f"- {command.name}{joint}{text}" if text else f"- {command.name}")
    return "## Commands\n\n" + "\n".join(lines) if lines else ""


def _command(command: Command) -> Any:
    """As native front-matter has it: a name, `name: text`, or `name: {text, task, …}`."""
    if not command.files:
        return {command.name: command.text} if command.text else command.name
    bound: dict[str, Any] = {"text": command.text} if command.text else {}
    for key, paths in command.files.items():
        names = [path.partition("/")[2] for path in paths]
        bound[key] = names[0] if len(names) == 1 else names
    return {command.name: bound}


def _mapping(node: Node | None) -> dict[str, Node]:
    return {key.text: value for key, value in node.entries} if isinstance(node, Mapping) else {}


def _items(node: Node) -> Iterator[Scalar]:
    """The texts of a list, or one text by itself."""
    for item in node.items if isinstance(node, Sequence) else (node,):
        if isinstance(item, Scalar) and item.value is not None:
            yield item
        elif isinstance(item, Mapping):
            yield from (key for key, _ in item.entries)


def _is_null(node: Node | None) -> bool:
    return node is None or (isinstance(node, Scalar) and node.value is None)


def _text(node: Node | None) -> str:
    return node.text.strip() if isinstance(node, Scalar) and node.value is not None else ""


def text_of(node: Node) -> str:
    """A value as text: a list as Markdown's, a mapping as YAML."""
    if isinstance(node, Scalar):
        return "" if node.value is None else node.text.strip()
    if isinstance(node, Sequence):
        return "\n".join(f"- {_item_text(item)}" for item in node.items)
    return commands.as_text(node)


def _item_text(item: Node) -> str:
    if isinstance(item, Scalar):
        return item.text.strip()
    if isinstance(item, Mapping) and len(item.entries) == 1:
        key, value = item.entries[0]
        inner = text_of(value)
        below = inner.replace("\n", "\n  ")
        return (
            f"{key.text}:\n  {below}" if not isinstance(value, Scalar) else f"{key.text}: {inner}"
        )
    return text_of(item).replace("\n", "\n  ")


def _heading(title: str, node: Node) -> str:
    text = text_of(node)
    return f"## {title}\n\n{text}" if text else ""


def _title(key: str) -> str:
    words = key.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def one_line(text: str) -> str:
    """Text for a description."""
    return " ".join(text.split())


def _count(node: Node) -> int:
    return len(node.items) if isinstance(node, Sequence) else 1


def _loads_always(node: Node) -> bool:
    return any(_LOADS.search(item.text) for item in _items(node))
