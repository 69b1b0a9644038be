"""`.claude/agents/*.md`, `*.agent.md` and Agent Skills: front-matter, and a prompt below it."""

from __future__ import annotations

import re
from typing import Final, Literal

from ....runtime import spec
from ....runtime.yamltext import Mapping, Node, Sequence
from ...diagnostics import Diagnostics, quoted, several
from ...summary import many
from ..assets import is_path
from ..draft import Draft, DraftAgent, DraftFile, DraftFlow, DraftStep, Origin
from ..tree import ForeignTree
from ..v6.fields import items_of, keys_of, origin, text_of
from ..v6.installed import is_example
from ..v6.markdown import Page, page
from ..v6.paths import folder_of
from ..v6.persona import one_line, slug

NAME: Final = "neighbour"
# Folders whose names say nothing of whose agents they hold.
_SHARED: Final = frozenset({"agents", "skills", "prompts", ".claude", ".github", ".agents", "src"})
Kind = Literal["claude", "copilot", "chatmode", "prompt", "skill", ""]
# A file that only says where the agent is, as installers put into editors' folders.
_POINTS: Final = re.compile(
    r"(?:LOAD the FULL|Load and (?:execute|follow)|Read fully and follow|LOAD the)\b[^\n]*"
    r"(?:agent file|skill|workflow|task|@)?[^\n]*(?:\{project-root\}/|@(?=[\w.]+/))(\S+)",
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
    if ".claude/agents" in f"/{folder}/":
        return "claude" if page_has(tree, path, "name", "description") else ""
    return "claude" if _is_subagent(tree, path) else ""


def _is_subagent(tree: ForeignTree, path: str) -> bool:
    """Whether a file is an agent of Claude Code outside its usual folder, as collections have them.

    It has a name and a description, and lies among agents or says which tools, model or
    colour it has.
    """
    if not (page_has(tree, path, "name") and page_has(tree, path, "description")):
        return False
    in_agents = "agents" in path.split("/")[:-1]
    return in_agents or page_has(tree, path, "tools", "model", "color")


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
    skills = [path[: -len("SKILL.md")] for path in sorted(tree.files) if _is_skill(path)]
    for path in sorted(tree.files):
        kind = kind_of(tree, path) if path.endswith(".md") else ""
        if kind and not _belongs(tree, path, skills):
            reader.read(path, kind)
        elif ".claude/agents/" in path and path.endswith(".md"):
            reader.refuse(path, "it has no front-matter with name: and description:")
    reader.tell()
    return reader.draft


def _is_skill(path: str) -> bool:
    return path.endswith("/SKILL.md")


def _belongs(tree: ForeignTree, path: str, skills: list[str]) -> bool:
    """Whether a file lies in the folder of a skill, whose own it then is.

    A skill inside another's folder is one by itself, but for what lies there as an example.
    """
    return is_example(tree, path) if _is_skill(path) else any(map(path.startswith, skills))


class _Reader:
    def __init__(self, tree: ForeignTree, diagnostics: Diagnostics) -> None:
        self.tree = tree
        self.diagnostics = diagnostics
        self.draft = Draft(NAME)
        self.seen: dict[str, DraftAgent] = {}
        self.tools: dict[str, Origin] = {}  # those of other programs, and where each is first
        self.copies: dict[str, str] = {}  # files that are in the tree a second time

    def tell(self) -> None:
        """One finding for all tools of other programs, and one for all copies."""
        if self.tools:
            names = list(self.tools)
            message = f"{many(len(names), 'tool')} of other programs: {several(names)}"
            hint = "write functions of your own and name them in tools.yaml"
            first = next(iter(self.tools.values()))
            self.diagnostics.add("BMAD642", self.tree.at(*first), message, hint)
        if self.copies:
            first_copy, other = next(iter(self.copies.items()))
            message = f"a second copy of {many(len(self.copies), 'agent')} is not read, but {other}"
            self.diagnostics.add("BMAD611", self.tree.at(first_copy), message)

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
        if first is not None and self.tree.files[first.at.path] == self.tree.files[path]:
            self._copy(path, first.at.path, kind)
            return
        if first is not None:
            self._rename(agent, first, kind)
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
        stem = folder.rpartition("/")[2] if kind == "skill" else name.removesuffix(".md")
        stem = stem.removesuffix(".agent").removesuffix(".chatmode").removesuffix(".prompt")
        written = (
            "" if kind in ("copilot", "chatmode", "prompt") else text_of(found.keys.get("name"))
        )
        return slug(written) or slug(stem) or "agent"

    def _copy(self, path: str, other: str, kind: Kind) -> None:
        """Leave out a file that stands elsewhere word for word, as installers copy them."""
        self.copies[path] = other
        self.draft.account(Origin(path), "agent", path, "left", f"it is a copy of {other}")
        if kind == "skill":
            start = f"{folder_of(path)}/"
            beside = (each for each in self.tree.files if each.startswith(start))
            self.draft.taken |= {each: f"{each} belongs to a copy" for each in beside}

    def _rename(self, agent: DraftAgent, first: DraftAgent, kind: Kind) -> None:
        """Another id for one that is taken: its plugin's name first, else the program's."""
        own = agent.id
        folders = [part for part in agent.at.path.split("/")[:-1] if part not in _SHARED]
        stem = slug(agent.at.path.rpartition("/")[2].removesuffix(".md"))
        home = folders[-2:-1] if kind == "skill" else folders[-1:]
        names = [stem] if kind != "skill" else []
        names += [slug(f"{name}-{own}") for name in (*home, kind)]
        names += [slug(f"{kind}-{own[:50]}-{number}") for number in range(2, 1000)]
        agent.id = next(name for name in names if name and spec.id_key(name) not in self.seen)
        message = f"the id {quoted(own)} is taken by {first.at.path}: here it is {quoted(agent.id)}"
        hint = "rename one of them to choose the id yourself"
        self.diagnostics.add("BMAD607", self.tree.at(*agent.at), message, hint)

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
                self.tools.setdefault(name, at)
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
        for other in self.tree.below(folder_of(path)):
            if other == path:
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
