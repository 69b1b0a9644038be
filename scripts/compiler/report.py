"""Findings and results as people and programs read them: the one renderer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Final, TextIO

from . import summary
from .arguments import Options
from .diagnostics import Diagnostic, Diagnostics
from .difference import Change

_COLOURS: Final = {"error": "31", "warning": "33", "note": "36", "+": "32", "-": "31", "@": "36"}


class Style:
    """Colours, on a terminal that wants them."""

    def __init__(self, stream: TextIO) -> None:
        self.coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        if os.environ.get("TERM") == "dumb":
            self.coloured = False

    def paint(self, text: str, colour: str) -> str:
        """`text` in the colour of a severity or of a diff's sign."""
        code = _COLOURS.get(colour)
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured and code else text


def finding(found: Diagnostic, style: Style) -> str:
    """`path:line:col: CODE message`, with the severity of what is no error; then the hint."""
    place = found.path
    if found.line:
        place += f":{found.line}"
    if found.line and found.column:
        place += f":{found.column}"
    severity = "" if found.severity == "error" else f"{found.severity} "
    code = style.paint(severity + found.code, found.severity)
    text = f"{place}: {code} {found.message}" if place else f"{code} {found.message}"
    return f"{text}\n    hint: {found.hint}" if found.hint else text


def findings(diagnostics: Diagnostics, style: Style) -> Iterator[str]:
    """Every finding as text, sorted."""
    return (finding(found, style) for found in diagnostics)


def findings_json(diagnostics: Diagnostics) -> str:
    """Every finding as a JSON array."""
    return json.dumps([asdict(found) for found in diagnostics], ensure_ascii=False)


def diff_lines(lines: Iterable[str], style: Style) -> Iterator[str]:
    """The lines of a unified diff, coloured by their sign."""
    return (style.paint(line, line[:1]) for line in lines)


def result(
    counts: tuple[int, int, int],
    changes: tuple[Change, ...],
    diagnostics: Diagnostics,
    seconds: float,
    options: Options,
) -> str:
    """The last line of a run without errors."""
    kinds = [change.kind for change in changes]
    parts = [f"{kinds.count(kind):,} {kind}" for kind in ("new", "changed", "removed")]
    said = ", ".join(part for part in parts if not part.startswith("0 "))
    would = "would be " if options.check or options.diff else ""
    outcome = f"{would}{said}" if said else summary.SAME
    found = _tally(diagnostics, options)
    line = f"{summary.counts(*counts)}: {outcome}"
    return f"{line}; {found} ({seconds:.2f} s)" if found else f"{line} ({seconds:.2f} s)"


def failure(diagnostics: Diagnostics, seconds: float, options: Options) -> str:
    """The last line of a run with errors."""
    nothing = "" if options.check or options.diff else ": nothing written"
    return f"{_tally(diagnostics, options)}{nothing} ({seconds:.2f} s)"


def _tally(diagnostics: Diagnostics, options: Options) -> str:
    """`1 error, 2 warnings`; empty without findings."""
    severities = [found.severity for found in diagnostics]
    parts = []
    for kind in ("error", "warning", "note"):
        number = severities.count(kind)
        part = summary.many(number, kind)
        if kind == "warning" and options.strict:
            part += " (an error under --strict)" if number == 1 else " (errors under --strict)"
        if number:
            parts.append(part)
    return ", ".join(parts)
