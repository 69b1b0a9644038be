"""CrewAI's `agents.yaml` and `tasks.yaml`: agents, and one flow for each pair of files."""

from __future__ import annotations

import re
from typing import Any, Final

from ....runtime import spec
from ....runtime.yamltext import Mapping, Node, Scalar
from ...diagnostics import Diagnostics, near_match, quoted
from .. import lenient, placeholders
from ..draft import Draft, DraftAgent, DraftFlow, DraftStep, Origin
from ..stepids import StepIds
from ..tree import ForeignTree
from ..untaken import untaken
from ..v6.fields import is_true, keys_of, origin, text_of
from ..v6.paths import folder_of
from ..v6.persona import one_line, slug
from ..v6.workflow import document_of
from .markdown import listed

NAME: Final = "crewai"
_AGENTS: Final = ("agents.yaml", "agents.yml")
_TASKS: Final = ("tasks.yaml", "tasks.yml")
_ROLE: Final = re.compile(r"(?:^[ \t]+|[{,][ \t]*)(?:role|backstory):", re.MULTILINE)
_FILLED: Final = ("role", "goal", "backstory", "description", "expected_output", "output_file")
_AGENT_KEYS: Final = frozenset({"role", "goal", "backstory", "tools", "llm"})
_TASK_KEYS: Final = frozenset(
    {
        "description",
        "expected_output",
        "agent",
        "context",
        "output_file",
        "human_input",
        "async_execution",
        "tools",
    }
)


def recognises(tree: ForeignTree) -> str:
    """Why a tree is a crew's; empty when it is none."""
    path = next(iter(_crews(tree)), "")
    return f"{path} has agents with role: and backstory:" if path else ""


def _crews(tree: ForeignTree) -> list[str]:
    return [
        path
        for path in sorted(tree.files)
        if path.rpartition("/")[2] in _AGENTS and _ROLE.search(tree.text(path) or "")
    ]


def read(tree: ForeignTree, diagnostics: Diagnostics) -> Draft:
    """All crews as a draft; findings go into `diagnostics`, which is the tree's."""
    draft = Draft(NAME)
    left: dict[str, Origin] = {}
    for path in _crews(tree):
        crew = _Crew(tree, diagnostics, draft, path)
        crew.read()
        left = crew.left | left
    _tell_left(left, tree, draft)
    return draft


def _tell_left(left: dict[str, Origin], tree: ForeignTree, draft: Draft) -> None:
    """One note on the names in braces, which `kickoff(inputs=…)` would have filled in."""
    if not left:
        return
    shown = ", ".join(quoted("{" + name + "}") for name in list(left)[:4])
    more = f" and {len(left) - 4:,} more" if len(left) > 4 else ""
    message = f"names in braces are left for the model: {shown}{more}"
    name, at = next(iter(left.items()))
    hint = f'a run is told what they mean in inputs, such as {{"{name}": "…"}}'
    tree.diagnostics.add("BMAD640", tree.at(*at), message, hint)
    why = "it stays as it stands: the inputs of a run say what it means"
    for name, at in left.items():
        draft.account(at, "placeholder", name, "approximated", why)


class _Crew:
    def __init__(
        self, tree: ForeignTree, diagnostics: Diagnostics, draft: Draft, path: str
    ) -> None:
        self.tree = tree
        self.diagnostics = diagnostics
        self.draft = draft
        self.path = path
        self.tasks = ""
        self.ids: dict[str, str] = {}  # by the crew's own name
        self.outputs: dict[str, str] = {}
        self.left: dict[str, Origin] = {}  # names in braces, where each is first used

    def read(self) -> None:
        folder = folder_of(self.path)
        project = next(
            (part for part in reversed(folder.split("/")) if part not in ("", "config", "src")),
            "crew",
        )
        for key, node in self._entries(self.path, "has agents with role: and backstory:"):
            self._agent(key, node, project)
        beside = (f"{folder}/{name}".lstrip("/") for name in _TASKS)
        self.tasks = next((path for path in beside if path in self.tree.files), "")
        if not self.tasks:
            return
        flow = DraftFlow(self._free(slug(project) or "crew"), Origin(self.tasks))
        flow.description = f"The tasks of {project}"
        tasks = self._entries(self.tasks, "has the crew's tasks")
        files = (_output_file(keys_of(node).get("output_file")) for _, node in tasks)
        ids = StepIds(filter(None, files))
        for key, node in tasks:
            self._task(flow, ids, key, node)
        if flow.steps:
            self.draft.flows.append(flow)

    def _free(self, name: str) -> str:
        return untaken({spec.id_key(flow.name) for flow in self.draft.flows}, name)

    def _entries(self, path: str, why: str) -> list[tuple[Scalar, Mapping]]:
        self.draft.taken[path] = f"{path} {why}"
        root = lenient.mapping(self.tree, path, self.tree.text(path) or "")
        found = []
        for key, node in root.entries if root else ():
            if isinstance(node, Mapping):
                found.append((key, node))
            else:
                at = self.tree.at(path, key.line, key.column)
                message = f"{quoted(key.text)} is no mapping, and is left out"
                self.diagnostics.add("BMAD645", at, message, "write its keys below it")
                place = origin(path, key)
                self.draft.account(place, "entry", key.text, "left", "it is no mapping")
        return found

    def _agent(self, key: Scalar, node: Mapping, project: str) -> None:
        keys, at = keys_of(node), origin(self.path, key)
        role, goal, story = (text_of(keys.get(name)) for name in ("role", "goal", "backstory"))
        own = slug(key.text) or "agent"
        taken = {spec.id_key(agent.id) for agent in self.draft.agents}
        name, own = own, untaken(taken, own, slug(f"{project}-{own}"))
        if name != own:
            message = f"the id {quoted(name)} is taken: this agent is {quoted(own)}"
            hint = "rename one of them to choose the id yourself"
            self.diagnostics.add("BMAD607", self.tree.at(*at), message, hint)
        agent = DraftAgent(own, at, description=one_line(goal or role))
        agent.persona = f"You are {one_line(role)}." if role else ""
        parts = [f"## Goal\n\n{goal}" if goal else "", f"## Background\n\n{story}" if story else ""]
        agent.prompt = "\n\n".join(part for part in parts if part) + "\n"
        self.ids[key.text] = own
        self._find_left(self.path, keys)
        self._tools(self.path, keys.get("tools"))
        self._others(self.path, node, _AGENT_KEYS, "agent")
        if text_of(keys.get("llm")):
            place = origin(self.path, keys["llm"])
            why = "models are named in config/runtime.yaml here"
            self.draft.account(place, "model", text_of(keys["llm"]), "approximated", why)
            agent.notes.append(f"Its author asked for the model {one_line(text_of(keys['llm']))}.")
        self.draft.agents.append(agent)
        self.draft.account(at, "agent", key.text, "carried")

    def _find_left(self, path: str, keys: dict[str, Node]) -> None:
        for key in _FILLED:
            for name in sorted(placeholders.names(text_of(keys.get(key)))):
                self.left.setdefault(name, origin(path, keys[key]))

    def _tools(self, path: str, node: Node | None) -> None:
        for name in listed(node):
            assert node is not None  # noqa: S101 - it has items
            at = origin(path, node)
            message = f"the tool {quoted(name)} is one of another program"
            hint = "write a function of your own and name it in tools.yaml"
            self.diagnostics.add("BMAD642", self.tree.at(*at), message, hint)
            self.draft.account(at, "tool", name, "left", "it is a tool of another program")

    def _others(self, path: str, node: Mapping, known: frozenset[str], what: str) -> None:
        for key, _ in node.entries:
            if key.text not in known:
                place = origin(path, key)
                why = "there is no such setting here"
                self.draft.account(place, f"{what} setting", key.text, "left", why)

    def _task(self, flow: DraftFlow, ids: StepIds, key: Scalar, node: Mapping) -> None:
        keys, at = keys_of(node), origin(self.tasks, key)
        self._find_left(self.tasks, keys)
        agent = self._known(keys.get("agent"), key)
        if agent is None:
            self.draft.account(at, "task", key.text, "left", "no agent of the crew carries it out")
            return
        base = slug(key.text) or "task"
        step_id = ids.give(base, other=slug(f"{base[:58]}-task"))
        settings: dict[str, Any] = {"agent": agent, "id": step_id}
        wanted = text_of(keys.get("expected_output"))
        said = [text_of(keys.get("description")), f"Expected: {wanted}" if wanted else ""]
        settings["note"] = "\n\n".join(part for part in said if part) or key.text
        created = self._created(keys.get("output_file"), step_id, ids)
        needed = self._context(keys.get("context"), key)
        if needed:
            settings["requires"] = [f"{name}.md" for name in needed]
        self.outputs[key.text] = created
        step = DraftStep(settings, at)
        settings["creates"] = f"{created}.md"
        if is_true(keys.get("async_execution")):
            why = "tasks beside each other are a group; it stands in the order of the file"
            place = origin(self.tasks, keys["async_execution"])
            self._beside(flow, step, place, why)
        else:
            flow.steps.append(step)
        self._gate(flow, ids, keys.get("human_input"), step_id)
        self._tools(self.tasks, keys.get("tools"))
        self._others(self.tasks, node, _TASK_KEYS, "task")
        self.draft.account(at, "task", key.text, "carried")

    def _beside(self, flow: DraftFlow, step: DraftStep, at: Origin, why: str) -> None:
        """Put the step into the group that goes on, or begin one."""
        last = flow.steps[-1] if flow.steps else None
        if last is not None and "parallel" in last.keys:
            last.keys["parallel"].append(step.keys)
        else:
            flow.steps.append(DraftStep({"parallel": [step.keys]}, step.at))
        self.draft.account(at, "async task", step.keys["id"], "carried", why)

    def _known(self, node: Node | None, key: Scalar) -> str | None:
        name = text_of(node)
        if name in self.ids:
            return self.ids[name]
        message = f"the task {quoted(key.text)} has no agent of the crew"
        message += f": {quoted(name)} is none" if name else ""
        at = origin(self.tasks, node or key)
        hint = near_match(name, self.ids) or "write agent: with one of agents.yaml"
        self.diagnostics.add("BMAD645", self.tree.at(*at), message, hint)
        return None

    def _created(self, node: Node | None, step_id: str, ids: StepIds) -> str:
        """The document of a task: a name of its own, even where none is asked for."""
        taken = set(self.outputs.values())
        name = _output_file(node)
        if node is not None:
            self.draft.account(origin(self.tasks, node), "output file", text_of(node), "carried")
        if not name or name in taken:
            name = ids.give(slug(f"{step_id[:50]}-result"))
        return name

    def _context(self, node: Node | None, key: Scalar) -> list[str]:
        found = []
        for name in listed(node):
            assert node is not None  # noqa: S101 - it has items
            at = origin(self.tasks, node)
            if name in self.outputs:
                found.append(self.outputs[name])
                self.draft.account(at, "context", name, "carried")
                continue
            message = (
                f"the task {quoted(key.text)} waits for {quoted(name)}, which is no task before it"
            )
            hint = near_match(name, self.outputs)
            self.diagnostics.add("BMAD645", self.tree.at(*at), message, hint)
            self.draft.account(at, "context", name, "left", "it is no task before this one")
        return found

    def _gate(self, flow: DraftFlow, ids: StepIds, node: Node | None, step_id: str) -> None:
        if not is_true(node):
            return
        assert node is not None  # noqa: S101 - it is true
        at = origin(self.tasks, node)
        last = flow.steps[-1]
        if "parallel" in last.keys:
            why = "nobody can be asked inside a group"
            self.draft.account(at, "human input", step_id, "left", why)
            message = f"the task {quoted(step_id)} asks a person inside a group, which is left out"
            self.diagnostics.add("BMAD645", self.tree.at(*at), message, "let it stand by itself")
            return
        gate = ids.give(slug(f"{step_id[:50]}-review"))
        keys = {
            "human": gate,
            "question": f"Is the result of {step_id} good as it is?",
            "on": {"reject": step_id},
            "max_visits": 3,
        }
        flow.steps.append(DraftStep(keys, at))
        last.keys["max_visits"] = 3
        self.draft.account(at, "human input", step_id, "carried")


def _output_file(node: Node | None) -> str:
    """The document that a task's file stands for; empty for none."""
    return document_of(text_of(node).rpartition("/")[2]) if node is not None else ""
