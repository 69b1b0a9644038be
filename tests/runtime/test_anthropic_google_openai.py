"""What holds for every provider, through its real SDK: a stand-in's answers, and broken servers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from scripts.runtime.errors import (
    ContextTooLong,
    ModelError,
    ModelTimeout,
    RateLimitError,
)
from scripts.runtime.models import bounds
from scripts.runtime.models.protocol import Message
from tests.runtime.adapters import (
    FIND,
    HELLO,
    KEY,
    SCHEMA,
    Wire,
    ask,
    ask_stand_in,
    each_wire,
    fault,
    reply_of,
)
from tests.runtime.provider import http, provider
from tests.stand_in import StandIn

USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "total_tokens": 12,
    "input_tokens": 9,
    "output_tokens": 3,
    "promptTokenCount": 9,
    "candidatesTokenCount": 3,
    "totalTokenCount": 12,
}
FINAL = {"match": {"hasToolResult": True}, "response": {"content": "done"}}
CALLS = [{"name": "find", "arguments": {"q": letter}} for letter in "xy"]
# The stand-in ends Gemini's tool calls with a reason that Gemini does not have.
pytestmark = pytest.mark.filterwarnings("ignore:FUNCTION_CALL is not a valid FinishReason")

each_way = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@each_wire
@each_way
class TestStandIn:
    def test_answer_with_usage(self, aimock: StandIn, wire: Wire, *, stream: bool) -> None:
        aimock.load([{"match": {}, "response": {"content": "a plan", "usage": USAGE}}])
        reply = ask_stand_in(wire, aimock, stream=stream)
        assert (reply.text, reply.finish_reason, reply.model) == ("a plan", "stop", "m-1")
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (9, 3)

    def test_what_is_asked(self, aimock: StandIn, wire: Wire, *, stream: bool) -> None:
        request = HELLO._replace(model="m-2", temperature=0.5, max_tokens=77)
        ask_stand_in(wire, aimock, request, stream=stream)
        body = aimock.journal()[0]["body"]
        assert body["model"] == "m-2"
        assert (body["temperature"], body["max_tokens"]) == (0.5, 77)
        assert body["messages"] == [
            {"role": "system", "content": "You are Ada."},
            {"role": "user", "content": "hello"},
        ]

    def test_parallel_tools(self, aimock: StandIn, wire: Wire, *, stream: bool) -> None:
        aimock.load([FINAL, {"match": {}, "response": {"toolCalls": CALLS}}])
        request = HELLO._replace(tools=(FIND,))
        first = ask_stand_in(wire, aimock, request, stream=stream)
        assert first.finish_reason == "tool_calls"
        assert [call.name for call in first.tool_calls] == ["find", "find"]
        assert [json.loads(call.arguments) for call in first.tool_calls] == [{"q": "x"}, {"q": "y"}]
        said = Message("assistant", first.text, first.tool_calls)
        results = [Message("tool", call.arguments, (), call.id) for call in first.tool_calls]
        request = request._replace(messages=(*request.messages, said, *results))
        assert ask_stand_in(wire, aimock, request, stream=stream).text == "done"
        *_, asked, one, two = aimock.journal()[-1]["body"]["messages"]
        assert [call["id"] for call in asked["tool_calls"]] == [
            one["tool_call_id"],
            two["tool_call_id"],
        ]
        assert ("x" in one["content"], "y" in two["content"]) == (True, True)

    def test_structured(self, aimock: StandIn, wire: Wire, *, stream: bool) -> None:
        aimock.load([{"match": {}, "response": {"content": '{"title": "A"}'}}])
        reply = ask_stand_in(wire, aimock, HELLO._replace(schema=SCHEMA), stream=stream)
        assert json.loads(reply.text) == {"title": "A"}

    def test_rate_limit(self, aimock: StandIn, wire: Wire, *, stream: bool) -> None:
        error = {"message": "slow down", "type": "rate_limit_error"}
        response = {"error": error, "status": 429, "retryAfter": 7}
        aimock.load([{"match": {}, "response": response}])
        with pytest.raises(RateLimitError, match="slow down") as caught:
            ask_stand_in(wire, aimock, stream=stream)
        assert caught.value.retry_after == 7
        assert len(aimock.journal()) == 1  # no SDK tries again by itself

    @pytest.mark.parametrize(
        ("status", "is_retryable"),
        [(400, False), (401, False), (404, False), (500, True), (503, True)],
    )
    def test_status(
        self, aimock: StandIn, wire: Wire, status: int, *, is_retryable: bool, stream: bool
    ) -> None:
        error = {"message": "no such thing", "type": "error"}
        aimock.load([{"match": {}, "response": {"error": error, "status": status}}])
        with pytest.raises(ModelError, match=rf"{wire.name} answered {status}: no such") as caught:
            ask_stand_in(wire, aimock, stream=stream)
        assert caught.value.retryable is is_retryable
        assert caught.value.http_status == status
        assert len(aimock.journal()) == 1


@each_wire
@pytest.mark.parametrize(
    "how", [{"latency": 5, "truncateAfterChunks": 3}, {"latency": 50, "disconnectAfterMs": 120}]
)
def test_cut_stream(aimock: StandIn, wire: Wire, how: dict[str, int]) -> None:
    aimock.load([{"match": {}, "response": {"content": "a long text " * 30}, **how}])
    with pytest.raises(ModelError) as caught:
        ask_stand_in(wire, aimock, stream=True)
    assert caught.value.retryable


GARBAGE: list[Any] = [
    b"",
    b"\x00\xff\xfe",
    "not json",
    "null",
    "5",
    '"text"',
    [],
    {},
    {"choices": 5, "content": 5, "candidates": 5},
    {"choices": [None], "content": [None], "candidates": [None]},
    {"choices": [{}], "content": [{}], "candidates": [{}]},
    {"content": "text", "candidates": [{"content": {"parts": 5}}]},
    {"content": [{"type": "text", "text": 5}], "candidates": [{"content": {"parts": [5]}}]},
    {"content": [{"type": "tool_use"}], "candidates": [{"content": {"parts": [{}]}}]},
    {"usage": 5, "model": 5, "usageMetadata": 5, "modelVersion": 5},
    "[" * 5000,
    '{"content":' + "[" * 900 + "]" * 900 + "}",
]


EVENTS = ("message_start", "content_block_start", "content_block_delta", "message_delta")


def garbage_stream(body: Any, name: str) -> bytes:
    text = body.decode("latin-1") if isinstance(body, bytes) else body
    data = text if isinstance(text, str) else json.dumps(text)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return head + f"event: {name}\ndata: {data}\n\n".encode()


def all_faults(wire: Wire, answers: list[bytes], *, stream: bool = False) -> list[bool]:
    """For each answer of one server whether it is a fault that may pass."""

    async def run() -> list[bool]:
        found = []
        async with provider(*answers) as server:
            model = wire.model(server.url.removesuffix("/v1"))
            for _ in answers:
                with pytest.raises(ModelError) as caught:
                    await reply_of(model, HELLO, stream=stream)
                found.append(caught.value.retryable)
            await model.close()
        return found

    return asyncio.run(run())


@each_wire
class TestBrokenServers:
    @pytest.mark.parametrize("kind", ["application/json", "text/html"])
    def test_garbage(self, wire: Wire, kind: str) -> None:
        faults = all_faults(wire, [http(body, kind=kind) for body in GARBAGE])
        assert [body for body, error in zip(GARBAGE, faults, strict=True) if not error] == []

    def test_garbage_in_a_stream(self, wire: Wire) -> None:
        answers = [garbage_stream(body, name) for body in GARBAGE[1:] for name in EVENTS]
        assert all(all_faults(wire, answers, stream=True))

    @each_way
    def test_an_answer_without_end_is_broken_off(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch, *, stream: bool
    ) -> None:
        monkeypatch.setattr(bounds, "MAX_BYTES", 100_000)
        error = fault(wire, wire.answer("x" * 200_000, stream=stream), stream=stream)
        assert error.retryable
        assert "the answer is endless" in error.message
        reply, _ = ask(wire, wire.answer("x" * 30_000, stream=stream), stream=stream)
        assert len(reply.text) == 30_000

    @each_way
    def test_empty_answer(self, wire: Wire, *, stream: bool) -> None:
        error = fault(wire, wire.answer("", stream=stream), stream=stream)
        assert error.retryable
        assert "empty" in error.message

    @each_way
    def test_hang(self, wire: Wire, *, stream: bool) -> None:
        error = fault(wire, b"", hangs=True, timeout=0.2, stream=stream)
        assert isinstance(error, ModelTimeout)
        assert error.seconds == 0.2

    @each_way
    def test_timeout_of_the_request(self, wire: Wire, *, stream: bool) -> None:
        request = HELLO._replace(timeout=0.2)
        error = fault(wire, b"", hangs=True, request=request, stream=stream)
        assert isinstance(error, ModelTimeout)

    def test_no_first_token(self, wire: Wire) -> None:
        error = fault(wire, b"", hangs=True, timeout=5, first_token_timeout=0.2, stream=True)
        assert isinstance(error, ModelTimeout)
        assert error.message == f"{wire.name} began no answer within 0.2 seconds"

    def test_a_stream_that_began_is_not_late(self, wire: Wire) -> None:
        options: dict[str, Any] = {"timeout": 0.6, "first_token_timeout": 0.5}
        error = fault(wire, wire.half(), hangs=True, stream=True, **options)
        assert isinstance(error, ModelTimeout)
        assert "was silent" in error.message

    @each_way
    def test_reset(self, wire: Wire, *, stream: bool) -> None:
        assert fault(wire, b"", stream=stream).retryable

    def test_cut_body(self, wire: Wire) -> None:
        assert fault(wire, wire.answer("text", stream=False)[:-20]).retryable

    def test_stream_that_ends_too_early(self, wire: Wire) -> None:
        error = fault(wire, wire.half(), stream=True)
        assert error.retryable
        assert "before the answer did" in error.message

    @each_way
    def test_key_echoed(self, wire: Wire, *, stream: bool) -> None:
        echo = (
            f"bad key {KEY}, Bearer abc, sk-ant-1234****, AIzaSy1234, made-up%2Fkey%2Bfor%3Dtests"
        )
        error = fault(wire, http(wire.error(401, echo), status=401), stream=stream)
        assert not error.retryable
        for secret in ("made-up", "abc", "1234"):
            assert secret not in str(error)

    def test_html_of_a_gateway(self, wire: Wire) -> None:
        error = fault(wire, http("<html>" + "x" * 5000, status=502, kind="text/html"))
        assert error.message == f"{wire.name} answered 502: Bad Gateway"
        assert error.retryable

    @each_way
    def test_retry_after(self, wire: Wire, *, stream: bool) -> None:
        for status in (429, 503):
            body = wire.error(status, "later")
            for headers, seconds in (({"retry-after": "12"}, 12), ({}, None)):
                error = fault(wire, http(body, status=status, headers=headers), stream=stream)
                assert isinstance(error, RateLimitError) is (status == 429)
                assert error.retry_after == seconds

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, "This model's maximum context length is 128000 tokens"),
            (400, "prompt is too long: 210000 tokens > 200000 maximum"),
            (400, "The input token count (2000000) exceeds the maximum number of tokens"),
            (400, "the request exceeds the available context size"),
            (413, "too large"),
        ],
    )
    def test_context_too_long(self, wire: Wire, status: int, message: str) -> None:
        error = fault(wire, http(wire.error(status, message), status=status))
        assert isinstance(error, ContextTooLong)
        assert (error.code, error.retryable) == ("context_too_long", False)
        assert error.http_status == status

    @pytest.mark.parametrize("message", ["max_tokens: 9 > 8, the maximum", "no such model"])
    def test_other_refusals_are_not_about_the_context(self, wire: Wire, message: str) -> None:
        error = fault(wire, http(wire.error(400, message), status=400))
        assert type(error) is ModelError

    def test_a_client_that_leaves_closes_the_connection(self, wire: Wire) -> None:
        async def run() -> None:
            async with provider(wire.half(), hangs=True) as server:
                model = wire.model(server.url.removesuffix("/v1"))
                stream = model.stream(HELLO)
                assert await anext(stream)
                await stream.aclose()
                await asyncio.wait_for(server.closed.wait(), 10)
                assert len(asyncio.all_tasks()) <= 2  # this one and the server's
                await model.close()

        asyncio.run(run())

    @each_way
    def test_cancelling_closes_the_connection(self, wire: Wire, *, stream: bool) -> None:
        async def run() -> None:
            async with provider(b"", hangs=True) as server:
                model = wire.model(server.url.removesuffix("/v1"))
                asked = anext(model.stream(HELLO)) if stream else model.complete(HELLO)
                call = asyncio.ensure_future(asked)
                await asyncio.wait_for(server.asked.wait(), 10)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                await asyncio.wait_for(server.closed.wait(), 10)
                await model.close()

        asyncio.run(run())


@each_wire
class TestSchemas:
    @each_way
    def test_a_server_that_takes_no_schema_is_asked_in_words(
        self, wire: Wire, *, stream: bool
    ) -> None:
        refusal = http(wire.error(400, "json_schema is not supported"), status=400)

        async def run() -> None:
            good = wire.answer('{"title": "A"}', stream=stream)
            async with provider(refusal, good) as server:
                model = wire.model(server.url.removesuffix("/v1"))
                assert model.structured
                request = HELLO._replace(schema=SCHEMA)
                for _ in range(2):
                    reply = (
                        [part async for part in model.stream(request)][-1]
                        if stream
                        else await model.complete(request)
                    )
                    assert not isinstance(reply, str)
                    assert json.loads(reply.text) == {"title": "A"}
                assert not model.structured
                first, *others = (json.dumps(body) for body in server.bodies)
                await model.close()
            assert len(others) == 2
            assert all("Answer with JSON alone" in other for other in others)
            assert "Answer with JSON alone" not in first

        asyncio.run(run())

    def test_other_refusals_are_not_repeated(self, wire: Wire) -> None:
        refusal = http(wire.error(400, "no such model"), status=400)
        request = HELLO._replace(schema=SCHEMA)
        assert "no such model" in str(
            fault(wire, refusal, wire.answer("x", stream=False), request=request)
        )

    @each_way
    def test_an_answer_that_is_a_list(self, wire: Wire, *, stream: bool) -> None:
        text = '{"value": [1, 2]}' if wire.name != "google" else "[1, 2]"
        schema = {"type": "array", "items": {"type": "integer"}}
        request = HELLO._replace(schema=schema)
        reply, _ = ask(wire, wire.answer(text, stream=stream), request=request, stream=stream)
        assert json.loads(reply.text) == [1, 2]
