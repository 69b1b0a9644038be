"""An agent as a PocketFlow node: prep gathers what it sees, exec asks, post records."""

from __future__ import annotations

import sys
from collections.abc import Coroutine, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from pocketflow import AsyncNode

from .ask import Conversation
from .context import FlowContext
from .errors import RunError, VisitsExceeded
from .models.protocol import Message, ModelRequest, ToolSpec
from .prompt import Sight, system_text, user_text
from .runner import Record, Ticket
from .spec import document_name, story_document

if TYPE_CHECKING:  # PocketFlow's classes are generic in its stubs only, and know dicts only

    class _Base(AsyncNode[Conversation, Record, str | None]):
        async def run_async(self, shared: Any) -> str | None: ...

else:
    _Base = AsyncNode


class AgentNode(_Base):
    """The base of every generated agent. The class says who it is, the instance where it stands.

    `id` is the agent's, `step` the place's: the same unless the constructor's `id` says otherwise.
    Document names are without `.md`; `timeout` is in seconds; `retries` counts all attempts.
    """

    id: str = ""
    prompt: str = ""
    persona: str = ""
    tools: tuple[str, ...] = ()
    memory_scope: str = "isolated"
    wait_for_docs: tuple[str, ...] = ()
    wait_for_agents: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    creates: str | None = None
    actions: tuple[str, ...] = ()
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    retries: int | None = None
    system: str = ""
    # What a group tells its members; a class attribute as long as nobody does.
    in_group: bool = False
    reserved: Ticket | None = None
    memory_added: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        *,
        id: str | None = None,
        requires: tuple[str, ...] = (),
        creates: str | None = None,
        max_visits: int | None = None,
    ) -> None:
        super().__init__()  # one attempt: the executor retries, in one place
        self.step = id or self.id
        self.max_visits = max_visits
        self.required = self.wait_for_docs + requires if requires else self.wait_for_docs
        if creates is not None:
            self.creates = creates

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.system = system_text(cls.persona, cls.prompt, cls.actions)

    def __copy__(self) -> Self:
        # PocketFlow copies a node at each step. Nodes are made afresh for every run
        # and keep nothing between visits, so a copy would cost and protect nothing.
        return self

    @classmethod
    def describe(cls) -> str:
        """The agent's description: its module's docstring."""
        return sys.modules[cls.__module__].__doc__ or ""

    def reserve(self, context: FlowContext) -> Ticket:
        """This step's next place in the run. Raises VisitsExceeded when a loop went too often."""
        ticket = context.runner.reserve(self.step)
        if self.max_visits is not None and ticket.visit > self.max_visits:
            raise VisitsExceeded(self.step, self.max_visits)
        return ticket

    def scope(self, context: FlowContext) -> str:
        """Where it reads and writes memory: `{agent_id}:{story_id}` or `shared:{namespace}`."""
        if self.memory_scope == "isolated":
            return f"{self.id}:{context.story_id}"
        return self.memory_scope

    async def prep_async(self, shared: Any) -> Conversation:
        context = FlowContext.of(shared)
        ticket = self.reserved
        if ticket is None:
            ticket = self.reserve(context)
        else:
            self.reserved = None
        talk = Conversation(context, ticket)
        if ticket.record is None:
            settings = context.services.settings
            talk.attempts = self.retries or settings.llm.retries
            talk.timeout = self.timeout or settings.llm.timeout
            sight = Sight(context.input, context.command, context.inputs)
            if context.results:
                sight.outputs = self._outputs(context)
            if self.required:
                sight.documents = await context.required(self.step, self.required)
            if context.services.memory is not None:
                sight.scope = self.scope(context)
                sight.memory = await self._memory(context, sight.scope)
            text, talk.cut = user_text(sight, settings.prompt)
            talk.request = self._request(context, text)
        return talk

    async def visit(self, context: FlowContext) -> None:
        """What PocketFlow does at a step of a flow, for a group that runs its members itself."""
        talk = await self.prep_async(context)
        await self.post_async(context, talk, await self.exec_async(talk))

    def exec_async(self, prep_res: Conversation) -> Coroutine[Any, Any, Record]:
        ticket = prep_res.ticket
        facts: dict[str, Any] = {"agent": self.id, "visit": ticket.visit}
        if prep_res.cut:
            facts["cut"] = list(prep_res.cut)
        return prep_res.context.runner.step(ticket, facts, self._work, prep_res)

    async def post_async(self, shared: Any, prep_res: Conversation, exec_res: Record) -> str | None:
        context, output = prep_res.context, exec_res["output"]
        context.results[self.step] = output
        context.agent_of[self.step] = self.id
        if self.creates is not None:
            context.documents[document_name(self.creates)] = output
        if not self.in_group:
            context.previous = (self.step,)
        return self._next(exec_res["action"])

    def _next(self, action: str | None) -> str | None:
        if action is not None and action in self.successors:
            return action
        if not self.successors or "default" in self.successors:
            return None
        # PocketFlow would end the flow here with a warning, as if all were done.
        raise RunError(f"nothing follows action {action!r} of step {self.step!r}", step=self.step)

    def _outputs(self, context: FlowContext) -> dict[str, Any]:
        if self.wait_for_agents:
            waited = set(self.wait_for_agents)
            return {
                step: output
                for step, output in context.results.items()
                if context.agent_of[step] in waited
            }
        return {step: context.results[step] for step in context.previous}

    async def _memory(self, context: FlowContext, scope: str) -> list[Any]:
        entries = await context.memory(scope)
        if not self.memory_added:
            return entries
        fresh = [entry for entry in entries if entry.key not in self.memory_added]
        return [*self._as_entries(scope), *fresh]

    def _as_entries(self, scope: str) -> list[Any]:
        from .stores.protocol import Entry

        return [Entry(key, value, scope, "", 0) for key, value in self.memory_added.items()]

    def _request(self, context: FlowContext, text: str) -> ModelRequest:
        errand = context.command != ""
        return ModelRequest(
            system_text(self.persona, self.prompt, ()) if errand else self.system,
            (Message("user", text),),
            self.step,
            self._tool_specs(context) if self.tools else (),
            () if errand else self.actions,
            self.model,
            self.temperature,
            self.max_tokens,
            self.timeout,
        )

    def _tool_specs(self, context: FlowContext) -> tuple[ToolSpec, ...]:
        tools = context.services.tools
        unknown = [name for name in self.tools if name not in tools]
        if unknown:
            raise RunError(f"there is no tool {unknown[0]!r}", step=self.step)
        return tuple(tools[name].spec for name in self.tools)

    async def _work(self, talk: Conversation) -> Record:
        services = talk.context.services
        await talk.hold()
        if services.keeps and not talk.context.command:
            await self._keep(talk.context, talk.text)
        usage, model = talk.usage, services.model
        return {
            "name": talk.ticket.name,
            "agent": self.id,
            "output": talk.text,
            "action": talk.action,
            "usage": {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cached_tokens": usage.cached_tokens,
                "calls": talk.calls,
            },
            "model": talk.reply.model or model.name,
            "provider": model.provider,
            "finish_reason": talk.reply.finish_reason,
        }

    async def _keep(self, context: FlowContext, output: str) -> None:
        """Write the output where the settings want it. Raises StoreError."""
        services = context.services
        saved = services.settings.documents.save_outputs
        if services.documents is not None and saved != "none":
            if saved == "all":
                name = story_document(context.story_id, self.step)
                await services.documents.put(name, output)
            if self.creates is not None:
                name = story_document(context.story_id, self.creates)
                await services.documents.put(name, output)
        if services.memory is not None:
            await services.memory.put(self.scope(context), self.step, output)
