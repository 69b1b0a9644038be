"""The three adapters through their real SDKs, and what each provider would send them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from scripts.runtime.errors import ModelError
from scripts.runtime.models.adapter import Access, Adapter
from scripts.runtime.models.anthropic import AnthropicModel
from scripts.runtime.models.google import GoogleModel
from scripts.runtime.models.openai import OpenAIModel
from scripts.runtime.models.protocol import Message, ModelReply, ModelRequest, ToolSpec
from tests.runtime.provider import Provider, events, http, provider
from tests.stand_in import StandIn

KEY = "made-up/key+for=tests"
HELLO = ModelRequest("You are Ada.", (Message("user", "hello"),))
FIND = ToolSpec("find", "Finds.", {"type": "object", "properties": {"q": {"type": "string"}}})
SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
}


@dataclass(frozen=True)
class Wire:
    """A provider: its adapter for a server, and its own form of answers and errors.

    `begun` parts of a stream hold text and no end.
    """

    name: str
    make: Callable[[Access], Adapter]
    path: str
    whole: Callable[[str], dict[str, Any]]
    parts: Callable[[str], list[dict[str, Any]]]
    error: Callable[[int, str], dict[str, Any]]
    begun: int = 1
    done: bool = False
    named: bool = False

    def model(self, server: str, **options: Any) -> Adapter:
        """The adapter for a server, given without a path."""
        return self.make(Access(KEY, server + self.path, **options))

    def stream(self, *parts: dict[str, Any]) -> bytes:
        return events(*parts, done=self.done, named=self.named)

    def half(self) -> bytes:
        """A stream that has begun to say something."""
        return events(*self.parts("hello there")[: self.begun], done=False, named=self.named)

    def answer(self, text: str, *, stream: bool) -> bytes:
        return self.stream(*self.parts(text)) if stream else http(self.whole(text))


def _chat(message: dict[str, Any], part: str, reason: str | None) -> dict[str, Any]:
    return {"model": "m-1", "choices": [{"index": 0, part: message, "finish_reason": reason}]}


def _message(text: str) -> dict[str, Any]:
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def message_events(*blocks: list[dict[str, Any]], reason: str = "end_turn") -> list[dict[str, Any]]:
    """Anthropic's stream: each block is its start and its deltas."""
    start = {**_message(""), "content": [], "stop_reason": None}
    found: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, (first, *deltas) in enumerate(blocks):
        found.append({"type": "content_block_start", "index": index, "content_block": first})
        found += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        found.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": reason, "stop_sequence": None}
    found.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": 2}})
    return [*found, {"type": "message_stop"}]


def _message_parts(text: str) -> list[dict[str, Any]]:
    half = len(text) // 2
    deltas = [{"type": "text_delta", "text": part} for part in (text[:half], text[half:])]
    return message_events([{"type": "text", "text": ""}, *deltas])


def content(*parts: dict[str, Any], reason: str | None = "STOP", **more: Any) -> dict[str, Any]:
    """A response of Gemini's."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    candidate |= {"finishReason": reason} if reason else {}
    return {"candidates": [candidate], "modelVersion": "m-1", **more}


def _content_parts(text: str) -> list[dict[str, Any]]:
    half = len(text) // 2
    return [content({"text": text[:half]}, reason=None), content({"text": text[half:]})]


def _openai(access: Access) -> Adapter:
    return OpenAIModel(access=access, name="m-1")


def _anthropic(access: Access) -> Adapter:
    return AnthropicModel(access=access, name="m-1")


def _google(access: Access) -> Adapter:
    return GoogleModel(access=access, name="m-1", api_version="beta")


OPENAI = Wire(
    "openai-compatible",
    _openai,
    "/v1",
    lambda text: _chat({"content": text}, "message", "stop"),
    lambda text: [_chat({"content": text}, "delta", None), _chat({}, "delta", "stop")],
    lambda status, message: {"error": {"message": message, "type": "error"}},
    done=True,
)
ANTHROPIC = Wire(
    "anthropic",
    _anthropic,
    "",
    _message,
    _message_parts,
    lambda status, message: {"type": "error", "error": {"type": "error", "message": message}},
    begun=4,
    named=True,
)
GOOGLE = Wire(
    "google",
    _google,
    "",
    lambda text: content({"text": text}),
    _content_parts,
    lambda status, message: {"error": {"code": status, "message": message, "status": "FAILED"}},
)
WIRES = (OPENAI, ANTHROPIC, GOOGLE)
each_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


async def reply_of(model: Adapter, request: ModelRequest, *, stream: bool) -> ModelReply:
    """The reply; that of a stream has to be the sum of its parts."""
    if not stream:
        return await model.complete(request)
    *texts, reply = [part async for part in model.stream(request)]
    assert isinstance(reply, ModelReply)
    assert "".join(map(str, texts)) == reply.text
    return reply


def ask(
    wire: Wire,
    *answers: bytes,
    request: ModelRequest = HELLO,
    stream: bool = False,
    hangs: bool = False,
    **options: Any,
) -> tuple[ModelReply, Provider]:
    """The reply of a server that sends `answers`, and the server, which knows what was asked."""

    async def run() -> tuple[ModelReply, Provider]:
        async with provider(*answers, hangs=hangs) as server:
            model = wire.model(server.url.removesuffix("/v1"), **options)
            try:
                return await reply_of(model, request, stream=stream), server
            finally:
                await model.close()

    return asyncio.run(run())


def fault(wire: Wire, *answers: bytes, **options: Any) -> ModelError:
    """The error of such a server's answer: it is short and holds no key."""
    with pytest.raises(ModelError) as caught:
        ask(wire, *answers, **options)
    assert KEY not in str(caught.value)
    assert caught.value.provider == wire.name
    assert len(str(caught.value)) < 700
    return caught.value


def ask_stand_in(
    wire: Wire, aimock: StandIn, request: ModelRequest = HELLO, *, stream: bool = False
) -> ModelReply:
    """The stand-in's reply."""

    async def run() -> ModelReply:
        model = wire.model(aimock.base_url)
        try:
            return await reply_of(model, request, stream=stream)
        finally:
            await model.close()

    return asyncio.run(run())
