"""A load generator: raw sockets on one loop, each connection asks again as soon as it is answered.

It is a process of its own, so that its CPU time is never the server's:
`python -m bench.load` reads one order from standard input, answers with one line, and ends.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from .options import ROOT

_PATIENCE = 60.0  # seconds for one answer
_HEAD_END = b"\r\n\r\n"
_NUMBER = b"########"
_numbers = itertools.count(random.randrange(10**7))


@dataclass(frozen=True, slots=True)
class Order:
    """What to ask: one `requests` text a connection, sent again and again.

    `########` in a request is a number of eight digits that is never the same twice. It ends
    after `seconds`, or when each connection has been answered `times` times, if that is more
    than 0. An answer counts when its status is 200 and `expect` is in it so often.
    """

    port: int
    requests: Sequence[str]
    expect: str
    occurrences: int = 1
    seconds: float = 1.0
    times: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: answers, seconds, and the latencies' percentiles in ms."""

    answers: int
    seconds: float
    p50: float
    p99: float
    longest: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


class _Asker(asyncio.Protocol):
    """One connection. `done` is set when it has stopped, with the fault if there was one."""

    def __init__(self, request: bytes, order: Order, until: float) -> None:
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request, self._order, self._until = request, order, until
        self._expect = order.expect.encode()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        request = self._request
        if _NUMBER in request:
            request = request.replace(_NUMBER, b"%08d" % next(_numbers))
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        size = _whole(self._buffer)
        if size is None:
            return
        answer, self._buffer = self._buffer[:size], self._buffer[size:]
        now = time.perf_counter()
        self.latencies.append(now - self._began)
        if not answer.startswith(b"HTTP/1.1 200") or (
            answer.count(self._expect) != self._order.occurrences
        ):
            self._stop(RuntimeError(f"an answer is not as expected: {answer[:2000]!r}"))
        elif self._is_over(now):
            self._stop()
        else:
            self._ask()

    def _is_over(self, now: float) -> bool:
        if self._order.times:
            return len(self.latencies) >= self._order.times
        return now >= self._until

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(RuntimeError(f"the server hung up: {exc}"))

    def _stop(self, fault: Exception | None = None) -> None:
        if not self.done.done():
            if fault is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(fault)
        self._transport.close()


def _whole(data: bytes) -> int | None:
    """The length of the answer at the beginning of `data`; None when there is more to come."""
    end = data.find(_HEAD_END)
    if end < 0:
        return None
    head, body = data[:end].lower(), end + len(_HEAD_END)
    _, found, rest = head.partition(b"content-length:")
    if found:
        size = body + int(rest.partition(b"\r\n")[0])
        return size if len(data) >= size else None
    last = data.find(b"0\r\n\r\n", body - 2)  # chunked: our answers hold no such line themselves
    return None if last < 0 else last + 5


def run(order: Order) -> Load:
    """Ask, in a process of its own. Raises RuntimeError when an answer is not as it should be."""
    command = [sys.executable, "-m", "bench.load"]
    text = json.dumps(asdict(order))
    process = subprocess.run(
        command, cwd=ROOT, input=text, capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise RuntimeError(f"the load generator failed:\n{process.stderr[-3000:]}")
    return Load(**json.loads(process.stdout))


async def _asked(order: Order) -> Load:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    until = began + order.seconds
    askers = []
    for request in order.requests:
        _, asker = await loop.create_connection(
            lambda request=request: _Asker(request.encode(), order, until),  # type: ignore[misc]
            "127.0.0.1",
            order.port,
        )
        askers.append(asker)
    async with asyncio.timeout(order.seconds + _PATIENCE):
        await asyncio.gather(*(asker.done for asker in askers))
    taken = time.perf_counter() - began
    all_ = sorted(1000 * each for asker in askers for each in asker.latencies)
    return Load(len(all_), taken, _part(all_, 0.5), _part(all_, 0.99), all_[-1])


def _part(sorted_: Sequence[float], share: float) -> float:
    return sorted_[min(len(sorted_) - 1, int(share * len(sorted_)))]


def post(path: str, body: str, kind: str = "application/json", **headers: str) -> str:
    """A request as it goes over the socket."""
    lines = {"host": "127.0.0.1", "content-type": kind, **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}content-length: {len(body.encode())}\r\n\r\n{body}"


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_asked(Order(**json.load(sys.stdin)))))))
