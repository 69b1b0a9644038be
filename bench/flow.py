"""CPU of one agent step in five flows, beside other frameworks: `python -m bench.flow`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from . import peers
from .options import ROOT, Options, deliver, parse
from .process import Cost, environment
from .report import Aim, Report, Table
from .rounds import Candidate, Samples, interleave
from .shapes import CRITICAL, DEPTH, LAYERED, SHAPES, UNEVEN, steps

_OURS, _ALL, _FLOOR = "ours", "ours, budgets and memory", "asyncio by hand"
_POCKETFLOW, _AGNO, _LANGGRAPH = "pocketflow", "agno", "langgraph"
_MODULES = {
    _FLOOR: "asyncio_by_hand",
    _POCKETFLOW: "bare_pocketflow",
    _AGNO: "agno_workflow",
    _LANGGRAPH: "langgraph_graph",
}
_SLOW, _DELAY = "fan1000", 0.05
_UNEVEN = (_OURS, _LANGGRAPH)  # who is built as a graph and not as layers


class Worker:
    """A framework in a process of its own that stays warm; asked one order at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.start = self._read()

    def measure(self, shape: str, delay: float, seconds: float, runs: int) -> dict[str, Any]:
        """Totals `{runs, cpu, wall}` in seconds. Raises RuntimeError when the worker has died."""
        order = {"shape": shape, "delay": delay, "seconds": seconds, "runs": runs}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def _worker(python: str, module: str, home: Path, *flags: str) -> Iterator[Worker]:
    command = [python, "-m", f"bench.workers.{module}", *flags]
    # The peers' own switches for "send nothing home".
    env = environment(home, {"AGNO_TELEMETRY": "false", "LANGSMITH_TRACING": "false"})
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, text=True)
    with process:
        try:
            yield Worker(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the tables and the aims."""
    options = parse(__doc__ or "", arguments)
    report = Report("Flow", options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-flow-") as name, ExitStack() as stack:
        workers = _start(stack, Path(name), options)
        samples = interleave(list(_candidates(workers, options)), options.rounds)
        starts = {name: worker.start for name, worker in workers.items()}
    report.tables = [
        _table(samples, starts),
        _slow_table(samples, list(workers)),
        _uneven_table(samples),
    ]
    report.aims = list(_aims(samples))
    kept = "written to the file stores" if options.full else "kept in the process only"
    report.notes.append(f"Ours: event log on, mock model, outputs {kept}.")
    deliver(report, options)


def _start(stack: ExitStack, home: Path, options: Options) -> dict[str, Worker]:
    flags = ["--full"] if options.full else []
    workers = {_OURS: stack.enter_context(_worker(sys.executable, "ours", home, *flags))}
    workers[_ALL] = stack.enter_context(_worker(sys.executable, "ours", home, "--memory"))
    workers[_FLOOR] = stack.enter_context(_worker(sys.executable, _MODULES[_FLOOR], home))
    if options.peers:
        python = peers.python()
        for name in (_POCKETFLOW, _AGNO, _LANGGRAPH):
            workers[name] = stack.enter_context(_worker(python, _MODULES[name], home))
    return workers


def _candidates(workers: dict[str, Worker], options: Options) -> Iterator[Candidate]:
    """Shape by shape, so that those who are compared run close to one another."""
    seconds = 0.1 if options.quick else 0.4
    for shape in SHAPES:
        for name, worker in workers.items():
            yield _fast(f"{name} {shape}", worker, shape, seconds)
    for name, worker in workers.items():
        yield _slow(f"{name} {_SLOW} slow", worker, _SLOW, _DELAY)
    for name in filter(workers.__contains__, _UNEVEN):
        yield _slow(f"{name} {UNEVEN}", workers[name], UNEVEN, 0.0)


def _fast(name: str, worker: Worker, shape: str, seconds: float) -> Candidate:
    """Cost of one step in microseconds: the model answers at once."""

    def run() -> Cost:
        found = worker.measure(shape, 0.0, seconds, 3)
        count = found["runs"] * steps(shape)
        return Cost(1e6 * found["cpu"] / count, 1e6 * found["wall"] / count)

    return Candidate(name, run)


def _slow(name: str, worker: Worker, shape: str, delay: float) -> Candidate:
    """Cost of one run in milliseconds: the model takes its time, all members at once."""

    def run() -> Cost:
        found = worker.measure(shape, delay, 0.0, 2)
        return Cost(1e3 * found["cpu"] / found["runs"], 1e3 * found["wall"] / found["runs"])

    return Candidate(name, run)


def _table(samples: Samples, starts: dict[str, dict[str, Any]]) -> Table:
    table = Table("CPU µs a step", ("", *SHAPES, "import: CPU ms", "MiB"))
    for name, start in starts.items():
        costs = (f"{samples.median(f'{name} {shape}').cpu:.1f}" for shape in SHAPES)
        table.add(name, *costs, f"{1000 * start['cpu']:.0f}", f"{start['rss']:.0f}")
    return table


def _slow_table(samples: Samples, names: list[str]) -> Table:
    columns = ("", "wall ms", "÷ asyncio", "CPU ms")
    table = Table(f"{_SLOW} with a model of {_DELAY * 1000:.0f} ms, one run", columns)
    base = samples.median(f"{_FLOOR} {_SLOW} slow").wall
    for name in names:
        cost = samples.median(f"{name} {_SLOW} slow")
        table.add(name, f"{cost.wall:.1f}", f"{cost.wall / base:.2f}", f"{cost.cpu:.1f}")
    return table


def _uneven_table(samples: Samples) -> Table:
    columns = ("", "wall ms", "÷ critical path", "CPU ms")
    title = (
        f"{DEPTH} layers of {DEPTH}, one slow agent in each: {1000 * CRITICAL:.0f} ms are the"
        f" critical path, {1000 * LAYERED:.0f} ms layer by layer"
    )
    table = Table(title, columns)
    for name in _UNEVEN:
        if samples.has(f"{name} {UNEVEN}"):
            cost = samples.median(f"{name} {UNEVEN}")
            ratio = f"{cost.wall / 1000 / CRITICAL:.2f}"
            table.add(name, f"{cost.wall:.1f}", ratio, f"{cost.cpu:.1f}")
    return table


def _aims(samples: Samples) -> Iterator[Aim]:
    for mine, peer, limit in (
        (_ALL, _AGNO, 1 / 4),
        (_ALL, _LANGGRAPH, 1 / 20),
        (_OURS, _AGNO, 1 / 4),
        (_OURS, _LANGGRAPH, 1 / 20),
        (_OURS, _POCKETFLOW, None),
    ):
        for shape in SHAPES:
            ours, other = f"{mine} {shape}", f"{peer} {shape}"
            if samples.has(ours, other):
                yield Aim(f"{shape}: {mine} ÷ {peer}, CPU", samples.ratios(ours, other), limit)
    yield Aim(
        f"{UNEVEN} graph: ours ÷ critical path, wall",
        [cost.wall / 1000 / CRITICAL for cost in samples.costs[f"{_OURS} {UNEVEN}"]],
        1.05,
    )
    ratios = samples.ratios(f"{_OURS} {_SLOW} slow", f"{_FLOOR} {_SLOW} slow", "wall")
    yield Aim(f"{_SLOW}, 50 ms model: ours ÷ asyncio, wall", ratios, 1.15)


if __name__ == "__main__":
    main()
