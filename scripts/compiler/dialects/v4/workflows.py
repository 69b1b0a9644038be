"""A v4 workflow as native flows: who does what in which order, with which documents and files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ....runtime import spec
from ....runtime.yamltext import Mapping, Node
from ...diagnostics import quoted
from .. import lenient
from ..draft import DraftFlow, DraftStep, Origin
from . import commands, documents, steps
from .agents import Found, one_line, text_of
from .assets import Assets, step_key
from .homes import Home
from .steps import Source

MAX_ITEMS: Final = 50
MAX_VISITS: Final = 3
STORIES: Final = "stories"
_LIST: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        STORIES: {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "epic": {"type": "string"},
                    "title": {"type": "string"},
                    "text": {"type": "string"},
                },
                "required": ["title", "text"],
            },
        }
    },
    "required": [STORIES],
}
_LIST_NOTE: Final = (
    "Name the stories that are to be written, in the order of work, as the list `stories`: the "
    "epic, a title, and all that the documents say of it."
)
_ABOUT: Final = frozenset({"id", "name", "title", "description", "handoff_prompts"})
_NOBODY: Final = frozenset({"various", "any", "system", "multiple", "all"})
_ALTERNATIVES: Final = re.compile(r"\s*[/|]\s*|\s+or\s+")
_TEMPLATE: Final = re.compile(r"[\w-]+-tmpl(?:v\d)?\b")
_TASK: Final = re.compile(r"\b(?:task|uses?|using)\s+`?([\w-]+)", re.IGNORECASE)
_FILENAME: Final = re.compile(r"^\s{2,}filename:\s*[\"']?([^\"'\n]+)", re.MULTILINE)
_ISSUES: Final = re.compile(r"_issues$")
_LEFT: Final = re.compile(r"^(\w+?)_left_")
_PATH: Final = re.compile(r"_path$")


@dataclass(slots=True)
class Made:
    """A document that a step makes, by whom, and whether it surely does."""

    name: str
    agent: str
    is_sure: bool


@dataclass(slots=True)
class Placed:
    """A step of the flow being made, and what it came from."""

    draft: DraftStep
    source: Source


class WorkflowReader:
    """Reads the workflows of one tree; `of_home` gives an agent by its own id."""

    def __init__(self, assets: Assets, agents: list[Found]) -> None:
        self.assets = assets
        self.tree = assets.tree
        self.draft = assets.draft
        self.agents = agents
        self.names: set[str] = set()

    def read(self, home: Home, path: str) -> None:
        """Add the flows of one file to the draft."""
        text = self.tree.text(path)
        root = None if text is None else lenient.mapping(self.tree, path, text)
        if root is None:
            self.draft.account(Origin(path), "workflow", path, "left", "it cannot be read")
            return
        keys = {key.text: value for key, value in root.entries}
        inner = keys.get("workflow")
        if isinstance(inner, Mapping):
            root = inner
        elif not any(key in keys for key in (*steps.SEQUENCES, "phases")):
            return
        self.draft.taken[path] = f"{path} has a workflow with steps"
        found = steps.sequences(self.tree, path, root)
        found = {name: sources for name, sources in found.items() if sources}
        if not found:
            message = "the workflow has no list of steps that is known"
            hint = f"known lists are {', '.join(steps.SEQUENCES)}, phases and …{steps.SUFFIX}"
            self._find("BMAD616", Origin(path, root.line, root.column), message, hint)
            self.draft.account(Origin(path, root.line), "workflow", path, "left", message)
            return
        self._flows(home, path, root, found)

    def _flows(self, home: Home, path: str, root: Mapping, found: dict[str, list[Source]]) -> None:
        keys = {key.text: value for key, value in root.entries}
        stem = path.rpartition("/")[2].rpartition(".")[0]
        own = commands.fitted(text_of(keys["id"]) if "id" in keys else stem) or "workflow"
        at = Origin(path, root.line, root.column)
        base = self._free(own, home, at)
        about = one_line(next((text_of(keys[k]) for k in ("description", "name") if k in keys), ""))
        if len(found) > 1:
            names = ", ".join(commands.fitted(f"{base}-{name}") for name in found)
            self._find("BMAD617", at, f"the workflow has become the flows {names}")
        for name, sources in found.items():
            flow = commands.fitted(f"{base}-{name}") if len(found) > 1 else base
            handoffs = _handoffs(keys.get("handoff_prompts"), path)
            _Flow(self, home, DraftFlow(flow, at, about), handoffs).fill(sources)
        self.draft.account(at, "workflow", own, "carried")
        self._leftovers(path, root)

    def _leftovers(self, path: str, root: Mapping) -> None:
        left = []
        for key, _ in root.entries:
            name = key.text
            is_list = name in (*steps.SEQUENCES, "phases") or name.endswith(steps.SUFFIX)
            if name in _ABOUT or is_list:
                continue
            left.append(key)
            why = "it is for people who choose or read a workflow"
            self.draft.account(Origin(path, key.line, key.column), "section", name, "left", why)
        if left:
            names = ", ".join(key.text for key in left)
            at = Origin(path, left[0].line, left[0].column)
            self._find("BMAD611", at, f"left out, since they are for people: {names}")

    def _free(self, own: str, home: Home, at: Origin) -> str:
        """A name for a flow that no other has."""
        if spec.id_key(own) in self.names:
            new = commands.fitted(f"{home.pack or 'core'}-{own}")
            self._find(
                "BMAD607", at, f"the flow {quoted(own)} is there already: this is {quoted(new)}"
            )
            own = new
        number, name = 2, own
        while spec.id_key(name) in self.names:
            name, number = commands.fitted(f"{own}-{number}"), number + 1
        self.names.add(spec.id_key(name))
        return name

    def agent(self, home: Home, name: str) -> Found | None:
        """The agent that a workflow of `home` calls so: of its own home first, then any."""
        key = spec.id_key(commands.fitted(name))
        same = [found for found in self.agents if spec.id_key(commands.fitted(found.own_id)) == key]
        own = [found for found in same if found.home.folder == home.folder]
        return next(iter(own or same), None)

    def _find(self, code: str, at: Origin, message: str, hint: str = "") -> None:
        place = self.tree.at(at.path, at.line, at.column)
        self.tree.diagnostics.add(code, place, message, hint)


Handoffs = dict[tuple[str, str], tuple[str, Origin]]


def _handoffs(node: Node | None, path: str) -> Handoffs:
    """The prompts whose names say between whom they pass: `a_to_b`."""
    found: Handoffs = {}
    for key, value in node.entries if isinstance(node, Mapping) else ():
        first, to, last = key.text.partition("_to_")
        ends = (first, last) if to else (key.text, "")
        found[ends] = (text_of(value), Origin(path, key.line, key.column))
    return found


class _Flow:
    """One flow being made."""

    def __init__(
        self, reader: WorkflowReader, home: Home, flow: DraftFlow, handoffs: Handoffs
    ) -> None:
        self.reader = reader
        self.home = home
        self.flow = flow
        self.handoffs = handoffs
        self.made: list[Made] = []
        self.placed: list[Placed] = []
        self.ids: set[str] = set()
        self.pending = ""  # guidance that no agent follows by itself: for the next one
        self.routed: set[str] = set()
        self.open: list[tuple[dict[str, str], str, int]] = []  # actions that lead to what follows

    def fill(self, sources: list[Source]) -> None:
        """Make the steps of the flow, and of the cycle that is in it."""
        self.created = {
            name
            for source in sources
            for name in _all_names(documents.read([*source.creates, *source.updates]))
        }
        cycle = next((at for at, each in enumerate(sources) if _is_cycle(each)), None)
        if cycle is None:
            self._place_all(sources)
        else:
            end = next(
                (at for at in range(cycle, len(sources)) if sources[at].repeats_before), None
            )
            self._place_all(sources[:cycle])
            self._place_cycle(sources[cycle:end], end is not None)
            self._place_all(sources[end:] if end is not None else [])
        self._finish()

    def _place_all(self, sources: list[Source]) -> None:
        for number, source in enumerate(sources):
            self._place(source, sources[number + 1 :])

    def _finish(self) -> None:
        if self.pending and self.placed:
            last = self.placed[-1].draft.keys
            key = "question" if "human" in last else "note"
            if "flow" not in last:
                last[key] = _joined(last.get(key, ""), self.pending)
        for on, action, place in self.open:
            on[action] = (
                _id_of(self.placed[place].draft.keys) if place < len(self.placed) else "end"
            )
        for (first, last_), (_, at) in self.handoffs.items():
            name = f"{first}_to_{last_}" if last_ else first
            why = "no two steps that follow each other are meant by its name"
            self.reader.draft.account(at, "handoff", name, "left", why)
        self.flow.steps = [placed.draft for placed in self.placed]
        if self.flow.steps:
            self.reader.draft.flows.append(self.flow)

    # One step.

    def _place(self, source: Source, following: list[Source]) -> None:
        reader = self.reader
        if source.routes:
            self._place_routes(source)
            return
        if not source.agent:
            self._take_guidance(source)
            return
        what = documents.read(source.updates)
        if what.flagged and source.agent.lower() in _NOBODY:
            self._place_fixes(source)
            return
        agent = self._agent(source, following)
        if agent is None:
            self._place_gate(source)
            return
        self._add(source, agent)
        reader.draft.account(source.at, "step", self.placed[-1].draft.keys["id"], "carried")

    def _take_guidance(self, source: Source) -> None:
        """A step that nobody does: told to whoever comes next."""
        name = source.label or source.action or "step"
        draft = self.reader.draft
        if source.ends or source.repeats_before:
            draft.account(source.at, "marker", name, "carried")
            return
        text = _joined(_sentence(source), source.note)
        when = f"If {_words(source.condition)}: " if source.condition else ""
        if text:
            self.pending = _joined(self.pending, f"{when}{text}")
        why = "no agent does it: the next step is told"
        draft.account(source.at, "step", name, "approximated", why)
        self._find(
            "BMAD608",
            source.at,
            f"the step {quoted(name)} has no agent: the next step is told",
            "write agent: <id>, if one shall do it",
        )

    def _agent(self, source: Source, following: list[Source]) -> Found | None:
        """Who does a step; of several the first that is there, for `any` whoever comes next."""
        name = source.agent
        found = self.reader.agent(self.home, name)
        if found is not None:
            return found
        names = [part for part in _ALTERNATIVES.split(name) if part]
        if len(names) > 1:
            found = next(filter(None, (self.reader.agent(self.home, part) for part in names)), None)
        elif name.lower() in _NOBODY:
            later = (self.reader.agent(self.home, each.agent) for each in following if each.agent)
            found = next(filter(None, later), None)
        taken = f"{quoted(found.draft.id)} does it" if found else "a person decides"
        hint = "write the id of one agent of the project"
        self._find("BMAD608", source.at, f"{quoted(name)} is no agent: {taken}", hint)
        self.reader.draft.account(source.at, "agent of a step", name, "approximated", taken)
        return found

    def _place_gate(self, source: Source) -> None:
        name = self._id(source, source.agent or "person")
        keys: dict[str, Any] = {"human": name}
        text = one_line(_joined(_sentence(source), source.note))
        if text:
            keys["question"] = text
        self._when(source, keys, name)
        self.placed.append(Placed(DraftStep(keys, source.at), source))
        why = "there is no such agent: a person decides"
        self.reader.draft.account(source.at, "step", name, "approximated", why)

    def _add(self, source: Source, agent: Found, name: str = "") -> DraftStep:
        """A step of an agent, with all that it says."""
        step_id = name or self._id(source, agent.own_id)
        keys: dict[str, Any] = {"agent": agent.draft.id, "id": step_id}
        draft = DraftStep(keys, source.at)
        sure = not (source.condition or source.optional)
        self._documents(source, keys, agent, sure=sure)
        note = self._note(source, agent)
        if note:
            keys["note"] = note
        self._files(source, agent, keys)
        self._when(source, keys, step_id)
        self.placed.append(Placed(draft, source))
        return draft

    def _id(self, source: Source, agent: str) -> str:
        """A name for a step: its own, else by what it does."""
        made = documents.read([*source.creates, *source.updates])
        what = source.label or ""
        if not what and source.action and len(source.action.split()) <= 4:  # noqa: PLR2004
            what = f"{agent}-{source.action}"
        elif not what and (made.names or made.symbols):
            verb = "updates-" if source.updates and not source.creates else ""
            what = f"{agent}-{verb}{(made.names or made.symbols)[0]}"
        elif not what and source.validates:
            what = f"{agent}-validates"
        base = commands.fitted(what or agent).lower() or "step"
        return self._unique(base)

    def _unique(self, base: str) -> str:
        taken = self.ids | {spec.id_key(name) for name in self.created} | spec.RESERVED_STEP_IDS
        name, number = base, 2
        if spec.id_key(name) in taken and spec.id_key(name) not in self.ids:
            base = name = commands.fitted(f"{base}-step")
        while spec.id_key(name) in taken:
            name, number = commands.fitted(f"{base[: spec.MAX_ID - 4]}-{number}"), number + 1
        self.ids.add(spec.id_key(name))
        return name

    def _documents(self, source: Source, keys: dict[str, Any], agent: Found, *, sure: bool) -> None:
        needs, makes = documents.read(source.requires), documents.read(source.creates)
        changes, looks = documents.read(source.updates), documents.read([source.validates])
        requires = list(needs.names)
        reads: list[str] = []
        made = {each.name for each in self.made}
        for symbol in [*needs.symbols, *changes.symbols]:
            (requires if symbol in made else reads).append(symbol)
        if needs.everything or looks.everything or source.validates:
            requires += [each.name for each in self.made if each.is_sure]
            reads += [each.name for each in self.made if not each.is_sure]
        requires += changes.names
        created = next(iter([*makes.names, *changes.names, *makes.symbols, *changes.symbols]), None)
        if created in reads:
            reads.remove(created)
            requires.append(created)
        if requires:
            keys["requires"] = [f"{name}.md" for name in dict.fromkeys(requires)]
        reads = [name for name in dict.fromkeys(reads) if name not in requires]
        if reads:
            keys["reads"] = [f"{name}.md" for name in reads]
        if created is not None:
            keys["creates"] = f"{created}.md"
            known = next((each for each in self.made if each.name == created), None)
            if known is None:
                self.made.append(Made(created, agent.draft.id, sure and not makes.is_perhaps))
        self._tell_documents(source, [*needs.remarks, *makes.remarks, *changes.remarks], reads)
        others = [*makes.names, *changes.names, *makes.symbols, *changes.symbols][1:]
        if others:
            message = f"a step makes one document: not kept as documents: {', '.join(others)}"
            self._find("BMAD610", source.at, message)
            self.reader.draft.account(source.at, "document", others[0], "approximated", message)

    def _tell_documents(self, source: Source, remarks: list[str], reads: list[str]) -> None:
        account = self.reader.draft.account
        for remark in remarks:
            self._find("BMAD610", source.at, remark.replace("'", '"'))
            account(source.at, "document", remark, "approximated", remark)
        for name in reads:
            if all(name != each.name for each in self.made):
                message = f"no step makes {quoted(name)}: it is shown if a client supplies it"
                self._find("BMAD610", source.at, message)
                account(source.at, "document", name, "approximated", message)

    def _note(self, source: Source, agent: Found) -> str:
        parts = [self.pending, _sentence(source)]
        self.pending = ""
        if source.phase:
            parts.insert(0, f"Phase: {_words(source.phase)}.")
        if source.validates:
            parts.append(f"Validate: {_words(source.validates)}.")
        parts.append(source.note.replace("{root}/", ""))
        if source.optional_steps:
            words = ", ".join(map(_words, source.optional_steps))
            parts.append(f"Before it, if the input asks for it: {words}.")
            why = "it is told to the step that it belongs to"
            for name in source.optional_steps:
                self.reader.draft.account(source.at, "optional step", name, "approximated", why)
        if source.repeats and not _is_cycle(source):
            parts.append(f"Do so for each: {_words(source.repeats)}.")
            message = f"repeated {_words(source.repeats)}: the step runs once and is told so"
            self._find("BMAD614", source.at, message)
            self.reader.draft.account(source.at, "loop", source.repeats, "approximated", message)
        parts.append(self._handoff(agent))
        return _joined(*parts)

    def _handoff(self, agent: Found) -> str:
        """The prompt with which the step before hands over to this one."""
        if not self.placed:
            return ""
        before = self.placed[-1].source.agent
        for ends, (text, at) in list(self.handoffs.items()):
            first, last = ends
            if last and _is_meant(first, before) and _is_meant(last, agent.own_id):
                del self.handoffs[ends]
                self.reader.draft.account(at, "handoff", f"{first}_to_{last}", "carried")
                return f"Handed over with: {text}"
        return ""

    def _files(self, source: Source, agent: Found, keys: dict[str, Any]) -> None:
        """The task, template and checklist that a step is about."""
        found: dict[str, list[str]] = {}
        for name in source.uses:
            self._used(name, agent, source, found)
        for kind, text in (
            ("templates", source.note),
            ("tasks", f"{source.action}\n{source.note}"),
        ):
            key = kind.removesuffix("s")
            if key not in found:
                pattern = _TEMPLATE if kind == "templates" else _TASK
                for name in pattern.findall(text):
                    path = self._lookup(agent, kind, name)
                    if path is not None and path not in found.get(key, ()):
                        found.setdefault(key, []).append(path)
        creates = keys.get("creates")
        if creates and source.creates and "template" not in found:
            found |= self._template_of(agent, creates)
        if "template" in found:
            found["template"] = found["template"][:1]
        if "task" not in found:
            found |= self._task_of(source, agent, found)
        for key in ("task", "template", "checklist", "data"):
            names = [path.partition("/")[2] for path in dict.fromkeys(found.get(key, ()))]
            if names:
                keys[key] = names[0] if len(names) == 1 else names

    def _used(self, text: str, agent: Found, source: Source, found: dict[str, list[str]]) -> None:
        """What `uses` names: of several in one text all that are there."""
        names = [word for word in re.split(r"\s+OR\s+|\s+", text) if word]
        taken = False
        for name in names:
            folder, _, bare = name.rpartition("/")
            kinds = (folder,) if folder else ("checklists", "templates", "tasks", "data")
            path = next(filter(None, (self._lookup(agent, kind, bare) for kind in kinds)), None)
            key = path and step_key(path)
            if path and key:
                found.setdefault(key, []).append(path)
                taken = True
        if not taken:
            message = f"there is no task, template or checklist {quoted(text)}"
            self._find("BMAD605", source.at, message, "add the file, or remove its name")
            self.reader.draft.account(source.at, "uses", text, "left", message)

    def _lookup(self, agent: Found, kind: str, name: str) -> str | None:
        assets = self.reader.assets
        return assets.find(agent.home, kind, name) or assets.find(self.home, kind, name)

    def _template_of(self, agent: Found, creates: str) -> dict[str, list[str]]:
        """The agent's template whose document is the one that is created."""
        stem = creates.removesuffix(".md")
        files = self.reader.draft.files
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

    def _task_of(
        self, source: Source, agent: Found, found: dict[str, list[str]]
    ) -> dict[str, list[str]]:
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

    def _when(self, source: Source, keys: dict[str, Any], step_id: str) -> None:
        """When a step runs: by inputs that are named for it, or by the verdict before it."""
        token = commands.fitted(source.condition).replace("-", "_")
        if token and _PATH.sub("", token) in self.routed:
            why = f"the route {_PATH.sub('', token)} leads here"
            self.reader.draft.account(source.at, "condition", source.condition, "carried", why)
            return
        if token:
            when = f"inputs.conditions.{token}"
            verdict = self._verdict_before()
            if verdict and _ISSUES.search(token):
                when += f' or results["{verdict}"].verdict == "fail"'
            told = f"{quoted(source.condition)} is declared: the step runs when {when}"
        elif source.optional:
            when = f'inputs.optional["{step_id}"]'
            told = f"{quoted(step_id)} is optional: it runs when {when}"
        else:
            return
        keys["when"] = when
        hint = "a client says so in the run's inputs; else the step is skipped and told so"
        self._find("BMAD609", source.at, told, hint)
        kind = "condition" if source.condition else "optional"
        self.reader.draft.account(source.at, kind, source.condition or step_id, "carried", told)

    def _verdict_before(self) -> str:
        """The last checklist step, if it is near enough to be meant."""
        for placed in reversed(self.placed):
            if "checklist" in placed.draft.keys:
                return str(placed.draft.keys["id"])
            if placed.source.condition == "":
                return ""
        return ""

    # Several steps out of one, or one out of several.

    def _place_fixes(self, source: Source) -> None:
        """`various` mend what was found fault with: each document by the agent that made it."""
        ids = []
        for made in [each for each in self.made if each.agent]:
            agent = next(a for a in self.reader.agents if a.draft.id == made.agent)
            one = Source(
                source.at,
                agent=agent.own_id,
                note=_joined(
                    source.note,
                    "If nothing was found against this document, give it back unchanged.",
                ),
                condition=source.condition,
                optional=source.optional or not made.is_sure,
                updates=[f"{made.name}.md"],
            )
            verdict = self._verdict_before()
            step_id = self._unique(commands.fitted(f"{agent.own_id}-mends-{made.name}").lower())
            step = self._add(one, agent, step_id)
            if verdict:
                step.keys["note"] = _joined(
                    step.keys["note"], "The findings are among the results."
                )
                step.keys.setdefault("reads", [])
                step.keys["reads"] = [*step.keys["reads"], verdict]
            ids.append(step_id)
        taken = f"whoever made a document mends it: {', '.join(ids)}" if ids else "a person decides"
        self._find(
            "BMAD608",
            source.at,
            f"{quoted(source.agent)} is no agent: {taken}",
            "write one step for each agent that is meant",
        )
        self.reader.draft.account(source.at, "step", source.agent, "approximated", taken)
        if not ids:
            self._place_gate(source)

    def _place_routes(self, source: Source) -> None:
        """The step before chooses a way; each way with an agent is a step that ends the flow."""
        before = self.placed[-1].draft.keys if self.placed else None
        if before is None or "agent" not in before:
            self._find(
                "BMAD616", source.at, "routes need a step of an agent before them, that chooses"
            )
            self.reader.draft.account(source.at, "routes", source.label, "left", "nobody chooses")
            return
        plain = [route for route in source.routes if not route.agent]
        ways = [route for route in source.routes if route.agent]
        names = {route.name: commands.fitted(route.name) for route in (*plain, *ways)}
        before["actions"] = [names[route.name] for route in (*plain, *ways)]
        on: dict[str, str] = {}
        for route in ways:
            one = Source(route.at, route.agent, f"{route.name}", note=route.note, uses=route.uses)
            agent = self._agent(one, [])
            if agent is None:
                continue
            step = self._add(one, agent)
            step.keys |= {"actions": ["done"], "on": {"done": "end"}}
            on[names[route.name]] = step.keys["id"]
        self.open += [(on, names[route.name], len(self.placed)) for route in plain]
        before["on"] = on
        before["note"] = _joined(before.get("note", ""), source.note)
        self.routed |= {route.name for route in plain}
        self.reader.draft.account(source.at, "routes", source.label, "carried")

    def _place_cycle(self, sources: list[Source], is_marked: bool) -> None:
        """The steps that are repeated: a flow of its own, run for each of the stories."""
        at = sources[0].at
        if not is_marked:
            sources, rest = _until_end(sources)
        else:
            rest = []
        self._give_list(sources[0])
        name = self.reader._free(commands.fitted(f"{self.flow.name}-{STORIES}"), self.home, at)  # noqa: SLF001
        inner = _Flow(
            self.reader,
            self.home,
            DraftFlow(name, at, f"One story of {self.flow.name}."),
            self.handoffs,
        )
        inner.made = [Made(made.name, made.agent, made.is_sure) for made in self.made]
        inner.created = self.created
        inner._place_all(sources)  # noqa: SLF001
        inner._loop_reviews()  # noqa: SLF001
        inner.handoffs = {}
        inner._finish()  # noqa: SLF001
        self.reader.draft.flows.remove(inner.flow)
        self.reader.draft.flows.append(inner.flow)
        cycle = self._unique("story-cycle")
        keys = {"flow": name, "id": cycle, "for_each": STORIES, "max_items": MAX_ITEMS}
        note = f"{sources[0].repeats}: once for each of the stories, at most {MAX_ITEMS}."
        self.placed.append(Placed(DraftStep(keys, at, [note]), sources[0]))
        message = f"{quoted(sources[0].repeats)} is the flow {quoted(name)}, run for each of {STORIES}, at most {MAX_ITEMS} times"
        hint = (
            ""
            if is_marked
            else "the cycle's end is not marked: it was taken to end with the stories"
        )
        self._find("BMAD614", at, message, hint)
        self.reader.draft.account(at, "loop", sources[0].repeats, "carried", message)
        self._place_all(rest)

    def _give_list(self, first: Source) -> None:
        """Let the step before, or one that is put there, give the list of stories."""
        before = self.placed[-1] if self.placed else None
        keys = before.draft.keys if before else {}
        makes = str(keys.get("creates", "")).removesuffix(".md")
        gives = "agent" in keys and "when" not in keys and "checklist" not in keys
        if before is None or not gives or "shard" not in makes:
            agent = self.reader.agent(self.home, first.agent) or self._agent(first, [])
            if agent is None:
                return
            source = Source(first.at, agent=agent.own_id, requires=first.requires)
            draft = self._add(source, agent, self._unique(f"{agent.own_id}-lists-stories".lower()))
            keys = draft.keys
            why = "somebody has to say which stories there are"
            self.reader.draft.account(first.at, "step", keys["id"], "approximated", why)
        keys["note"] = _joined(keys.get("note", ""), _LIST_NOTE)
        keys["output"] = _LIST

    def _loop_reviews(self) -> None:
        """A step that mends what the review before it has left: a loop with bounds."""
        for number, placed in enumerate(self.placed):
            left = _LEFT.match(placed.source.condition)
            before = self.placed[number - 1] if number else None
            if not left or before is None or not _is_meant(left[1], before.source.agent):
                continue
            review, mend = before.draft.keys, placed.draft.keys
            if "agent" not in review or "agent" not in mend:
                continue  # a person stands there
            rest = self.placed[number + 1 :]
            after = _id_of(rest[0].draft.keys) if rest else "end"
            review |= {
                "actions": ["approve", "revise"],
                "on": {"approve": after, "revise": mend["id"]},
                "max_visits": MAX_VISITS,
            }
            mend |= {
                "actions": ["done"],
                "on": {"done": review["id"]},
                "max_visits": MAX_VISITS,
                "when": f'results["{review["id"]}"] != null or {mend["when"]}',
            }
            message = (
                f"{quoted(placed.source.condition)} is what {quoted(review['id'])} decides: it "
                f"approves, or {quoted(mend['id'])} comes and it looks again, {MAX_VISITS} times at most"
            )
            self._find("BMAD614", placed.source.at, message)

    def _find(self, code: str, at: Origin, message: str, hint: str = "") -> None:
        self.reader._find(code, at, message, hint)  # noqa: SLF001


def _id_of(keys: dict[str, Any]) -> str:
    return str(keys.get("id") or keys.get("human"))


def _is_cycle(source: Source) -> bool:
    return bool(source.agent) and source.repeats.startswith("for_each_epic")


def _until_end(sources: list[Source]) -> tuple[list[Source], list[Source]]:
    """The steps of a cycle without a marker: up to what ends an epic or the workflow."""
    for number, source in enumerate(sources):
        if source.ends or "retrospective" in source.action or source.condition == "epic_complete":
            return sources[:number], sources[number:]
    return sources, []


def _all_names(named: documents.Named) -> Iterator[str]:
    yield from named.names
    yield from named.symbols


def _covers(stem: set[str], wanted: set[str]) -> bool:
    """Whether a task's words are those of an action: `create_story` is `create-next-story`."""
    singular = {word.removesuffix("s") for word in wanted}
    own = {word.removesuffix("s") for word in stem}
    return singular <= own or (len(own) > 1 and own <= singular) or _shards(own, singular)


def _shards(own: set[str], wanted: set[str]) -> bool:
    return "shard" in own and "shard" in wanted


def _is_meant(name: str, agent: str) -> bool:
    """Whether part of a prompt's name means an agent: its id, or a word of it."""
    words = re.split(r"[-_/|]", agent.lower())
    own = name.lower().replace("_", "-")
    return own == agent.lower() or own in words


def _sentence(source: Source) -> str:
    text = _words(source.action)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _words(text: str) -> str:
    return " ".join(text.replace("_", " ").split())


def _joined(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts if part and part.strip())


def paths(home: Home, files: Iterable[str]) -> list[str]:
    """The workflow files of a home."""
    start = f"{home.folder}workflows/"
    return sorted(p for p in files if p.startswith(start) and p.endswith((".yaml", ".yml")))
