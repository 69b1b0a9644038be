"""`POST /run` of ten steps beside a plain endpoint and other servers: `python -m bench.http`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from . import peers, ten
from .load import Load, Order, post, run
from .options import ROOT, Options, deliver, parse
from .process import Cost, environment
from .report import Aim, Report, Table
from .rounds import Candidate, Samples, interleave
from .running import Running, path_of, serve, uvicorn

_BASE, _OURS, _ALL = "FastAPI + PocketFlow", "ours", "ours, ten documents"
_WRITTEN = "ours, ten new documents"
_NEW, _LOGS, _OWN = "ours, new stories", "ours, log lines", "ours, python -m generated"
_AGNO, _ADK = "Agno AgentOS", "ADK api_server"
_CONNECTIONS = 16
_MANY = (100, 1000)
_FLOWS = {"one": 1, "default": ten.STEPS}
_DELAY = 0.1


@dataclass(frozen=True, slots=True)
class Target:
    """A running service, and how it is asked."""

    name: str
    running: Running
    requests: list[str]
    expect: str = ten.EXPECTED

    def load(self, seconds: float) -> tuple[Load, float]:
        """What an order gave, and the CPU microseconds of the service for one answer."""
        before = self.running.cpu()
        order = Order(self.running.port, self.requests, self.expect, ten.STEPS, seconds)
        load = run(order)
        return load, 1e6 * (self.running.cpu() - before) / load.answers


class Crowd(NamedTuple):
    """Runs at once: their latencies, CPU ms of a run, resident MiB afterwards."""

    load: Load
    cpu: float
    resident: float


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the tables and the aims."""
    options = parse(__doc__ or "", arguments)
    report = Report("HTTP", options.rounds)
    loads: dict[str, list[Load]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-http-") as name, ExitStack() as stack:
        targets = list(_targets(stack, Path(name), options))
        seconds = 0.5 if options.quick else 2.0
        candidates = [_candidate(target, seconds, loads) for target in targets]
        samples = interleave(candidates, options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-http-") as name:
        crowds = _crowds(Path(name), options)
    report.tables = [_table(samples, loads), _crowd_table(crowds)]
    report.aims = [*_aims(samples), *_crowd_aims(crowds)]
    report.notes += _NOTES
    deliver(report, options)


def _targets(stack: ExitStack, home: Path, options: Options) -> Iterator[Target]:
    plain = uvicorn(sys.executable, "bench.workers.plain_service:app")
    started = stack.enter_context(serve(plain, ROOT, environment(home)))
    yield Target(_BASE, started, ten.requests(_CONNECTIONS))
    created = ten.compiled(home / "created", "created")
    module = [sys.executable, "-m", "generated"]
    yield _ours(stack, _OURS, created)
    yield _ours(stack, _NEW, created, story="S-########")
    yield _ours(stack, _LOGS, created, level="info")
    yield _ours(stack, _OWN, created, command=module)
    everything = ten.compiled(home / "all", "all")
    yield _ours(stack, _ALL, everything)
    yield _ours(stack, _WRITTEN, everything, story="S-########")
    if options.peers:
        yield from _peers(stack, home)


def _ours(
    stack: ExitStack,
    name: str,
    project: Path,
    *,
    story: str = "S",
    level: str = "warning",
    command: list[str] | None = None,
) -> Target:
    """The compiled service with data of its own; `level` is that of its log."""
    data = project.parent / f"data of {name}"
    data.mkdir()
    env = {**_environment(project, level), "BMAD_DATA_DIR": str(data)}
    words = command or uvicorn(sys.executable, "generated.app:app")
    started = stack.enter_context(serve(words, project, env))
    return Target(name, started, ten.requests(_CONNECTIONS, story=story))


def _environment(project: Path, level: str = "warning") -> dict[str, str]:
    return environment(project, {**path_of(ROOT), "LOG_LEVEL": level})


def _peers(stack: ExitStack, home: Path) -> Iterator[Target]:
    """Each in the way that its own documentation shows, in the peers' environment."""
    python = peers.python()
    env = environment(home, {"AGNO_TELEMETRY": "false"})
    agno = uvicorn(python, "bench.workers.agno_service:app")
    form = "message=A+shopping+list+that+two+people+share.&stream=false"
    path, kind = "/workflows/ten/runs", "application/x-www-form-urlencoded"
    started = stack.enter_context(serve(agno, ROOT, env))
    yield Target(_AGNO, started, [post(path, form, kind)] * _CONNECTIONS, '"step_name":')
    adk = uvicorn(python, "bench.workers.adk_service:app")
    started = stack.enter_context(serve(adk, ROOT, env, "/list-apps"))
    yield Target(_ADK, started, [post("/run", json.dumps(_ADK_BODY))] * _CONNECTIONS)


_ADK_BODY: Mapping[str, object] = {
    "appName": "ten",
    "userId": "u",
    "sessionId": "s-########",  # a session grows with each run, so each run has a new one
    "newMessage": {"role": "user", "parts": [{"text": "A shopping list."}]},
}


def _candidate(target: Target, seconds: float, loads: dict[str, list[Load]]) -> Candidate:
    """CPU of an answer in microseconds; `wall` is microseconds between two answers."""

    def ask() -> Cost:
        load, cpu = target.load(seconds)
        loads.setdefault(target.name, []).append(load)
        return Cost(cpu, 1e6 / load.rate, target.running.resident())

    return Candidate(target.name, ask)


def _crowds(home: Path, options: Options) -> dict[tuple[int, int], Crowd]:
    """By the steps of the flow and the runs at once, with a model that takes its time."""
    project = ten.compiled(home / "crowd", "created")
    env = {**_environment(project), "BENCH_DELAY": str(_DELAY), "BMAD_DATA_DIR": str(home)}
    found = {}
    with serve([sys.executable, "-m", "generated"], project, env) as running:
        for number in _MANY[: 1 if options.quick else 2]:
            for flow, steps in _FLOWS.items():
                requests = ten.requests(number, story="S-########", flow=flow)
                order = Order(running.port, requests, ten.EXPECTED, steps, times=2)
                before, load = running.cpu(), run(order)
                cpu = 1000 * (running.cpu() - before) / load.answers
                found[steps, number] = Crowd(load, cpu, running.resident())
    return found


def _table(samples: Samples, loads: Mapping[str, list[Load]]) -> Table:
    columns = ("", "CPU µs", "÷ base", "answers/s", "p50 ms", "p99 ms", "resident MiB")
    table = Table(f"POST /run, ten steps, {_CONNECTIONS} connections", columns)
    base = samples.median(_BASE)
    for name in samples.costs:
        cost, ran = samples.median(name), sorted(loads[name], key=lambda load: load.p99)
        middle = ran[len(ran) // 2]
        numbers = (f"{cost.cpu:.0f}", f"{cost.cpu / base.cpu:.2f}", f"{1e6 / cost.wall:.0f}")
        table.add(name, *numbers, f"{middle.p50:.2f}", f"{middle.p99:.2f}", f"{cost.rss:.0f}")
    return table


def _crowd_table(crowds: Mapping[tuple[int, int], Crowd]) -> Table:
    times = ("p50 ms", "p99 ms", "longest ms")
    columns = ("runs at once", "steps", "CPU ms a run", *times, "resident MiB")
    table = Table(f"One flow, a model of {_DELAY * 1000:.0f} ms for each step", columns)
    for (steps, number), (load, cpu, resident) in crowds.items():
        latencies = (f"{each:.0f}" for each in (load.p50, load.p99, load.longest))
        table.add(str(number), str(steps), f"{cpu:.2f}", *latencies, f"{resident:.0f}")
    return table


def _aims(samples: Samples) -> Iterator[Aim]:
    yield Aim("ours ÷ FastAPI + PocketFlow, CPU", samples.ratios(_OURS, _BASE), 1.0)
    yield Aim("ten documents ÷ FastAPI + PocketFlow, CPU", samples.ratios(_ALL, _BASE))
    for peer, limit in ((_AGNO, 1 / 10), (_ADK, 1 / 40)):
        if samples.has(peer):
            yield Aim(f"time an answer: ours ÷ {peer}", samples.ratios(_OURS, peer, "wall"), limit)
            yield Aim(f"CPU: ours ÷ {peer}", samples.ratios(_OURS, peer))


def _crowd_aims(crowds: Mapping[tuple[int, int], Crowd]) -> Iterator[Aim]:
    for (steps, number), (load, _, resident) in crowds.items():
        limit = 3.0 if number == _MANY[-1] else None
        what = f"{number} runs of {steps} step{'s' * (steps > 1)} at once"
        yield Aim(f"{what}: p99 in seconds", [load.p99 / 1000], limit)
        if limit is not None:
            yield Aim(f"{what}: resident MiB", [resident], 200)


_NOTES = (
    "All by plain uvicorn, one worker, no access log; the base keeps nothing.",
    "Ours keeps run records and memory in files, on a story for each connection.",
    "`new stories`: one for each run, with ten new files. `log lines`: at `info`, not `warning`.",
    "`ten documents`: the same texts again. `ten new documents`: each is synced before its name.",
    f"The load generator shares the {os.cpu_count()} cores: gate on CPU, read rates as ratios.",
)


if __name__ == "__main__":
    main()
