"""`module-help.csv` in all its headers: the workflows of a module, and what follows what."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import Final

from ..draft import Draft, Fate, Origin
from ..tree import ForeignTree

# What becomes of the columns, by the names that they have here.
_ORDER: Final[tuple[Fate, str]] = ("carried", "the order of the module's flow")
_EDITOR: Final[tuple[Fate, str]] = ("left", "it is for an editor's menu")
_FATES: Final[dict[str, tuple[Fate, str]]] = {
    "module": ("carried", "the flow in which its workflows are ordered"),
    "skill": ("carried", "the flow that a row runs"),
    "workflow-file": ("carried", "the flow that a row runs"),
    "action": ("carried", "the step is told it"),
    "options": ("approximated", "a second row for one workflow is told them"),
    "phase": _ORDER,
    "sequence": _ORDER,
    "preceded-by": _ORDER,
    "followed-by": _ORDER,
    "required": ("carried", "a step that is not required runs when the inputs say so"),
    "outputs": ("approximated", "the first is the document of a workflow that names none"),
    "agent": ("approximated", "it carries out a workflow that is on nobody's menu"),
    "name": ("approximated", "a flow has an id; a second row for one workflow is told it"),
    "description": ("approximated", "it describes a workflow that does not do so itself"),
    "code": _EDITOR,
    "command": _EDITOR,
    "agent-command": _EDITOR,
    "agent-display-name": _EDITOR,
    "agent-title": _EDITOR,
    "output-location": ("left", "documents have names here, and no folders"),
}
MAX_CELL: Final = 131_072
SKILL: Final = "skill:"  # how 6.2 names a skill where a file may stand
NAMES: Final = ("module-help.csv", "bmad-help.csv")
_ALIASES: Final = {
    "display-name": "name",
    "menu-code": "code",
    "after": "preceded-by",
    "before": "followed-by",
    "agent-name": "agent",
    "args": "options",
}
_NAMING: Final = frozenset({"skill", "command", "workflow-file"})
_BOOLEANS: Final = frozenset({"true", "false"})
_PHASE: Final = re.compile(r"(?:\d+-.*|anytime|plan|ship|execute|build|design|discover)$")


@dataclass(slots=True)
class Row:
    """A workflow in its module's table. `after` and `before` hold keys: skill, or skill:action."""

    at: Origin
    module: str
    skill: str
    name: str
    code: str = ""
    action: str = ""
    file: str = ""
    agent: str = ""
    phase: str = ""
    sequence: str = ""
    options: str = ""
    description: str = ""
    outputs: str = ""
    required: bool = False
    after: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What edges call it."""
        return f"{self.skill}:{self.action}" if self.action else self.skill

    @property
    def is_anytime(self) -> bool:
        """Whether it has no place in an order."""
        return self.phase in ("", "anytime") and not (self.after or self.before)


def is_header(text: str) -> bool:
    """Whether a file's first line is that of such a table."""
    cells = [cell.strip().lower() for cell in text.partition("\n")[0].split(",")]
    return cells[:1] == ["module"] and ("skill" in cells or "workflow-file" in cells)


def read(tree: ForeignTree, path: str, draft: Draft) -> list[Row]:
    """The rows of a table; one that cannot be understood was reported and is left out.

    The draft is told what becomes of each column.
    """
    text = tree.text(path)
    if text is None:
        return []
    if not text.strip():
        hint = "write its header and a row for each workflow, or remove the file"
        tree.diagnostics.add("BMAD630", tree.at(path), "the table is empty", hint)
        return []
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    rows: list[Row] = []
    header: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            message = f"the table cannot be read further: {error}"
            tree.diagnostics.add("BMAD630", tree.at(path, line), message, "close the quotes")
            break
        if cells is None:
            break
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [_column(cell) for cell in cells]
            if not _NAMING.intersection(header):
                message = "the header has no column that names a workflow, so no row is read"
                hint = f"known columns are {', '.join(sorted(_NAMING))}"
                tree.diagnostics.add("BMAD630", tree.at(path, line), message, hint)
                break
            _account(draft, Origin(path, line), cells)
            continue
        row = _row(tree, Origin(path, line), header, [cell.strip() for cell in cells])
        if row is not None:
            rows.append(row)
    return rows


def _account(draft: Draft, at: Origin, header: list[str]) -> None:
    for cell in filter(None, map(str.strip, header)):
        fate, why = _FATES.get(_column(cell), ("left", "no such column is known"))
        draft.account(at, "column", cell, fate, why)


def _column(cell: str) -> str:
    name = cell.strip().lower()
    return _ALIASES.get(name, name)


def _row(tree: ForeignTree, at: Origin, header: list[str], cells: list[str]) -> Row | None:
    fitted = _fitted(header, cells)
    if fitted is None or len(fitted) > len(cells):
        number = f"{len(cells)} cells where the header has {len([name for name in header if name])}"
        what = "is left out" if fitted is None else "is read as if an empty cell were missing"
        place = tree.at(at.path, at.line)
        hint = "write every cell, empty ones too, and put a text with a comma in quotes"
        tree.diagnostics.add("BMAD630", place, f"the row has {number}, and {what}", hint)
    if fitted is None:
        return None
    named = dict(zip(header, fitted, strict=False))

    def get(key: str) -> str:
        return named.get(key, "")

    file = get("workflow-file")
    skill = get("skill") or (file[len(SKILL) :] if file.startswith(SKILL) else get("command"))
    if skill == "_meta" or not (skill or file):
        return None
    return Row(
        at=at,
        module=get("module"),
        skill=skill,
        name=get("name") or skill,
        code=get("code"),
        action=get("action"),
        file="" if file.startswith(SKILL) else file,
        agent=get("agent"),
        phase=get("phase"),
        sequence=get("sequence"),
        options=get("options"),
        description=get("description"),
        outputs=get("outputs"),
        required=get("required").lower() == "true",
        after=_keys(get("preceded-by")),
        before=_keys(get("followed-by")),
    )


def _fitted(header: list[str], cells: list[str]) -> list[str] | None:
    """The cells under their columns; None where that would be a guess.

    A row that lacks one cell is understood when its only truth value stands one column too
    early: then an empty cell is missing before it, among the options or the edges.
    """
    wanted = len(header)
    cells = cells[:wanted] if not any(cells[wanted:]) else cells
    if len(cells) == wanted or (len(cells) == wanted - 1 and not header[-1]):
        return cells
    if len(cells) != wanted - 1 or "required" not in header:
        return None
    place = header.index("required") - 1
    truths = [number for number, cell in enumerate(cells) if cell.lower() in _BOOLEANS]
    if truths != [place]:
        return None
    phase = header.index("phase") if "phase" in header else place
    early = 0 < phase <= place and not _PHASE.match(cells[phase]) and _PHASE.match(cells[phase - 1])
    missing = phase - 1 if early else place
    return [*cells[:missing], "", *cells[missing:]]


def _keys(cell: str) -> list[str]:
    return [key for part in re.split(r"[,;|]", cell) if (key := part.strip())]
