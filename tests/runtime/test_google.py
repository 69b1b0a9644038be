"""What is Google's own: its turns, signatures, usage, schemas and ends."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from scripts.runtime.errors import RateLimitError
from scripts.runtime.models.adapter import Access
from scripts.runtime.models.google import GoogleModel
from scripts.runtime.models.protocol import Message, ModelRequest, ToolCall, Usage
from tests.runtime.adapters import FIND, GOOGLE, HELLO, SCHEMA, ask, content, fault
from tests.runtime.provider import events, http

SIGNATURE = base64.b64encode(b"\x00signed").decode()


def sent(request: ModelRequest) -> tuple[dict[str, Any], str]:
    """The body and the head of what is asked."""
    _, server = ask(GOOGLE, GOOGLE.answer("{}", stream=False), request=request)
    return server.bodies[0], server.heads[0].decode().lower()


def call(name: str, *, signature: str | None = None, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"functionCall": {"name": name, "args": arguments}}
    return found | ({"thoughtSignature": signature} if signature else {})


def test_what_is_sent() -> None:
    body, head = sent(HELLO._replace(tools=(FIND,), temperature=0.5, max_tokens=9))
    assert body["systemInstruction"]["parts"] == [{"text": "You are Ada."}]
    assert body["contents"] == [{"role": "user", "parts": [{"text": "hello"}]}]
    declared = {"name": "find", "description": "Finds.", "parameters_json_schema": FIND.parameters}
    assert body["tools"] == [{"functionDeclarations": [declared]}]
    assert body["generationConfig"] == {"temperature": 0.5, "maxOutputTokens": 9}
    assert head.startswith("post /v1beta/models/m-1:generatecontent ")


def test_turns_with_tools() -> None:
    calls = (
        ToolCall("c-1", "find", '{"q": 1}', SIGNATURE),
        ToolCall("c-2", "count", "not json", "not base64"),
    )
    messages = (
        Message("user", " "),
        Message("assistant", "Looking.", calls),
        Message("tool", "found", (), "c-1"),
        Message("tool", "", (), "c-2"),
        Message("assistant", "Done."),
        Message("user", "Go on."),
    )
    body, _ = sent(ModelRequest("", messages))
    assert "systemInstruction" not in body
    asked, called, results, said, last = body["contents"]
    assert asked == {"role": "user", "parts": [{"text": "(nothing)"}]}
    assert called["role"] == "model"
    text, one, two = called["parts"]
    assert text == {"text": "Looking."}
    assert one["functionCall"] == {"id": "c-1", "name": "find", "args": {"q": 1}}
    assert base64.urlsafe_b64decode(one["thoughtSignature"]) == b"\x00signed"
    assert two == {"functionCall": {"id": "c-2", "name": "count", "args": {}}}
    assert results["role"] == "user"
    assert [part["functionResponse"] for part in results["parts"]] == [
        {"id": "c-1", "name": "find", "response": {"output": "found"}},
        {"id": "c-2", "name": "count", "response": {"output": ""}},
    ]
    assert said == {"role": "model", "parts": [{"text": "Done."}]}
    assert last == {"role": "user", "parts": [{"text": "Go on."}]}


def test_schema_is_sent() -> None:
    body, _ = sent(HELLO._replace(schema=SCHEMA))
    assert body["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }


@pytest.mark.parametrize("stream", [False, True])
def test_calls_and_thoughts(*, stream: bool) -> None:
    thought = {"text": "hm", "thought": True}
    usage = {
        "promptTokenCount": 9,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 4,
        "cachedContentTokenCount": 5,
        "toolUsePromptTokenCount": 1,
    }
    parts = (thought, call("find", signature=SIGNATURE, q="x"), call("count"))
    body = content(*parts, usageMetadata=usage)
    answer = events(body, done=False) if stream else http(body)
    reply, _ = ask(GOOGLE, answer, stream=stream)
    assert reply.text == ""
    assert reply.tool_calls == (
        ToolCall("call_0", "find", '{"q": "x"}', SIGNATURE),
        ToolCall("call_1", "count", "{}"),
    )
    assert reply.finish_reason == "tool_calls"
    assert reply.usage == Usage(10, 7, 5)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("STOP", "stop"),
        ("OTHER", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
    ],
)
def test_ends(reason: str, expected: str) -> None:
    answer = http(content({"text": "hi"}, reason=reason))
    assert ask(GOOGLE, answer)[0].finish_reason == expected


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "says", "is_retryable"),
    [
        (content(reason="SAFETY"), "refused", False),
        (content(reason="MAX_TOKENS"), "raise max_tokens", False),
        (content(reason="MALFORMED_FUNCTION_CALL"), "empty", True),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "refused", False),
    ],
)
def test_silent_ends(body: dict[str, Any], says: str, *, is_retryable: bool, stream: bool) -> None:
    answer = events(body, done=False) if stream else http(body)
    error = fault(GOOGLE, answer, stream=stream)
    assert says in error.message
    assert error.retryable is is_retryable


def test_retry_info_is_honoured() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13.5s"}
    body = {"error": {"code": 429, "message": "slow", "status": "X", "details": [5, {}, info]}}
    error = fault(GOOGLE, http(body, status=429))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 13.5


@pytest.mark.parametrize(("code", "is_retryable"), [(503, True), (400, False)])
def test_error_in_a_stream(code: int, *, is_retryable: bool) -> None:
    error = {"error": {"code": code, "message": "busy", "status": "X"}}
    answer = events(content({"text": "a"}, reason=None), error, done=False)
    found = fault(GOOGLE, answer, stream=True)
    assert (found.http_status, found.retryable) == (code, is_retryable)


def test_the_environment_of_the_sdk_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "another")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    _, head = sent(HELLO)
    assert "x-goog-api-key: made-up/key+for=tests" in head


def test_versions() -> None:
    for given, used in ((None, "v1"), ("beta", "v1beta"), ("v2", "v2")):
        model = GoogleModel(access=Access("k"), api_version=given)
        assert model._client._api_client._http_options.api_version == used
