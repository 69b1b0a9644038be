"""An answer of OpenAI's chat API, whole or in pieces, read without trusting its shape."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import ModelError
from .protocol import FinishReason, ModelReply, ToolCall, Usage

MAX_CHARACTERS: Final = 16 * 2**20
_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Answer:
    """Fed with a completion or its chunks, it becomes the reply."""

    provider: str
    model: str = ""
    texts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    reason: str = ""
    size: int = 0

    def add(self, piece: object, part: str) -> str:
        """Take a completion (`part` is message) or a chunk (delta); returns its text."""
        self.model = _text(piece, "model") or self.model
        usage = getattr(piece, "usage", None)
        if usage is not None:
            self.usage = _usage(usage)
        choices = _items(piece, "choices")
        if not choices:
            return ""
        self.reason = _text(choices[0], "finish_reason") or self.reason
        message = getattr(choices[0], part, None)
        text = _content(message)
        self.texts.append(text)
        self.refusals.append(_text(message, "refusal"))
        for position, call in enumerate(_items(message, "tool_calls")):
            self._add_call(call, position)
        self.size += len(text)
        if self.size > MAX_CHARACTERS:
            raise self._fault("the answer is endless")
        return text

    def _add_call(self, piece: object, position: int) -> None:
        index = getattr(piece, "index", None)
        call = self.calls.setdefault(index if isinstance(index, int) else position, _Call())
        function = getattr(piece, "function", None)
        call.id = _text(piece, "id") or call.id
        call.name = _text(function, "name") or call.name
        arguments = getattr(function, "arguments", None)
        more = json.dumps(arguments) if isinstance(arguments, dict) else _clean(arguments)
        call.arguments += more
        self.size += len(more)

    def reply(self) -> ModelReply:
        """The whole of it. Raises ModelError for an answer that says nothing."""
        text = "".join(self.texts)
        calls = tuple(
            ToolCall(call.id or f"call_{index}", call.name, call.arguments or "{}")
            for index, call in sorted(self.calls.items())
        )
        if any(not call.name for call in calls):
            raise self._fault("the model called a tool without a name")
        reason = "tool_calls" if calls else _REASONS.get(self.reason, "stop")
        if not text.strip() and not calls:
            raise self._silence(reason)
        return ModelReply(text, calls, self.usage, reason, self.model)

    def _silence(self, reason: FinishReason) -> ModelError:
        refusal = "".join(self.refusals).strip()
        if refusal or reason == "content_filter":
            return self._fault("the model refused to answer", retryable=False)
        if reason == "length":
            message = "the tokens were used up before the model wrote anything: raise max_tokens"
            return self._fault(message, retryable=False)
        return self._fault("the answer is empty or not in the form of a chat completion")

    def _fault(self, message: str, *, retryable: bool = True) -> ModelError:
        return ModelError(message, provider=self.provider, retryable=retryable)


def _items(holder: object, name: str) -> list[Any]:
    found = getattr(holder, name, None)
    return found if isinstance(found, list) else []


def _text(holder: object, name: str) -> str:
    return _clean(getattr(holder, name, None))


def _content(message: object) -> str:
    content = getattr(message, "content", None)
    if isinstance(content, list):  # some servers answer in parts
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(map(_clean, parts))
    return _clean(content)


def _clean(value: object) -> str:
    """Text that can be stored: a lone surrogate, which JSON lets through, becomes `?`."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode(errors="replace").decode()


def _usage(usage: object) -> Usage:
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        _count(details, "cached_tokens"),
    )


def _count(holder: object, name: str) -> int:
    found = getattr(holder, name, None)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0
