"""Heads and bodies that are too large, too slow, or not what they say."""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.runtime.api.connection import GuardedProtocol

from . import wire
from .api import Served, application, serve

MAX_BODY = 10_000
JSON = ("content-type", b"application/json")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = {"server": {"max_body": MAX_BODY}}
    with serve(application(tmp_path_factory.mktemp("limits"), settings=settings)) as running:
        yield running


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The same service with a short patience."""
    monkeypatch.setattr(GuardedProtocol, "head_seconds", 0.2)
    monkeypatch.setattr(GuardedProtocol, "body_seconds", 0.2)
    with serve(application(tmp_path)) as running:
        yield running


def test_cycles_are_looked_for_less_often_only_while_it_serves(tmp_path: Path) -> None:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        with serve(application(tmp_path)):
            assert gc.get_threshold()[0] == 50_000
        assert gc.get_threshold() == (700, 10, 10)
    finally:
        gc.set_threshold(*before)


def test_a_head_within_the_bounds_is_served(served: Served) -> None:
    fine = [(f"x-{number}", b"v" * 80) for number in range(90)]
    assert wire.request(served.port, "GET", b"/agent", b"", *fine).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("x-long", b"v" * 20_000)],
        [("x-long", b"v" * 64_000)],
        [(f"x-{number}", b"v") for number in range(101)],
        [(f"x-{number}", b"v" * 200) for number in range(99)],
    ],
    ids=["20 kB header", "64 kB header", "101 headers", "20 kB in all"],
)
def test_a_head_beyond_the_bounds_is_refused(
    served: Served, headers: list[tuple[str, bytes]]
) -> None:
    answer = wire.request(served.port, "GET", b"/agent", b"", *headers)
    assert answer.status == 431
    assert served.client.get("/health/live").status_code == 200


def test_a_head_of_megabytes_closes_the_connection(served: Served) -> None:
    start = b"GET /agent HTTP/1.1\r\nhost: localhost\r\n"
    for flood in (b"x-long: " + b"v" * 5_000_000, b"x-a: b\r\n" * 20_000):
        assert wire.send(served.port, start, flood, b"\r\n\r\n").status == 431
    assert wire.request(served.port, "GET", b"/" + b"a" * 1_000_000).status in (414, 431)
    assert served.client.get("/health/live").status_code == 200


def test_a_long_target_is_414(served: Served) -> None:
    for target in (b"/doc/" + b"a" * 8_200, b"/doc?" + b"a" * 8_200):
        answer = wire.request(served.port, "GET", target)
        assert (answer.status, json.loads(answer.body)["code"]) == (414, "target_too_long")


def test_a_declared_body_that_is_too_large_is_413(served: Served) -> None:
    body = json.dumps("x" * MAX_BODY).encode()
    answer = wire.request(served.port, "PUT", b"/memory/shared:a/b", body, JSON)
    assert answer.status == 413
    problem = json.loads(answer.body)
    assert (problem["code"], problem["status"]) == ("body_too_large", 413)
    assert b"application/problem+json" in answer.head
    assert b"connection: close" in answer.head.lower()


def test_a_body_of_exactly_the_bound_is_kept(served: Served) -> None:
    body = json.dumps("x" * (MAX_BODY - 2)).encode()
    assert len(body) == MAX_BODY
    assert wire.request(served.port, "PUT", b"/memory/shared:a/b", body, JSON).status == 200


def test_chunks_that_add_up_to_too_much_are_413(served: Served) -> None:
    head = b"PUT /doc/big HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    answer = wire.send(served.port, head + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 100)
    assert (answer.status, json.loads(answer.body)["code"]) == (413, "body_too_large")
    assert served.client.get("/doc/big").status_code == 404


@pytest.mark.parametrize("length", [b"9" * 5_000, b"99999999999999999999"])
def test_an_absurd_length_is_refused(served: Served, length: bytes) -> None:
    head = b"PUT /doc/big HTTP/1.1\r\nhost: localhost\r\ncontent-length: " + length
    assert wire.send(served.port, head + b"\r\n\r\n").status in (0, 400, 413)
    assert served.client.get("/doc/big").status_code == 404


def test_a_body_beyond_its_declared_length_is_not_part_of_it(served: Served) -> None:
    head = b"PUT /doc/lying HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
    answer = wire.send(served.port, head + b"content-length: 3\r\n\r\nabcdef\r\n\r\n")
    assert answer.status == 201
    assert served.client.get("/doc/lying").text == "abc"


def test_a_length_beside_chunks_makes_no_second_request(served: Served) -> None:
    head = b"PUT /doc/both HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
    answer = wire.send(
        served.port,
        head + b"content-length: 40\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    )
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "length_invalid")
    assert served.client.get("/doc/both").status_code == 404


def test_a_length_beside_chunks_closes_the_connection(served: Served) -> None:
    head = b"PUT /doc/both HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
    body = b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=wire.SECONDS) as client:
        client.sendall(head + body + b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(65_536):
                received += piece
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "data, status, code",
    [
        (b"GET /agent HTTP/1.1\r\nhost : localhost\r\n\r\n", 400, "http_invalid"),
        (b"hello\r\n\r\n", 400, "http_invalid"),
        (b"GET /agent HTTP/1.1\r\n\r\n", 400, "http_invalid"),
        (b"PUT /doc/a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: br\r\n\r\n", 501, "http_invalid"),
    ],
)
def test_what_is_no_http_is_a_problem(served: Served, data: bytes, status: int, code: str) -> None:
    answer = wire.send(served.port, data)
    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)
    assert b"content-type: application/problem+json" in answer.head
    assert b"connection: close" in answer.head


def test_a_compressed_body_is_not_unpacked(served: Served) -> None:
    bomb = gzip.compress(b" " * 5_000_000)
    assert len(bomb) < MAX_BODY
    answer = wire.request(
        served.port, "PUT", b"/memory/shared:a/b", bomb, JSON, ("content-encoding", b"gzip")
    )
    assert (answer.status, json.loads(answer.body)["code"]) == (415, "unsupported_media_type")
    plain = wire.request(
        served.port, "PUT", b"/memory/shared:a/b", b"1", JSON, ("content-encoding", b"identity")
    )
    assert plain.status == 200


def test_a_slow_head_is_closed(slow: Served) -> None:
    for start in (b"", b"GET /agent HTTP/1.1\r\nhost: loc"):
        assert wire.send(slow.port, start).status == 0


def test_a_head_that_trickles_is_closed(slow: Served) -> None:
    with socket.create_connection(("127.0.0.1", slow.port), timeout=wire.SECONDS) as client:
        client.sendall(b"GET /agent HTTP/1.1\r\n")
        sent = 0
        client.settimeout(0.02)
        while True:
            try:
                client.sendall(b"x-%d: y\r\n" % sent)
                sent += 1
                if not client.recv(100):
                    break
            except TimeoutError:
                assert sent < 1000, "the connection was never closed"
            except ConnectionError:
                break
    assert sent > 1


def test_the_second_head_of_a_connection_is_watched_too(slow: Served) -> None:
    whole = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", slow.port), timeout=wire.SECONDS) as client:
        client.sendall(whole)
        received = b""
        while not received.endswith(b"}"):
            received += client.recv(4096)
        client.sendall(whole[:20])
        assert not received.startswith(b"HTTP/1.1 4")
        assert _closed(client)


def test_a_head_that_begins_behind_another_request_is_watched_too(slow: Served) -> None:
    whole = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", slow.port), timeout=wire.SECONDS) as client:
        client.sendall(whole + whole[:20])
        assert _closed(client)


def test_a_body_that_stops_coming_is_closed(slow: Served) -> None:
    head = b"PUT /doc/slow HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
    assert wire.send(slow.port, head + b"content-length: 100\r\n\r\nabc").status == 0
    assert slow.client.get("/doc/slow").status_code == 404


def test_a_run_that_takes_longer_than_a_head_may_is_left_alone(
    slow: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from .agents import Scripted

    async def later(request: object) -> str:
        await asyncio.sleep(3 * GuardedProtocol.head_seconds)
        return "late"

    object.__setattr__(slow.service.services, "model", Scripted({"analyst": later}))
    assert slow.run().json()["results"] == {"analyst": "late"}


def _closed(client: socket.socket) -> bool:
    """Read to the end; a server that never closes fails by the socket's timeout."""
    try:
        while client.recv(4096):
            pass
    except ConnectionError:
        pass
    return True
