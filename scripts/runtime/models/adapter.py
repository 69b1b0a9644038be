"""What the adapters share: names, timeouts, schemas that are refused, failures made ours."""

from __future__ import annotations

import asyncio
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, ClassVar, Final, NamedTuple

import httpx2

from ..errors import ModelError, ModelTimeout
from ..settings import Settings
from . import schema as schemas
from .answer import Answer
from .faults import refuses_schema, without_secrets
from .protocol import Model, ModelReply, ModelRequest, ToolCall

CONNECT_SECONDS: Final = 10.0
PREFIXES: Final = ("openai", "openai-compatible", "anthropic", "google")
NOTHING: Final = "(nothing)"  # some providers refuse a message without text

_log = logging.getLogger(__name__)


class Access(NamedTuple):
    """How a provider is reached; times in seconds, `timeout` for silence."""

    api_key: str | None = None
    base_url: str | None = None
    timeout: float = 120
    first_token_timeout: float | None = None

    @classmethod
    def of(cls, settings: Settings, provider: str, base_url: str | None) -> Access:
        """What the settings say of a provider."""
        llm = settings.llm
        return cls(settings.key_of(provider), base_url, llm.timeout, llm.first_token_timeout)


class Adapter(Model, ABC):
    """One client of an SDK for all calls; retries are the caller's.

    A subclass asks, streams, reads and names the faults of its SDK; what leaves is only
    ModelError and its kin. `own` are the prefixes of model names that mean it, `sdk_faults`
    what its SDK raises of its own. An answer that is no object is wrapped into one where
    `wraps` says that the provider takes objects only.
    """

    own: ClassVar[tuple[str, ...]]
    sdk_faults: ClassVar[tuple[type[Exception], ...]]
    answer: ClassVar[type[Answer]]
    wraps: ClassVar[bool] = True

    def __init__(self, provider: str, name: str, access: Access) -> None:
        self._provider = provider
        self._name = name
        self._key = access.api_key or ""
        self._timeout = access.timeout
        self._first_token = access.first_token_timeout
        self._unbound: set[str] = set()  # names of models that take no schema

    @property
    def provider(self) -> str:
        """What `/health` and errors call it."""
        return self._provider

    @property
    def name(self) -> str:
        """The model that answers when a request names none."""
        return self._name

    @property
    def structured(self) -> bool:
        """False once the default model has refused a schema."""
        return self._name not in self._unbound

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole answer at once."""
        request = self._shaped(request)
        try:
            answer = await self._asked(request)
        except ModelError as error:
            request = self._without_schema(request, error)
            answer = await self._asked(request)
        reply = answer.reply()
        if self._is_wrapped(request):
            reply.text = schemas.unwrapped(reply.text)
        return reply

    async def stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        """Text as it comes, then the whole reply."""
        request = self._shaped(request)
        try:
            parts, part = await self._begun(request)
        except ModelError as error:
            request = self._without_schema(request, error)
            parts, part = await self._begun(request)
        is_wrapped = self._is_wrapped(request)
        answer = self.answer(self._provider, self._model_of(request))
        async with aclosing(parts):
            while part is not None:
                text = answer.piece(part)
                if text and not is_wrapped:
                    yield text
                with self._faults(request):
                    part = await anext(parts, None)
        if not answer.reason:
            raise answer.fault("the stream ended before the answer did")
        reply = answer.reply()
        if is_wrapped:
            reply.text = schemas.unwrapped(reply.text)
            yield reply.text
        yield reply

    @abstractmethod
    async def _ask(self, request: ModelRequest) -> object:
        """What the SDK makes of a whole answer."""

    @abstractmethod
    def _stream(self, request: ModelRequest) -> AsyncGenerator[Any, None]:
        """What the SDK makes of each part of a stream."""

    @abstractmethod
    def _sdk_fault(self, error: Exception) -> ModelError | None:
        """The meaning of what the SDK raised; None when the connection failed."""

    def _binds(self, schema: Mapping[str, Any]) -> bool:
        """Whether the provider can hold an answer to it."""
        return True

    async def _asked(self, request: ModelRequest) -> Answer:
        answer = self.answer(self._provider, self._model_of(request))
        with self._faults(request):
            answer.whole(await self._ask(request))
        return answer

    async def _begun(self, request: ModelRequest) -> tuple[AsyncGenerator[Any, None], Any]:
        """A stream and its first part. Raises ModelTimeout when that is late."""
        parts = self._stream(request)
        try:
            async with asyncio.timeout(self._first_token):
                with self._faults(request):
                    return parts, await anext(parts, None)
        except TimeoutError:
            seconds = self._first_token or 0.0
            message = f"{self._provider} began no answer within {seconds:g} seconds"
            raise ModelTimeout(message, provider=self._provider, seconds=seconds) from None

    def _shaped(self, request: ModelRequest) -> ModelRequest:
        """The request with a schema that binds, or with its words."""
        if request.schema is None:
            return request
        is_bound = self._model_of(request) not in self._unbound and self._binds(request.schema)
        return request if is_bound else _told(request)

    def _without_schema(self, request: ModelRequest, error: ModelError) -> ModelRequest:
        """The request for a model that takes no schema. Raises `error` when that is not why."""
        if request.schema is None or not refuses_schema(error):
            raise error
        model = self._model_of(request)
        self._unbound.add(model)
        facts = {"provider": self._provider, "model": model}
        _log.warning("the model takes no schema: it is asked in words", extra={"facts": facts})
        return _told(request)

    def _is_wrapped(self, request: ModelRequest) -> bool:
        return self.wraps and request.schema is not None and not schemas.is_object(request.schema)

    def _model_of(self, request: ModelRequest) -> str:
        """The model's name without its provider; `llama3:8b` has none. Raises ModelError."""
        if request.model is None:
            return self._name
        prefix, _, rest = request.model.partition(":")
        if rest and prefix in PREFIXES and prefix not in self.own:
            message = f"the agent asks for {request.model}, but the provider is {self._provider}"
            raise ModelError(message, provider=self._provider)
        return rest if rest and prefix in self.own else request.model

    def _seconds(self, request: ModelRequest) -> float:
        return self._timeout if request.timeout is None else request.timeout

    def _limits(self, request: ModelRequest) -> httpx2.Timeout:
        seconds = self._seconds(request)
        return httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))

    @contextmanager
    def _faults(self, request: ModelRequest) -> Iterator[None]:
        """Whatever is raised inside leaves as a ModelError; the original may hold the key."""
        try:
            yield
        except ModelError:
            raise
        except httpx2.TimeoutException:
            raise self._silence(request) from None
        except self.sdk_faults as error:
            if isinstance(error.__cause__, httpx2.TimeoutException):
                raise self._silence(request) from None
            raise self._sdk_fault(error) or self._lost(error) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise self._lost(error) from None
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            message = f"the answer is not in the form of {self.answer.form}"
            raise self._fault(message) from None

    def _silence(self, request: ModelRequest) -> ModelTimeout:
        seconds = self._seconds(request)
        message = f"{self._provider} was silent for {seconds:g} seconds"
        return ModelTimeout(message, provider=self._provider, seconds=seconds)

    def _lost(self, error: Exception) -> ModelError:
        return self._fault(f"the connection failed: {error.__cause__ or error}")

    def _fault(self, message: str) -> ModelError:
        return ModelError(self._clean(message), provider=self._provider, retryable=True)

    def _clean(self, text: str) -> str:
        return without_secrets(text, self._key)


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """What the model wrote as an object, for providers that want it back as one."""
    try:
        found = json.loads(call.arguments)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _told(request: ModelRequest) -> ModelRequest:
    if request.schema is None:
        return request
    system = f"{request.system}\n\n{schemas.told(request.schema)}".strip()
    return request._replace(system=system, schema=None)
