"""The offline model: deterministic answers, so that everything runs without an account."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

from .protocol import ModelReply, ModelRequest, Usage

Answer = str | ModelReply | Exception
Script = Answer | Sequence[Answer] | Callable[[ModelRequest], Answer | Awaitable[Answer]]
Responses = Script | Mapping[str, Script]

_WORDS = re.compile(r"\S+\s*|\s+")
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_MAX_LINE = 100
_MAX_HEADINGS = 8
_NOTE = "_Written by the mock model, offline: no provider is configured._"


class MockLLM:
    """Answers from `responses`, or builds a short Markdown answer from the request.

    `responses` is one script for every step, or a mapping from step id to script (a step that
    is not in it gets the built answer). A script is a text, a `ModelReply`, an exception to
    raise, a list of these (one a call, the last one again and again), or a function of the
    request that returns one of them, now or when awaited. Usage is an estimate: four
    characters a token.
    """

    provider = "mock"
    name = "mock"
    structured = False

    def __init__(self, responses: Responses | None = None) -> None:
        self._by_step = responses if isinstance(responses, Mapping) else None
        self._for_all = None if isinstance(responses, Mapping) else responses
        self._calls: Counter[str] = Counter()

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The scripted answer, else the built one."""
        if self._by_step is None:
            counter, script = "", self._for_all
        else:
            counter, script = request.step, self._by_step.get(request.step)
        if isinstance(script, str):
            return _reply(request, script)
        if script is None or script == []:
            return _reply(request, built_answer(request))
        if callable(script):
            answer = script(request)
            return _reply(request, await answer if inspect.isawaitable(answer) else answer)
        if isinstance(script, Sequence):
            call = self._calls[counter]
            self._calls[counter] = call + 1
            return _reply(request, script[min(call, len(script) - 1)])
        return _reply(request, script)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[str | ModelReply, None]:
        """The same answer word by word, then the whole reply."""
        reply = await self.complete(request)
        for word in _WORDS.findall(reply.text):
            yield word
        yield reply

    async def close(self) -> None:
        """Nothing is held."""


def built_answer(request: ModelRequest) -> str:
    """A Markdown answer that shows who was asked, what it was given and which parts it saw."""
    given = "\n".join(message.content for message in request.messages)
    headings = list(dict.fromkeys(_clip(text) for text in _HEADING.findall(given)))
    lines = [_NOTE, "", f"- **Agent:** {_first_line(request.system) or 'without a prompt'}"]
    lines.append(f"- **Given:** {_first_line(_HEADING.sub('', given)) or 'nothing'}")
    if headings:
        lines.append(f"- **Read:** {_listed(headings)}")
    if request.tools:
        lines.append(f"- **Tools at hand:** {_listed([tool.name for tool in request.tools])}")
    if request.actions:
        lines += ["", f"Action: {request.actions[0]}"]
    return "\n".join(lines) + "\n"


def _reply(request: ModelRequest, answer: Answer) -> ModelReply:
    if isinstance(answer, str):
        read = len(request.system)
        for message in request.messages:
            read += len(message.content)
        return ModelReply(answer, usage=Usage(read // 4, len(answer) // 4), model="mock")
    if isinstance(answer, Exception):
        raise answer
    return answer


def _first_line(text: str) -> str:
    lines = (line.strip().lstrip("#").strip() for line in text.splitlines())
    return _clip(next((line for line in lines if line), ""))


def _clip(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _MAX_LINE else text[: _MAX_LINE - 1].rstrip() + "…"


def _listed(names: list[str]) -> str:
    more = len(names) - _MAX_HEADINGS
    return ", ".join(names[:_MAX_HEADINGS]) + (f" and {more} more" if more > 0 else "")
