"""`agent-manifest.csv`: what an installer says of every agent."""

from __future__ import annotations

import csv
import io
from typing import Final

from ..draft import Origin
from ..tree import ForeignTree
from .fields import lines_of
from .persona import Persona

NAME: Final = "agent-manifest.csv"


def read(tree: ForeignTree, path: str) -> list[tuple[Persona, str]]:
    """Each agent, with the path of its file; a row that does not fit the header is told."""
    text = tree.text(path) or ""
    reader = csv.reader(io.StringIO(text))
    found: list[tuple[Persona, str]] = []
    header: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            message = f"the table cannot be read further: {error}"
            tree.diagnostics.add("BMAD630", tree.at(path, line), message, "close the quotes")
            return found
        if cells is None:
            return found
        if not header:
            header = [cell.strip() for cell in cells]
        elif len(cells) == len(header):
            row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            if row.get("name"):
                found.append((_persona(row, Origin(path, line)), row.get("path", "")))
        elif any(cells):
            message = (
                f"the row has {len(cells)} cells where the header has {len(header)}, "
                "and is left out"
            )
            hint = "write every cell, and put a text with a comma in quotes"
            tree.diagnostics.add("BMAD630", tree.at(path, line), message, hint)


def _persona(row: dict[str, str], at: Origin) -> Persona:
    get = row.get
    return Persona(
        id=get("name", "").rpartition("/")[2].removesuffix(".md"),
        at=at,
        name=get("displayName", ""),
        title=get("title", ""),
        description=get("capabilities", "") or get("title", ""),
        module=get("module", ""),
        role=get("role", ""),
        identity=get("identity", ""),
        style=get("communicationStyle", ""),
        principles=lines_of(get("principles", "")),
    )
