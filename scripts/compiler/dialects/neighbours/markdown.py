"""`.claude/agents/*.md`, `*.agent.md` and Agent Skills: front-matter, and a prompt below it."""

from __future__ import annotations

import re
from typing import Final, Literal

from ....runtime import spec
from ....runtime.yamltext import Mapping, Node, Sequence
from ...diagnostics import Diagnostics, quoted
from ..assets import is_path
from ..draft import Draft, DraftAgent, DraftFile, DraftFlow, DraftStep, Origin
from ..tree import ForeignTree
from ..v6.fields import items_of, keys_of, origin, text_of
from ..v6.markdown import Page, page
from ..v6.paths import folder_of
from ..v6.persona import one_line, slug

NAME: Final = "neighbour"
Kind = Literal["claude", "copilot", "chatmode", "prompt", "skill", ""]
# A file that only says where the agent is, as installers put into editors' folders.
_POINTS: Final = re.compile(
    r"(?:LOAD the FULL|Load and (?:execute|follow)|Read fully and follow|LOAD the)\b[^\n]*"
    r"(?:agent file|skill|workflow|task|@)?[^\n]*\{project-root\}/(\S+)",
    re.IGNORECASE,
)
_POINTER: Final = 2_500  # characters: a longer text says more than where to look
_KNOWN: Final = frozenset(
    {"name", "description", "tools", "model", "color", "handoffs", "allowed-tools", "license"}
)
_SPLIT: Final = re.compile(r",(?![^(]*\))")
MAX_BYTES: Final = 1 << 20


def kind_of(tree: ForeignTree, path: str) -> Kind:
    """What sort of neighbour a file is; empty for none."""
    folder, _, name = path.rpartition("/")
    if name == "SKILL.md":
        return "skill" if page_has(tree, path, "description") else ""
    for suffix, kind in (
        (".agent.md", "copilot"),
        (".chatmode.md", "chatmode"),
        (".prompt.md", "prompt"),
    ):
        if name.endswith(suffix):
            return kind  # type: ignore[return-value]
    below = f"/{folder}/"
    if ".claude/agents" in below and name.endswith(".md"):
        return "claude" if page_has(tree, path, "name", "description") else ""
    return ""


def page_has(tree: ForeignTree, path: str, *keys: str) -> bool:
    """Whether a file begins with front-matter that holds one of `keys`."""
    text = tree.text(path) or ""
    if not text.lstrip().startswith("---"):
        return False
    head = text.lstrip()[3:].partition("\n---")[0]
    return any(re.search(rf"^{key}:", head, re.MULTILINE) for key in keys)


def recognises(tree: ForeignTree) -> str:
    """Why there are agents of other programs in a tree; empty if there are none."""
    for path in sorted(tree.files):
        kind = kind_of(tree, path) if path.endswith(".md") else ""
        if kind:
            return f"{path} is {_WORDS[kind]}"
    return ""


_WORDS: Final[dict[str, str]] = {
    "claude": "an agent of Claude Code",
    "copilot": "an agent of Copilot",
    "chatmode": "a chat mode of Copilot",
    "prompt": "a prompt of Copilot",
    "skill": "an Agent Skill",
}


def read(tree: ForeignTree, diagnostics: Diagnostics) -> Draft:
    """All of them as a draft; findings go into `diagnostics`, which is the tree's."""
    reader = _Reader(tree, diagnostics)
    for path in sorted(tree.files):
        kind = kind_of(tree, path) if path.endswith(".md") else ""
        if kind:
            reader.read(path, kind)
        elif ".claude/agents/" in path and path.endswith(".md"):
            reader.refuse(path, "it has no front-matter with name: and description:")
    return reader.draft


class _Reader:
    def __init__(self, tree: ForeignTree, diagnostics: Diagnostics) -> None:
        self.tree = tree
        self.diagnostics = diagnostics
        self.draft = Draft(NAME)
        self.seen: dict[str, DraftAgent] = {}

    def read(self, path: str, kind: Kind) -> None:
        found = page(self.tree, path)
        self.draft.taken[path] = f"{path} is {_WORDS[kind]}"
        at = Origin(path)
        if not found.body.strip():
            self.refuse(path, "it says nothing of what is to be done")
            return
        pointer = _POINTS.search(found.body)
        if pointer is not None and len(found.body) < _POINTER:
            why = f"it only points to {pointer[1].rstrip('.,`')}"
            line = found.body.count("\n", 0, pointer.start()) + found.line
            self.draft.account(Origin(path, line), "agent", path, "left", why)
            message = f"the file is left out: {why}"
            self.diagnostics.add("BMAD611", self.tree.at(path, line), message)
            return
        agent = DraftAgent(self._id(path, kind, found), at)
        first = self.seen.get(spec.id_key(agent.id))
        if first is not None and not self._renamed(agent, first, kind):
            return
        self.seen[spec.id_key(agent.id)] = agent
        about = found.keys.get("description")
        if isinstance(about, Mapping):
            place, why = origin(path, about), "it is a mapping, and no text"
            self.diagnostics.add("BMAD611", self.tree.at(*place), f"description is left out: {why}")
            self.draft.account(place, "description", agent.id, "left", why)
        agent.description = one_line(text_of(about))
        agent.prompt = found.body if found.body.endswith("\n") else f"{found.body}\n"
        agent.origins["prompt"] = Origin(path, found.line)
        self._model(agent, path, found)
        self._tools(path, found)
        self._handoffs(path, found)
        self._rest(path, found)
        if kind == "skill":
            self._files(agent, path)
        self.draft.agents.append(agent)
        self.draft.account(at, "agent", agent.id, "carried")
        if kind == "prompt":
            self._flow(agent)

    def refuse(self, path: str, why: str) -> None:
        """Leave out a file that is no agent; one that is no text was reported as that."""
        if self.tree.text(path) is not None:
            hint = "mend it, or move it elsewhere"
            place = self.tree.at(path)
            self.diagnostics.add("BMAD613", place, f"this is no agent: {why}", hint)
        self.draft.account(Origin(path), "agent", path, "left", why)

    def _id(self, path: str, kind: Kind, found: Page) -> str:
        folder, _, name = path.rpartition("/")
        stem = folder.rpartition("/")[2] if kind == "skill" else name.split(".")[0]
        written = (
            "" if kind in ("copilot", "chatmode", "prompt") else text_of(found.keys.get("name"))
        )
        return slug(written) or slug(stem) or "agent"

    def _renamed(self, agent: DraftAgent, first: DraftAgent, kind: Kind) -> bool:
        """Another id for one that is taken; false when both are in one folder."""
        place = self.tree.at(*agent.at)
        if folder_of(agent.at.path) == folder_of(first.at.path):
            message = f"the id {quoted(agent.id)} is taken by {first.at.path}"
            self.diagnostics.add("BMAD615", place, message, "give one of them another id")
            self.draft.account(agent.at, "agent", agent.id, "left", message)
            return False
        own, number = agent.id, 2
        agent.id = slug(f"{kind}-{own}")
        while spec.id_key(agent.id) in self.seen:
            agent.id, number = slug(f"{kind}-{own[:50]}-{number}"), number + 1
        message = f"the id {quoted(own)} is taken by {first.at.path}: here it is {quoted(agent.id)}"
        hint = "rename one of them to choose the id yourself"
        self.diagnostics.add("BMAD607", place, message, hint)
        return True

    def _model(self, agent: DraftAgent, path: str, found: Page) -> None:
        node = found.keys.get("model")
        model = text_of(node)
        if node is None or not model:
            return
        why = f"models are named in config/runtime.yaml here: {model!r} was asked for"
        agent.notes.append(f"Its author asked for the model {one_line(model)}.")
        self.draft.account(origin(path, node), "model", model, "approximated", why)

    def _tools(self, path: str, found: Page) -> None:
        for key in ("tools", "allowed-tools"):
            node = found.keys.get(key)
            for name in listed(node):
                assert node is not None  # noqa: S101 - it has items
                at = origin(path, node)
                message = f"the tool {quoted(name)} is one of another program"
                hint = "write a function of your own and name it in tools.yaml"
                self.diagnostics.add("BMAD642", self.tree.at(*at), message, hint)
                self.draft.account(at, "tool", name, "left", "it is a tool of another program")

    def _handoffs(self, path: str, found: Page) -> None:
        for item in items_of(found.keys.get("handoffs")):
            keys = keys_of(item)
            agent, label = text_of(keys.get("agent")), text_of(keys.get("label"))
            at = origin(path, item)
            message = f"a hand-off to {quoted(agent)} only suggests what may follow"
            hint = "write a flow where one shall follow the other"
            self.diagnostics.add("BMAD641", self.tree.at(*at), message, hint)
            why = "it suggests an order and states none"
            self.draft.account(at, "hand-off", label or agent, "left", why)

    def _rest(self, path: str, found: Page) -> None:
        for key, node in found.keys.items():
            if key not in _KNOWN and (text_of(node) or isinstance(node, Sequence)):
                why = "agents have no such key here"
                self.draft.account(origin(path, node), "key", key, "left", why)

    def _files(self, agent: DraftAgent, path: str) -> None:
        """What lies beside a skill, to be read; nothing of it is run."""
        start = f"{folder_of(path)}/"
        if start == "/":
            return
        names = []
        for other in sorted(self.tree.files):
            if not other.startswith(start) or other == path:
                continue
            native = f"data/{agent.id}/{other[len(start) :]}"
            usable = is_path(native) and len(self.tree.files[other]) <= MAX_BYTES
            text = self.tree.text(other) if usable else None
            if text is None:
                self.draft.account(Origin(other), "file", other, "left", "it cannot be copied")
                continue
            names.append(native.removeprefix("data/"))
            self.draft.files[native] = DraftFile(text.encode(), Origin(other))
            self.draft.taken[other] = f"{other} belongs to the skill {agent.id}"
            self.draft.account(Origin(other), "file", other, "carried")
        if names:
            agent.keys["data"] = names

    def _flow(self, agent: DraftAgent) -> None:
        flow = DraftFlow(agent.id, agent.at, agent.description)
        flow.steps = [DraftStep({"agent": agent.id}, agent.at)]
        self.draft.flows.append(flow)


def listed(node: Node | None) -> list[str]:
    """Names in a list, or in one text with commas."""
    if isinstance(node, Sequence):
        return [text for item in node.items if (text := text_of(item))]
    return [part for text in _SPLIT.split(text_of(node)) if (part := text.strip())]
