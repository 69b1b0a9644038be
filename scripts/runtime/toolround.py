"""The tool calls of one answer, done beside each other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ToolError
from .models.protocol import Message, ToolCall
from .tool import Tool


@dataclass(frozen=True, slots=True)
class ToolRound:
    """`tools` are those that the agent may use, by name; `tell` takes an event's type and data."""

    tools: Mapping[str, Tool]
    tell: Callable[[str, dict[str, Any]], Awaitable[None]]

    async def called(self, calls: Sequence[ToolCall]) -> list[Message]:
        """What the model is told of each call, in their order; of a failure that it failed."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._call(call)) for call in calls]
        return [task.result() for task in tasks]

    async def _call(self, call: ToolCall) -> Message:
        began = time.perf_counter()
        facts: dict[str, Any] = {"tool": call.name, "status": "ok"}
        try:
            text = await self._text(call)
        except ToolError as error:
            text = f"Error: {error.message}"
            facts |= {"status": "error", "error": error.message}
        facts["duration_ms"] = round((time.perf_counter() - began) * 1000, 3)
        await self.tell("step.tool", facts)
        return Message("tool", text, tool_call_id=call.id)

    async def _text(self, call: ToolCall) -> str:
        tool = self.tools.get(call.name)
        if tool is None:
            raise ToolError(f"there is no tool {call.name!r} for this agent", tool=call.name)
        return await tool.call(call.arguments)
