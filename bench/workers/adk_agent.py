"""ADK: a SequentialAgent of ten agents that answer a constant without a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from google.adk.agents import BaseAgent, SequentialAgent
from google.adk.events import Event
from google.genai import types

from ..shapes import ANSWER

STEPS = 10


class Constant(BaseAgent):  # type: ignore[misc]  # its package is out of mypy's sight
    """Says the constant."""

    async def _run_async_impl(self, ctx: Any) -> AsyncGenerator[Any, None]:
        content = types.Content(role="model", parts=[types.Part(text=ANSWER)])
        yield Event(author=self.name, invocation_id=ctx.invocation_id, content=content)


root_agent = SequentialAgent(
    name="ten", sub_agents=[Constant(name=f"a{number}") for number in range(STEPS)]
)
