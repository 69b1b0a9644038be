"""One step's conversation: tools, outcomes, attempts."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from scripts.runtime import retry
from scripts.runtime.ask import MAX_TOOL_ROUNDS
from scripts.runtime.errors import ModelError, RateLimitError
from scripts.runtime.events import Event
from scripts.runtime.models.protocol import ModelReply, ToolCall, Usage
from scripts.runtime.outcome import split_action
from scripts.runtime.tool import Tool

from . import virtual
from .agents import Scripted, agent, chain, executor, request, run_flow

PARAMETERS = {"type": "object", "properties": {"text": {"type": "string"}}}


def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


def tools(*found: Tool) -> dict[str, Tool]:
    return {tool.name: tool for tool in found}


def wants(name: str, arguments: Any, text: str = "") -> ModelReply:
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ModelReply(text, tool_calls=(ToolCall("call-1", name, raw),), usage=Usage(10, 5))


def asks(model: Scripted, *found: Tool) -> tuple[dict[str, Any], list[Event]]:
    names = tuple(tool.name for tool in found)
    user = agent("user", tools=names or ("shout",))
    return run_flow(lambda: chain(user()), model, tools=tools(*found))


def test_a_tool_is_called_and_its_result_goes_back() -> None:
    model = Scripted(
        {"user": [wants("shout", {"text": "hi"}), ModelReply("done", usage=Usage(20, 7))]}
    )
    answer, events = asks(model, Tool("shout", shout, "Louder.", PARAMETERS))
    assert answer["results"] == {"user": "done"}
    assert model.asked[0].tools[0].name == "shout"
    assert model.asked[1].messages[-1].content == "HI"
    assert model.asked[1].messages[-1].tool_call_id == "call-1"
    assert answer["usage"]["input_tokens"] == 30
    assert answer["usage"]["output_tokens"] == 12
    assert answer["usage"]["calls"] == 2
    told = [event.data for event in events if event.type == "step.tool"]
    assert [(fact["tool"], fact["status"]) for fact in told] == [("shout", "ok")]


def test_a_sync_tool_does_not_run_on_the_loop() -> None:
    seen: list[int] = []

    def where(text: str) -> str:
        seen.append(threading.get_ident())
        return text

    model = Scripted({"user": [wants("where", {"text": "x"}), "done"]})
    asks(model, Tool("where", where, "", PARAMETERS))
    assert seen
    assert seen[0] != threading.get_ident()


def broken(text: str) -> str:
    raise ValueError(f"cannot read {text}")


async def endless(text: str) -> str:
    await asyncio.Event().wait()
    return text


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        (Tool("t", broken, "", PARAMETERS), {"text": "it"}, "ValueError: cannot read it"),
        (Tool("t", shout, "", PARAMETERS), {"txt": "it"}, "arguments do not fit"),
        (Tool("t", shout, "", PARAMETERS), "{not json", "not JSON"),
        (Tool("t", shout, "", PARAMETERS), "[1]", "not a JSON object"),
        (Tool("t", endless, "", PARAMETERS, timeout=0.02), {"text": "x"}, "longer than 0.02"),
        (Tool("t", lambda text: object(), "", PARAMETERS), {"text": "x"}, "is not JSON"),
    ],
)
def test_a_tools_failure_is_told_to_the_model(tool: Tool, arguments: Any, told: str) -> None:
    model = Scripted({"user": [wants("t", arguments), "I see"]})
    answer, events = asks(model, tool)
    assert answer["results"] == {"user": "I see"}
    assert told in model.asked[1].messages[-1].content
    assert [event.data["status"] for event in events if event.type == "step.tool"] == ["error"]


def test_a_tool_that_the_agent_does_not_have_is_refused() -> None:
    model = Scripted({"user": [wants("other", {}), "fine"]})
    user = agent("user", tools=("shout",))
    found = tools(
        Tool("shout", shout, "", PARAMETERS), Tool("other", broken, "not yours", PARAMETERS)
    )
    answer, _ = run_flow(lambda: chain(user()), model, tools=found)
    assert answer["status"] == "success"
    assert "there is no tool 'other' for this agent" in model.asked[1].messages[-1].content


def test_a_large_result_is_cut_and_said_to_be() -> None:
    model = Scripted({"user": [wants("big", {"text": "x"}), "ok"]})
    asks(model, Tool("big", lambda text: "y" * 200_000, "", PARAMETERS))
    back = model.asked[1].messages[-1].content
    assert len(back) < 110_000
    assert "100000 more characters were cut" in back


def test_tool_calls_without_end_are_an_error() -> None:
    model = Scripted({"user": wants("shout", {"text": "again"})})
    answer, _ = asks(model, Tool("shout", shout, "", PARAMETERS))
    assert answer["error"]["code"] == "tool_failed"
    assert len(model.asked) == MAX_TOOL_ROUNDS + 1


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(retry, "LONGEST_WAIT", 0.0)


@pytest.mark.usefixtures("no_wait")
def test_what_can_be_retried_is_and_it_is_seen() -> None:
    down = ModelError("503 from upstream", provider="scripted", retryable=True)
    late = RateLimitError("429", provider="scripted", retry_after=0.0)
    model = Scripted({"user": [down, late, "at last"]})
    answer, events = run_flow(lambda: chain(agent("user")()), model)
    assert answer["results"] == {"user": "at last"}
    told = [event.data for event in events if event.type == "step.retrying"]
    assert [(fact["attempt"], fact["error"]) for fact in told] == [
        (1, "503 from upstream"),
        (2, "429"),
    ]


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize(("retries", "calls"), [(1, 1), (2, 2), (None, 3)])
def test_attempts_end_and_are_counted(retries: int | None, calls: int) -> None:
    down = ModelError("down", provider="scripted", retryable=True)
    model = Scripted({"user": down})
    answer, _ = run_flow(lambda: chain(agent("user", retries=retries)()), model)
    assert len(model.asked) == calls
    assert answer["error"]["attempts"] == calls
    assert answer["error"]["retryable"] is True


def test_a_provider_that_wants_to_be_left_alone_for_long_is_not_asked_early() -> None:
    busy = RateLimitError("429", provider="scripted", retry_after=retry.MOST_ASKED + 1)
    model = Scripted({"user": busy})
    answer, events = run_flow(lambda: chain(agent("user")()), model)
    assert (answer["error"]["code"], answer["error"]["attempts"]) == ("model_rate_limited", 1)
    assert answer["error"]["retryable"] is True
    assert len(model.asked) == 1
    assert not [event for event in events if event.type == "step.retrying"]


def test_every_failure_may_say_when_to_come_back() -> None:
    busy = ModelError("503", provider="scripted", retryable=True, http_status=503)
    busy.retry_after = 7.0

    async def main() -> None:
        model = Scripted({"user": [busy, "fine"]})
        run = executor(lambda: chain(agent("user")()), model).start(request())
        assert (await run.wait())["status"] == "success"
        assert virtual.clock() == pytest.approx(7.0)

    virtual.run(main())


def test_what_cannot_be_retried_is_not() -> None:
    model = Scripted({"user": ModelError("401", provider="scripted", http_status=401)})
    answer, _ = run_flow(lambda: chain(agent("user")()), model)
    assert len(model.asked) == 1
    assert answer["error"]["attempts"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("good\nAction: approve", ("good", "approve")),
        ("good\n\n**Action:** `APPROVE`.\n", ("good", "approve")),
        ("Action: send-back", ("", "send-back")),
        ("- Action: approve", ("", "approve")),
        ("Action: approve\nand more", ("Action: approve\nand more", None)),
        ("Action: burn", ("Action: burn", None)),
        ("", ("", None)),
    ],
)
def test_the_last_line_names_the_action(text: str, expected: tuple[str, str | None]) -> None:
    assert split_action(text, ("approve", "send-back")) == expected
