"""What several parts measured, for docs/guide/performance.md.

`python -m bench.flow --json flow.json`, then `python -m bench.short flow.json …` puts the aims of
all these parts, and the tables of each, between their marks in the guide; verdicts are computed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from .options import ROOT

GUIDE: Final = ROOT / "docs" / "guide" / "performance.md"
BEGIN: Final = "<!-- aims: written by python -m bench.short -->\n"
END: Final = "<!-- aims end -->\n"


def table(parts: Iterable[Mapping[str, Any]]) -> str:
    """Markdown of all aims that have a limit; `parts` are what `--json` writes."""
    lines = []
    for part in parts:
        conditions = f"{part['part']}: {part['conditions']}"
        lines += [conditions, "", "| | aim | measured | range | |", "|---|---|---:|---:|---|"]
        lines += [_row(aim) for aim in part["aims"] if aim["limit"] is not None]
        lines.append("")
    return "\n".join(lines)


def _row(aim: Mapping[str, Any]) -> str:
    low, high = min(aim["values"]), max(aim["values"])
    verdict = "reached" if aim["value"] <= aim["limit"] else "missed"
    figures = f"≤ {aim['limit']:g} | {aim['value']:.4g} | {low:.3g}–{high:.3g}"
    return f"| {aim['what']} | {figures} | {verdict} |"


def tables(part: Mapping[str, Any]) -> str:
    """Markdown of the tables of one part, as `--json` writes it."""
    lines = [part["conditions"], ""]
    for found in part["tables"]:
        rule = ["---", *("---:" for _ in found["columns"][1:])]
        rows = [f"| {' | '.join(cells)} |" for cells in (found["columns"], rule, *found["rows"])]
        lines += [f"{found['title']}:", "", *rows, ""]
    return "\n".join(lines)


def marks(part: str) -> tuple[str, str]:
    """Between which lines the tables of a part stand."""
    return f"<!-- tables of {part}: written by python -m bench.short -->\n", "<!-- tables end -->\n"


def put(text: str, guide: str, begin: str = BEGIN, end: str = END) -> str:
    """The guide with `text` between the marks. Raises ValueError when it has none."""
    start = guide.index(begin) + len(begin)
    return f"{guide[:start]}\n{text}\n{guide[guide.index(end, start) :]}"


def main() -> None:
    """Read the files named on the command line, and write the guide."""
    parts = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    if not parts:
        sys.exit("bench.short: name the JSON files of the parts")
    guide = put(table(parts), GUIDE.read_text(encoding="utf-8"))
    for part in parts:
        guide = put(tables(part), guide, *marks(part["part"]))
    GUIDE.write_text(guide, encoding="utf-8")


if __name__ == "__main__":
    main()
