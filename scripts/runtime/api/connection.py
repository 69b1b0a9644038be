"""The server below the application: bounded heads, slow senders shut out, a stop that drains."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from types import FrameType
from typing import Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..settings import Settings
from .limits import MAX_HEAD
from .linger import MAX_BYTES, MAX_SECONDS
from .problems import respond
from .service import Service

HEAD_SECONDS: Final = 10.0  # from its first byte, or from the connection, to its last
BODY_SECONDS: Final = 30.0  # without a byte
_FLUSH_SECONDS: Final = 1  # for last bytes, when the runs are over
_THREAD_SECONDS: Final = 0.5  # for writes that were begun
_SENDING: Final = frozenset({h11.SEND_BODY})
_UNANSWERED: Final = frozenset({h11.IDLE, h11.SEND_RESPONSE})
_HEAD_TOO_LARGE: Final = 431
_MAX_DETAIL: Final = 200


class GuardedProtocol(H11Protocol):
    """uvicorn's h11 protocol, which has no clock for what a client is slow to send."""

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS
    _timer: asyncio.TimerHandle | None = None
    _in_body = False
    _left: int | None = None  # bytes that are still read behind a refusal

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._restart(self.head_seconds)

    def data_received(self, data: bytes) -> None:
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.transport.abort()
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._watch()  # the next head has begun behind the last request

    def send_400_response(self, msg: str) -> None:
        """Refuse what h11 cannot read; called while its error is being handled."""
        if self.conn.our_state not in _UNANSWERED:
            self.transport.abort()  # in the middle of an answer no other can begin
            return
        error = sys.exception()
        status = getattr(error, "error_status_hint", 400)
        code = "head_too_large" if status == _HEAD_TOO_LARGE else "http_invalid"
        detail = f"this is no HTTP that can be read here: {error or msg}"[:_MAX_DETAIL]
        answer = respond({}, status, code, detail, headers={"connection": "close"})
        head = h11.Response(
            status_code=status,
            headers=answer.raw_headers,
            reason=HTTPStatus(status).phrase.encode("ascii"),
        )
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._linger()

    def _linger(self) -> None:
        """Read what still comes, as `Linger` does: closed at once, the answer would be lost."""
        self._left = MAX_BYTES
        self._restart(MAX_SECONDS)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Set the clock for what is being sent: a head in all, a body from byte to byte."""
        state = self.conn.their_state
        if state is h11.IDLE:
            if self._timer is None or self._in_body:
                self._restart(self.head_seconds)
            self._in_body = False
        elif state in _SENDING:
            self._in_body = True
            self._restart(self.body_seconds)
        else:
            self._stop()

    def _restart(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self._expire)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        self.transport.abort()  # a slow sender would also be slow to read a refusal


class DrainingServer(uvicorn.Server):
    """Keeps answering while the runs end: 503 for new ones, and for `/health/ready`."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self.left_behind = False  # whether a tool's thread goes on, which nothing can stop
        self._threads = ThreadPoolExecutor(thread_name_prefix="service")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_default_executor(self._threads)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.service.drain()
        await super().shutdown(sockets)
        self._end_threads()

    def _end_threads(self) -> None:
        """Wait for what runs in threads, for a moment: a tool may sleep for hours."""
        waiter = threading.Thread(
            target=self._threads.shutdown, kwargs={"cancel_futures": True}, daemon=True
        )
        waiter.start()
        waiter.join(_THREAD_SECONDS)
        self.left_behind = waiter.is_alive()
        # The loop waits at its end for the threads of its executor: it gets one that has none.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Not to be raised again at the end, as uvicorn does: this process ends by itself."""
        self.should_exit = True


def make_server(app: FastAPI, settings: Settings) -> DrainingServer:
    """The server for an application made by `create_app`."""
    config = uvicorn.Config(
        app,
        host=settings.server.host,
        port=settings.server.port,
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_graceful_shutdown=_FLUSH_SECONDS,
    )
    return DrainingServer(config, app.state.service)
