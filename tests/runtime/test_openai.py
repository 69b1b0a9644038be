"""The OpenAI adapter, through the real SDK, against a stand-in and against broken servers."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import SecretStr

from scripts.runtime.errors import ModelError, ModelTimeout, RateLimitError, SettingsError
from scripts.runtime.models.adapter import Access
from scripts.runtime.models.faults import retry_after, without_secrets
from scripts.runtime.models.openai import OpenAIModel
from scripts.runtime.models.protocol import Message, ModelReply, ModelRequest, ToolCall, ToolSpec
from scripts.runtime.models.select import make_model
from scripts.runtime.settings import LLMSettings, Secrets, Settings
from tests.runtime.provider import events, http, provider
from tests.stand_in import StandIn

KEY = "made-up/key+for=tests"
HELLO = ModelRequest("You are Ada.", (Message("user", "hello"),))
FIND = ToolSpec("find", "Finds.", {"type": "object", "properties": {"q": {"type": "string"}}})


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def completion(message: dict[str, Any], reason: str = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion", "model": "m-1", "choices": [choice], **more}


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c", "model": "m-1", "choices": [choice], **more}


async def collect(model: OpenAIModel, request: ModelRequest) -> list[str | ModelReply]:
    return [part async for part in model.stream(request)]


def ask(
    answer: bytes,
    request: ModelRequest = HELLO,
    *,
    stream: bool = False,
    hangs: bool = False,
    timeout: float = 30,
) -> ModelReply:
    """The reply to one request of a server that sends `answer`."""

    async def run() -> ModelReply:
        async with provider(answer, hangs=hangs) as server:
            model = OpenAIModel(access=Access(KEY, server.url, timeout))
            try:
                if not stream:
                    return await model.complete(request)
                parts = await collect(model, request)
            finally:
                await model.close()
            assert isinstance(parts[-1], ModelReply)
            assert "".join(part for part in parts if isinstance(part, str)) == parts[-1].text
            return parts[-1]

    return asyncio.run(run())


def fault(answer: bytes, **options: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        ask(answer, **options)
    assert KEY not in str(caught.value)
    assert caught.value.provider == "openai-compatible"
    assert len(str(caught.value)) < 700
    return caught.value


def ask_stand_in(
    aimock: StandIn, request: ModelRequest = HELLO, *, stream: bool = False
) -> ModelReply:
    async def run() -> ModelReply:
        model = OpenAIModel(access=Access("sk-made-up", f"{aimock.base_url}/v1"), name="m-1")
        try:
            if not stream:
                return await model.complete(request)
            *texts, reply = await collect(model, request)
        finally:
            await model.close()
        assert isinstance(reply, ModelReply)
        assert "".join(map(str, texts)) == reply.text
        return reply

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
class TestStandIn:
    def test_answer_with_usage(self, aimock: StandIn, *, stream: bool) -> None:
        reply = ask_stand_in(aimock, stream=stream)
        assert reply.text.endswith("Action: approve")
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (9, 7)
        assert reply.finish_reason == "stop"

    def test_what_is_sent(self, aimock: StandIn, *, stream: bool) -> None:
        request = HELLO._replace(model="openai:gpt-x", temperature=0.5, max_tokens=77)
        ask_stand_in(aimock, request, stream=stream)
        body = aimock.journal()[0]["body"]
        assert body["model"] == "gpt-x"
        assert (body["temperature"], body["max_tokens"]) == (0.5, 77)
        assert body["messages"] == [
            {"role": "system", "content": "You are Ada."},
            {"role": "user", "content": "hello"},
        ]

    def test_tools(self, aimock: StandIn, *, stream: bool) -> None:
        call = {"name": "find", "arguments": {"q": "x"}}
        aimock.load(
            [
                {"match": {"hasToolResult": True}, "response": {"content": "done"}},
                {"match": {}, "response": {"toolCalls": [call]}},
            ]
        )
        request = HELLO._replace(tools=(FIND,))
        first = ask_stand_in(aimock, request, stream=stream)
        assert first.finish_reason == "tool_calls"
        assert first.tool_calls[0].name == "find"
        assert json.loads(first.tool_calls[0].arguments) == {"q": "x"}
        said = Message("assistant", first.text, first.tool_calls)
        result = Message("tool", "found", tool_call_id=first.tool_calls[0].id)
        request = request._replace(messages=(*request.messages, said, result))
        assert ask_stand_in(aimock, request, stream=stream).text == "done"

    def test_rate_limit(self, aimock: StandIn, *, stream: bool) -> None:
        error = {"message": "slow down", "type": "rate_limit_error"}
        response = {"error": error, "status": 429, "retryAfter": 7}
        aimock.load([{"match": {}, "response": response}])
        with pytest.raises(RateLimitError, match="slow down") as caught:
            ask_stand_in(aimock, stream=stream)
        assert caught.value.retry_after == 7
        assert len(aimock.journal()) == 1  # the SDK does not try again by itself

    @pytest.mark.parametrize(("status", "is_retryable"), [(503, True), (401, False), (400, False)])
    def test_status(
        self, aimock: StandIn, status: int, *, is_retryable: bool, stream: bool
    ) -> None:
        error = {"message": "no", "type": "error"}
        aimock.load([{"match": {}, "response": {"error": error, "status": status}}])
        with pytest.raises(ModelError, match=rf"answered {status}: no") as caught:
            ask_stand_in(aimock, stream=stream)
        assert caught.value.retryable is is_retryable
        assert caught.value.http_status == status


def test_cut_stream_of_the_stand_in(aimock: StandIn) -> None:
    content = {"content": "a long text " * 30}
    aimock.load([{"match": {}, "response": content, "latency": 5, "truncateAfterChunks": 3}])
    with pytest.raises(ModelError) as caught:
        ask_stand_in(aimock, stream=True)
    assert caught.value.retryable


class TestAnswers:
    def test_whole(self) -> None:
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 6},
        }
        reply = ask(http(completion({"content": "hi"}, "length", usage=usage)))
        assert (reply.text, reply.model, reply.finish_reason) == ("hi", "m-1", "length")
        assert (reply.usage.input_tokens, reply.usage.cached_tokens) == (10, 6)

    def test_tool_calls_are_put_together_from_a_stream(self) -> None:
        def piece(index: int, **call: Any) -> dict[str, Any]:
            return chunk({"tool_calls": [{"index": index, **call}]})

        answer = events(
            piece(0, id="a", function={"name": "find", "arguments": ""}),
            piece(0, function={"arguments": '{"q":'}),
            piece(1, id="b", function={"name": "count", "arguments": "{}"}),
            piece(0, function={"arguments": '"x"}'}),
            chunk({}, "tool_calls"),
            {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
        )
        reply = ask(answer, stream=True)
        assert reply.tool_calls == (
            ToolCall("a", "find", '{"q":"x"}'),
            ToolCall("b", "count", "{}"),
        )
        assert reply.usage.input_tokens == 3

    def test_tool_call_of_a_lax_server(self) -> None:
        call = {"function": {"name": "find", "arguments": {"q": 1}}}
        reply = ask(http(completion({"content": None, "tool_calls": [call]})))
        assert reply.tool_calls == (ToolCall("call_0", "find", '{"q": 1}'),)
        assert reply.finish_reason == "tool_calls"

    def test_text_in_parts_and_a_lone_surrogate(self) -> None:
        parts = [{"type": "text", "text": "a\ud800"}, {"type": "text", "text": "é"}]
        assert ask(http(completion({"content": parts}))).text == "a?é"

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        ("message", "reason", "is_retryable"),
        [
            ({"content": ""}, "stop", True),
            ({"content": None}, "stop", True),
            ({"content": ""}, "length", False),
            ({"content": ""}, "content_filter", False),
            ({"content": None, "refusal": "I will not"}, "stop", False),
            ({"tool_calls": [{"index": 0, "id": "a", "function": {}}]}, "tool_calls", True),
        ],
    )
    def test_silence_is_a_fault(
        self, message: dict[str, Any], reason: str, *, is_retryable: bool, stream: bool
    ) -> None:
        answer = events(chunk(message, reason)) if stream else http(completion(message, reason))
        assert fault(answer, stream=stream).retryable is is_retryable


GARBAGE: list[bytes | str | dict[str, Any] | list[Any]] = [
    b"",
    b"\x00\xff\xfe",
    "not json",
    "null",
    "5",
    '"text"',
    [],
    {},
    {"choices": None},
    {"choices": []},
    {"choices": 5},
    {"choices": [None]},
    {"choices": ["x"]},
    {"choices": [{}]},
    {"choices": [{"message": None}]},
    {"choices": [{"message": 5, "finish_reason": "stop"}]},
    {"choices": [{"message": {"content": 5}, "finish_reason": ["stop"]}]},
    {"choices": [{"message": {"content": [5, {"text": 5}], "tool_calls": 5}}]},
    {"choices": [{"message": {"tool_calls": [5, None]}}], "usage": 5, "model": 5},
    {"choices": {"0": {}}, "usage": {"prompt_tokens": "many"}},
    "[" * 5000,
    '{"choices":' + "[" * 900 + "]" * 900 + "}",
]


class TestFaults:
    @pytest.mark.parametrize("kind", ["application/json", "text/html"])
    @pytest.mark.parametrize("body", GARBAGE)
    def test_garbage(self, body: Any, kind: str) -> None:
        assert fault(http(body, kind=kind)).retryable

    @pytest.mark.parametrize("body", GARBAGE[1:])
    def test_garbage_in_a_stream(self, body: Any) -> None:
        text = body.decode("latin-1") if isinstance(body, bytes) else body
        piece = text if isinstance(text, str) else json.dumps(text).replace("message", "delta")
        assert fault(events(piece), stream=True).retryable

    def test_error_in_a_stream(self) -> None:
        answer = events(chunk({"content": "a"}), {"error": {"message": f"lost {KEY}"}})
        error = fault(answer, stream=True)
        assert "lost [secret]" in str(error)
        assert error.retryable

    @pytest.mark.parametrize("stream", [False, True])
    def test_hang(self, *, stream: bool) -> None:
        error = fault(b"", hangs=True, timeout=0.2, stream=stream)
        assert isinstance(error, ModelTimeout)
        assert error.seconds == 0.2

    def test_hang_in_the_middle_of_a_stream(self) -> None:
        half = events(chunk({"content": "a"}), done=False)
        error = fault(half, hangs=True, timeout=0.2, stream=True)
        assert isinstance(error, ModelTimeout)

    def test_timeout_of_the_request(self) -> None:
        error = fault(b"", request=HELLO_FAST, hangs=True)
        assert isinstance(error, ModelTimeout)

    @pytest.mark.parametrize("stream", [False, True])
    def test_reset(self, *, stream: bool) -> None:
        assert fault(b"", stream=stream).retryable

    def test_nobody_listens(self) -> None:
        async def run() -> None:
            async with provider(b"") as server:
                pass
            model = OpenAIModel(access=Access(base_url=server.url))
            with pytest.raises(ModelError, match="connection failed") as caught:
                await model.complete(HELLO)
            await model.close()
            assert caught.value.retryable

        asyncio.run(run())

    def test_cut_body(self) -> None:
        assert fault(http(completion({"content": "text"}))[:-20]).retryable

    def test_stream_that_ends_too_early(self) -> None:
        for done in (True, False):
            error = fault(events(chunk({"content": "half"}), done=done), stream=True)
            assert error.retryable

    def test_gzip_error(self) -> None:
        answer = http(b"no gzip", headers={"content-encoding": "gzip"})
        assert fault(answer).retryable

    def test_redirect_loop(self) -> None:
        answer = http("", status=307, headers={"location": "/v1/chat/completions"})
        assert str(fault(answer))

    def test_html_of_a_gateway(self) -> None:
        error = fault(http("<html>" + "x" * 5000, status=502, kind="text/html"))
        assert error.message == "openai-compatible answered 502: Bad Gateway"
        assert error.retryable

    def test_key_echoed(self) -> None:
        echo = f"Incorrect API key {KEY}, Bearer abc, sk-proj-1234****, made-up%2Fkey%2Bfor%3Dtests"
        error = fault(http({"error": {"message": echo}}, status=401))
        assert not error.retryable
        for secret in ("made-up", "abc", "1234"):
            assert secret not in str(error)

    def test_quota_is_not_tried_again(self) -> None:
        body = {"error": {"message": "pay", "code": "insufficient_quota"}}
        error = fault(http(body, status=429))
        assert not error.retryable
        assert error.http_status == 429

    @pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
    def test_what_may_pass(self, status: int) -> None:
        assert fault(http({"error": {"message": "later"}}, status=status)).retryable

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 415, 422])
    def test_what_will_not_pass(self, status: int) -> None:
        assert not fault(http({"error": {"message": "no"}}, status=status)).retryable

    def test_retry_after_reaches_the_caller(self) -> None:
        answer = http({"error": {"message": "later"}}, status=429, headers={"retry-after": "12"})
        error = fault(answer)
        assert isinstance(error, RateLimitError)
        assert error.retry_after == 12

    def test_a_client_that_leaves_closes_the_connection(self) -> None:
        async def run() -> None:
            answer = events(chunk({"content": "a"}), done=False)
            async with provider(answer, hangs=True) as server:
                model = OpenAIModel(access=Access(base_url=server.url))
                stream = model.stream(HELLO)
                assert await anext(stream) == "a"
                await stream.aclose()
                await asyncio.wait_for(server.closed.wait(), 10)
                await model.close()

        asyncio.run(run())

    def test_cancelling_closes_the_connection(self) -> None:
        async def run() -> None:
            async with provider(b"", hangs=True) as server:
                model = OpenAIModel(access=Access(base_url=server.url))
                call = asyncio.create_task(model.complete(HELLO))
                await asyncio.wait_for(server.asked.wait(), 10)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                await asyncio.wait_for(server.closed.wait(), 10)
                await model.close()

        asyncio.run(run())


HELLO_FAST = HELLO._replace(timeout=0.2)


class TestNames:
    def test_openai_gets_the_new_name_of_the_token_limit(self) -> None:
        model = OpenAIModel(access=Access(KEY))
        assert (model.provider, model.name) == ("openai", "gpt-5.4-mini")
        arguments = model._arguments(HELLO._replace(max_tokens=5))
        assert arguments["max_completion_tokens"] == 5

    @pytest.mark.parametrize(
        ("asked", "sent"),
        [
            ("gpt-x", "gpt-x"),
            ("openai:gpt-x", "gpt-x"),
            ("openai-compatible:llama3:8b", "llama3:8b"),
            ("llama3:8b", "llama3:8b"),
            ("ft:gpt-4o:org::id", "ft:gpt-4o:org::id"),
        ],
    )
    def test_prefix(self, asked: str, sent: str) -> None:
        model = OpenAIModel(access=Access(KEY))
        assert model._arguments(HELLO._replace(model=asked))["model"] == sent

    def test_model_of_another_provider(self) -> None:
        model = OpenAIModel(access=Access(KEY))
        with pytest.raises(ModelError, match="asks for anthropic:claude, but the provider is"):
            asyncio.run(model.complete(HELLO._replace(model="anthropic:claude")))

    def test_settings_with_a_model_of_another_provider(self) -> None:
        settings = Settings(
            llm=LLMSettings(provider="openai", model="google:gemini"),
            secrets=Secrets(openai_api_key=SecretStr(KEY)),
        )
        with pytest.raises(SettingsError, match="not a model of the provider openai"):
            make_model(settings)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"retry-after": "3"}, 3.0),
            ({"retry-after": "0.5"}, 0.5),
            ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
            ({"retry-after": "-3"}, None),
            ({"retry-after": "nan"}, None),
            ({"retry-after": "1e9"}, None),
            ({"retry-after": "9" * 5000}, None),
            ({"retry-after": "soon"}, None),
            ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
            ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
        ],
    )
    def test_values(self, headers: dict[str, str], seconds: float | None) -> None:
        assert retry_after(headers) == seconds

    def test_date_in_the_future(self) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
        found = retry_after({"retry-after": date})
        assert found is not None
        assert 900 < found <= 1000


def test_messages_are_one_short_line() -> None:
    assert without_secrets("a\r\n\x1b[31mb\u2028" + "x" * 1000).startswith("a [31mb x")
    assert len(without_secrets("x" * 1000)) == 500
