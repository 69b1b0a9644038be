"""The offline model: scripted answers, and built ones that show what was asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scripts.runtime.errors import RateLimitError
from scripts.runtime.models.mock import MockLLM
from scripts.runtime.models.protocol import Message, ModelReply, ModelRequest, ToolSpec, Usage

USER = """## Input

A bicycle shop in Turin wants to rent its unsold bikes.

## Documents

### prd

The plan.
"""
REQUEST = ModelRequest("\n# You review stories.\n\nBe strict.", (Message("user", USER),), step="a")


def ask(model: MockLLM, request: ModelRequest = REQUEST, times: int = 1) -> list[str]:
    async def run() -> list[str]:
        return [(await model.complete(request)).text for _ in range(times)]

    return asyncio.run(run())


def test_built_answer_says_who_was_asked_what() -> None:
    tool = ToolSpec("find", "Finds.", {})
    request = REQUEST._replace(actions=("approve", "reject"), tools=(tool,))
    answer = ask(MockLLM(), request)[0]
    assert "mock" in answer.splitlines()[0]
    assert "**Agent:** You review stories." in answer
    assert "**Given:** A bicycle shop in Turin wants to rent its unsold bikes." in answer
    assert "**Read:** Input, Documents, prd" in answer
    assert "**Tools at hand:** find" in answer
    assert answer.splitlines()[-1] == "Action: approve"


def test_built_answer_is_the_same_each_time() -> None:
    assert len(set(ask(MockLLM(), times=3) + ask(MockLLM()))) == 1


def test_built_answer_stays_short() -> None:
    long = "word " * 10_000 + "".join(f"\n# h{number}" for number in range(100))
    answer = ask(MockLLM(), ModelRequest(long, (Message("user", long),)))[0]
    assert len(answer) < 600
    assert "h7 and 92 more" in answer


def test_nothing_to_say_about_nothing() -> None:
    answer = ask(MockLLM(), ModelRequest("", ()))[0]
    assert "without a prompt" in answer
    assert "nothing" in answer


async def later(request: ModelRequest) -> str:
    await asyncio.sleep(0)
    return f"later {request.step}"


@pytest.mark.parametrize(
    ("responses", "expected"),
    [
        ("same", ["same"] * 3),
        (["one", "two"], ["one", "two", "two"]),
        ({"a": "mine"}, ["mine"] * 3),
        ({"a": ["one", ModelReply("two")]}, ["one", "two", "two"]),
        (lambda request: f"step {request.step}", ["step a"] * 3),
        ({"a": lambda _: ModelReply("made")}, ["made"] * 3),
        (later, ["later a"] * 3),
    ],
)
def test_scripts(responses: Any, expected: list[str]) -> None:
    assert ask(MockLLM(responses), times=3) == expected


def test_steps_count_apart_and_unknown_ones_get_the_built_answer() -> None:
    model = MockLLM({"a": ["one", "two"], "b": ["three", "four"], "c": []})
    requests = [REQUEST._replace(step=step) for step in "abab"]
    assert [ask(model, request)[0] for request in requests] == ["one", "three", "two", "four"]
    for step in "cd":
        assert "mock" in ask(model, REQUEST._replace(step=step))[0]


def test_an_exception_in_a_script_is_raised() -> None:
    model = MockLLM([RateLimitError("later", provider="mock"), "now"])
    with pytest.raises(RateLimitError):
        ask(model)
    assert ask(model) == ["now"]


def test_a_whole_reply_is_handed_on() -> None:
    reply = ModelReply("text", usage=Usage(1, 2, 3), finish_reason="length", model="m")
    assert asyncio.run(MockLLM(reply).complete(REQUEST)) == reply


def test_reply_names_the_mock_and_estimates_usage() -> None:
    request = ModelRequest("s" * 40, (Message("user", "u" * 40),))
    reply = asyncio.run(MockLLM("a" * 12).complete(request))
    assert (reply.model, reply.usage) == ("mock", Usage(20, 3))


@pytest.mark.parametrize("text", ["", " two  words\n\nand more ", "one"])
def test_stream_is_the_answer_in_words(text: str) -> None:
    async def run() -> list[str | ModelReply]:
        return [part async for part in MockLLM(text).stream(REQUEST)]

    *words, reply = asyncio.run(run())
    assert isinstance(reply, ModelReply)
    assert reply.text == text
    assert "".join(map(str, words)) == text
    assert len(words) >= len(text.split())


def test_a_stream_says_what_a_class_of_ones_own_completes() -> None:
    class Own(MockLLM):
        async def complete(self, request: ModelRequest) -> ModelReply:
            return ModelReply("my own")

    async def run() -> list[str | ModelReply]:
        return [part async for part in Own().stream(REQUEST)]

    assert asyncio.run(run())[:2] == ["my ", "own"]
