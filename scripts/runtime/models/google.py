"""Google's Gemini models. Importing this imports the SDK."""

from __future__ import annotations

import base64
import binascii
import json
import re
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Final

import httpx2
from google import genai
from google.genai import errors, types

from ..errors import ModelError
from ..settings import Settings
from .adapter import CONNECT_SECONDS, NOTHING, Access, Adapter, arguments_of
from .answer import Answer, Wish
from .bounds import bound
from .faults import status_fault
from .protocol import FinishReason, Message, ModelRequest, ToolCall, ToolSpec, Usage
from .reading import clean, count, items, text

DEFAULT_MODEL: Final = "gemini-3.8-flash"
DEFAULT_URL: Final = "https://generativelanguage.googleapis.com"

# A reason that is newer than the SDK is read all the same; its warning would be no log line.
warnings.filterwarnings("ignore", message=r"\S+ is not a valid FinishReason", category=UserWarning)

_STOPS: Final = ("STOP", "OTHER", "FINISH_REASON_UNSPECIFIED")
_CUTS: Final = ("MAX_TOKENS", "CONTINUATION")
_FAILS: Final = (
    *("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL"),
    *("TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "NO_IMAGE", "IMAGE_OTHER"),
)
# Whatever else ends an answer is a filter of some kind, those to come included.
_REASONS: Final[dict[str, FinishReason]] = {
    **dict.fromkeys(_STOPS, "stop"),
    **dict.fromkeys(_CUTS, "length"),
    **dict.fromkeys(_FAILS, "stop"),
    **{
        reason.value: "content_filter"
        for reason in types.FinishReason
        if reason.value not in (*_STOPS, *_CUTS, *_FAILS)
    },
}
_DELAY: Final = re.compile(r"([0-9.]{1,12})s")
_RESPONSES: ContextVar[list[httpx2.Response] | None] = ContextVar("responses", default=None)


class ContentAnswer(Answer):
    """Fed with a response or the responses of its stream; a call's `note` is its signature."""

    form = "generated content"
    reasons = _REASONS

    def whole(self, answer: object) -> None:
        self.piece(answer)

    def piece(self, part: object) -> str:
        self.model = text(part, "model_version") or self.model
        self._count(getattr(part, "usage_metadata", None))
        feedback = getattr(part, "prompt_feedback", None)
        self.is_refused |= getattr(feedback, "block_reason", None) is not None
        candidates = items(part, "candidates")
        if not candidates:
            self.reason = self.reason or ("SAFETY" if self.is_refused else "")
            return ""
        self.reason = _word(getattr(candidates[0], "finish_reason", None)) or self.reason
        parts = items(getattr(candidates[0], "content", None), "parts")
        return self.say("".join(map(self._take, parts)))

    def _take(self, part: object) -> str:
        call = getattr(part, "function_call", None)
        if call is not None:
            wish = self.wishes[len(self.wishes)] = Wish()
            wish.id, wish.name = text(call, "id"), text(call, "name")
            wish.arguments = clean(json.dumps(getattr(call, "args", None) or {}))
            signature = getattr(part, "thought_signature", None)
            if isinstance(signature, bytes):
                wish.note = base64.b64encode(signature).decode()
            self.grow(len(wish.arguments))
        return "" if getattr(part, "thought", None) else text(part, "text")

    def _count(self, usage: object) -> None:
        """Take the numbers that are there; thoughts are paid for as output."""
        read = count(usage, "prompt_token_count") + count(usage, "tool_use_prompt_token_count")
        written = count(usage, "candidates_token_count") + count(usage, "thoughts_token_count")
        self.usage = Usage(
            read or self.usage.input_tokens,
            written or self.usage.output_tokens,
            count(usage, "cached_content_token_count") or self.usage.cached_tokens,
        )


class GoogleModel(Adapter):
    """The Gemini API."""

    own = ("google",)
    sdk_faults = (errors.APIError, errors.UnknownApiResponseError)
    answer = ContentAnswer
    wraps = False

    def __init__(
        self,
        *,
        name: str = DEFAULT_MODEL,
        access: Access = Access(),  # noqa: B008 - it is frozen
        api_version: str | None = None,
    ) -> None:
        """Opens no connection yet. `api_version` is the SDK's own unless given; beta is v1beta."""
        super().__init__("google", name, access)
        # A client of our own: the SDK's has no connect timeout, and reads the environment.
        self._http = httpx2.AsyncClient(
            event_hooks={"request": [_bound_connect], "response": [bound, _keep]}
        )
        self._client = genai.Client(
            api_key=access.api_key or "",
            enterprise=False,
            http_options=types.HttpOptions(
                base_url=access.base_url or DEFAULT_URL,
                api_version="v1beta" if api_version == "beta" else api_version,
                httpx_async_client=self._http,
            ),
        )

    async def close(self) -> None:
        """Give back connections."""
        self._client.close()
        await self._http.aclose()

    async def _ask(self, request: ModelRequest) -> object:
        return await self._client.aio.models.generate_content(
            model=self._model_of(request),
            contents=_contents(request.messages),
            config=self._config(request),
        )

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[Any, None]:
        responses: list[httpx2.Response] = []
        stream: AsyncIterator[Any] | None = None
        part: object = None
        try:
            while stream is None or part is not None:
                _RESPONSES.set(responses)
                if stream is None:
                    stream = await self._client.aio.models.generate_content_stream(
                        model=self._model_of(request),
                        contents=_contents(request.messages),
                        config=self._config(request),
                    )
                part = await anext(stream, None)
                _RESPONSES.set(None)
                if part is not None:
                    yield part
        finally:
            _RESPONSES.set(None)
            # The SDK leaves the connection to the garbage collector.
            for response in responses:
                await response.aclose()

    def _config(self, request: ModelRequest) -> types.GenerateContentConfig:
        found: dict[str, Any] = {
            "http_options": types.HttpOptions(timeout=round(self._seconds(request) * 1000)),
            "automatic_function_calling": types.AutomaticFunctionCallingConfig(disable=True),
        }
        if request.system:
            found["system_instruction"] = request.system
        if request.tools:
            found["tools"] = [types.Tool(function_declarations=list(map(_tool, request.tools)))]
        if request.temperature is not None:
            found["temperature"] = request.temperature
        if request.max_tokens is not None:
            found["max_output_tokens"] = request.max_tokens
        if request.schema is not None:
            found["response_mime_type"] = "application/json"
            found["response_json_schema"] = dict(request.schema)
        return types.GenerateContentConfig(**found)

    def _sdk_fault(self, error: Exception) -> ModelError | None:
        if not isinstance(error, errors.APIError):
            return self._fault(f"the answer is not in the form of {self.answer.form}")
        given: object = error.code
        status = given if isinstance(given, int) and given >= 400 else 500
        headers = getattr(error.response, "headers", None) or {}
        said = error.message if isinstance(error.message, str) else ""
        if "<html" in said.lower():
            said = error.status if isinstance(error.status, str) else ""
        return status_fault(
            status,
            self._clean(said),
            provider=self._provider,
            code=error.status if isinstance(error.status, str) else None,
            headers=_delay(error.details) | dict(headers),
        )


def make_google(settings: Settings, provider: str, name: str | None) -> GoogleModel:
    """The adapter as the settings want it."""
    google = settings.llm.google
    access = Access.of(settings, provider, google.base_url)
    return GoogleModel(name=name or DEFAULT_MODEL, access=access, api_version=google.api_version)


async def _bound_connect(request: httpx2.Request) -> None:
    """The SDK gives one number for every kind of silence."""
    limits = request.extensions.get("timeout", {})
    seconds = limits.get("connect")
    connect = CONNECT_SECONDS if seconds is None else min(CONNECT_SECONDS, seconds)
    request.extensions = {**request.extensions, "timeout": {**limits, "connect": connect}}


async def _keep(response: httpx2.Response) -> None:
    responses = _RESPONSES.get()
    if responses is not None:
        responses.append(response)


def _word(reason: object) -> str:
    return clean(getattr(reason, "value", reason)).upper()


def _delay(details: object) -> dict[str, str]:
    """`RetryInfo` of an error's body as the header that others send."""
    error = details.get("error") if isinstance(details, Mapping) else None
    facts = error.get("details") if isinstance(error, Mapping) else None
    for fact in facts if isinstance(facts, list) else ():
        delay = fact.get("retryDelay") if isinstance(fact, Mapping) else None
        match = _DELAY.fullmatch(delay) if isinstance(delay, str) else None
        if match:
            return {"retry-after": match[1]}
    return {}


def _tool(tool: ToolSpec) -> types.FunctionDeclaration:
    return types.FunctionDeclaration(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=dict(tool.parameters),
    )


def _contents(messages: Iterable[Message]) -> list[types.Content]:
    """Turns; the results of calls that were made together are one turn of the user."""
    found: list[types.Content] = []
    names: dict[str | None, str] = {}
    results: list[types.Part] = []
    for message in messages:
        if message.role == "tool":
            results.append(_result(message, names.get(message.tool_call_id, "")))
            continue
        if results:
            found.append(types.Content(role="user", parts=results))
            results = []
        names |= {call.id: call.name for call in message.tool_calls}
        role = "user" if message.role == "user" else "model"
        found.append(types.Content(role=role, parts=_parts(message)))
    return [*found, types.Content(role="user", parts=results)] if results else found


def _result(message: Message, name: str) -> types.Part:
    response = {"output": message.content}
    return types.Part(
        function_response=types.FunctionResponse(
            id=message.tool_call_id, name=name, response=response
        )
    )


def _parts(message: Message) -> list[types.Part]:
    calls = [_wish(call) for call in message.tool_calls]
    is_said = message.content.strip() or not calls
    return [*([types.Part(text=message.content.strip() or NOTHING)] if is_said else []), *calls]


def _wish(call: ToolCall) -> types.Part:
    wish = types.FunctionCall(id=call.id, name=call.name, args=arguments_of(call))
    return types.Part(function_call=wish, thought_signature=_signature(call.note))


def _signature(note: str) -> bytes | None:
    try:
        return base64.b64decode(note, validate=True) or None
    except (ValueError, binascii.Error):
        return None
