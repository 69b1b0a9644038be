"""HTTP by hand: requests that no client library would send."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass

SECONDS = 30.0


@dataclass(frozen=True)
class Reply:
    """What came back; `status` is 0 when the connection was closed without an answer."""

    status: int
    head: bytes
    body: bytes


def send(port: int, *pieces: bytes) -> Reply:
    """Send the bytes as they are on a new connection; the answer up to its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
        # The service may answer and close before it has read everything.
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                client.sendall(piece)
        return _read(client)


class Connection:
    """One connection for many requests, opened again whenever the service has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def request(
        self, method: str, target: bytes, body: bytes = b"", *headers: tuple[str, bytes]
    ) -> Reply:
        reply = self._once(_lines(method, target, body, headers))
        if not reply.status:  # closed behind an earlier refusal: once more on a new one
            reply = self._once(_lines(method, target, body, headers))
        return reply

    def _once(self, data: bytes) -> Reply:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS)
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)
        reply = _read(self._socket)
        if not reply.status or b"connection: close" in reply.head.lower():
            self.close()
        return reply

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def request(
    port: int, method: str, target: bytes, body: bytes = b"", *headers: tuple[str, bytes]
) -> Reply:
    """One request with a target that is sent exactly as given."""
    return send(port, _lines(method, target, body, (*headers, ("connection", b"close"))))


def _lines(
    method: str, target: bytes, body: bytes, headers: tuple[tuple[str, bytes], ...]
) -> bytes:
    lines = [f"{method} ".encode() + target + b" HTTP/1.1"]
    lines += [f"{name}: ".encode() + value for name, value in headers]
    if not any(name == "host" for name, _ in headers):
        lines.append(b"host: localhost")
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])


def _read(client: socket.socket) -> Reply:
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while not _is_whole(received):
            piece = client.recv(65_536)
            if not piece:
                break
            received += piece
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.1 ") else 0
    return Reply(status, head, body)


def _is_whole(received: bytearray) -> bool:
    head, found, body = bytes(received).partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return False
