"""An answer given before all of the body has come reaches a client that still sends."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.runtime.api import connection, linger

from . import wire
from .api import Served, application, serve

MAX_BODY = 10_000
PIECE = b"x" * 65_536
PIECES = 200  # more than any buffer between the two takes up
START = b"PUT /doc/big HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
LENGTH = b"content-length: %d\r\n" % (len(PIECE) * PIECES)
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNK = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
CLOSE = b"connection: close\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = {"server": {"max_body": MAX_BODY}}
    with serve(application(tmp_path_factory.mktemp("linger"), settings=settings)) as running:
        yield running


def _sent(port: int, head: bytes, piece: bytes, end: bytes = b"") -> wire.Reply:
    """Send all of it, as many clients do, before a look at the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=wire.SECONDS) as client:
        client.sendall(head + b"\r\n")
        for _ in range(PIECES):
            client.sendall(piece)
        client.sendall(end)
        received = b""
        while data := client.recv(65_536):  # up to an orderly end: a reset would raise
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    return wire.Reply(int(head.split(b" ", 2)[1]), head, body)


@pytest.mark.parametrize("_round", range(3))
@pytest.mark.parametrize("head, piece, end", [(LENGTH, PIECE, b""), (CHUNKED, CHUNK, b"0\r\n\r\n")])
def test_a_client_that_sends_all_of_a_body_too_large_hears_why(
    served: Served, head: bytes, piece: bytes, end: bytes, _round: int
) -> None:
    answer = _sent(served.port, START + head, piece, end)
    assert (answer.status, json.loads(answer.body)["code"]) == (413, "body_too_large")
    assert b"\r\nconnection: close" in answer.head.lower()


def test_so_does_one_that_will_close_and_is_refused_for_another_reason(served: Served) -> None:
    head = START + b"content-encoding: gzip\r\n" + CHUNKED + CLOSE
    assert _sent(served.port, head, CHUNK, b"0\r\n\r\n").status == 415


def test_one_without_a_key_hears_that(tmp_path: Path) -> None:
    secrets = {"secrets": {"api_keys": "a:0123456789abcdef"}}
    with serve(application(tmp_path, settings=secrets)) as served:
        length = b"content-length: 5000000\r\n"
        with socket.create_connection(("127.0.0.1", served.port), timeout=wire.SECONDS) as client:
            client.sendall(START + length + CLOSE + b"\r\n")
            client.sendall(b"x" * 5_000_000)
            assert client.recv(12) == b"HTTP/1.1 401"


@pytest.mark.parametrize("bound", ["MAX_SECONDS", "MAX_BYTES"])
def test_one_that_never_ends_is_cut_off(
    served: Served, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(linger, bound, 0.1 if bound == "MAX_SECONDS" else 100_000)
    with socket.create_connection(("127.0.0.1", served.port), timeout=wire.SECONDS) as client:
        client.sendall(START + b"content-length: 99999999999\r\n\r\n")
        if bound == "MAX_BYTES":
            with pytest.raises(ConnectionError):
                _pour(client)
        else:
            while client.recv(65_536):
                pass


def _pour(client: socket.socket) -> None:
    end = time.monotonic() + wire.SECONDS
    while time.monotonic() < end:
        client.sendall(PIECE)


@pytest.mark.parametrize("_round", range(3))
@pytest.mark.parametrize(
    "start, status, code",
    [
        (b"GET /agent HTTP/1.1\r\nhost: localhost\r\nx-long: ", 431, "head_too_large"),
        (b"this is no HTTP\r\n\r\n", 400, "http_invalid"),
    ],
)
def test_so_does_one_whose_head_cannot_be_read(
    served: Served, start: bytes, status: int, code: str, _round: int
) -> None:
    answer = _sent(served.port, start, PIECE, b"\r\n\r\n")
    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)


def test_a_head_without_end_is_not_read_for_ever(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_BYTES", 3 * len(PIECE))
    with pytest.raises(ConnectionError):
        _sent(served.port, b"GET /agent HTTP/1.1\r\nx-long: ", PIECE)
