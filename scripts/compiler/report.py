"""Findings and results as people and programs read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from . import summary
from .arguments import Options
from .diagnostics import Diagnostic, Diagnostics
from .difference import Change
from .summary import Style


def finding(found: Diagnostic, style: Style) -> str:
    """One finding as text."""
    return summary.finding(found.path, told(found, ""), style)


def told(found: Diagnostic, path: str) -> tuple[str, ...]:
    """A finding in the words of `summary` and of the manifest."""
    line, column = str(found.line), str(found.column)
    return (found.severity, found.code, line, column, path, found.message, found.hint)


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
    would = "would be " if options.check or options.diff else ""
    parts = [f"{kinds.count(kind):,} {would}{kind}" for kind in ("new", "changed", "removed")]
    outcome = ", ".join(part for part in parts if not part.startswith("0 ")) or summary.SAME
    found = _tally(diagnostics, options)
    line = f"{summary.counts(*counts)}: {outcome}"
    return f"{line}; {found} ({seconds:.2f} s)" if found else f"{line} ({seconds:.2f} s)"


def failure(diagnostics: Diagnostics, seconds: float, options: Options) -> str:
    """The last line of a run with errors."""
    nothing = "" if options.check or options.diff else ": nothing written"
    return f"{_tally(diagnostics, options)}{nothing} ({seconds:.2f} s)"


def _tally(diagnostics: Diagnostics, options: Options) -> str:
    return summary.tally((found.severity for found in diagnostics), strict=options.strict)
