"""The short way for POST /run answers as the long one does, whatever is sent."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from scripts.runtime.api.quick import Quick
from scripts.runtime.command import _listen

from . import wire
from .api import Served, application, serve

MAX_BODY = 5_000
LIMITS = {"server": {"max_body": MAX_BODY}}
GOOD = {"input": "an idea", "story_id": "S-1", "flow": "one"}
JSON_TYPE = ("content-type", b"application/json")
Headers = tuple[tuple[str, bytes], ...]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """Two services that differ in nothing but the short way."""
    short = application(tmp_path_factory.mktemp("short"), settings=LIMITS)
    long = application(tmp_path_factory.mktemp("long"), settings=LIMITS)
    long.user_middleware = [each for each in long.user_middleware if each.cls is not Quick]
    with serve(short) as one, serve(long) as other:
        yield one, other


def _answer(served: Served, method: str, target: bytes, body: bytes, headers: Headers) -> Any:
    """Status, headers and body without what is never the same twice."""
    reply = wire.request(served.port, method, target, body, *headers)
    head = re.sub(rb"(?m)^(x-request-id|date|content-length):.*\r\n", b"", reply.head.lower())
    text = re.sub(rb'"(run_id|time)":"[^"]*"|"duration_ms":[0-9.e-]+', b"", reply.body)
    if b"text/event-stream" in head:  # how deltas are joined is a matter of time
        names = re.findall(rb"(?m)^event: (\S+)", text)
        text = b" ".join(name for name in names if name != b"step.delta")
    return reply.status, sorted(head.split(b"\r\n")), text


def _body(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


CASES: dict[str, tuple[str, bytes, bytes, Headers]] = {
    "ordinary": ("POST", b"/run", _body(), (JSON_TYPE,)),
    "all fields": (
        *("POST", b"/run"),
        _body(inputs={"a": [1, None]}, documents={"x.md": "X"}, fresh=True, changed=["x"]),
        (JSON_TYPE,),
    ),
    "charset": ("POST", b"/run", _body(), (("content-type", b"application/json; charset=utf-8"),)),
    "other charset": (
        "POST",
        b"/run",
        _body(),
        (("content-type", b"application/json; charset=x"),),
    ),
    "vendor json": ("POST", b"/run", _body(), (("content-type", b"application/x+json"),)),
    "text": ("POST", b"/run", _body(), (("content-type", b"text/plain"),)),
    "no type": ("POST", b"/run", _body(), ()),
    "two types": ("POST", b"/run", _body(), (JSON_TYPE, ("content-type", b"text/plain"))),
    "no body": ("POST", b"/run", b"", (JSON_TYPE,)),
    "bad json": ("POST", b"/run", b'{"input": ', (JSON_TYPE,)),
    "twice a key": ("POST", b"/run", b'{"input":"a","input":"b","story_id":"S"}', (JSON_TYPE,)),
    "NaN": ("POST", b"/run", b'{"input":"a","story_id":"S","inputs":{"a":NaN}}', (JSON_TYPE,)),
    "no utf-8": ("POST", b"/run", b'{"input":"\xff","story_id":"S"}', (JSON_TYPE,)),
    "a list": ("POST", b"/run", b"[]", (JSON_TYPE,)),
    "unknown field": ("POST", b"/run", _body(nope=1), (JSON_TYPE,)),
    "wrong type": ("POST", b"/run", _body(input=5), (JSON_TYPE,)),
    "missing": ("POST", b"/run", b'{"input":"a"}', (JSON_TYPE,)),
    "bad story": ("POST", b"/run", _body(story_id="a/b"), (JSON_TYPE,)),
    "unknown flow": ("POST", b"/run", _body(flow="nope"), (JSON_TYPE,)),
    "no gate": ("POST", b"/run", _body(decision={"gate": "g", "action": "a"}), (JSON_TYPE,)),
    "twin names": ("POST", b"/run", _body(documents={"a": "", "a.md": ""}), (JSON_TYPE,)),
    "too large": ("POST", b"/run", _body(input="x" * MAX_BODY), (JSON_TYPE,)),
    "query": ("POST", b"/run?x=1", _body(), (JSON_TYPE,)),
    "accept json": ("POST", b"/run", _body(), (JSON_TYPE, ("accept", b"application/json"))),
    "accept mixed": ("POST", b"/run", _body(), (JSON_TYPE, ("accept", b"text/html, */*;q=0.5"))),
    "accept html": ("POST", b"/run", _body(), (JSON_TYPE, ("accept", b"text/html"))),
    "two accepts": (
        *("POST", b"/run", _body()),
        (JSON_TYPE, ("accept", b"text/html"), ("accept", b"application/json")),
    ),
    "stream": ("POST", b"/run", _body(), (JSON_TYPE, ("accept", b"text/event-stream"))),
    "bad key": ("POST", b"/run", _body(), (JSON_TYPE, ("idempotency-key", b"a b"))),
    "coded": ("POST", b"/run", _body(), (JSON_TYPE, ("content-encoding", b"gzip"))),
    "get": ("GET", b"/run", b"", ()),
    "put": ("PUT", b"/run", _body(), (JSON_TYPE,)),
    "head": ("HEAD", b"/run", b"", ()),
    "slash": ("POST", b"/run/", _body(), (JSON_TYPE,)),
}


@pytest.mark.parametrize("name", CASES)
def test_both_ways_answer_alike(both: tuple[Served, Served], name: str) -> None:
    short, long = both
    assert _answer(short, *CASES[name]) == _answer(long, *CASES[name])


@given(
    st.dictionaries(
        st.sampled_from(["input", "story_id", "flow", "inputs", "documents", "fresh", "changed"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=3)
        | st.just("one")
        | st.lists(st.text(max_size=2), max_size=2)
        | st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=2),
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_both_ways_read_bodies_alike(both: tuple[Served, Served], fields: dict[str, Any]) -> None:
    short, long = both
    request = ("POST", b"/run", _body(**fields), (JSON_TYPE,))
    assert _answer(short, *request) == _answer(long, *request)


def test_a_body_in_chunks_that_grows_too_large_is_refused(both: tuple[Served, Served]) -> None:
    chunk = b"x" * 1000
    pieces = [b"%x\r\n%s\r\n" % (len(chunk), chunk)] * 6
    head = b"POST /run HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    for served in both:
        reply = wire.send(served.port, head, b"transfer-encoding: chunked\r\n\r\n", *pieces)
        assert reply.status == 413
        assert json.loads(reply.body)["code"] == "body_too_large"


def test_an_ordinary_request_takes_the_short_way(tmp_path: Path) -> None:
    async def long_way(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("this was the long way")

    app = application(tmp_path)
    with serve(app) as served:
        quick = app.middleware_stack
        while not isinstance(quick, Quick):
            quick = getattr(quick, "app")  # noqa: B009 - the stack is of many types
        quick.app = long_way
        assert served.run().status_code == 200
        with served.client.stream(
            "POST", "/run", json=GOOD, headers={"accept": "text/event-stream"}
        ) as answer:
            assert answer.status_code == 200
            assert "run.completed" in answer.read().decode()
        metrics = served.service.metrics.requests.values
        assert ("POST", "/run", "200") in metrics


def test_answers_are_not_held_back_by_the_socket() -> None:
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
