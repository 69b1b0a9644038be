"""An answer as it grows, from whichever provider, and the reply that it becomes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final

from ..errors import ContextTooLong, ModelError
from .protocol import FinishReason, ModelReply, ToolCall, Usage

MAX_CHARACTERS: Final = 16 * 2**20


class Wish:
    """A tool call as it grows."""

    __slots__ = ("arguments", "id", "name", "note")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments = ""
        self.note = ""


class Answer(ABC):
    """Fed with a whole answer or with its pieces; `reason` is set once the provider has ended it.

    `form` says in errors what the provider should have sent, `reasons` maps its words
    for the end to ours.
    """

    form: ClassVar[str]
    reasons: ClassVar[Mapping[str, FinishReason]]

    def __init__(self, provider: str, model: str = "") -> None:
        self.provider = provider
        self.model = model
        self.texts: list[str] = []
        self.wishes: dict[int, Wish] = {}
        self.usage = Usage()
        self.reason = ""
        self.is_refused = False
        self._size = 0

    @abstractmethod
    def whole(self, answer: object) -> None:
        """Take an answer that came at once."""

    @abstractmethod
    def piece(self, part: object) -> str:
        """Take a part of a stream; returns the text in it."""

    def say(self, text: str) -> str:
        """Add to the text. Raises ModelError when it never ends."""
        self.texts.append(text)
        self.grow(len(text))
        return text

    def grow(self, size: int) -> None:
        """Count characters. Raises ModelError when they never end."""
        self._size += size
        if self._size > MAX_CHARACTERS:
            raise self.fault("the answer is endless")

    def reply(self) -> ModelReply:
        """The whole of it. Raises ModelError for an answer that says nothing."""
        text = "".join(self.texts)
        calls = tuple(
            ToolCall(wish.id or f"call_{index}", wish.name, wish.arguments or "{}", wish.note)
            for index, wish in sorted(self.wishes.items())
        )
        if any(not call.name for call in calls):
            raise self.fault("the model called a tool without a name")
        reason = "tool_calls" if calls else self.reasons.get(self.reason, "stop")
        if not text.strip() and not calls:
            raise self._silence(reason)
        return ModelReply(text, calls, self.usage, reason, self.model)

    def fault(self, message: str, *, retryable: bool = True) -> ModelError:
        """A ModelError of this provider."""
        return ModelError(message, provider=self.provider, retryable=retryable)

    def _silence(self, reason: FinishReason) -> ModelError:
        if self.is_refused or reason == "content_filter":
            return self.fault("the model refused to answer", retryable=False)
        if "context_window" in self.reason:
            message = "the model's context was full before it wrote anything"
            return ContextTooLong(message, provider=self.provider)
        if reason == "length":
            message = "the tokens were used up before the model wrote anything: raise max_tokens"
            return self.fault(message, retryable=False)
        return self.fault(f"the answer is empty or not in the form of {self.form}")
