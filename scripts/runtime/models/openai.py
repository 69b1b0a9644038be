"""OpenAI, and every server that speaks its chat API. Importing this imports the SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx2
from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    OpenAIError,
)

from ..errors import ModelError, ModelTimeout, SettingsError
from ..settings import Settings
from .chat import Answer
from .faults import status_fault, without_secrets
from .protocol import Message, ModelReply, ModelRequest

DEFAULT_MODEL: Final = "gpt-5.4-mini"
DEFAULT_URL: Final = "https://api.openai.com/v1"
CONNECT_SECONDS: Final = 10.0

_OURS: Final = ("openai", "openai-compatible")
_OTHERS: Final = ("anthropic", "google", "mock")
_NO_KEY: Final = "no-key"  # the SDK wants one; a server of one's own does not


class OpenAIModel:
    """One client for all calls; retries are the caller's."""

    def __init__(
        self,
        *,
        name: str = DEFAULT_MODEL,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 120,
        provider: str | None = None,
    ) -> None:
        """`timeout` is in seconds, for silence; the whole call is bounded by its caller."""
        self._provider = provider or ("openai-compatible" if base_url else "openai")
        self._name = name
        self._key = api_key or ""
        self._timeout = timeout
        self._client = AsyncOpenAI(
            api_key=api_key or _NO_KEY,
            base_url=base_url or DEFAULT_URL,
            max_retries=0,
            timeout=_timeout(timeout),
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> OpenAIModel:
        """The model that the settings name. Raises SettingsError for another provider's."""
        key = settings.secrets.openai_api_key
        llm = settings.llm
        prefix, _, rest = llm.model.partition(":")
        if prefix in _OTHERS and rest:
            message = f"{llm.model} is not a model of the provider {settings.provider}"
            raise SettingsError(message, where="llm.model")
        return cls(
            name=DEFAULT_MODEL if llm.model == "auto" else _plain_name(llm.model),
            api_key=key.get_secret_value() if key else None,
            base_url=llm.base_url,
            timeout=llm.timeout,
            provider=settings.provider,
        )

    structured = False

    @property
    def provider(self) -> str:
        """openai or openai-compatible."""
        return self._provider

    @property
    def name(self) -> str:
        """The model that answers when a request names none."""
        return self._name

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole answer at once."""
        answer = Answer(self._provider, self._model_of(request))
        arguments = self._arguments(request)
        with self._faults(request):
            completion = await self._client.chat.completions.create(**arguments)
        answer.add(completion, "message")
        return answer.reply()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        """Text as it comes, then the whole reply."""
        answer = Answer(self._provider, self._model_of(request))
        arguments = self._arguments(request)
        arguments |= {"stream": True, "stream_options": {"include_usage": True}}
        with self._faults(request):
            stream = await self._client.chat.completions.create(**arguments)
        chunks = aiter(stream)
        try:
            while True:
                with self._faults(request):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                text = answer.add(chunk, "delta")
                if text:
                    yield text
        finally:
            await stream.close()
        if not answer.reason:
            message = "the stream ended before the answer did"
            raise ModelError(message, provider=self._provider, retryable=True)
        yield answer.reply()

    async def close(self) -> None:
        """Give back connections."""
        await self._client.close()

    def _model_of(self, request: ModelRequest) -> str:
        if request.model is None:
            return self._name
        prefix, _, rest = request.model.partition(":")
        if prefix in _OTHERS and rest:
            message = f"the agent asks for {request.model}, but the provider is {self._provider}"
            raise ModelError(message, provider=self._provider)
        return _plain_name(request.model)

    def _arguments(self, request: ModelRequest) -> dict[str, Any]:
        messages = [_message(message) for message in request.messages]
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        found: dict[str, Any] = {"model": self._model_of(request), "messages": messages}
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
        if request.timeout is not None:
            found["timeout"] = _timeout(request.timeout)
        return found

    @contextmanager
    def _faults(self, request: ModelRequest) -> Iterator[None]:
        """Whatever the SDK raises leaves as a ModelError; the original may hold the key."""
        try:
            yield
        except (APITimeoutError, httpx2.TimeoutException):
            seconds = request.timeout or self._timeout
            message = f"{self._provider} was silent for {seconds:g} seconds"
            raise ModelTimeout(message, provider=self._provider, seconds=seconds) from None
        except APIStatusError as error:
            raise self._status_fault(error) from None
        except APIConnectionError as error:
            said = str(error.__cause__ or error.message)
            raise self._fault(f"the connection failed: {said}") from None
        except APIError as error:
            raise self._fault(error.message) from None
        except (OpenAIError, httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._fault(str(error)) from None
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise self._fault("the answer is not in the form of a chat completion") from None

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

    def _fault(self, message: str) -> ModelError:
        return ModelError(self._clean(message), provider=self._provider, retryable=True)

    def _clean(self, text: str) -> str:
        return without_secrets(text, self._key)


def _timeout(seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))


def _plain_name(model: str) -> str:
    """`openai:gpt-x` without its provider; `llama3:8b` has none."""
    prefix, _, rest = model.partition(":")
    return rest if prefix in _OURS and rest else model


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
