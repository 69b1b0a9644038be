"""OpenAI, and every server that speaks its chat API. Importing this imports the SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AsyncOpenAI,
    DefaultAsyncHttpxClient,
    OpenAIError,
)

from ..errors import ModelError
from ..settings import Settings
from .adapter import Access, Adapter
from .bounds import bound
from .chat import ChatAnswer
from .faults import status_fault
from .protocol import Message, ModelRequest
from .schema import as_object, strict

DEFAULT_MODEL: Final = "gpt-5.4-mini"
DEFAULT_URL: Final = "https://api.openai.com/v1"

_NO_KEY: Final = "no-key"  # the SDK wants one; a server of one's own does not


class OpenAIModel(Adapter):
    """Chat completions; `provider` tells OpenAI itself from a server that is compatible."""

    own = ("openai", "openai-compatible")
    sdk_faults = (OpenAIError,)
    answer = ChatAnswer

    def __init__(
        self,
        *,
        name: str = DEFAULT_MODEL,
        access: Access = Access(),  # noqa: B008 - it is frozen
        provider: str | None = None,
    ) -> None:
        """Opens no connection yet."""
        provider = provider or ("openai-compatible" if access.base_url else "openai")
        super().__init__(provider, name, access)
        self._client = AsyncOpenAI(
            api_key=access.api_key or _NO_KEY,
            base_url=access.base_url or DEFAULT_URL,
            max_retries=0,
            timeout=access.timeout,
            http_client=DefaultAsyncHttpxClient(event_hooks={"response": [bound]}),
        )

    async def close(self) -> None:
        """Give back connections."""
        await self._client.close()

    async def _ask(self, request: ModelRequest) -> object:
        return await self._client.chat.completions.create(**self._arguments(request))

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[Any, None]:
        arguments = self._arguments(request)
        arguments |= {"stream": True, "stream_options": {"include_usage": True}}
        async with await self._client.chat.completions.create(**arguments) as stream:
            async for chunk in stream:
                yield chunk

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        messages = [_message(message) for message in request.messages]
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        found: dict[str, Any] = {
            "model": self._model_of(request),
            "messages": messages,
            "timeout": self._limits(request),
        }
        if request.tools:
            found["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.parameters),
                    },
                }
                for tool in request.tools
            ]
        if request.temperature is not None:
            found["temperature"] = request.temperature
        if request.max_tokens is not None:
            # OpenAI's newer models refuse the old name, other servers do not know the new one.
            is_openai = self._provider == "openai"
            found["max_completion_tokens" if is_openai else "max_tokens"] = request.max_tokens
        if request.schema is not None:
            found["response_format"] = _response_format(request.schema)
        return found

    def _sdk_fault(self, error: Exception) -> ModelError | None:
        if isinstance(error, APIStatusError):
            return self._status_fault(error)
        if isinstance(error, APIConnectionError):
            return None
        return self._fault(error.message if isinstance(error, APIError) else str(error))

    def _status_fault(self, error: APIStatusError) -> ModelError:
        body = error.body if isinstance(error.body, dict) else {}
        said = body.get("message")
        return status_fault(
            error.status_code,
            self._clean(said if isinstance(said, str) else error.response.reason_phrase),
            provider=self._provider,
            code=error.code,
            headers=error.response.headers,
        )


def make_openai(settings: Settings, provider: str, name: str | None) -> OpenAIModel:
    """The adapter as the settings want it; `provider` is openai or openai-compatible."""
    access = Access.of(settings, provider, settings.llm.base_url)
    return OpenAIModel(name=name or DEFAULT_MODEL, access=access, provider=provider)


def _response_format(schema: Any) -> dict[str, Any]:
    whole = as_object(schema)
    bound = strict(whole)
    found = {"name": "answer", "schema": bound or whole, "strict": bound is not None}
    return {"type": "json_schema", "json_schema": found}


def _message(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        found["content"] = message.content or None
        found["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return found
