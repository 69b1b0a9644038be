"""An agent as a PocketFlow node: prep gathers what it sees, exec asks, post records."""

from __future__ import annotations

import sys
from collections.abc import Coroutine, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Protocol

from .ask import Conversation
from .budget import Budget, Payer
from .context import FlowContext
from .errors import RunError
from .models.protocol import Message, ModelRequest
from .prompt import Sight, as_text, system_text, user_text
from .recall.recalled import recall_scopes, recalled
from .rework import Rework
from .runner import Record, Ticket
from .schedule import NO_WAITS, Schedule
from .spec import document_name, story_document
from .step import StepNode, listed
from .stores.protocol import DocumentStore, Entry
from .tool import Tool

_tuple = tuple.__new__

DONE: Final = "task_completion"  # the category of what a step leaves in memory
# What a place in a flow may set for itself, over what its agent's class says.
PLACE_SETTINGS: Final = frozenset(
    {"creates", "actions", "output", "model", "fallback", "temperature", "max_tokens"}
    | {"timeout", "retries", "memory_scope", "memory_recall", "budget"}
    | {"note", "shows", "template"}
)


class Group(Protocol):
    """What a member asks of the group that it stands in."""

    def added(self, member: AgentNode, context: FlowContext) -> Mapping[str, Any]:
        """What those that `member` waited for wrote into its scope since the group started."""


class AgentNode(StepNode):
    """The base of every generated agent. The class says who it is, the instance where it stands.

    `id` is the agent's, `step` the place's: the same unless the constructor's `id` says otherwise.
    Document names are without `.md`; `timeout` is in seconds; `retries` counts all attempts;
    `output` is the JSON Schema of its answer; `memory_recall` says how many older entries it is
    shown. `required` documents are waited for, `reads` are shown if they are there; `shows` are
    assets that are part of the message, `template` is that of the document which the step
    creates. A place's own settings win over the class's.
    """

    id: str = ""
    prompt: str = ""
    persona: str = ""
    tools: tuple[str, ...] = ()
    memory_scope: str = "isolated"
    memory_recall: int = 0
    wait_for_docs: tuple[str, ...] = ()
    wait_for_agents: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    inline: tuple[str, ...] = ()
    commands: tuple[tuple[Any, ...], ...] = ()  # (name, text), and the assets that go with it
    creates: str | None = None
    template: str | None = None
    note: str = ""
    shows: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    output: Mapping[str, Any] | None = None
    model: str | None = None
    fallback: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    retries: int | None = None
    budget: Budget | None = None
    system: str = ""
    prompt_digest: str = ""
    # What a group tells its members; class attributes as long as nobody does.
    group: Group | None = None
    reserved: Ticket | None = None

    def __init__(
        self,
        *,
        id: str | None = None,
        requires: tuple[str, ...] = (),
        reads: tuple[str, ...] = (),
        when: str | None = None,
        max_visits: int | None = None,
        for_each: tuple[str, ...] = (),
        max_items: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(id or self.id, when=when, max_visits=max_visits)
        self.required = self.wait_for_docs + requires if requires else self.wait_for_docs
        self.for_each = for_each
        self.max_items = max_items
        for name, value in settings.items():
            if name not in PLACE_SETTINGS:
                raise TypeError(f"{type(self).__name__}() has no setting {name!r}")
            setattr(self, name, value)
        if reads:
            self.reads = self.reads + reads
        self.has_task = bool(self.note or self.shows or self.template)
        if "actions" in settings:
            self.system = system_text(self.persona, self.prompt, self.actions)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.system = system_text(cls.persona, cls.prompt, cls.actions)
        cls.prompt_digest = sha256(cls.prompt.encode("utf-8", "surrogatepass")).hexdigest()

    @classmethod
    def describe(cls) -> str:
        """The agent's description: its module's docstring."""
        return sys.modules[cls.__module__].__doc__ or ""

    @classmethod
    def errand(cls, name: str) -> tuple[str, tuple[str, ...]]:
        """A command's text, its name where it has none, and the assets that go with it."""
        for known, text, *shows in cls.commands:
            if known == name:
                return text or name, shows[0] if shows else ()
        return name, ()

    def scope(self, context: FlowContext) -> str:
        """Where it reads and writes memory: `{agent_id}:{story_id}` or `shared:{namespace}`."""
        if self.memory_scope == "isolated":
            return f"{self.id}:{context.story_id}"
        return self.memory_scope

    def recall_scopes(self, context: FlowContext) -> tuple[str, ...]:
        """Where it recalls from, when it does."""
        return recall_scopes(self.id, self.scope(context), context.story_id)

    async def prep_async(self, shared: Any) -> Conversation:
        context: FlowContext = shared if type(shared) is FlowContext else FlowContext.of(shared)
        ticket = self.reserved
        if ticket is None:
            ticket = self.reserve(context)
        else:
            self.reserved = None
        talk = Conversation(context, ticket)
        if self.when is not None and not self.applies(context):
            talk.skipped = True
        elif self.for_each:
            await self._prepare_items(talk)
        else:
            if context.rework is not None:
                self._judge(talk, context.rework)
            if talk.ticket.record is None:
                sight = self._sight(context)
                if self.required or self.reads or context.services.memory is not None:
                    await self._look_up(sight, context)
                self._prepare(talk, sight)
        return talk

    async def waited(self, context: FlowContext, seconds: float) -> None:
        """Say that it had to wait in its group, for a place in the run."""
        if self.reserved is not None and self.reserved.record is None:
            await Conversation(context, self.reserved).queued("run", seconds)

    async def visit(self, shared: Any, /) -> str | None:
        """What PocketFlow does at a step of a flow, by a shorter way through the same parts."""
        talk = await self.prep_async(shared)
        return self._done(talk, await self.exec_async(talk))

    _run_async = visit  # type: ignore[assignment]  # its stubs know dicts only

    def exec_async(self, prep_res: Conversation) -> Coroutine[Any, Any, Record]:
        if prep_res.skipped:
            return self._left_out(prep_res)
        if prep_res.items is not None:
            return self._each(prep_res, prep_res.items)
        return self._step(prep_res)

    async def post_async(self, shared: Any, prep_res: Conversation, exec_res: Record) -> str | None:
        return self._done(prep_res, exec_res)

    def _done(self, talk: Conversation, record: Record) -> str | None:
        if talk.skipped:
            return self.following(None)
        context, output = talk.context, record["output"]
        context.results[self.step] = output
        context.agent_of[self.step] = self.id
        if self.creates is not None:
            context.created(talk.ticket, document_name(self.creates), as_document(output))
        if context.rework is not None:
            talks = talk.items or [talk]
            context.rework.note(self.step, [each.ticket for each in talks], self.creates)
        if self.group is None:
            context.previous = (self.step,)
        action = record["action"]
        return None if action is None and not self.successors else self.following(action)

    async def _left_out(self, talk: Conversation) -> Record:
        await self.skip(talk.ticket, talk.context)
        return {}

    def _step(self, talk: Conversation) -> Coroutine[Any, Any, Record]:
        ticket = talk.ticket
        if ticket.record is not None and talk.context.rework is not None:
            return talk.context.reuse(ticket, talk.context.rework.reason(self.creates))
        facts: Record = {"agent": self.id, "visit": ticket.visit}
        if talk.item is not None:
            facts["item"] = talk.item
        if talk.cut:
            facts["cut"] = list(talk.cut)
        if talk.missing:
            facts["missing_docs"] = list(talk.missing)
        if talk.because:
            facts["because"] = talk.because
        return talk.context.runner.step(ticket, facts, self._work, talk)

    def _sight(self, context: FlowContext) -> Sight:
        """What it sees, but for what stores hold."""
        previous = context.previous
        if len(previous) == 1 and not self.wait_for_agents:
            outputs = {previous[0]: context.results[previous[0]]}
        else:
            outputs = self._outputs(context) if context.results or context.outer else {}
        sight = Sight(context.input, outputs=outputs, head=context.opening)
        if self.has_task or context.shows:
            self._show_task(sight, context)
        if context.item is not None:
            sight.item = context.item
        return sight

    def _show_task(self, sight: Sight, context: FlowContext) -> None:
        """Put before it what this place, or the command, is about."""
        shows: tuple[str, ...] = context.shows
        if not context.command:
            sight.note = self.note
            shows = self.shows
            if self.template and self.creates and self.template not in shows:
                shows = (*shows, self.template)
        assets = context.services.assets
        sight.files = [(name, assets.shown(name)) for name in shows]

    async def _look_up(self, sight: Sight, context: FlowContext) -> None:
        """Documents and memory. Raises StepBlocked or DependencyError for what is missing."""
        if self.required:
            found = await context.required(self.step, self.required)
            sight.documents, sight.missing = found
        if self.reads:
            sight.documents = {**await context.present(self.reads), **sight.documents}
        if context.services.memory is not None:
            sight.scope = self.scope(context)
            sight.memory = await self._memory(context, sight.scope)
            if self.memory_recall and not self.for_each:
                await self._recall(sight, context)

    async def _recall(self, sight: Sight, context: FlowContext) -> None:
        sight.recalled = await recalled(context, sight, self.id, self.memory_recall)

    def _prepare(self, talk: Conversation, sight: Sight) -> None:
        context = talk.context
        settings = context.services.settings
        talk.attempts = self.retries or settings.llm.retries
        talk.timeout = self.timeout or settings.llm.timeout
        if self.fallback is not None:
            talk.fallback = self.fallback
        if self.output is not None:
            talk.output = self.output
        if self.budget is not None:
            talk.budget = self.budget
            talk.payer = Payer(self.id, talk.ticket.step, own="budget" in self.__dict__)
        if self.tools or self.assets:
            talk.tools = self._tools(context)
        if sight.missing:
            talk.missing = sight.missing
        text, cut = user_text(sight, settings.prompt)
        if cut:
            talk.cut = cut
        errand = context.command != ""
        is_plain = not (errand or self.assets or self.inline)
        # What ModelRequest(…) and Message(…) do, for half of their price.
        talk.request = _tuple(
            ModelRequest,
            (
                self.system if is_plain else self._system(context, errand),
                (_tuple(Message, ("user", text, (), None)),),
                talk.ticket.step,
                tuple(tool.spec for tool in talk.tools.values()) if talk.tools else (),
                () if errand else self.actions,
                self.model,
                self.temperature,
                self.max_tokens,
                self.timeout,
                None,
                self.id,
                context.run_id,
                talk.ticket.visit,
                None,
                (),
            ),
        )
        if self.template and self.creates and not errand:
            talk.outline = context.services.assets.outline(self.template)
            if talk.outline is not None:
                talk.request = talk.request._replace(headings=talk.outline.headings)

    def _system(self, context: FlowContext, errand: bool) -> str:
        system = system_text(self.persona, self.prompt, ()) if errand else self.system
        if self.assets or self.inline:
            return context.services.assets.describe(system, self.assets, self.inline)
        return system

    def _tools(self, context: FlowContext) -> dict[str, Tool]:
        known = context.services.tools
        unknown = [name for name in self.tools if name not in known]
        if unknown:
            raise RunError(f"there is no tool {unknown[0]!r}", step=self.step)
        tools = {name: known[name] for name in self.tools}
        if self.assets:
            reader = context.services.assets.reader(self.assets)
            tools[reader.name] = reader
        return tools

    def _outputs(self, context: FlowContext) -> dict[str, Any]:
        steps = self._seen(context)
        if not steps:
            return dict(context.outer) if steps is None else {}
        if len(steps) == 1:
            return {steps[0]: context.results[steps[0]]}
        return {step: context.results[step] for step in steps}

    def _seen(self, context: FlowContext) -> Sequence[str] | None:
        """The steps whose outputs it is shown; None for what stands around its flow."""
        if self.wait_for_agents:
            waited = set(self.wait_for_agents)
            return [step for step in context.results if context.agent_of[step] in waited]
        return context.previous or None

    def _judge(self, talk: Conversation, rework: Rework) -> None:
        """Take the record away from a step that has to run again."""
        ticket = talk.ticket
        if ticket.record is None:
            return
        steps = self._seen(talk.context)
        if self.for_each:
            steps = [*(steps or ()), self.for_each[0]]
        talk.because = (
            rework.fault(ticket, steps, (*self.required, *self.reads), self.creates) or ""
        )
        if talk.because:
            talk.ticket = ticket._replace(record=None)

    async def _memory(self, context: FlowContext, scope: str) -> list[Entry]:
        entries = await context.memory(scope, self.step)
        if self.group is None or not context.memory_at_start:
            return entries
        added = self.group.added(self, context)
        if not added:
            return entries
        fresh = [Entry(key, value, scope, "", 0) for key, value in added.items()]
        return [*fresh, *(entry for entry in entries if entry.key not in added)]

    async def _prepare_items(self, talk: Conversation) -> None:
        context = talk.context
        items = listed(context, self.step, self.for_each, self.max_items)
        talk.items = []
        sight = self._sight(context)
        await self._look_up(sight, context)
        # An item stands for the list that it is from.
        sight.outputs = {k: v for k, v in sight.outputs.items() if k != self.for_each[0]}
        for number, item in enumerate(items):
            one = Conversation(context, context.runner.item(talk.ticket, number))
            one.item = number
            if context.rework is not None:
                self._judge(one, context.rework)
            if one.ticket.record is None:
                sight.item = (number + 1, len(items), item)
                if self.memory_recall and sight.scope:
                    await self._recall(sight, context)
                self._prepare(one, sight)
            talk.items.append(one)

    async def _each(self, talk: Conversation, items: list[Conversation]) -> Record:
        visits = [Item(self, one) for one in items]
        if not visits:
            facts = {"agent": self.id, "visit": talk.ticket.visit}
            return await talk.context.runner.step(talk.ticket, facts, self._nothing, talk)
        await Schedule(talk.context, visits, [NO_WAITS] * len(visits)).run()
        return {"output": [visit.record["output"] for visit in visits], "action": None}

    async def _nothing(self, talk: Conversation) -> Record:
        return {"name": talk.ticket.name, "agent": self.id, "output": [], "action": None}

    async def work_on(self, talk: Conversation) -> Record:
        """One item's step, for the schedule of a `for_each`."""
        return await self._step(talk)

    async def _work(self, talk: Conversation) -> Record:
        context = talk.context
        services, places = context.services, context.places
        waited = 0.0 if places.take_now() else await places.take()
        try:
            if waited:
                await talk.queued("run", waited)
            await talk.hold()
        finally:
            places.give()
        if services.keeps and not context.command:
            await self._keep(talk)
        record: Record = {
            "name": talk.ticket.name,
            "agent": self.id,
            "output": talk.result,
            "action": talk.action,
            **talk.bill(),
            "finish_reason": talk.reply.finish_reason,
        }
        if talk.item is not None:
            record["item"] = talk.item
        return record

    async def _keep(self, talk: Conversation) -> None:
        """Write the output where the settings want it. Raises StoreError."""
        context, services = talk.context, talk.context.services
        name = talk.ticket.step if talk.item is None else f"{talk.ticket.step}__{talk.item + 1}"
        if services.documents is not None:
            saved = services.settings.documents.save_outputs
            if saved == "all" or (saved == "created" and self.creates is not None):
                await self._keep_documents(talk, services.documents, name, saved)
        if services.memory is not None:
            await services.memory.put(self.scope(context), name, talk.result, category=DONE)

    async def _keep_documents(
        self, talk: Conversation, store: DocumentStore, name: str, saved: str
    ) -> None:
        context = talk.context
        text, author = as_document(talk.result), self._author(talk)
        if saved == "all":
            await store.put(story_document(context.story_id, name), text, author=author)
        if self.creates is None:
            return
        if context.rework is None or not context.rework.withheld(talk.ticket, self.creates):
            created = story_document(context.story_id, self.creates) + context.suffix
            await store.put(created, text, author=author)

    def _author(self, talk: Conversation) -> dict[str, str]:
        return {
            "kind": "agent",
            "agent": self.id,
            "step": talk.ticket.name,
            "run_id": talk.context.run_id,
            "prompt": self.prompt_digest,
        }


class Item:
    """One item of a `for_each` step, as a member of its schedule."""

    __slots__ = ("_node", "_talk", "record")

    def __init__(self, node: AgentNode, talk: Conversation) -> None:
        self._node = node
        self._talk = talk
        self.record: Record = {}

    @property
    def step(self) -> str:
        return self._talk.ticket.name

    async def waited(self, context: FlowContext, seconds: float) -> None:
        if self._talk.ticket.record is None:
            await self._talk.queued("run", seconds)

    async def visit(self, context: FlowContext) -> None:
        self.record = await self._node.work_on(self._talk)


def as_document(output: Any) -> str:
    """Text as it is; an object as a block of JSON."""
    return output if isinstance(output, str) else f"```json\n{as_text(output)}\n```\n"
