"""One step's conversation with its model: answers, tools, outcomes, attempts."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from .context import FlowContext
from .errors import ActionError, ModelError, ModelTimeout, ToolError
from .models.protocol import Message, ModelReply, ModelRequest, ToolCall, Usage
from .retry import retry
from .runner import Ticket
from .waiting import within

MAX_TOOL_ROUNDS: Final = 10
MAX_ACTION_ROUNDS: Final = 3
_ACTION_LINE: Final = re.compile(
    r"[\s*_`#>-]*action[\s*_`]*:[\s*_`\"']*([A-Za-z0-9_-]+)[\s*_`\"'.]*", re.IGNORECASE
)

NO_USAGE: Final = Usage()
NO_REPLY: Final = ModelReply("")
NO_REQUEST: Final = ModelRequest("", ())


class Conversation:
    """One visit of a step: what is asked, and what came of it.

    `cut` names the parts of the
    message that were too long. Afterwards `text` is the answer without its action line.
    """

    __slots__ = (
        *("action", "attempts", "calls", "context", "cut", "reply", "request", "text"),
        *("ticket", "timeout", "usage"),
    )

    def __init__(self, context: FlowContext, ticket: Ticket) -> None:
        self.context = context
        self.ticket = ticket
        self.request: ModelRequest = NO_REQUEST
        self.cut: tuple[str, ...] = ()
        self.attempts = 1
        self.timeout = 0.0
        self.usage = NO_USAGE
        self.calls = 0
        self.reply = NO_REPLY
        self.text = ""
        self.action: str | None = None

    async def hold(self) -> None:
        """Ask until there is an answer, and a known action where one is asked for.

        Raises ModelError and its kin, ToolError when the model calls tools without
        end, ActionError when it keeps naming no known action.
        """
        try:
            reply = await self._once()
        except ModelError as error:
            reply = await self._again(error)
        self.usage = reply.usage
        self.calls = 1
        if reply.tool_calls:
            reply = await self._with_tools(reply)
        self.reply = reply
        self.text = reply.text
        if self.request.actions:
            await self._insist()

    async def _insist(self) -> None:
        for _ in range(MAX_ACTION_ROUNDS - 1):
            if self._take_action():
                return
            self._say(Message("assistant", self.reply.text), Message("user", self._reminder()))
            self.reply = await self._with_tools(await self._attempted())
        if not self._take_action():
            raise ActionError(
                f"the model named none of: {', '.join(self.request.actions)}",
                step=self.request.step,
                actions=self.request.actions,
                attempts=MAX_ACTION_ROUNDS,
            )

    def _take_action(self) -> bool:
        text, action = split_action(self.reply.text, self.request.actions)
        if action is None:
            return False
        # A reminded model answers with the line alone: the first text is the answer then.
        self.text = text or split_action(self.text, self.request.actions)[0]
        self.action = action
        return True

    def _reminder(self) -> str:
        choices = " or ".join(f"`Action: {action}`" for action in self.request.actions)
        return f"Your decision is missing. Answer with one line: {choices}."

    def _say(self, *messages: Message) -> None:
        self.request = self.request._replace(messages=(*self.request.messages, *messages))

    async def _with_tools(self, reply: ModelReply) -> ModelReply:
        """The first answer, from this one on, that calls no tool."""
        for _ in range(MAX_TOOL_ROUNDS):
            if not reply.tool_calls:
                return reply
            results = await self._call_tools(reply.tool_calls)
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
        self.usage += reply.usage
        self.calls += 1
        return reply

    async def _again(self, error: ModelError) -> ModelReply:
        return await retry(self._once, error, attempts=self.attempts, on_retry=self._retrying)

    async def _retrying(self, attempt: int, wait: float, error: ModelError) -> None:
        facts = {"attempt": attempt, "wait_s": round(wait, 3), "error": error.message}
        await self.context.runner.event("step.retrying", self.request.step, facts)

    async def _once(self) -> ModelReply:
        services = self.context.services
        model, places = services.model, services.calls
        if not places.take_now():
            await places.take()
        try:
            if self.context.runner.streaming:
                return await within(self.timeout, self._streamed())
            return await within(self.timeout, model.complete(self.request))
        except TimeoutError:
            raise ModelTimeout(
                f"no answer within {self.timeout:g} seconds",
                provider=model.provider,
                seconds=self.timeout,
            ) from None
        finally:
            places.give()

    async def _streamed(self) -> ModelReply:
        model = self.context.services.model
        async with aclosing(model.stream(self.request)) as parts:
            async for part in parts:
                if isinstance(part, ModelReply):
                    return part
                await self.context.runner.event("step.delta", self.request.step, {"text": part})
        raise ModelError("the stream ended early", provider=model.provider, retryable=True)

    async def _call_tools(self, calls: Sequence[ToolCall]) -> list[Message]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._call_tool(call)) for call in calls]
        return [task.result() for task in tasks]

    async def _call_tool(self, call: ToolCall) -> Message:
        began = time.perf_counter()
        facts: dict[str, object] = {"tool": call.name, "status": "ok"}
        try:
            text = await self._tool_text(call)
        except ToolError as error:
            text = f"Error: {error.message}"
            facts |= {"status": "error", "error": error.message}
        facts["duration_ms"] = round((time.perf_counter() - began) * 1000, 3)
        await self.context.runner.event("step.tool", self.request.step, facts)
        return Message("tool", text, tool_call_id=call.id)

    async def _tool_text(self, call: ToolCall) -> str:
        tool = self.context.services.tools.get(call.name)
        if tool is None or all(spec.name != call.name for spec in self.request.tools):
            raise ToolError(f"there is no tool {call.name!r} for this agent", tool=call.name)
        return await tool.call(call.arguments)


def split_action(text: str, actions: Sequence[str]) -> tuple[str, str | None]:
    """The text before its last line, and the action which that line names, if it names one."""
    body = text.rstrip()
    head, _, last = body.rpartition("\n")
    match = _ACTION_LINE.fullmatch(last)
    if match is None:
        return text, None
    known = {action.casefold(): action for action in actions}
    action = known.get(match[1].casefold())
    return (head.rstrip(), action) if action else (text, None)
