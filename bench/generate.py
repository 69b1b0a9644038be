"""Compiling 10, 100 and 1,000 agents, beside other generators: `python -m bench.generate`."""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import peer_inputs, peers, project
from .options import ROOT, Options, deliver, parse
from .process import Cost, environment, measure
from .report import Aim, Report, Table
from .rounds import Candidate, Samples, interleave

_SIZES = (10, 100, 1000)
_PEER_SIZE = 100
_FLOOR = "python -c pass"
_PROTOC = "protoc (grpcio-tools)"
_COOKIECUTTER = "cookiecutter"


@dataclass(slots=True)
class Workshop:
    """The scratch folder, the environment of the commands, and how many files each wrote."""

    folder: Path
    env: Mapping[str, str]
    files: dict[str, int] = field(default_factory=dict)

    def run(self, command: Sequence[str], cwd: Path, expect: int = 0) -> Cost:
        return measure(command, cwd, self.env, expect)

    def counted(self, name: str, command: Sequence[str], cwd: Path, out: Path) -> Cost:
        """Run, then remember how many files stand in `out`."""
        cost = self.run(command, cwd)
        self.files[name] = project.count_files(out)
        return cost


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the tables and the aims."""
    options = parse(__doc__ or "", arguments)
    sizes = _SIZES[:2] if options.quick else _SIZES
    report = Report("Generate", options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-generate-") as name:
        workshop = _workshop(Path(name), options)
        candidates = [_pass(workshop), *_all_ours(workshop, sizes)]
        if options.peers:
            candidates += _all_peers(workshop)
        samples = interleave(candidates, options.rounds)
    report.tables.append(_table(samples, workshop))
    report.aims = list(_aims(samples))
    deliver(report, options)


def _workshop(folder: Path, options: Options) -> Workshop:
    """With a copy of the compiler: who edits the checkout meanwhile changes no result."""
    caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=caches)
    env = environment(folder)
    if options.peers:
        # openapi-python-client calls ruff by name.
        env["PATH"] = f"{peers.folder()}:{env['PATH']}"
    return Workshop(folder, env)


def _pass(workshop: Workshop) -> Candidate:
    command = [sys.executable, "-c", "pass"]
    return Candidate(_FLOOR, lambda: workshop.run(command, workshop.folder))


def _all_ours(workshop: Workshop, sizes: Sequence[int]) -> Iterator[Candidate]:
    for size in sizes:
        yield from (_cold(workshop, size), _unchanged(workshop, size))
        yield from (_one_changed(workshop, size), _checked(workshop, size))


def _command(workshop: Workshop, *flags: str) -> list[str]:
    script = str(workshop.folder / "scripts" / "bmad2pf.py")
    return [sys.executable, script, "--src", "bmad", "--out", "generated", *flags]


def _cold(workshop: Workshop, size: int) -> Candidate:
    name, folder = f"ours {size}, cold", workshop.folder / f"cold-{size}"
    project.write(folder, size)
    out = folder / "generated"
    return Candidate(
        name,
        lambda: workshop.counted(name, _command(workshop), folder, out),
        lambda: shutil.rmtree(out, ignore_errors=True),
    )


def _compiled(workshop: Workshop, kind: str, size: int) -> Path:
    folder = workshop.folder / f"{kind}-{size}"
    project.write(folder, size)
    workshop.run(_command(workshop), folder)
    return folder


def _unchanged(workshop: Workshop, size: int) -> Candidate:
    folder = _compiled(workshop, "none", size)
    return Candidate(f"ours {size}, none changed", lambda: workshop.run(_command(workshop), folder))


def _checked(workshop: Workshop, size: int) -> Candidate:
    folder = _compiled(workshop, "check", size)
    command = _command(workshop, "--check")
    return Candidate(f"ours {size}, --check", lambda: workshop.run(command, folder))


def _one_changed(workshop: Workshop, size: int) -> Candidate:
    folder = _compiled(workshop, "one", size)
    edits = itertools.count(1)
    return Candidate(
        f"ours {size}, one changed",
        lambda: workshop.run(_command(workshop), folder),
        lambda: project.write_agent(folder, size // 2, f"This is edit {next(edits)}."),
    )


def _all_peers(workshop: Workshop) -> list[Candidate]:
    """All at 100; protoc gets as many protos as give the number of files that ours writes."""
    python, place = peers.python(), workshop.folder
    inputs = place / "inputs"
    wanted = project.count_files(place / f"none-{_PEER_SIZE}" / "generated")
    protos = peer_inputs.write_protos(inputs / "protos", (wanted + 1) // 2)
    peer_inputs.write_openapi(inputs / "openapi.json", _PEER_SIZE)
    peer_inputs.write_copier(inputs / "copier", _PEER_SIZE)
    peer_inputs.write_cookiecutter(inputs / "cookiecutter", _PEER_SIZE)
    peer = _Peers(workshop, inputs, python)
    return [peer.protoc(protos), *peer.datamodel(), *peer.openapi(), *peer.templates()]


@dataclass(frozen=True, slots=True)
class _Peers:
    """Builds one candidate a peer; each writes into a folder that is emptied before."""

    workshop: Workshop
    inputs: Path
    python: str

    def candidate(self, name: str, command: Sequence[str]) -> Candidate:
        """`OUT` in `command` stands for the peer's own folder of output."""
        out = self.workshop.folder / f"out-{name.replace(' ', '-')}"
        filled = [part.replace("OUT", str(out)) for part in command]
        return Candidate(
            name,
            lambda: self.workshop.counted(name, filled, self.inputs, out),
            lambda: _emptied(out),
        )

    def protoc(self, protos: Sequence[str]) -> Candidate:
        flags = ["-I", "protos", "--python_out=OUT", "--grpc_python_out=OUT"]
        return self.candidate(_PROTOC, [self.python, "-m", "grpc_tools.protoc", *flags, *protos])

    def datamodel(self) -> Iterator[Candidate]:
        program = [f"{peers.folder()}/datamodel-codegen", "--input", "openapi.json"]
        rest = ["--input-file-type", "openapi", "--output", "OUT/models.py"]
        yield self.candidate("datamodel-code-generator", [*program, *rest])
        ruff = ["--formatters", "ruff-format"]
        yield self.candidate("datamodel-code-generator, ruff", [*program, *rest, *ruff])

    def openapi(self) -> Iterator[Candidate]:
        program = [f"{peers.folder()}/openapi-python-client", "generate"]
        flags = ["--path", "openapi.json", "--output-path", "OUT", "--overwrite"]
        yield self.candidate("openapi-python-client", [*program, *flags])

    def templates(self) -> Iterator[Candidate]:
        copier = [f"{peers.folder()}/copier", "copy", "--defaults", "--quiet", "--overwrite"]
        yield self.candidate("copier", [*copier, "copier", "OUT"])
        cookiecutter = [f"{peers.folder()}/cookiecutter", "--no-input", "-f", "-o", "OUT"]
        yield self.candidate(_COOKIECUTTER, [*cookiecutter, "cookiecutter"])


def _emptied(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()


def _table(samples: Samples, workshop: Workshop) -> Table:
    columns = ("command", "CPU ms", "wall ms", "CPU ÷ pass", "files")
    table = Table(f"One run (peers at {_PEER_SIZE})", columns)
    base = samples.median(_FLOOR).cpu
    for name in samples.costs:
        cost, files = samples.median(name), workshop.files.get(name)
        written = "" if files is None else str(files)
        table.add(name, f"{cost.cpu:.1f}", f"{cost.wall:.1f}", f"{cost.cpu / base:.1f}", written)
    return table


def _aims(samples: Samples) -> Iterator[Aim]:
    for size, limit in ((10, 3.0), (100, 3.0), (1000, 5.0)):
        ours = {kind: f"ours {size}, {kind}" for kind in ("none changed", "one changed", "--check")}
        if samples.has(*ours.values()):
            ratios = samples.ratios(ours["none changed"], _FLOOR)
            yield Aim(f"none of {size} changed ÷ {_FLOOR}, CPU", ratios, limit)
            yield Aim(f"--check of {size} ÷ {_FLOOR}, CPU", samples.ratios(ours["--check"], _FLOOR))
            ratios = samples.ratios(ours["one changed"], ours["none changed"])
            yield Aim(f"one of {size} changed ÷ none changed, CPU", ratios)
    yield from _aims_beside_peers(samples)


def _aims_beside_peers(samples: Samples) -> Iterator[Aim]:
    hundred, thousand = "ours 100, cold", "ours 1000, cold"
    if samples.has(hundred, _PROTOC):
        for quantity, label in (("cpu", "CPU"), ("wall", "wall")):
            ratios = samples.ratios(hundred, _PROTOC, quantity)
            yield Aim(f"100 cold ÷ protoc writing as many files, {label}", ratios, 2.5)
    if samples.has(thousand):
        seconds = [cost.wall / 1000 for cost in samples.costs[thousand]]
        yield Aim("1,000 cold, seconds of wall", seconds, 1.0)
    if samples.has(thousand, _COOKIECUTTER):
        ratios = samples.ratios(thousand, _COOKIECUTTER, "wall")
        yield Aim("1,000 cold ÷ cookiecutter 100, wall", ratios, 1.0)


if __name__ == "__main__":
    main()
