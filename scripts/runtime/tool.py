"""A function that a model may call."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .errors import ToolError
from .models.protocol import ToolSpec
from .models.reading import clean

DEFAULT_TIMEOUT: Final = 30.0
MAX_RESULT: Final = 100_000  # characters that go back to the model


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is the JSON Schema of the arguments; `timeout` is in seconds."""

    name: str
    function: Callable[..., Any]
    description: str
    parameters: Mapping[str, Any]
    timeout: float | None = None

    @property
    def spec(self) -> ToolSpec:
        """The tool as a model sees it."""
        return ToolSpec(self.name, self.description, self.parameters)

    async def call(self, arguments: str) -> str:
        """The function's result as text, for arguments that a model wrote as JSON.

        Raises ToolError for bad arguments, for whatever the function raises, and
        when it takes too long. A function that is not async runs in a thread;
        a thread cannot be stopped, so a late result is thrown away.
        """
        bound = self._bind(arguments)
        seconds = self.timeout or DEFAULT_TIMEOUT
        try:
            async with asyncio.timeout(seconds):
                result = await self._run(bound)
        except TimeoutError:
            raise ToolError(f"took longer than {seconds:g} seconds", tool=self.name) from None
        # The author's code may raise anything; the model is told. Left alone, what a sys.exit()
        # raises would end the whole service.
        except (Exception, SystemExit) as error:
            raise ToolError(f"{type(error).__name__}: {error}", tool=self.name) from error
        return self._text(result)

    async def _run(self, bound: inspect.BoundArguments) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(*bound.args, **bound.kwargs)
        return await asyncio.to_thread(self.function, *bound.args, **bound.kwargs)

    def _bind(self, arguments: str) -> inspect.BoundArguments:
        try:
            values = json.loads(arguments or "{}")
        except ValueError as error:
            raise ToolError(f"the arguments are not JSON: {error}", tool=self.name) from None
        if not isinstance(values, dict):
            raise ToolError("the arguments are not a JSON object", tool=self.name)
        try:
            return inspect.signature(self.function).bind(**values)
        except TypeError as error:
            raise ToolError(f"the arguments do not fit: {error}", tool=self.name) from None

    def _text(self, result: Any) -> str:
        if not isinstance(result, str):
            try:
                result = json.dumps(result, ensure_ascii=False)
            except (TypeError, ValueError, RecursionError) as error:
                raise ToolError(f"its result is not JSON: {error}", tool=self.name) from None
        text = clean(result)
        if len(text) > MAX_RESULT:
            cut = len(text) - MAX_RESULT
            return f"{text[:MAX_RESULT]}\n[{cut} more characters were cut]"
        return text
