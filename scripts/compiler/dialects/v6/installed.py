"""Where an installation keeps its skills: since 6.1 in folders of editors, and not in `_bmad`.

`.claude/skills/<skill>/`, `.agents/skills/<skill>/` and their like hold each skill once for
every editor that was chosen, `.claude/commands/bmad/<module>/agents/` held agents before. Each is
read once: from the project itself where that has it, else from the first of those folders.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..tree import ForeignTree
from . import copies as doubles
from . import helptable

SKILL: Final = "SKILL.md"
MANIFEST: Final = "skill-manifest.csv"
_OWN: Final = ".bmad"
EXAMPLES: Final = frozenset(
    {"assets", "data", "evals", "examples", "references", "resources", "template", "templates"}
)
_MARKS: Final = ("customize.toml", "bmad-skill-manifest.yaml")


class Installed(NamedTuple):
    """`files` are the project's own with what is read of editors' folders.

    `copies` are skills that stand a second time: by their `SKILL.md`, the one that is read;
    `agents` the same of agents in XML. `modules` are the modules' codes by the folders of
    installed skills.
    """

    files: dict[str, bytes]
    copies: dict[str, str]
    modules: dict[str, str]
    agents: dict[str, str]


def is_example(tree: ForeignTree, path: str) -> bool:
    """Whether a `SKILL.md` lies in another skill's folder among what that one shows or fills in."""
    parts = path.split("/")[:-1]
    return any(
        EXAMPLES & set(parts[depth:]) and f"{'/'.join(parts[:depth])}/{SKILL}" in tree.files
        for depth in range(1, len(parts))
    )


def is_of_editor(path: str) -> bool:
    """Whether a file lies in an editor's folder: a hidden one that is not BMAD's."""
    return path.startswith(".") and not path.startswith(_OWN)


def read(tree: ForeignTree) -> Installed:
    """The project as its reader shall see it."""
    files = {path: data for path, data in tree.files.items() if not is_of_editor(path)}
    listed = dict(_listed(tree, files))
    known = {_name(path): path for path in sorted(files) if path.endswith(f"/{SKILL}")}
    copies: dict[str, str] = {}
    modules: dict[str, str] = {}
    paths = sorted(tree.files)
    for path in paths:
        if not (is_of_editor(path) and path.endswith(f"/{SKILL}")):
            continue
        folder, name = path.rpartition("/")[0], _name(path)
        is_ours = name in listed or any(f"{folder}/{mark}" in tree.files for mark in _MARKS)
        if is_ours and folder.rpartition("/")[0].endswith("/skills"):
            if name in known:
                copies[path] = known[name]
                continue
            known[name] = path
            modules[folder] = listed.get(name, "")
            files |= {each: tree.files[each] for each in tree.below(folder)}
    editors = (path for path in paths if is_of_editor(path) and path not in files)
    agents = doubles.of_editors(tree, sorted(files), editors)
    files |= {path: tree.files[path] for path, known in agents.items() if not known}
    return Installed(
        files, copies, modules, {path: known for path, known in agents.items() if known}
    )


def _name(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _listed(tree: ForeignTree, files: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """The skills that the installer or a module's table names, each with its module's code."""
    for path in sorted(files):
        folder, _, name = path.rpartition("/")
        if name in helptable.NAMES:
            code = folder.rpartition("/")[2]
            for row in _rows(tree.text(path) or ""):
                yield row.get("skill", ""), "" if code == "_config" else code
    for path in sorted(files):
        if path.rpartition("/")[2] == MANIFEST:
            for row in _rows(tree.text(path) or ""):
                yield row.get("canonicalid", "") or row.get("name", ""), row.get("module", "")


def _rows(text: str) -> Iterator[dict[str, str]]:
    """The rows of a table by column; what is wrong with a table is told where it is read."""
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not header:
                header = [cell.strip().lower() for cell in cells]
            else:
                yield dict(zip(header, (cell.strip() for cell in cells), strict=False))
    except csv.Error:
        return
