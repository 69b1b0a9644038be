"""`*.customize.yaml`: what a project lays over an agent that it installed."""

from __future__ import annotations

from ....runtime.yamltext import Mapping, Node, Scalar
from .. import lenient
from ..tree import ForeignTree
from .agentyaml import PERSONA, Reader
from .fields import items_of, keys_of, text_of, texts_of
from .persona import Persona


def customise(tree: ForeignTree, path: str, persona: Persona) -> None:
    """Lay a `*.customize.yaml` over an agent."""
    text = tree.text(path)
    root = None if text is None else lenient.mapping(tree, path, text)
    keys = keys_of(root)
    about = keys_of(keys_of(keys.get("agent")).get("metadata"))
    given = {name: text_of(about.get(name)) for name in ("name", "title")}
    new = keys_of(keys.get("persona"))
    if any(text_of(value) for value in new.values()):  # it stands instead of the whole persona
        persona.role = text_of(new.get("role"))
        persona.identity = text_of(new.get("identity"))
        persona.style = text_of(new.get("communication_style"))
        persona.principles = texts_of(new.get("principles"))
    persona.name, persona.title = given["name"] or persona.name, given["title"] or persona.title
    reader = Reader(tree, path)
    reader.prompts = dict(reader.read_prompts(keys.get("prompts")))
    reader.actions(persona, keys.get("critical_actions"))
    reader.more(persona, keys.get("persona"), PERSONA, "in persona:")
    if texts_of(keys.get("memories")):
        lines = "\n".join(f"- {each}" for each in texts_of(keys["memories"]))
        persona.sections.append(("Remember", lines))
    for entry in items_of(keys.get("menu")):
        for item in reader.items(entry):
            persona.menu = [known for known in persona.menu if known.name != item.name]
            persona.menu.append(item)
    reader.tell_repeated()


def says_anything(tree: ForeignTree, path: str) -> bool:
    """Whether a `*.customize.yaml` is more than the empty form that an installer leaves."""
    text = tree.text(path)
    root = None if text is None else lenient.mapping(tree, path, text)
    return root is not None and _says(root)


def _says(node: Node) -> bool:
    if isinstance(node, Scalar):
        return bool(text_of(node))
    if isinstance(node, Mapping):
        return any(_says(value) for _, value in node.entries)
    return any(_says(item) for item in node.items)
