"""Reads of memory and documents beside a bare endpoint: `python -m bench.read`."""

from __future__ import annotations

import http.client
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from . import ten
from .load import Order, run
from .options import ROOT, Options, deliver, parse
from .process import Cost, environment
from .report import Aim, Report, Table
from .rounds import Candidate, Samples, interleave
from .running import Running, path_of, serve, uvicorn

_CONNECTIONS = 16
_ENTRIES = 20
_TEXT = "A shopping list that two people share, and what they think of it. " * 15
_PATHS: Mapping[str, tuple[str, str]] = {  # with a part of the answer
    "entry": ("/memory/shared:notes/k7", '"key":"k7"'),
    "scope": ("/memory/shared:notes", '{"entries":'),
    "document": ("/doc/S-1__prd", "# A list"),
}
_AIM = 1 / 0.8  # a bare endpoint's time over ours is at least 0.8


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the tables and the aims."""
    options = parse(__doc__ or "", arguments)
    report = Report("Reads", options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-read-") as name, ExitStack() as stack:
        home = Path(name)
        candidates = [*_candidates(stack, home, options)]
        samples = interleave(candidates, options.rounds)
    report.tables = [_table(samples)]
    report.aims = [*_aims(samples)]
    report.notes += _NOTES
    deliver(report, options)


def _candidates(stack: ExitStack, home: Path, options: Options) -> Iterator[Candidate]:
    project = ten.compiled(home / "project", "created")
    env = environment(project, {**path_of(ROOT), "LOG_LEVEL": "warning"})
    ours = stack.enter_context(serve(uvicorn(sys.executable, "generated.app:app"), project, env))
    _fill(ours, home)
    bare_env = {**environment(home), "BENCH_BYTES": str(home)}
    bare = uvicorn(sys.executable, "bench.workers.same_bytes:app")
    seconds = 0.5 if options.quick else 2.0
    theirs = stack.enter_context(serve(bare, ROOT, bare_env))
    for what in _PATHS:
        yield _candidate(f"bare {what}", what, theirs, seconds)
        yield _candidate(f"our {what}", what, ours, seconds)


def _fill(service: Running, home: Path) -> None:
    """Something to read, and what is read of it as files for the bare endpoint."""
    for number in range(_ENTRIES):
        body = json.dumps(f"{number} {_TEXT}").encode()
        _ask(service, "PUT", f"/memory/shared:notes/k{number}", body, "application/json")
    _ask(service, "PUT", "/doc/S-1__prd", f"# A list\n\n{_TEXT}\n".encode(), "text/markdown")
    for what, (path, _) in _PATHS.items():
        (home / what).write_bytes(_ask(service, "GET", path))


def _ask(service: Running, method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    connection.request(method, path, body, {"content-type": kind} if kind else {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    if answer.status not in (200, 201):
        raise RuntimeError(f"{method} {path}: {answer.status} {data[:500]!r}")
    return data


def _candidate(name: str, what: str, running: Running, seconds: float) -> Candidate:
    """CPU of an answer in microseconds; `wall` is microseconds between two answers."""
    path, part = _PATHS[what]
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"

    def ask() -> Cost:
        before = running.cpu()
        load = run(Order(running.port, [request] * _CONNECTIONS, part, seconds=seconds))
        cpu = 1e6 * (running.cpu() - before) / load.answers
        return Cost(cpu, 1e6 / load.rate, running.resident())

    return Candidate(name, ask)


def _table(samples: Samples) -> Table:
    table = Table(f"GET, {_CONNECTIONS} connections", ("", "CPU µs", "answers/s", "resident MiB"))
    for name in samples.costs:
        cost = samples.median(name)
        table.add(name, f"{cost.cpu:.0f}", f"{1e6 / cost.wall:.0f}", f"{cost.rss:.0f}")
    return table


def _aims(samples: Samples) -> Iterator[Aim]:
    for what in _PATHS:
        ours, bare = f"our {what}", f"bare {what}"
        yield Aim(f"CPU of a read ({what}) ÷ a bare endpoint", samples.ratios(ours, bare), _AIM)
        yield Aim(f"time of a read ({what}) ÷ a bare endpoint", samples.ratios(ours, bare, "wall"))


_NOTES = (
    "Both by plain uvicorn, one worker; the bare endpoint holds the same bytes in a variable.",
    f"An entry of 1 kB, a scope of {_ENTRIES} of them, a document of 1 kB.",
    f"The load generator shares the {os.cpu_count()} cores.",
)


if __name__ == "__main__":
    main()
