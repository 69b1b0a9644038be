"""What a model is asked and what it answers, whoever provides it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(slots=True, unsafe_hash=True)
class Usage:
    """Tokens of one answer, as the provider reports them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
        )


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model's wish; `arguments` is the JSON text that it wrote, unchecked.

    `note` is opaque: what the provider wants to see again together with this call.
    """

    id: str
    name: str
    arguments: str
    note: str = ""


class Message(NamedTuple):
    """One turn; `tool_calls` belong to an assistant's, `tool_call_id` to a tool's."""

    role: Literal["user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class ModelRequest(NamedTuple):
    """One call. None means: the provider's or the configuration's default.

    `schema` is a JSON Schema that the answer has to fit, for a model that is `structured`.
    `agent`, `run` and `visit` (from 1, 0 when unknown) say whose call this is; no provider
    is told, a rehearsal answers by them. `output` and `headings` say what the answer will be
    held against, for an offline model.
    """

    system: str
    messages: tuple[Message, ...]
    step: str = ""
    tools: tuple[ToolSpec, ...] = ()
    actions: tuple[str, ...] = ()
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    schema: Mapping[str, Any] | None = None
    agent: str = ""
    run: str = ""
    visit: int = 0
    output: Mapping[str, Any] | None = None
    headings: tuple[str, ...] = ()


@dataclass(slots=True, unsafe_hash=True)
class ModelReply:
    """One answer; `model` is the name that the provider says answered."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    finish_reason: FinishReason = "stop"
    model: str = ""


class Model(Protocol):
    """A provider. Both calls raise `ModelError` and its kin, and nothing else of their own."""

    @property
    def provider(self) -> str:
        """openai, openai-compatible, anthropic, google, mock, …: what `/health` and errors say."""
        ...

    @property
    def name(self) -> str:
        """The model that answers when a request names none."""
        ...

    @property
    def structured(self) -> bool:
        """Whether a request's `schema` binds the answer; else the answer is text as ever."""
        ...

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The whole answer at once."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        """Text as it comes, then the whole reply as the last item, always."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
