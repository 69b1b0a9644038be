"""What the output shall be, from the project and from the tree that is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from . import digest, distribution, report
from .diagnostics import Diagnostics, Position
from .formatter import NONE, format_files
from .fresh import source_digests
from .manifest import Manifest
from .model import Agent, Project
from .output import Generation
from .render import agent_path, copied_files, render
from .scopes import scopes_of
from .tree import Tree

if TYPE_CHECKING:
    from .translate import Sources


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an output depends on, as hashes and names.

    `shown` is how findings call the sources' folder, `dialect` is empty for the native form,
    `translated` are native files that are on no disk.
    """

    sources: dict[str, str]
    compiler: str
    formatter: str
    shown: str = ""
    dialect: str = ""
    translated: frozenset[str] = frozenset()


def inputs_of(src: Path, shown: str, found: Sources) -> Inputs:
    """The inputs, of the very bytes that are compiled."""
    formatter = distribution.formatter()
    digests = source_digests(str(src), found.scanned)
    compiler = digest.of_compiler(formatter)
    return Inputs(digests, compiler, formatter, shown, found.dialect, found.translated)


def generation(
    project: Project, inputs: Inputs, tree: Tree, diagnostics: Diagnostics
) -> Generation:
    """Every file's hash, and the bytes of those that the tree does not have already."""
    known = tree.known
    same_compiler = known is not None and known.compiler == inputs.compiler
    formatted_by = known.formatted if known is not None and same_compiler else ""
    coming, used = _generation(project, inputs, tree, same_compiler=same_compiler)
    if used and formatted_by and used != formatted_by:  # one tree, one formatter
        coming, used = _generation(project, inputs, tree, same_compiler=False)
    coming.manifest.formatter = inputs.formatter
    coming.manifest.formatted = used or formatted_by or inputs.formatter
    if coming.manifest.formatted == NONE:
        hint = "install ruff beside bmad2pf, then run it again"
        at = Position(str(tree.path))
        diagnostics.add("BMAD505", at, "neither ruff nor black could be run", hint)
    coming.manifest.findings = len(diagnostics)
    coming.manifest.told = _told(diagnostics, inputs.shown)
    return coming


def _told(diagnostics: Diagnostics, shown: str) -> list[tuple[str, ...]]:
    """The findings by their paths below the sources; none if one of them is about another place.

    Then the next run finds them anew; so it does where a message names the folder itself.
    """
    start = f"{shown}/"
    found = []
    for each in diagnostics:
        is_elsewhere = each.path != shown and not each.path.startswith(start)
        if is_elsewhere or each.severity == "error" or start in f"{each.message} {each.hint}":
            return []
        found.append(report.told(each, each.path[len(start) :]))
    return found


def _generation(
    project: Project, inputs: Inputs, tree: Tree, *, same_compiler: bool
) -> tuple[Generation, str]:
    """The generation, and the formatter that was used, empty when none was needed."""
    # An agent of a foreign tree is made from more files than its own.
    keep = frozenset[str]()
    if same_compiler and not inputs.dialect:
        keep = _unchanged_agents(project, inputs, tree)
    copied = copied_files(project)
    rendered = render(project, keep)
    written = {path: data for path, data in copied.items() if not _has(tree, path, data)}
    unsure = {
        path: data
        for path, data in rendered.items()
        if not (same_compiler and _has(tree, path, data))
    }
    formatted, used = _formatted(unsure)
    written |= {path: data for path, data in formatted.items() if not _has(tree, path, data)}
    kept = (keep | rendered.keys() | copied.keys()) - written.keys()
    manifest = Manifest(__version__, inputs.compiler)
    manifest.files = {path: tree.files[path] for path in kept}
    manifest.files |= {path: digest.of_bytes(data) for path, data in written.items()}
    manifest.dialect = inputs.dialect
    manifest.sources = inputs.sources | _named(project, inputs)
    manifest.scopes = scopes_of(project)
    manifest.agents, manifest.flows = len(project.agents), len(project.flows)
    return Generation(manifest, written, frozenset(kept)), used


def _unchanged_agents(project: Project, inputs: Inputs, tree: Tree) -> frozenset[str]:
    """Modules whose source has the hash that they were made from, and that nobody edited."""
    known = tree.known
    if known is None:
        return frozenset()
    now = inputs.sources | _named(project, inputs)
    return frozenset(
        path
        for agent in project.agents
        if (path := agent_path(agent.id)) in tree.files
        and tree.files[path] == known.files.get(path)
        and all(known.sources.get(path, "") == now[path] for path in _sources_of(agent, project))
    )


def _named(project: Project, inputs: Inputs) -> dict[str, str]:
    """The hashes of the files that agents name, as they were read."""
    return {
        f"{project.root}/{path}": digest.of_bytes(data)
        for path, data in project.referred.items()
        if path not in inputs.translated
    }


def _sources_of(agent: Agent, project: Project) -> list[str]:
    """What an agent's module is made from: its file, and that of its output's schema."""
    schema = [f"{project.root}/{agent.output_file}"] if agent.output_file else []
    return [agent.path, *schema]


def _formatted(rendered: dict[str, bytes]) -> tuple[dict[str, bytes], str]:
    python = {path: data for path, data in rendered.items() if path.endswith(".py")}
    formatted, used = format_files(python)
    return rendered | formatted, used


def _has(tree: Tree, path: str, data: bytes) -> bool:
    return tree.files.get(path) == digest.of_bytes(data)
