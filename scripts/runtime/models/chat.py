"""An answer of OpenAI's chat API, whole or in pieces."""

from __future__ import annotations

import json
from typing import Final

from .answer import Answer, Wish
from .protocol import FinishReason, Usage
from .reading import clean, count, items, text

FORM: Final = "a chat completion"
_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class ChatAnswer(Answer):
    """Fed with a completion or its chunks."""

    form = FORM
    reasons = _REASONS

    def whole(self, answer: object) -> None:
        self._take(answer, "message")

    def piece(self, part: object) -> str:
        return self._take(part, "delta")

    def _take(self, piece: object, part: str) -> str:
        self.model = text(piece, "model") or self.model
        usage = getattr(piece, "usage", None)
        if usage is not None:
            self.usage = _usage(usage)
        choices = items(piece, "choices")
        if not choices:
            return ""
        self.reason = text(choices[0], "finish_reason") or self.reason
        message = getattr(choices[0], part, None)
        self.is_refused |= bool(text(message, "refusal").strip())
        for position, call in enumerate(items(message, "tool_calls")):
            self._take_call(call, position)
        return self.say(_content(message))

    def _take_call(self, piece: object, position: int) -> None:
        index = getattr(piece, "index", None)
        wish = self.wishes.setdefault(index if isinstance(index, int) else position, Wish())
        function = getattr(piece, "function", None)
        wish.id = text(piece, "id") or wish.id
        wish.name = text(function, "name") or wish.name
        arguments = getattr(function, "arguments", None)
        more = json.dumps(arguments) if isinstance(arguments, dict) else clean(arguments)
        wish.arguments += more
        self.grow(len(more))


def _content(message: object) -> str:
    content = getattr(message, "content", None)
    if isinstance(content, list):  # some servers answer in parts
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(map(clean, parts))
    return clean(content)


def _usage(usage: object) -> Usage:
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        count(usage, "prompt_tokens"),
        count(usage, "completion_tokens"),
        count(details, "cached_tokens"),
    )
