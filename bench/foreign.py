"""The largest real project, and the same as native sources: `python -m bench.foreign`.

The native sources are what `bmad2pf import` makes of it. Whoever reads a project in another form
should pay for that once: a run that has nothing to do is to cost what it costs natively.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .corpus import COMMAND, CORPUS
from .options import Options, deliver, parse
from .process import Cost, environment, measure
from .report import Aim, Report, Table
from .rounds import Candidate, Samples, interleave

_FLOOR = "python -c pass"
_FORMS = ("foreign", "native")


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the table and the aims."""
    options = parse(__doc__ or "", arguments)
    report = Report("Foreign", options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-foreign-") as name:
        workshop = _Workshop(Path(name), _largest())
        samples = interleave([*workshop.candidates(options)], options.rounds)
        report.tables.append(workshop.table(samples))
    report.aims = list(_aims(samples))
    deliver(report, options)


def _largest() -> Path:
    """The project of the corpus with the most bytes."""
    projects = [path for path in CORPUS.iterdir() if path.is_dir()]
    return max(projects, key=lambda path: sum(size for _, size in _files(path)))


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.stat().st_size


class _Workshop:
    """A copy of the project and of the compiler, and native sources made of them.

    Who edits the checkout meanwhile changes no result.
    """

    def __init__(self, folder: Path, project: Path) -> None:
        self.folder = folder
        self.project = project.name
        self.env = environment(folder)
        caches = shutil.ignore_patterns("__pycache__")
        shutil.copytree(COMMAND.parent, folder / "scripts", ignore=caches)
        shutil.copytree(project, folder / "foreign")
        self.run("import", "foreign", "--to", "native")

    def run(self, *words: str) -> Cost:
        command = [sys.executable, str(self.folder / "scripts" / COMMAND.name), *words]
        return measure(command, self.folder, self.env)

    def candidates(self, options: Options) -> Iterator[Candidate]:
        floor = [sys.executable, "-c", "pass"]
        yield Candidate(_FLOOR, lambda: measure(floor, self.folder, self.env))
        for form in _FORMS:
            yield from self._of(form, f"out-{form}")
            if not options.quick:
                yield self._cold(form, f"cold-{form}")

    def _of(self, form: str, out: str) -> Iterator[Candidate]:
        self.run("--src", form, "--out", out)
        yield Candidate(f"{form}, unchanged", lambda: self.run("--src", form, "--out", out))

    def _cold(self, form: str, out: str) -> Candidate:
        return Candidate(
            f"{form}, cold",
            lambda: self.run("--src", form, "--out", out),
            lambda: shutil.rmtree(self.folder / out, ignore_errors=True),
        )

    def table(self, samples: Samples) -> Table:
        table = Table(self.project, ("command", "CPU ms", "wall ms", "files read", "kB read"))
        for name in samples.costs:
            cost, form = samples.median(name), name.partition(",")[0]
            sizes = [size for _, size in _files(self.folder / form)] if form in _FORMS else []
            read = (str(len(sizes)), f"{sum(sizes) / 1000:.0f}") if sizes else ("", "")
            table.add(name, f"{cost.cpu:.1f}", f"{cost.wall:.1f}", *read)
        return table


def _aims(samples: Samples) -> Iterator[Aim]:
    ours, same = "foreign, unchanged", "native, unchanged"
    yield Aim("foreign ÷ native, unchanged, CPU", samples.ratios(ours, same), 1.15)
    if samples.has("foreign, cold"):
        ratios = samples.ratios("foreign, cold", "native, cold")
        yield Aim("foreign ÷ native, cold, CPU", ratios)
        seconds = [cost.wall / 1000 for cost in samples.costs["foreign, cold"]]
        yield Aim("foreign, cold, seconds of wall", seconds, 1.0)


if __name__ == "__main__":
    main()
