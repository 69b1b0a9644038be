"""Anthropic's models. Importing this imports the SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any, Final

from anthropic import (
    AnthropicError,
    APIConnectionError,
    APIError,
    APIStatusError,
    AsyncAnthropic,
    DefaultAsyncHttpxClient,
    transform_schema,
)

from ..errors import ModelError
from ..settings import Settings
from .adapter import NOTHING, Access, Adapter, arguments_of
from .answer import Answer, Wish
from .bounds import bound
from .faults import status_fault
from .protocol import FinishReason, Message, ModelRequest, ToolCall, Usage
from .reading import clean, count, items, text
from .schema import as_object, is_closed

DEFAULT_MODEL: Final = "claude-sonnet-5-5"
DEFAULT_URL: Final = "https://api.anthropic.com"
DEFAULT_MAX_TOKENS: Final = 16_384  # the API wants a number

# The API that the SDK speaks knows no temperature; the one before it does.
_WITH_TEMPERATURE: Final = {"anthropic-version": "2023-06-01"}
_REASONS: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
# What a stream that began well may break off with.
_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_NOTED: Final = ("thinking", "redacted_thinking")


class MessageAnswer(Answer):
    """Fed with a message, or with the events of its stream.

    What the model thought before a tool call has to be sent back with it: the first
    call's `note` holds it.
    """

    form = "a message"
    reasons = _REASONS

    def __init__(self, provider: str, model: str = "") -> None:
        super().__init__(provider, model)
        self._thoughts: dict[int, dict[str, str]] = {}

    def whole(self, answer: object) -> None:
        self._begin(answer)
        for index, block in enumerate(items(answer, "content")):
            self._open(index, block)
        self._note()
        self.reason = text(answer, "stop_reason")

    def piece(self, part: object) -> str:
        kind = text(part, "type")
        index = getattr(part, "index", None)
        if kind == "message_start":
            self._begin(getattr(part, "message", None))
        elif kind == "content_block_start" and isinstance(index, int):
            return self._open(index, getattr(part, "content_block", None))
        elif kind == "content_block_delta" and isinstance(index, int):
            return self._add(index, getattr(part, "delta", None))
        elif kind == "message_delta":
            self._count(getattr(part, "usage", None))
            self.reason = text(getattr(part, "delta", None), "stop_reason") or self.reason
            self._note()
        return ""

    def _begin(self, message: object) -> None:
        self.model = text(message, "model") or self.model
        self._count(getattr(message, "usage", None))

    def _open(self, index: int, block: object) -> str:
        kind = text(block, "type")
        if kind == "text":
            return self.say(text(block, "text"))
        if kind == "tool_use":
            wish = self.wishes[index] = Wish()
            wish.id, wish.name = text(block, "id"), text(block, "name")
            given = getattr(block, "input", None)
            wish.arguments = clean(json.dumps(given)) if given else ""
            self.grow(len(wish.arguments))
        elif kind in _NOTED:
            fields = ("thinking", "signature") if kind == "thinking" else ("data",)
            self._thoughts[index] = {"type": kind} | {name: text(block, name) for name in fields}
        return ""

    def _add(self, index: int, delta: object) -> str:
        kind = text(delta, "type")
        if kind == "text_delta":
            return self.say(text(delta, "text"))
        if kind == "input_json_delta" and index in self.wishes:
            more = text(delta, "partial_json")
            self.wishes[index].arguments += more
            self.grow(len(more))
        elif index in self._thoughts and kind in ("thinking_delta", "signature_delta"):
            name = kind.removesuffix("_delta")
            self._thoughts[index][name] = self._thoughts[index].get(name, "") + text(delta, name)
            self.grow(len(text(delta, name)))
        return ""

    def _note(self) -> None:
        if self._thoughts and self.wishes:
            thoughts = [thought for _, thought in sorted(self._thoughts.items())]
            self.wishes[min(self.wishes)].note = json.dumps(thoughts)

    def _count(self, usage: object) -> None:
        """Take the numbers that are there; what is read from or put into a cache was read too."""
        cached = count(usage, "cache_read_input_tokens")
        read = count(usage, "input_tokens") + count(usage, "cache_creation_input_tokens") + cached
        self.usage = Usage(
            read or self.usage.input_tokens,
            count(usage, "output_tokens") or self.usage.output_tokens,
            cached or self.usage.cached_tokens,
        )


class AnthropicModel(Adapter):
    """The Messages API."""

    own = ("anthropic",)
    sdk_faults = (AnthropicError,)
    answer = MessageAnswer

    def __init__(
        self,
        *,
        name: str = DEFAULT_MODEL,
        access: Access = Access(),  # noqa: B008 - it is frozen
    ) -> None:
        """Opens no connection yet."""
        super().__init__("anthropic", name, access)
        self._client = AsyncAnthropic(
            api_key=access.api_key or "",
            base_url=access.base_url or DEFAULT_URL,
            max_retries=0,
            timeout=access.timeout,
            http_client=DefaultAsyncHttpxClient(event_hooks={"response": [bound]}),
        )

    async def close(self) -> None:
        """Give back connections."""
        await self._client.close()

    async def _ask(self, request: ModelRequest) -> object:
        return await self._client.messages.create(**self._arguments(request))

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[Any, None]:
        arguments = self._arguments(request) | {"stream": True}
        async with await self._client.messages.create(**arguments) as stream:
            async for event in stream:
                yield event

    def _binds(self, schema: Mapping[str, Any]) -> bool:
        return is_closed(schema)  # an open object would become an empty one

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        found: dict[str, Any] = {
            "model": self._model_of(request),
            "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS,
            "messages": _messages(request.messages),
            "timeout": self._limits(request),
        }
        if request.system:
            found["system"] = request.system
        if request.tools:
            found["tools"] = [
                {
                    "name": tool.name,
                    "description": tool.description,
                    "input_schema": dict(tool.parameters),
                }
                for tool in request.tools
            ]
        if request.temperature is not None:
            found["extra_headers"] = _WITH_TEMPERATURE
            found["extra_body"] = {"temperature": request.temperature}
        if request.schema is not None:
            bound = transform_schema(as_object(request.schema))
            found["output_config"] = {"format": {"type": "json_schema", "schema": bound}}
        return found

    def _sdk_fault(self, error: Exception) -> ModelError | None:
        if isinstance(error, APIStatusError):
            return self._status_fault(error)
        if isinstance(error, APIConnectionError):
            return None
        return self._fault(error.message if isinstance(error, APIError) else str(error))

    def _status_fault(self, error: APIStatusError) -> ModelError:
        status, kind = error.status_code, error.type
        if status < 400:
            status = _STATUSES.get(kind, 500) if isinstance(kind, str) else 500
        said = error.api_message
        return status_fault(
            status,
            self._clean(said if isinstance(said, str) else error.response.reason_phrase),
            provider=self._provider,
            code=kind,
            headers=error.response.headers,
        )


def make_anthropic(settings: Settings, provider: str, name: str | None) -> AnthropicModel:
    """The adapter as the settings want it."""
    access = Access.of(settings, provider, settings.llm.anthropic.base_url)
    return AnthropicModel(name=name or DEFAULT_MODEL, access=access)


def _messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Turns; the results of calls that were made together are one turn of the user."""
    found: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            if not results:
                found.append({"role": "user", "content": results})
            results.append(_result(message))
            continue
        results = []
        if message.role == "user" or not message.tool_calls:
            found.append({"role": message.role, "content": message.content.strip() or NOTHING})
        else:
            found.append({"role": "assistant", "content": _wishes(message)})
    return found


def _result(message: Message) -> dict[str, Any]:
    content = message.content or NOTHING
    return {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}


def _wishes(message: Message) -> list[dict[str, Any]]:
    said = [{"type": "text", "text": message.content}] if message.content.strip() else []
    return [*_thoughts(message.tool_calls), *said, *map(_wish, message.tool_calls)]


def _wish(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call)}


def _thoughts(calls: Iterable[ToolCall]) -> list[dict[str, Any]]:
    note = next((call.note for call in calls if call.note), "")
    found: list[dict[str, Any]] = json.loads(note) if note.startswith("[") else []
    return found
