"""`core-config.yaml`: where documents lie, and which of them agents are always shown."""

from __future__ import annotations

import re
from typing import Final

from ....runtime.yamltext import Scalar, Sequence
from ...diagnostics import quoted
from .. import lenient
from ..draft import Draft, Origin
from ..tree import ForeignTree
from . import documents
from .agents import Found

# What v4 itself keeps files under; projects put settings of their own beside it.
_KNOWN: Final = re.compile(
    r"(?:prd|architecture|qa|dev\w+|customTechnicalDocuments|\w+LoadAlwaysFiles)$"
)
_ALWAYS: Final = re.compile(r"^(\w+)LoadAlwaysFiles$")


def read(tree: ForeignTree, path: str, agents: list[Found], draft: Draft) -> None:
    """Give agents their standing documents; the rest is accounted for."""
    root = lenient.mapping(tree, path, tree.text(path) or "")
    if root is None:
        return
    draft.taken[path] = f"{path} holds the settings of a v4 project"
    folder = path.rpartition("/")[0]
    for key, value in root.entries:
        at = Origin(path, key.line, key.column)
        always = _ALWAYS.match(key.text)
        if always and isinstance(value, Sequence):
            _stand(always[1], value, path, [a for a in agents if _is_of(a, folder)], draft)
            why = "shown to the agent as documents, by their names and without their folders"
            draft.account(at, "setting", key.text, "approximated", why)
        else:
            why = "documents are kept by their names, and folders are the service's own"
            draft.account(at, "setting", key.text, "approximated", why)
    known = [(key, value) for key, value in root.entries if _KNOWN.match(key.text)]
    for item in _unsafe(known):
        message = f"{quoted(item.text)} leads out of the project"
        at = Origin(path, item.line, item.column)
        tree.diagnostics.add("BMAD612", tree.at(path, item.line, item.column), message, "")
        draft.account(at, "setting", item.text, "left", message)


def _is_of(found: Found, folder: str) -> bool:
    return not folder or found.home.folder.startswith(f"{folder}/")


def _stand(role: str, value: Sequence, path: str, agents: list[Found], draft: Draft) -> None:
    texts = [item.text for item in value.items if isinstance(item, Scalar)]
    names = documents.read([text for text in texts if not _leads_out(text)]).names
    for found in agents:
        own = {found.own_id, found.own_id.rpartition("-")[2]}
        if role in own or (role == "dev" and found.loads_always):
            found.draft.keys["reads"] = [f"{name}.md" for name in names]
            found.draft.origins["reads"] = Origin(path, value.line, value.column)


def _leads_out(text: str) -> bool:
    return text.startswith(("/", "~")) or ".." in text.split("/")


def _unsafe(entries: object) -> list[Scalar]:
    """Every path in the settings that leads out of the project."""
    found: list[Scalar] = []
    todo: list[object] = [entries]
    while todo:
        node = todo.pop()
        if isinstance(node, Scalar):
            if isinstance(node.value, str) and _leads_out(node.text):
                found.append(node)
        elif isinstance(node, tuple):
            todo += list(node)
    return sorted(found, key=lambda node: node.line)
