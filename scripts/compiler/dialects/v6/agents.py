"""The agents of a v6 project in native words: their ids, commands and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ....runtime import spec
from ...diagnostics import quoted
from ..draft import Draft, DraftAgent, Origin
from ..tree import ForeignTree
from ..untaken import untaken
from .emit import Emitter
from .paths import folder_of
from .persona import SERVICE, Persona, draft_agent, slug
from .settings import Settings
from .workflow import Workflow

if TYPE_CHECKING:
    from .flows import FlowWriter

_KINDS: Final = {
    "tasks": "task",
    "templates": "template",
    "checklists": "checklist",
    "data": "data",
}


class AgentWriter:
    """Writes agents, and knows them by the ids that they have now."""

    def __init__(
        self, tree: ForeignTree, draft: Draft, emitter: Emitter, settings: Settings
    ) -> None:
        self.tree = tree
        self.draft = draft
        self.emitter = emitter
        self.settings = settings
        self.ids: dict[int, str] = {}  # by the persona's own identity
        self.written: dict[str, DraftAgent] = {}  # by id_key
        self.dropped = 0
        self.first: Origin | None = None

    def name(self, personas: list[Persona]) -> None:
        """Give every agent an id; two of one folder with one id are an error."""
        seen: dict[str, Persona] = {}
        for persona in list(personas):
            own = self._fitted(persona)
            first = seen.get(spec.id_key(own))
            if first is not None and folder_of(first.at.path) == folder_of(persona.at.path):
                message = f"the id {quoted(own)} is taken by {first.at.path}"
                place = self.tree.at(*persona.at)
                self.tree.diagnostics.add("BMAD615", place, message, "give one of them another id")
                self.draft.account(persona.at, "agent", own, "left", message)
                personas.remove(persona)
                continue
            if first is not None:
                own = self._other(persona, own, seen)
            seen[spec.id_key(own)] = persona
            self.ids[id(persona)] = own

    def _fitted(self, persona: Persona) -> str:
        own = slug(persona.id) or slug(persona.name) or "agent"
        if own != persona.id:
            message = f"the id {quoted(persona.id)} is written {quoted(own)}"
            hint = "give it an id of letters, digits and single -"
            self.tree.diagnostics.add("BMAD606", self.tree.at(*persona.at), message, hint)
        return own

    def _other(self, persona: Persona, own: str, seen: dict[str, Persona]) -> str:
        first = seen[spec.id_key(own)].at.path
        new = untaken(seen, slug(f"{persona.module}-{own}"))
        message = f"the id {quoted(own)} is taken by {first}: here it is {quoted(new)}"
        hint = "rename one of them to choose the id yourself"
        self.tree.diagnostics.add("BMAD607", self.tree.at(*persona.at), message, hint)
        persona.notes.append(f"Its own id, {own}, is taken by {first}.")
        return new

    def write(self, personas: list[Persona], flows: FlowWriter) -> None:
        """Every agent of the project, then one for each workflow that nobody has on a menu."""
        for persona in personas:
            self._write(persona, flows)
        for workflow in flows.workflows:
            if not workflow.owner and flows.target_of(workflow) is workflow:
                self._write_own(workflow, flows)

    def _write(self, persona: Persona, flows: FlowWriter) -> None:
        agent = draft_agent(persona, self.ids[id(persona)])
        facts = flows.facts(persona.files, persona.module)
        values = self.settings.placeholders
        agent.prompt = self.emitter.fill(persona.at.path, agent.prompt, values)
        agent.persona = self.emitter.fill(persona.at.path, agent.persona, values)
        files: dict[str, list[str]] = {}
        _list(files, facts)
        commands: dict[str, Any] = {}
        for item in persona.menu:
            name = item.name if spec.is_id(item.name) else slug(item.name)
            if not name or name in commands:
                why = "its name is taken" if name else "it has no name"
                self.draft.account(item.at, "command", item.name, "left", why)
                continue
            text = self.emitter.fill(persona.at.path, item.text, values)
            commands[name] = self._command(persona, item, text, flows, files)
            agent.origins[f"commands/{name}"] = item.at
        if commands:
            agent.keys["commands"] = [_entry(name, value) for name, value in commands.items()]
        for workflow in flows.workflows:
            if workflow.owner == agent.id:
                _list(files, flows.names(workflow))
        if persona.has_sidecar:
            agent.keys["memory_scope"] = f"shared:{slug(persona.module) or agent.id}"
            agent.notes.append("Its sidecar is the memory that its module shares.")
        self._files(agent, files)
        if persona.documents:
            agent.keys["reads"] = [f"{name}.md" for name in persona.documents]
        self.dropped += persona.dropped
        self.first = self.first or (persona.at if persona.dropped else None)
        self.draft.account(persona.at, "agent", persona.id, "carried")
        for left in persona.left:
            self.draft.account(left.at, left.construct, left.name, "left", left.why)
        for at, name, why in persona.told:
            self.draft.account(at, "agent key", name, "carried", why)
        self._keep(agent)

    def _command(
        self,
        persona: Persona,
        item: Any,
        text: str,
        flows: FlowWriter,
        files: dict[str, list[str]],
    ) -> dict[str, Any]:
        """What a command says, and the files it is shown."""
        workflow = flows.workflow_of(item, persona)
        more = flows.told(workflow) if workflow else ""
        text = "\n\n".join(part for part in (text, more) if part)
        bound: dict[str, Any] = {"text": text} if text else {}
        fate, whys = "carried", []
        for target in [item.skill] if item.skill else item.targets:
            native = flows.target(target, persona, item)
            if not native:
                fate = "approximated"
                whys.append(f"{target} is not there: only its text is kept")
                continue
            whys.append(f"{target} is {native}")
            key = _KINDS[native.partition("/")[0]]
            names = bound.setdefault(key, [])
            if native.partition("/")[2] not in names:
                names.append(native.partition("/")[2])
            _list(files, [native])
        if workflow is not None and (own := flows.settings_of(workflow)):
            bound.setdefault("data", []).extend(name.partition("/")[2] for name in own)
            _list(files, own)
        why = "; ".join(whys)
        self.draft.account(item.at, "command", item.name, fate, why)  # type: ignore[arg-type]
        return bound

    def _write_own(self, workflow: Workflow, flows: FlowWriter) -> None:
        """An agent for a workflow by itself."""
        own = untaken(self.written, workflow.id, slug(f"{workflow.id}-agent"))
        agent = DraftAgent(
            id=own,
            at=workflow.at,
            description=workflow.description or workflow.title,
            persona=f"You carry out the workflow {workflow.title or workflow.id}.",
            prompt=f"{SERVICE}\n",
            notes=["No agent has this workflow on its menu, so it has one of its own."],
        )
        files: dict[str, list[str]] = {}
        _list(files, flows.names(workflow))
        self._files(agent, files)
        workflow.owner = own
        self._keep(agent)

    def _files(self, agent: DraftAgent, files: dict[str, list[str]]) -> None:
        for kind in _KINDS:
            if files.get(kind):
                agent.keys[kind] = sorted(set(files[kind]))

    def _keep(self, agent: DraftAgent) -> None:
        self.written[spec.id_key(agent.id)] = agent
        self.draft.agents.append(agent)

    def tell_dropped(self) -> None:
        """One note on what is only for a conversation."""
        count = self.dropped + self.emitter.dropped
        if not count or self.first is None:
            return
        left = "greetings, help, loading of settings, staying in character"
        message = (
            f"directives and menu items for a conversation are left out, {count} in all: {left}"
        )
        place = self.tree.at(*self.first)
        self.tree.diagnostics.add("BMAD600", place, message, "a service has nobody to greet")
        self.draft.account(self.first, "directives", str(count), "left", left)


def _entry(name: str, bound: dict[str, Any]) -> Any:
    """As native front-matter has it: a name, `name: text`, or `name: {text, task, …}`."""
    if not bound:
        return name
    if list(bound) == ["text"]:
        return {name: bound["text"]}
    single = {
        key: value[0] if value == value[:1] else value
        for key, value in bound.items()
        if key != "text"
    }
    return {name: {**({"text": bound["text"]} if "text" in bound else {}), **single}}


def _list(files: dict[str, list[str]], natives: list[str]) -> None:
    for native in natives:
        kind, _, name = native.partition("/")
        files.setdefault(kind, []).append(name)
