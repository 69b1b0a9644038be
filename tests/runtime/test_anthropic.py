"""What is Anthropic's own: its turns, thoughts, usage, schemas and ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.runtime.errors import ContextTooLong, RateLimitError
from scripts.runtime.models.protocol import Message, ModelRequest, ToolCall, Usage
from tests.runtime.adapters import ANTHROPIC, FIND, HELLO, SCHEMA, ask, fault, message_events
from tests.runtime.provider import events, http

THINK = {"type": "thinking", "thinking": "", "signature": ""}
CALL = {"type": "tool_use", "id": "t-1", "name": "find", "input": {}}
OTHER = {"type": "tool_use", "id": "t-2", "name": "count", "input": {}}


def message(*content: dict[str, Any], reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    counts = {"input_tokens": 1, "output_tokens": 1, **usage}
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": list(content),
        "stop_reason": reason,
        "usage": counts,
    }


def sent(request: ModelRequest) -> tuple[dict[str, Any], str]:
    """The body and the head of what is asked."""
    _, server = ask(ANTHROPIC, ANTHROPIC.answer("{}", stream=False), request=request)
    return server.bodies[0], server.heads[0].decode().lower()


def test_what_is_sent() -> None:
    body, head = sent(HELLO._replace(tools=(FIND,)))
    assert body == {
        "model": "m-1",
        "max_tokens": 16_384,
        "system": "You are Ada.",
        "messages": [{"role": "user", "content": "hello"}],
        "tools": [{"name": "find", "description": "Finds.", "input_schema": FIND.parameters}],
    }
    assert "anthropic-version: 2026-10-21" in head


def test_a_temperature_asks_for_the_api_that_knows_it() -> None:
    body, head = sent(HELLO._replace(temperature=0.0))
    assert body["temperature"] == 0
    assert "anthropic-version: 2023-06-01" in head


def test_turns_with_tools() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    calls = (
        ToolCall("t-1", "find", '{"q": 1}', json.dumps([thought])),
        ToolCall("t-2", "count", "not json"),
    )
    messages = (
        Message("user", " "),
        Message("assistant", "Looking.", calls),
        Message("tool", "found", (), "t-1"),
        Message("tool", "", (), "t-2"),
        Message("assistant", "Done."),
        Message("user", "Go on."),
    )
    body, _ = sent(ModelRequest("", messages))
    assert "system" not in body
    assert body["messages"] == [
        {"role": "user", "content": "(nothing)"},
        {
            "role": "assistant",
            "content": [
                thought,
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "t-1", "name": "find", "input": {"q": 1}},
                {"type": "tool_use", "id": "t-2", "name": "count", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t-1", "content": "found"},
                {"type": "tool_result", "tool_use_id": "t-2", "content": "(nothing)"},
            ],
        },
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "Go on."},
    ]


def test_schema_is_sent_in_the_form_that_binds() -> None:
    body, _ = sent(HELLO._replace(schema=SCHEMA))
    assert body["output_config"] == {
        "format": {"type": "json_schema", "schema": {**SCHEMA, "additionalProperties": False}}
    }


def test_an_object_with_any_properties_is_asked_for_in_words() -> None:
    body, _ = sent(HELLO._replace(schema={"type": "object", "additionalProperties": True}))
    assert "output_config" not in body
    assert "Answer with JSON alone" in body["system"]


def test_what_is_read_from_a_cache_is_read_too() -> None:
    usage = {"cache_read_input_tokens": 30, "cache_creation_input_tokens": 5}
    answer = http(message({"type": "text", "text": "hi"}, **usage))
    assert ask(ANTHROPIC, answer)[0].usage == Usage(36, 1, 30)


def test_thoughts_go_back_with_the_call() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    called = {**CALL, "input": {"q": "x"}}
    reply, _ = ask(ANTHROPIC, http(message(thought, called, reason="tool_use")))
    assert reply.text == ""
    assert json.loads(reply.tool_calls[0].note) == [thought]


def test_a_stream_of_everything() -> None:
    parts = message_events(
        [
            THINK,
            {"type": "thinking_delta", "thinking": "h"},
            {"type": "thinking_delta", "thinking": "m"},
            {"type": "signature_delta", "signature": "s"},
        ],
        [{"type": "text", "text": ""}, {"type": "text_delta", "text": "Looking."}],
        [
            CALL,
            {"type": "input_json_delta", "partial_json": '{"q":'},
            {"type": "input_json_delta", "partial_json": '"x"}'},
        ],
        [OTHER],
        reason="tool_use",
    )
    reply, _ = ask(ANTHROPIC, ANTHROPIC.stream(*parts), stream=True)
    assert reply.text == "Looking."
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert reply.tool_calls == (
        ToolCall("t-1", "find", '{"q":"x"}', json.dumps([thought])),
        ToolCall("t-2", "count", "{}"),
    )
    assert (reply.finish_reason, reply.usage) == ("tool_calls", Usage(1, 2))


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something new", "stop"),
    ],
)
def test_ends(reason: str, expected: str) -> None:
    answer = http(message({"type": "text", "text": "hi"}, reason=reason))
    assert ask(ANTHROPIC, answer)[0].finish_reason == expected


@pytest.mark.parametrize(
    ("reason", "says"), [("refusal", "refused"), ("max_tokens", "raise max_tokens")]
)
def test_silent_ends(reason: str, says: str) -> None:
    error = fault(ANTHROPIC, http(message(reason=reason)))
    assert says in error.message
    assert not error.retryable


def test_a_full_context_is_named() -> None:
    error = fault(ANTHROPIC, http(message(reason="model_context_window_exceeded")))
    assert isinstance(error, ContextTooLong)


@pytest.mark.parametrize(
    ("kind", "status", "is_retryable"),
    [
        ("overloaded_error", 529, True),
        ("rate_limit_error", 429, True),
        ("api_error", 500, True),
        ("invalid_request_error", 400, False),
        ("something_new", 500, True),
    ],
)
def test_error_in_a_stream(kind: str, status: int, *, is_retryable: bool) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "busy"}}
    answer = events(message_events()[0], error, done=False, named=True)
    found = fault(ANTHROPIC, answer, stream=True)
    assert (found.http_status, found.retryable) == (status, is_retryable)
    assert isinstance(found, RateLimitError) is (status == 429)
    assert found.message == f"anthropic answered {status}: busy"
