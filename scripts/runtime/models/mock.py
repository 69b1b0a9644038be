"""The offline model: deterministic answers, so that everything runs without an account."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from ..errors import ModelError, ModelTimeout, RateLimitError
from .example import example
from .protocol import ModelReply, ModelRequest, Usage
from .script import Script as Rehearsal
from .script import Turn

Answer = str | ModelReply | Exception
Script = Answer | Sequence[Answer] | Callable[[ModelRequest], Answer | Awaitable[Answer]]
Responses = Script | Mapping[str, Script]
Key = TypeVar("Key")

_WORDS = re.compile(r"\S+\s*|\s+")
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_ACTION = re.compile(r"^action: *\S+\s*\Z", re.IGNORECASE | re.MULTILINE)
_MAX_LINE = 100
_MAX_HEADINGS = 8
_CHUNK = re.compile(r".{1,40}", re.DOTALL)
_MAX_KEPT = 10_000
_PLAIN = Turn()
_FILLED = "What the template asks for here."
_NOTE = "_Written by the mock model, offline: no provider is configured._"


class MockLLM:
    """Answers from `responses` or `script`, or builds a short Markdown answer from the request.

    `responses` is one script for every step, or a mapping from step id to script (a step that
    is not in it gets the built answer). A script is a text, a `ModelReply`, an exception to
    raise, a list of these (one a call, the last one again and again), or a function of the
    request that returns one of them, now or when awaited. `script` is what
    `models/script.py` reads from YAML, used instead of `responses`. Usage is an estimate: four
    characters a token.
    """

    provider = "mock"
    name = "mock"
    structured = False

    def __init__(
        self, responses: Responses | None = None, *, script: Rehearsal | None = None
    ) -> None:
        self._by_step = responses if isinstance(responses, Mapping) else None
        self._for_all = None if isinstance(responses, Mapping) else responses
        self._calls: Counter[str] = Counter()
        self.rehearsal = script
        self._acting = _Acting(script) if script is not None else None

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The scripted answer, else the built one."""
        if self._acting is not None:
            reply, turn = await self._acting.reply(request)
            await _pause(turn.word_delay * len(_pieces(reply.text, turn.stream)))
            return reply
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
        if self._acting is None:
            reply, turn = await self.complete(request), _PLAIN
        else:
            reply, turn = await self._acting.reply(request)
        for piece in _pieces(reply.text, turn.stream):
            await _pause(turn.word_delay)
            yield piece
        yield reply

    async def close(self) -> None:
        """Nothing is held."""


class _Acting:
    """A script being played: which visit it is, and how often it has failed.

    A request that does not say its visit begins a new one, unless it goes on with a
    conversation or comes after a failure.
    """

    def __init__(self, script: Rehearsal) -> None:
        self._script = script
        self._visits: dict[tuple[str, str], int] = {}
        self._failures: dict[tuple[str, str, int], int] = {}
        self._failed: set[tuple[str, str]] = set()

    async def reply(self, request: ModelRequest) -> tuple[ModelReply, Turn]:
        """The next answer, after its delay. Raises what the script wants to be raised."""
        visit = request.visit or self._counted(request)
        turn = self._script.turn(request.step, request.agent, visit)
        await _pause(turn.delay)
        if turn.error is not None and self._fails(request, visit, turn.times):
            raise _failure(turn)
        usage = turn.usage
        if turn.tools and all(message.role != "tool" for message in request.messages):
            reply = _reply(request, "")
            reply.tool_calls, reply.finish_reason = turn.tools, "tool_calls"
        else:
            reply = _reply(request, _said(request, turn))
        reply.usage = reply.usage if usage is None else usage
        return reply, turn

    def _counted(self, request: ModelRequest) -> int:
        key = (request.run, request.step)
        goes_on = any(message.role == "assistant" for message in request.messages)
        if not goes_on and key not in self._failed:
            _bounded(self._visits)[key] = self._visits.get(key, 0) + 1
        self._failed.discard(key)
        return self._visits.get(key, 1)

    def _fails(self, request: ModelRequest, visit: int, times: int) -> bool:
        key = (request.run, request.step, visit)
        made = self._failures.get(key, 0)
        if times >= 0 and made >= times:
            return False
        _bounded(self._failures)[key] = made + 1
        if not request.visit:
            self._failed.add((request.run, request.step))
        return True


def built_answer(request: ModelRequest) -> str:
    """A Markdown answer that shows who was asked, what it was given and which parts it saw."""
    given = "\n".join(message.content for message in request.messages)
    headings = list(dict.fromkeys(_clip(text) for text in _HEADING.findall(given)))
    if request.output is not None:
        text = json.dumps(example(request.output), ensure_ascii=False, indent=2)
        return f"{text}\n\nAction: {request.actions[0]}\n" if request.actions else f"{text}\n"
    lines = [_NOTE, "", f"- **Agent:** {_first_line(request.system) or 'without a prompt'}"]
    lines.append(f"- **Given:** {_first_line(_HEADING.sub('', given)) or 'nothing'}")
    if headings:
        lines.append(f"- **Read:** {_listed(headings)}")
    if request.tools:
        lines.append(f"- **Tools at hand:** {_listed([tool.name for tool in request.tools])}")
    for heading in request.headings:
        lines += ["", heading, "", _FILLED]
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


def _said(request: ModelRequest, turn: Turn) -> str:
    """The text of a turn with the line that names its action."""
    text = turn.text
    if text is None:
        text = built_answer(request._replace(actions=())).rstrip("\n")
    action = turn.action
    if action is None and request.actions and not _ACTION.search(text):
        action = request.actions[0]
    return f"{text}\n\nAction: {action}" if action else text


def _failure(turn: Turn) -> ModelError:
    message = f"the script of the mock wants a failure: {turn.error}"
    if turn.error == "rate_limit":
        return RateLimitError(message, provider="mock", retry_after=turn.retry_after)
    if turn.error == "timeout":
        return ModelTimeout(message, provider="mock", seconds=turn.delay)
    is_server = turn.error == "server"
    status = 503 if is_server else None
    return ModelError(message, provider="mock", retryable=is_server, http_status=status)


def _pieces(text: str, stream: str) -> list[str]:
    return (_CHUNK if stream == "chunks" else _WORDS).findall(text)


def _bounded(kept: dict[Key, int]) -> dict[Key, int]:
    if len(kept) >= _MAX_KEPT:
        del kept[next(iter(kept))]
    return kept


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


def _first_line(text: str) -> str:
    lines = (line.strip().lstrip("#").strip() for line in text.splitlines())
    return _clip(next((line for line in lines if line), ""))


def _clip(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _MAX_LINE else text[: _MAX_LINE - 1].rstrip() + "…"


def _listed(names: list[str]) -> str:
    more = len(names) - _MAX_HEADINGS
    return ", ".join(names[:_MAX_HEADINGS]) + (f" and {more} more" if more > 0 else "")
