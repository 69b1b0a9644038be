"""Start and memory of a compiled service beside an empty one: `python -m bench.service`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .options import ROOT, deliver, parse
from .process import environment, measure
from .report import Aim, Report, Table
from .rounds import Candidate, Samples, interleave
from .served import Served

_EMPTY, _OURS, _RUN = "empty FastAPI app", "ours", "ours, after one POST /run"
_REQUEST = json.dumps({"input": "A shared shopping list.", "story_id": "S-1", "fresh": True})
# Not to be imported unless configured: stores, SDKs, telemetry, HTTP clients, the compiler's tools.
_UNWANTED = (
    *("redis", "openai", "anthropic", "google.genai", "opentelemetry"),
    *("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "requests", "urllib3"),
    *("typer", "rich", "jinja2", "black", "dbos", "sqlalchemy"),
)


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the tables and the aims."""
    options = parse(__doc__ or "", arguments)
    report = Report("Service", options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-service-") as name:
        ours, empty = _compiled(Path(name)), _empty(Path(name))
        body = _REQUEST.encode()
        candidates = [
            Candidate(_EMPTY, empty.cost),
            Candidate(_OURS, ours.cost),
            Candidate(_RUN, lambda: ours.cost(body)),
        ]
        samples = interleave(candidates, options.rounds)
        imported, base = ours.imports(body), empty.imports()
    report.tables = [_table(samples), _imports_table(imported, base)]
    report.aims = list(_aims(samples))
    report.notes += _verdicts(set(_unwanted(imported)), set(_unwanted(base)))
    deliver(report, options)


def _compiled(folder: Path) -> Served:
    """The sample project of the repository, compiled; the mock model answers."""
    script, source = str(ROOT / "scripts" / "bmad2pf.py"), str(ROOT / "bmad")
    env = environment(folder, {"TESTING": "1", "BMAD_DATA_DIR": str(folder)})
    command = [sys.executable, script, "--src", source, "--out", "generated"]
    measure(command, folder, env)
    return Served("generated.app:app", folder, env)


def _empty(folder: Path) -> Served:
    return Served("bench.workers.empty_service:app", ROOT, environment(folder))


def _unwanted(imported: Iterable[str]) -> Iterator[str]:
    for module in imported:
        for name in _UNWANTED:
            if module == name or module.startswith(f"{name}."):
                yield name


def _verdicts(ours: set[str], base: set[str]) -> list[str]:
    """FastAPI imports some of them by itself where they are installed."""
    own, shared = sorted(ours - base), sorted(ours & base)
    found = [f"Imported by ours and not wanted: {', '.join(own) or 'nothing'}."]
    if shared:
        found.append(f"Imported by FastAPI itself, in both: {', '.join(shared)}.")
    return found


def _table(samples: Samples) -> Table:
    table = Table("From start to first answer", ("", "CPU ms", "wall ms", "resident MiB"))
    for name in samples.costs:
        cost = samples.median(name)
        table.add(name, f"{cost.cpu:.0f}", f"{cost.wall:.0f}", f"{cost.rss:.1f}")
    return table


def _imports_table(imported: Mapping[str, int], base: Mapping[str, int]) -> Table:
    """The packages that only ours imports, dearest first; ms as `-X importtime` counts them."""
    sums: dict[str, list[int]] = {}
    for module in imported.keys() - base.keys():
        sums.setdefault(_package(module), []).append(imported[module])
    title = f"Imported by ours only ({len(imported)} modules, the empty app {len(base)})"
    table = Table(title, ("package", "modules", "ms"))
    for name, times in sorted(sums.items(), key=lambda item: -sum(item[1]))[:12]:
        table.add(name, str(len(times)), f"{sum(times) / 1000:.1f}")
    return table


def _package(module: str) -> str:
    """Ours by module, all others by their top-level name."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "generated" else parts[0]


def _aims(samples: Samples) -> Iterator[Aim]:
    for quantity, label in (("wall", "wall"), ("cpu", "CPU"), ("rss", "resident memory")):
        yield Aim(f"start: ours ÷ empty, {label}", samples.ratios(_OURS, _EMPTY, quantity), 1.3)
    ratios = samples.ratios(_RUN, _EMPTY, "rss")
    yield Aim("after one run: ours ÷ empty, resident memory", ratios)


if __name__ == "__main__":
    main()
