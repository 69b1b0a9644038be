"""What running beside each other saves, over HTTP with a model of 300 ms: `python -m bench.sample`.

The sample project, and a wide one of ten researchers and an editor; each against the same agents
one after another, by the same service.
"""

from __future__ import annotations

import http.client
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .options import ROOT, deliver, parse
from .process import Cost, environment, measure
from .report import Aim, Report, Table
from .rounds import Candidate, Samples, interleave
from .running import Running, serve

_DELAY = 0.3
_SETTINGS = (
    "llm:\n  provider: mock\n  script: config/mock.yaml\n  max_concurrency: 100\n"
    "runs:\n  max_parallel_agents: 100\n"
)
_ROW = """
  row:
    sequence:
"""
_AGENT = (
    "---\ndescription: Looks at one side of the idea.\n---\nYou look at one side of the idea.\n"
)
_WIDTH = 10


@dataclass(frozen=True, slots=True)
class Project:
    """Its flow `default`, and `row`: the same `steps` agents one after another.

    `longest` is how many model calls the longest way through `default` holds.
    """

    name: str
    folder: Path
    steps: int
    longest: int


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the table and the aims."""
    options = parse(__doc__ or "", arguments)
    report = Report("Sample", options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-sample-") as name, ExitStack() as stack:
        projects = [_sample(Path(name) / "sample"), _wide(Path(name) / "wide")]
        candidates = [
            candidate
            for project in projects
            for candidate in _candidates(project, stack.enter_context(_served(project)))
        ]
        samples = interleave(candidates, options.rounds)
    report.tables = [_table(samples, projects)]
    report.aims = list(_aims(samples, projects))
    report.notes.append(
        "No order of the sample's steps could be faster than its longest way: what it allows is"
        f" {projects[0].steps} ÷ {projects[0].longest}."
    )
    deliver(report, options)


def _sample(folder: Path) -> Project:
    """The repository's own, with a second flow."""
    folder.mkdir()
    shutil.copytree(ROOT / "bmad", folder / "bmad")
    agents = (
        *("market-researcher", "user-researcher", "risk-scout", "product-writer"),
        *("story-writer", "critic", "editor"),
    )
    with (folder / "bmad" / "workflow.yaml").open("a", encoding="utf-8") as file:
        file.write(_ROW + "".join(f"      - {agent}\n" for agent in agents))
    # Market researcher, risk scout, product writer, story writer, critic, editor.
    return _compiled(Project("the sample", folder, len(agents), 6))


def _wide(folder: Path) -> Project:
    (folder / "bmad" / "agents").mkdir(parents=True)
    names = [f"side-{number}" for number in range(_WIDTH)]
    for name in (*names, "editor"):
        (folder / "bmad" / "agents" / f"{name}.md").write_text(_AGENT, encoding="utf-8")
    flow = f"flows:\n  default:\n    sequence:\n      - parallel: [{', '.join(names)}]\n"
    flow += "      - editor\n" + _ROW + "".join(f"      - {n}\n" for n in (*names, "editor"))
    (folder / "bmad" / "workflow.yaml").write_text(flow, encoding="utf-8")
    return _compiled(Project(f"{_WIDTH} and an editor", folder, _WIDTH + 1, 2))


def _compiled(project: Project) -> Project:
    config = project.folder / "config"
    config.mkdir()
    (config / "runtime.yaml").write_text(_SETTINGS, encoding="utf-8")
    (config / "mock.yaml").write_text(f"defaults:\n  delay: {_DELAY}\n", encoding="utf-8")
    script = str(ROOT / "scripts" / "bmad2pf.py")
    measure([sys.executable, script], project.folder, environment(project.folder))
    return project


def _served(project: Project) -> AbstractContextManager[Running]:
    env = environment(project.folder, {"LOG_LEVEL": "warning"})
    return serve([sys.executable, "-m", "generated"], project.folder, env)


def _candidates(project: Project, running: Running) -> Iterator[Candidate]:
    for flow in ("default", "row"):
        yield Candidate(f"{project.name} {flow}", partial(_run, project, running, flow))


def _run(project: Project, running: Running, flow: str) -> Cost:
    """Wall and CPU of one run in ms; raises RuntimeError when not every step has a result."""
    body = {"flow": flow, "input": "A shared list.", "story_id": f"{flow}-{time.time_ns()}"}
    before, began = running.cpu(), time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    try:
        connection.request("POST", "/run", json.dumps(body), {"content-type": "application/json"})
        answer = json.load(connection.getresponse())
    finally:
        connection.close()
    wall = time.perf_counter() - began
    if answer.get("status") != "success" or len(answer["results"]) != project.steps:
        raise RuntimeError(f"{project.name}, {flow}: {json.dumps(answer)[:2000]}")
    return Cost(1000 * (running.cpu() - before), 1000 * wall)


def _table(samples: Samples, projects: list[Project]) -> Table:
    columns = ("", "steps", "longest way", "as it is ms", "one by one ms", "times faster", "allows")
    table = Table(f"One run, a model of {_DELAY * 1000:.0f} ms", columns)
    for project in projects:
        wall = samples.median(f"{project.name} default").wall
        row = samples.median(f"{project.name} row").wall
        counts = (str(project.steps), str(project.longest), f"{wall:.0f}", f"{row:.0f}")
        allows = f"{project.steps / project.longest:.2f}"
        table.add(project.name, *counts, f"{row / wall:.2f}", allows)
    return table


def _aims(samples: Samples, projects: list[Project]) -> Iterator[Aim]:
    for project in projects:
        name = project.name
        ratios = samples.ratios(f"{name} default", f"{name} row", "wall")
        yield Aim(f"{name}: wall ÷ one by one", ratios, round(1 / 3, 3))
        ideal = project.longest * _DELAY * 1000
        walls = [cost.wall / ideal for cost in samples.costs[f"{name} default"]]
        yield Aim(f"{name}: wall ÷ longest way", walls, 1.05)


if __name__ == "__main__":
    main()
