"""One visit of a step: its conversation with a model, from the question to the outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from .budget import Budget, Payer, estimate
from .context import FlowContext
from .deltas import AnswerText, Deltas
from .errors import ActionError, ModelError, ModelTimeout, OutputError, ToolError
from .models.protocol import Message, Model, ModelReply, ModelRequest, Usage
from .outcome import OutcomeFault, answer_schema, read, schema_text, split_action
from .prices import NOTHING, added, dollars
from .retry import retry
from .runner import Record, Ticket
from .template import Outline
from .tool import Tool
from .toolround import ToolRound
from .waiting import within

if TYPE_CHECKING:
    from .tracing.tracing import Tracing

MAX_TOOL_ROUNDS: Final = 10
MAX_OUTCOME_ROUNDS: Final = 3
NO_USAGE: Final = Usage()
NO_REPLY: Final = ModelReply("")
NO_TOOLS: Final[Mapping[str, Tool]] = MappingProxyType({})
NOBODY: Final = Payer("", "")
NO_REQUEST: Final = ModelRequest("", ())


class Conversation:
    """What is asked in one visit, and what came of it.

    `because` says why a step that was finished before runs again. `cut` names the parts of the
    message that were too long, `missing` the documents that were seen as empty. `output` is the
    schema of the answer, `fallback` the model that is asked when the first one fails for good.
    Afterwards `result` is the answer (text, or the object of its schema) and `action` what was
    chosen.
    `item` counts from 0 in a `for_each`, whose own conversation only holds its `items`.
    """

    __slots__ = (
        *("action", "attempts", "because", "budget", "calls", "context", "cost_before", "cut"),
        *("fallback", "item", "items", "missing", "model", "outline", "output", "paid_before"),
        *("payee", "payer", "reply", "request", "result", "skipped", "ticket", "timeout", "tools"),
        "usage",
    )

    def __init__(self, context: FlowContext, ticket: Ticket) -> None:
        self.context = context
        self.ticket = ticket
        self.model: Model = context.services.model
        self.payee = self.model
        self.request: ModelRequest = NO_REQUEST
        self.output: Mapping[str, Any] | None = None
        self.outline: Outline | None = None
        self.tools: Mapping[str, Tool] = NO_TOOLS
        self.fallback: str | None = None
        self.cut: tuple[str, ...] = ()
        self.missing: tuple[str, ...] = ()
        self.attempts = 1
        self.budget: Budget | None = None
        self.payer = NOBODY
        self.timeout = 0.0
        self.usage = NO_USAGE
        self.calls = 0
        self.cost_before: Decimal | None = NOTHING
        self.paid_before: Usage | None = None
        self.reply = NO_REPLY
        self.result: Any = ""
        self.action: str | None = None
        self.skipped = False
        self.because = ""
        self.item: int | None = None
        self.items: list[Conversation] | None = None

    async def hold(self) -> None:
        """Ask until there is an answer that fits.

        Raises ModelError and its kin, ToolError when the model calls tools without end,
        ActionError or OutputError when its answers keep missing what was asked for.
        """
        reply = await self._attempted()
        if reply.tool_calls:
            reply = await self._answered(reply)
        self.result = reply.text
        if self.output is not None or self.request.actions:
            await self._settle()
        if self.outline is not None and self.output is None:
            await self._complete(self.outline)

    def bill(self) -> Record:
        """What was paid so far, to whom: `{usage, model, provider}`; nothing without an answer."""
        if not self.calls:
            return {}
        cost, usage = self._cost(), self.usage
        if self.paid_before is not None:
            cost, usage = added(self.cost_before, cost), self.paid_before + usage
        return {
            "usage": {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cached_tokens": usage.cached_tokens,
                "calls": self.calls,
                "cost_usd": dollars(cost),
            },
            "model": self.reply.model or self.payee.name,
            "provider": self.payee.provider,
        }

    def _cost(self) -> Decimal | None:
        """What the present model was paid; None: not known, also where it tells no tokens."""
        usage, model = self.usage, self.payee
        if usage is NO_USAGE:
            return NOTHING
        if not (usage.input_tokens or usage.output_tokens or model.provider == "mock"):
            return None
        names = (self.reply.model, self.request.model or model.name)
        return self.context.services.prices.cost(model.provider, names, usage)

    def _change_model(self, name: str) -> None:
        """Go on with another one. What the first was paid has a price of its own."""
        if self.calls:
            self.cost_before, self.paid_before, self.usage = self._cost(), self.usage, NO_USAGE
        self.request = self.request._replace(model=name)

    async def _settle(self) -> None:
        for round_ in range(1, MAX_OUTCOME_ROUNDS + 1):
            try:
                outcome = read(self.reply.text, self.output, self.request.actions)
            except OutcomeFault as fault:
                if round_ == MAX_OUTCOME_ROUNDS:
                    raise self._unsettled(fault) from None
                self._say(Message("assistant", self.reply.text), Message("user", fault.message))
                await self._answered(await self._attempted())
            else:
                # A reminded model may answer with the line alone: the first text is it then.
                self.result = outcome.output if outcome.output != "" else self.result
                self.action = outcome.action
                return

    async def _complete(self, outline: Outline) -> None:
        """Ask for the sections that the document lacks, so often; the fullest one is kept.

        What it still lacks is told as an event.
        """
        best = outline.missing(self.result)
        for _ in range(1, MAX_OUTCOME_ROUNDS):
            if not best:
                return
            self._say(Message("assistant", self.reply.text), Message("user", _lacking(best)))
            await self._answered(await self._attempted())
            text, action = split_action(self.reply.text, self.request.actions)
            missing = outline.missing(text)
            if len(missing) < len(best):
                best, self.result, self.action = missing, text, action or self.action
        if best:
            facts = {"missing": list(best)}
            await self.context.runner.event("step.incomplete", self.ticket.step, facts)

    def _unsettled(self, fault: OutcomeFault) -> ActionError | OutputError:
        step, actions = self.ticket.step, self.request.actions
        if fault.shape is not None:
            return OutputError(fault.shape, step=step, attempts=MAX_OUTCOME_ROUNDS)
        return ActionError(
            f"the model named none of: {', '.join(actions)}",
            step=step,
            actions=actions,
            attempts=MAX_OUTCOME_ROUNDS,
        )

    def _say(self, *messages: Message) -> None:
        self.request = self.request._replace(messages=(*self.request.messages, *messages))

    async def _answered(self, reply: ModelReply) -> ModelReply:
        """This answer, or the model's next one that calls no tool."""
        for _ in range(MAX_TOOL_ROUNDS):
            if not reply.tool_calls:
                return reply
            results = await ToolRound(self.tools, self._event).called(reply.tool_calls)
            self._say(Message("assistant", reply.text, tool_calls=reply.tool_calls), *results)
            reply = await self._attempted()
        if reply.tool_calls:
            raise ToolError(
                f"the model called tools in more than {MAX_TOOL_ROUNDS} rounds",
                tool=reply.tool_calls[0].name,
            )
        return reply

    async def _attempted(self) -> ModelReply:
        try:
            reply = await self._once()
        except ModelError as error:
            reply = await self._again(error)
        self.usage = reply.usage if self.usage is NO_USAGE else self.usage + reply.usage
        self.calls += 1
        self.reply, self.payee = reply, self.model
        return reply

    async def _again(self, error: ModelError) -> ModelReply:
        try:
            return await retry(self._once, error, attempts=self.attempts, on_retry=self._retrying)
        except ModelError as last:
            if self.fallback is None or self.request.model == self.fallback:
                raise
            await self._retrying(last.attempts, 0.0, last, self.fallback)
            self._change_model(self.fallback)
            return await self._attempted_again()

    async def _attempted_again(self) -> ModelReply:
        try:
            return await self._once()
        except ModelError as error:
            return await self._again(error)

    async def _retrying(
        self, attempt: int, wait: float, error: ModelError, model: str | None = None
    ) -> None:
        facts = {"attempt": attempt, "wait_s": round(wait, 3), "error": error.message}
        if model is not None:
            facts["model"] = model
        await self._event("step.retrying", facts)

    def _once(self) -> Coroutine[Any, Any, ModelReply]:
        services, request = self.context.services, self.request
        model = services.model
        if request.model is not None:
            model, name = services.models.find(request.model)
            request = request._replace(model=name)
        if self.output is not None or request.actions:
            request = _bound(model, request, self.output)
        self.model = model
        if self.budget is not None:
            return self._paid(model, request, self.budget)
        return self._sent(model, request)

    async def _paid(self, model: Model, request: ModelRequest, budget: Budget) -> ModelReply:
        """The same, out of a budget: a share is held before, what was used is charged after."""
        name = request.model or model.name
        share = await self.context.ledger.reserve(
            self.payer, budget, model.provider, name, estimate(request)
        )
        if share.waited > 0:
            await self.queued("budget", share.waited)
        try:
            reply = await self._sent(model, request)
        except BaseException as error:
            share.failed(error)
            raise
        share.settle(reply)
        return reply

    async def _sent(self, model: Model, request: ModelRequest) -> ModelReply:
        context = self.context
        lane = context.services.lanes.of(model.provider)
        if not lane.enter_now():
            return await lane.call(
                context.places,
                partial(_tokens, request),
                partial(self._send, model, request),
                self.queued,
            )
        try:
            if context.runner.streaming:
                call: Coroutine[Any, Any, ModelReply] = self._streamed(model, request)
            else:
                call = model.complete(request)
            call = within(self.timeout, call, self._late)
            if context.services.tracing is not None:
                call = self._traced(context.services.tracing, model, request, call)
            reply = await call
        except BaseException as error:
            lane.leave(error)
            raise
        lane.leave()
        return reply

    def _send(self, model: Model, request: ModelRequest) -> Coroutine[Any, Any, ModelReply]:
        is_seen = self.context.runner.streaming
        call = self._streamed(model, request) if is_seen else model.complete(request)
        call = within(self.timeout, call, self._late)
        tracing = self.context.services.tracing
        return call if tracing is None else self._traced(tracing, model, request, call)

    def _traced(
        self, tracing: Tracing, model: Model, request: ModelRequest, call: Awaitable[ModelReply]
    ) -> Coroutine[Any, Any, ModelReply]:
        is_seen = self.context.runner.streaming
        return tracing.chat(model, request, call, item=self.item, streaming=is_seen)

    def _late(self) -> ModelTimeout:
        return ModelTimeout(
            f"no answer within {self.timeout:g} seconds",
            provider=self.model.provider,
            seconds=self.timeout,
        )

    async def _event(self, type: str, facts: dict[str, Any]) -> None:
        if self.item is not None:
            facts["item"] = self.item
        await self.context.runner.event(type, self.ticket.step, facts)

    async def queued(self, reason: str, waited: float) -> None:
        """Say that it had to wait so many seconds, and for what."""
        facts = {"reason": reason, "waited_ms": round(waited * 1000, 3)}
        await self._event("step.queued", facts)

    async def _streamed(self, model: Model, request: ModelRequest) -> ModelReply:
        deltas = Deltas(self._delta)
        shown = AnswerText() if request.actions else None
        try:
            async with aclosing(model.stream(request)) as parts:
                async for part in parts:
                    if isinstance(part, ModelReply):
                        return part
                    deltas.add(shown.feed(part) if shown else part)
        finally:
            deltas.close()
        raise ModelError("the stream ended early", provider=model.provider, retryable=True)

    def _delta(self, text: str) -> None:
        self.context.runner.tell(self.ticket.step, text, self.item)


def _bound(model: Model, request: ModelRequest, output: Mapping[str, Any] | None) -> ModelRequest:
    """The request, telling the model in its own way what form the answer must have."""
    if model.structured:
        return request._replace(schema=answer_schema(output, request.actions))
    if output is not None:
        system = f"{request.system}\n\n{schema_text(output)}"
        return request._replace(system=system, output=output)
    return request


def _lacking(titles: Sequence[str]) -> str:
    listed = "\n".join(f"- {title}" for title in titles)
    return (
        f"Your document lacks sections of its template:\n\n{listed}\n\n"
        "Answer again with the whole document, these sections included."
    )


def _tokens(request: ModelRequest) -> int:
    wanted = estimate(request)
    return wanted.input_tokens + wanted.output_tokens
