"""Server-sent events beside raw ASGI sends and sse-starlette: `python -m bench.stream`."""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from . import peers, ten
from .options import ROOT, Options, deliver, parse
from .process import Cost, environment
from .report import Aim, Report, Table
from .rounds import Candidate, Samples, interleave
from .running import Running, path_of, serve, uvicorn
from .workers.stream_service import BURST, EVENTS

_APP = "bench.workers.stream_service:app"
_RAW, _SINGLE, _BURST, _PEER = "/raw", "/ours_single", "/ours_burst", "/sse_starlette"
_WAYS: Mapping[str, str] = {
    _RAW: "raw ASGI, ready bytes, a send each",
    "/raw_turns": "the same, a turn of the loop each",
    "/starlette": "Starlette, ready bytes",
    _SINGLE: "ours, one event a turn of the loop",
    "/ours_each": "the same, never joined",
    _BURST: f"ours, {BURST} events a turn",
    _PEER: "sse-starlette",
}
_RUN, _LATE = "POST /run, a model of 1 s", 1.0
_MARK, _END = b"\ndata: ", b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Taken:
    """A stream, read to its end: events, seconds in all and to the first event."""

    events: int
    seconds: float
    first: float


def take(port: int, request: bytes) -> Taken:
    """Read a stream from a socket of its own. Raises RuntimeError when it is none, or is cut."""
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        began = time.perf_counter()
        client.sendall(request)
        first, count, tail = 0.0, 0, b""
        while not tail.endswith(_END):
            data = client.recv(262_144)
            if not data:
                raise RuntimeError(f"the stream was cut: {tail[-500:]!r}")
            both = tail + data
            count += both.count(_MARK) - tail.count(_MARK)
            first = first or (time.perf_counter() - began if count else 0.0)
            tail = both[-len(_MARK) :]
    return Taken(count, time.perf_counter() - began, first)


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the tables and the aims."""
    options = parse(__doc__ or "", arguments)
    report = Report("Stream", options.rounds)
    firsts: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-stream-") as name, ExitStack() as stack:
        candidates = list(_candidates(stack, Path(name), options, firsts))
        samples = interleave(candidates, options.rounds)
    report.tables = [_table(samples, firsts)]
    report.aims = list(_aims(samples, firsts))
    report.notes += [
        f"{EVENTS} events of about 200 bytes to one client on a socket, uvicorn with h11.",
        "Ours: event log, reader and JSON included. The raw ways and Starlette: bytes made before.",
    ]
    deliver(report, options)


def _candidates(
    stack: ExitStack, home: Path, options: Options, firsts: dict[str, list[float]]
) -> Iterator[Candidate]:
    own = stack.enter_context(serve(uvicorn(sys.executable, _APP), ROOT, environment(home)))
    for path, name in _WAYS.items():
        running = own
        if path == _PEER:
            if not options.peers:
                continue
            command = uvicorn(peers.python(), _APP)
            running = stack.enter_context(serve(command, ROOT, environment(home)))
        yield _events(name, running, path, firsts)
    yield _run(stack, home, firsts)


def _events(name: str, running: Running, path: str, firsts: dict[str, list[float]]) -> Candidate:
    """CPU and wall of one event in microseconds, over three streams."""
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()

    def read() -> Cost:
        before, taken = running.cpu(), [take(running.port, request) for _ in range(3)]
        if any(each.events != EVENTS for each in taken):
            raise RuntimeError(f"{name}: {[each.events for each in taken]} events, not {EVENTS}")
        cpu, count = running.cpu() - before, EVENTS * len(taken)
        firsts.setdefault(name, []).extend(1000 * each.first for each in taken)
        return Cost(1e6 * cpu / count, 1e6 * sum(each.seconds for each in taken) / count)

    return Candidate(name, read)


def _run(stack: ExitStack, home: Path, firsts: dict[str, list[float]]) -> Candidate:
    """A real run as a stream: when its first event comes, long before the model answers."""
    project = ten.compiled(home / "ten", "created")
    more = {**path_of(ROOT), "LOG_LEVEL": "warning", "BENCH_DELAY": str(_LATE / ten.STEPS)}
    command = [sys.executable, "-m", "generated"]
    running = stack.enter_context(serve(command, project, environment(home, more)))

    def read() -> Cost:
        request = ten.requests(1, accept="text/event-stream")[0].encode()
        before, taken = running.cpu(), take(running.port, request)
        firsts.setdefault(_RUN, []).append(1000 * taken.first)
        cpu = running.cpu() - before
        return Cost(1e6 * cpu / taken.events, 1e6 * taken.seconds / taken.events)

    return Candidate(_RUN, read)


def _table(samples: Samples, firsts: Mapping[str, list[float]]) -> Table:
    table = Table("One event", ("", "CPU µs", "events/s", "first event ms, median", "longest"))
    for name in samples.costs:
        cost, times = samples.median(name), sorted(firsts[name])
        rate = f"{1e6 / cost.wall:.0f}"
        middle, last = f"{times[len(times) // 2]:.2f}", f"{times[-1]:.2f}"
        table.add(name, f"{cost.cpu:.1f}", rate, middle, last)
    return table


def _aims(samples: Samples, firsts: Mapping[str, list[float]]) -> Iterator[Aim]:
    raw, peer = _WAYS[_RAW], _WAYS[_PEER]
    for path, times in ((_SINGLE, 0.75), (_BURST, 3.0)):
        for quantity, label in (("wall", "time"), ("cpu", "CPU")):
            ratios = samples.ratios(_WAYS[path], raw, quantity)
            yield Aim(f"{_WAYS[path]} ÷ raw, {label}", ratios, round(1 / times, 3))
    if samples.has(peer):
        for path in (_SINGLE, _BURST):
            ratios = samples.ratios(_WAYS[path], peer, "wall")
            yield Aim(f"{_WAYS[path]} ÷ sse-starlette, time", ratios, 0.5)
    yield Aim("POST /run: first event, ms (longest)", [max(firsts[_RUN])], 50)


if __name__ == "__main__":
    main()
