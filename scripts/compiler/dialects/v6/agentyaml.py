"""`*.agent.yaml`: BMAD's strict form of an agent, and its overrides."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from ....runtime.yamltext import Mapping, Node, Scalar, Sequence
from ...diagnostics import near_match, quoted, several
from ...summary import many
from .. import lenient
from ..draft import Origin
from ..tree import ForeignTree
from .fields import is_true, items_of, keys_of, origin, text_of, texts_of
from .ownkeys import OF_THE_FILE, is_whole, section
from .persona import INTERACTIVE, Item, Left, Persona, is_words, slug

SUFFIX: Final = ".agent.yaml"
_AGENT: Final = (
    "metadata",
    "persona",
    "menu",
    "critical_actions",
    "prompts",
    "discussion",
    "conversational_knowledge",
)
_METADATA: Final = ("id", "name", "title", "icon", "module", "hasSidecar", "capabilities")
PERSONA: Final = ("role", "identity", "communication_style", "principles")
_TARGETS: Final = ("workflow", "validate-workflow", "exec", "action", "prompt", "tmpl", "data")
_FLAGS: Final = ("ide-only", "web-only", "discussion")
_ITEM: Final = ("trigger", "cmd", "multi", "triggers", "description", *_TARGETS, *_FLAGS)
_PROMPT: Final = ("id", "content", "description")
_KEBAB: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_COMPOUND: Final = re.compile(r"([A-Z0-9]{1,3}) or fuzzy match on ([a-z0-9]+(?:-[a-z0-9]+)*)")
_CODE: Final = re.compile(r"^\[[A-Za-z0-9 _-]{1,8}\]\s*")
_CONFIG: Final = re.compile(
    r"config\.yaml|user_name|communication_language|\bgreet\b", re.IGNORECASE
)
_TOLD: Final = {
    "module": "it tells agents of one id apart, and whose memory a sidecar is",
    "hasSidecar": "with a sidecar the agent works in its module's memory, else in its own",
}
HINT: Final = "it is read as well as can be; BMAD itself would refuse the file"


def read_agent(tree: ForeignTree, path: str) -> Persona | None:
    """The agent of a file; None when there is none in it, which was reported."""
    text = tree.text(path)
    before = len(tree.diagnostics)
    root = None if text is None else lenient.mapping(tree, path, text)
    agent = keys_of(root).get("agent")
    if agent is None and root is not None and is_whole(root):
        message = "there is no agent: above the agent's keys"
        tree.diagnostics.add("BMAD631", tree.at(path, root.line, root.column), message, HINT)
        agent = root
    if root is None or not isinstance(agent, Mapping):
        if text is not None and (root is not None or len(tree.diagnostics) == before):
            message = "the file holds no agent: there is no mapping below agent:"
            tree.diagnostics.add("BMAD631", tree.at(path), message, "write agent: with metadata:")
        return None
    return Reader(tree, path).read(root, agent)


class Reader:
    """Reads the parts of one file; faults that many items share are told as one at its end."""

    def __init__(self, tree: ForeignTree, path: str) -> None:
        self.tree = tree
        self.path = path
        self.repeated: dict[str, list[Node]] = {}  # by message: faults that many items share
        self.prompts: dict[str, str] = {}
        self.places: dict[str, Origin] = {}
        self.asked: set[str] = set()  # the prompts that menu items name
        self.unknown: list[Scalar] = []

    def read(self, root: Mapping, agent: Mapping) -> Persona:
        # Some write the parts beside agent:, and what belongs in metadata: straight into agent:.
        beside = {key: value for key, value in keys_of(root).items() if key in _AGENT}
        flat = "metadata" not in keys_of(agent)
        keys = {**beside, **keys_of(agent)}
        persona = self.metadata(agent, agent if flat else keys.get("metadata"))
        self.persona(persona, agent, keys.get("persona"))
        about = (*_METADATA, *(("description",) if persona.description else ()))
        self.more(persona, agent, (*_AGENT, *(about if flat else ())), "in agent:")
        if root is not agent:
            self.more(persona, root, ("agent", *_AGENT), "beside agent:")
        self.prompts = dict(self.read_prompts(keys.get("prompts")))
        self.actions(persona, keys.get("critical_actions"))
        for title in ("discussion", "conversational_knowledge"):
            if title in keys and text_of(keys[title]):
                words = title.replace("_", " ").capitalize()
                persona.sections.append((words, text_of(keys[title])))
        self.menu(persona, agent, keys.get("menu"))
        self.leave(persona, keys)
        self.tell_repeated()
        return persona

    def leave(self, persona: Persona, keys: dict[str, Node]) -> None:
        """Say what no part of an agent is made of: its icon, keys that are not known, prompts that
        nothing asks for; and what its module and its sidecar mean."""
        about = keys_of(keys.get("metadata"))
        for name, why in _TOLD.items():
            if name in about:
                persona.told.append((origin(self.path, about[name]), name, why))
        for key in self.unknown:
            persona.left.append(Left(origin(self.path, key), key.text, "BMAD knows no such key"))
        icon = about.get("icon")
        if icon is not None and text_of(icon):
            persona.left.append(Left(origin(self.path, icon), "icon", "only an editor shows it"))
        for name, item in prompts_of(keys.get("prompts")):
            if name not in self.asked:
                why = "no menu item asks for it"
                persona.left.append(Left(origin(self.path, item), name, why, "prompt"))

    def warn(self, node: Node, message: str, hint: str = HINT) -> None:
        at = self.tree.at(self.path, node.line, node.column)
        self.tree.diagnostics.add("BMAD631", at, message, hint)

    def repeat(self, node: Node, message: str) -> None:
        """A fault that other items of the file may have too: they are told as one."""
        self.repeated.setdefault(message, []).append(node)

    def tell_repeated(self) -> None:
        for message, nodes in self.repeated.items():
            more = f" ({many(len(nodes), 'time')} in this file)" if len(nodes) > 1 else ""
            self.warn(nodes[0], f"{message}{more}")

    def check(self, node: Node | None, known: Collection[str], where: str) -> None:
        entries = node.entries if isinstance(node, Mapping) else ()
        unknown = [key for key, _ in entries if key.text not in known]
        if unknown:
            names = [key.text for key in unknown]
            hint = near_match(names[0], known) or f"known are {', '.join(known)}"
            verb = "is" if len(names) == 1 else "are"
            message = f"{several(names)} {where} {verb} not known and {verb} left out"
            self.warn(unknown[0], message, hint)
            self.unknown += unknown

    def more(self, persona: Persona, node: Node | None, known: Collection[str], where: str) -> None:
        """Keys of its author's own: texts are parts of the prompt, each under its name."""
        entries = node.entries if isinstance(node, Mapping) else ()
        unknown = [(key, value) for key, value in entries if key.text not in known]
        for key, value in unknown:
            found, at = section(key, value), origin(self.path, key)
            if key.text in OF_THE_FILE:
                persona.left.append(Left(at, key.text, "it says something of the file only"))
            elif found is None:
                why = f"{where} has no such key, and it is no text"
                persona.left.append(Left(at, key.text, why))
            else:
                persona.sections.append(found)
                persona.told.append((at, key.text, f"it is in the prompt, under {found[0]}"))
        if unknown:
            names = several([key.text for key, _ in unknown])
            verb = "is" if len(unknown) == 1 else "are"
            message = f"{names} {where} {verb} not known; texts become parts of the prompt"
            self.warn(unknown[0][0], message, f"known are {', '.join(known)}")

    def needed(self, node: Node, keys: dict[str, Node], names: Collection[str], what: str) -> None:
        lacking = [name for name in names if not text_of(keys.get(name))]
        if lacking:
            at = keys.get(lacking[0], node)
            self.warn(at, f"{what} has no {several(lacking)}")

    def metadata(self, agent: Mapping, node: Node | None) -> Persona:
        if node is not agent:
            self.check(node, _METADATA, "in metadata:")
        keys = keys_of(node)
        self.needed(node or agent, keys, ("id", "name", "title", "icon"), "the agent's metadata")
        if "module" in keys and not text_of(keys["module"]):
            self.warn(keys["module"], '"module" is empty')
        stem = self.path.rpartition("/")[2].removesuffix(SUFFIX)
        written = text_of(keys.get("id")).rpartition("/")[2]
        written = written.removesuffix(".md").removesuffix(SUFFIX).removesuffix(".agent")
        return Persona(
            id=stem or written,
            at=origin(self.path, node or agent),
            name=text_of(keys.get("name")),
            title=text_of(keys.get("title")),
            description=text_of(keys.get("capabilities")) or text_of(keys.get("description")),
            module=text_of(keys.get("module")),
            has_sidecar=is_true(keys.get("hasSidecar")),
        )

    def persona(self, persona: Persona, agent: Mapping, node: Node | None) -> None:
        keys = keys_of(node)
        self.more(persona, node, PERSONA, "in persona:")
        self.needed(node or agent, keys, PERSONA, "the persona")
        self.filled(keys.get("principles"), "principles")
        persona.role = text_of(keys.get("role"))
        persona.identity = text_of(keys.get("identity")) or text_of(node)
        persona.style = text_of(keys.get("communication_style"))
        persona.principles = texts_of(keys.get("principles"))

    def filled(self, node: Node | None, name: str) -> None:
        """Tell of empty items."""
        for item in items_of(node):
            if not text_of(item):
                self.warn(item, f"an item of {quoted(name)} is empty")

    def read_prompts(self, node: Node | None) -> Iterator[tuple[str, str]]:
        if isinstance(node, Mapping):
            self.warn(node, '"prompts" is no list: its keys are taken for the ids')
        elif node is not None and not isinstance(node, Sequence):
            self.warn(node, '"prompts" is no list, and is left out')
        for name, item in prompts_of(node):
            keys = keys_of(item)
            if isinstance(node, Sequence):
                self.check(item, _PROMPT, "in a prompt")
                self.needed(item, keys, ("id", "content"), "a prompt")
            if name:
                self.places[name] = origin(self.path, item)
                yield name, text_of(keys.get("content")) or text_of(keys.get("prompt") or item)

    def actions(self, persona: Persona, node: Node | None) -> None:
        if node is not None and not isinstance(node, Sequence):
            self.warn(node, '"critical_actions" is no list')
        self.filled(node, "critical_actions")
        kept = []
        for item in items_of(node):
            text = text_of(item)
            if _CONFIG.search(text):
                persona.drop(origin(self.path, item), "critical_actions")
            elif text:
                kept.append(text)
        if kept:
            lines = "\n".join(f"- {text}" for text in kept)
            persona.sections.append(("Always", lines))

    def menu(self, persona: Persona, agent: Mapping, node: Node | None) -> None:
        if not items_of(node):
            self.warn(node or agent, "the agent has no menu")
        seen: dict[str, Item] = {}
        for entry in items_of(node):
            for item in self.items(entry):
                if item.name in seen:
                    self.warn(entry, f"the trigger {quoted(item.name)} stands twice")
                    persona.left.append(
                        Left(item.at, item.name, "the trigger stands twice", "command")
                    )
                elif item.name in INTERACTIVE:
                    persona.drop(item.at, item.name)
                seen.setdefault(item.name, item)
        if not items_of(node):
            seen = {item.name: item for item in self.asked_for()}
        persona.menu = [item for name, item in seen.items() if name not in INTERACTIVE]

    def asked_for(self) -> Iterator[Item]:
        """The prompts of an agent without a menu, which a client may ask for all the same."""
        for name, text in self.prompts.items():
            if text and slug(name):
                self.asked.add(name)
                yield Item(slug(name), text, self.places[name])

    def items(self, entry: Node) -> Iterator[Item]:
        keys = keys_of(entry)
        for name in keys:
            if name not in _ITEM:
                self.repeat(entry, f"{quoted(name)} in a menu item is not known and is left out")
        if "multi" in keys or "triggers" in keys:
            for name, inner in triggers(keys.get("triggers")):
                label = text_of(inner.get("description")) or text_of(keys.get("multi"))
                yield self.item(entry, inner, name, label)
            return
        named = keys.get("trigger") or keys.get("cmd")
        name = self.trigger(entry, text_of(named))
        if not text_of(keys.get("description")):
            self.repeat(entry, 'a menu item has no "description"')
        if not any(text_of(keys.get(target)) for target in _TARGETS):
            self.repeat(entry, "a menu item says nothing to do: no " + ", ".join(_TARGETS))
        yield self.item(entry, keys, name, text_of(keys.get("description")))

    def trigger(self, entry: Node, trigger: str) -> str:
        """The name that a client asks for."""
        compound = _COMPOUND.fullmatch(trigger)
        if compound is not None:
            return compound[2]
        if not _KEBAB.fullmatch(trigger):
            self.repeat(entry, "a trigger is neither a-word nor X or fuzzy match on …")
        return triggers_name(trigger)

    def item(self, entry: Node, keys: dict[str, Node], name: str, label: str) -> Item:
        texts = [_CODE.sub("", label)]
        targets: list[str] = []
        for target in (*_TARGETS, "route"):
            value = text_of(keys.get(target))
            if not value:
                continue
            if target in ("action", "prompt"):
                texts.append(self.action(keys[target], value))
            elif is_words(value):
                texts.append(value)
            else:
                targets.append(value)
        text = "\n\n".join(text for text in texts if text)
        return Item(name, text, origin(self.path, entry), targets)

    def action(self, node: Node, value: str) -> str:
        """The text itself, or that of the prompt which it names."""
        if not value.startswith("#"):
            self.asked |= {value} & self.prompts.keys()
            return self.prompts.get(value, value)
        found = self.prompts.get(value[1:])
        self.asked.add(value[1:])
        if found is None:
            self.warn(node, f"there is no prompt {quoted(value)}", near_match(value, self.prompts))
        return found or ""


def prompts_of(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Each prompt with its id, from a list or from a mapping of ids."""
    if isinstance(node, Mapping):
        for key, value in node.entries:
            yield key.text, value
    for item in items_of(node):
        yield text_of(keys_of(item).get("id")), item


def triggers(node: Node | None) -> Iterator[tuple[str, dict[str, Node]]]:
    """Name and keys of each trigger of a `multi` item, in all three shapes.

    `[{chat: [{input: CH}, {action: …}]}]`, `[{chat: {input: CH, action: …}}]` and
    `[{trigger: chat, action: …}]`.
    """
    for entry in items_of(node):
        keys = keys_of(entry)
        if len(keys) == 1:
            (name, inner), *_ = keys.items()
            if isinstance(inner, Mapping):
                yield name, keys_of(inner)
                continue
            if isinstance(inner, Sequence):
                yield (
                    name,
                    {key: value for part in inner.items for key, value in keys_of(part).items()},
                )
                continue
        name = text_of(keys.get("trigger") or keys.get("name") or keys.get("input"))
        if name:
            yield triggers_name(name), keys


def triggers_name(trigger: str) -> str:
    """The words that a trigger is asked by: `X or fuzzy match on a-b` and `*a-b [c]` are `a-b`."""
    words = trigger.strip().lstrip("*").rpartition("fuzzy match on ")[2]
    return re.split(r"[\s,]", words, maxsplit=1)[0]
