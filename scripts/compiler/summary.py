"""Findings as lines, the last line of a run, and the one object of JSON output.

It imports nothing heavy: it is all that a run says which has nothing to do.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    # Severity, code, line, column, path, message, hint.
    Told = tuple[str, ...]

SAME = "nothing changed"
COLOURS = {"error": "31", "warning": "33", "note": "36", "+": "32", "-": "31", "@": "36"}


def unchanged(agents: int, flows: int, files: int, found: str, seconds: float) -> str:
    """The line of a run that had nothing to do; `found` is a tally."""
    line = f"{counts(agents, flows, files)}: {SAME}"
    return f"{line}; {found} ({seconds:.2f} s)" if found else f"{line} ({seconds:.2f} s)"


def counts(agents: int, flows: int, files: int) -> str:
    """`6 agents, 1 flow, 72 files`."""
    return f"{many(agents, 'agent')}, {many(flows, 'flow')}, {many(files, 'file')}"


def finding(path: str, told: Told, style: Style) -> str:
    """`path:line:col: severity CODE message`, then the hint."""
    severity, code, line, column, _, message, hint = told
    place = path
    if line != "0":
        place += f":{line}"
    if line != "0" and column != "0":
        place += f":{column}"
    marked = style.paint(f"{severity} {code}", severity)
    text = f"{place}: {marked} {message}" if place else f"{marked} {message}"
    return f"{text}\n    hint: {hint}" if hint else text


def tally(severities: Iterable[str], *, strict: bool) -> str:
    """`1 error, 2 warnings`; empty without findings."""
    found = list(severities)
    parts = []
    for kind in ("error", "warning", "note"):
        number = found.count(kind)
        part = many(number, kind)
        if kind == "warning" and strict:
            part += " (an error under --strict)" if number == 1 else " (errors under --strict)"
        if number:
            parts.append(part)
    return ", ".join(parts)


class Style:
    """Colours, on a terminal that wants them."""

    def __init__(self, stream: TextIO) -> None:
        self.coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        if os.environ.get("TERM") == "dumb":
            self.coloured = False

    def paint(self, text: str, colour: str) -> str:
        """`text` in the colour of a severity or of a diff's sign."""
        code = COLOURS.get(colour)
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured and code else text


def many(number: int, noun: str) -> str:
    """`1 flow`, `2 flows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def as_json(
    findings: str, agents: int, flows: int, files: int, changed: int, seconds: float
) -> str:
    """The one object; `findings` is JSON already, `changed` counts files."""
    return (
        f'{{"findings": {findings}, "agents": {agents}, "flows": {flows}, "files": {files}, '
        f'"changed": {changed}, "duration_ms": {round(seconds * 1000)}}}'
    )
