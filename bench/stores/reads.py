"""Reads of memory and documents over HTTP, beside a bare endpoint that answers the same bytes."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from .. import ten
from ..load import Order, run
from ..options import ROOT, Options
from ..process import Cost, environment
from ..report import Aim, Report, Table
from ..rounds import Candidate, Samples, interleave
from ..running import Running, path_of, serve, uvicorn

CONNECTIONS: Final = 16
_MARK: Final = "the quick brown fox"
_TEXT: Final = f"# A text\n\n{_MARK}\n" + "Forty characters of text in a long line.\n" * 50
_PATHS: Final = {"memory": "/memory/shared:bench/key", "doc": "/doc/bench"}


def measure(report: Report, folder: Path, options: Options) -> None:
    """Add the tables and aims of reads to the report."""
    seconds = 0.5 if options.quick else 2.0
    with ExitStack() as stack:
        ours = _ours(stack, folder)
        bare = _bare(stack, folder, ours)
        candidates = [
            _candidate(f"{name}: {who}", running, path, seconds)
            for name, path in _PATHS.items()
            for who, running in (("bare", bare), ("ours", ours))
        ]
        samples = interleave(candidates, options.rounds)
    report.tables.append(_table(samples))
    report.aims += _aims(samples)


def _ours(stack: ExitStack, folder: Path) -> Running:
    project = ten.compiled(folder / "project", "none")
    data = folder / "data"
    data.mkdir()
    extra = {**path_of(ROOT), "LOG_LEVEL": "warning", "BMAD_DATA_DIR": str(data)}
    command = uvicorn(sys.executable, "generated.app:app")
    running = stack.enter_context(serve(command, project, environment(project, extra)))
    _ask(running, "PUT", _PATHS["memory"], f'"{_MARK} {"x" * 2000}"', "application/json")
    _ask(running, "PUT", _PATHS["doc"], _TEXT, "text/markdown")
    return running


def _bare(stack: ExitStack, folder: Path, ours: Running) -> Running:
    extra = {}
    for name, variable in (("memory", "BENCH_MEMORY"), ("doc", "BENCH_DOCUMENT")):
        file = folder / name
        file.write_bytes(_ask(ours, "GET", _PATHS[name]))
        extra[variable] = str(file)
    command = uvicorn(sys.executable, "bench.workers.bare_reads:app")
    return stack.enter_context(serve(command, ROOT, environment(folder, extra)))


def _ask(running: Running, method: str, path: str, body: str = "", kind: str = "") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", running.port)
    headers = {"content-type": kind} if kind else {}
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    assert answer.status in (http.client.OK, http.client.CREATED), data
    return data


def _candidate(name: str, running: Running, path: str, seconds: float) -> Candidate:
    """CPU of an answer in microseconds; `wall` is microseconds between two answers."""
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"

    def ask() -> Cost:
        before = running.cpu()
        load = run(Order(running.port, [request] * CONNECTIONS, _MARK, seconds=seconds))
        return Cost(1e6 * (running.cpu() - before) / load.answers, 1e6 / load.rate)

    return Candidate(name, ask)


def _table(samples: Samples) -> Table:
    columns = ("", "CPU µs", "answers a second")
    table = Table(f"GET of 2 kB over HTTP, {CONNECTIONS} connections", columns)
    for name in samples.costs:
        cost = samples.median(name)
        table.add(name, f"{cost.cpu:.0f}", f"{1e6 / cost.wall:,.0f}")
    return table


def _aims(samples: Samples) -> Iterator[Aim]:
    for name in _PATHS:
        ours, bare = f"{name}: ours", f"{name}: bare"
        yield Aim(f"GET {name}, CPU: ours ÷ bare", samples.ratios(ours, bare), 1 / 0.8)
        times = samples.ratios(ours, bare, "wall")
        yield Aim(f"GET {name}, time an answer: ours ÷ bare", times, 1 / 0.8)
