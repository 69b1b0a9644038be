"""What was measured, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Aim:
    """A ratio (or a number of seconds) beside the most that it should be, `limit`.

    `values` holds one number a round; the median is judged. Without `limit` it is only told.
    """

    what: str
    values: list[float]
    limit: float | None = None

    @property
    def value(self) -> float:
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        return "reached" if self.value <= self.limit else "MISSED"


@dataclass(slots=True)
class Table:
    """Rows of text under a heading; the first column is left-aligned."""

    title: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        self.rows.append(list(cells))

    def text(self) -> str:
        """The table in Markdown, padded so that it reads well in a terminal too."""
        lines = [list(self.columns), *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        padded = [_padded(line, widths) for line in [lines[0], rule, *lines[1:]]]
        return f"\n### {self.title}\n\n" + "\n".join(padded)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "| " + " | ".join([first, *rest]) + " |"


@dataclass(slots=True)
class Report:
    """One part's tables, aims and the conditions they were measured under."""

    part: str
    rounds: int
    tables: list[Table] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def text(self) -> str:
        parts = [f"## {self.part}", "", self._conditions()]
        parts += [table.text() for table in self.tables]
        if self.aims:
            parts.append(_aims(self.aims).text())
        parts += ["", *self.notes]
        return "\n".join(parts) + "\n"

    def write_json(self, path: Path) -> None:
        """The same facts, raw values included."""
        aims = [{**asdict(aim), "value": aim.value, "verdict": aim.verdict} for aim in self.aims]
        facts = {
            "part": self.part,
            "conditions": self._conditions(),
            "rounds": self.rounds,
            "tables": [asdict(table) for table in self.tables],
            "aims": aims,
            "notes": self.notes,
        }
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def _conditions(self) -> str:
        return (
            f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores,"
            f" load {self.load_before:.1f} before and {os.getloadavg()[0]:.1f} after,"
            f" medians of {self.rounds} interleaved rounds."
        )


def _aims(aims: Sequence[Aim]) -> Table:
    table = Table("Aims", ("what", "median", "range", "aim", ""))
    for aim in aims:
        limit = "" if aim.limit is None else f"≤ {aim.limit:.3g}"
        spread = f"{min(aim.values):.3g}–{max(aim.values):.3g}"
        table.add(aim.what, f"{aim.value:.3g}", spread, limit, aim.verdict)
    return table
