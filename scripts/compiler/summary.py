"""The last line of a run, and the one object of JSON output. It imports nothing."""

from __future__ import annotations

SAME = "nothing changed"


def unchanged(agents: int, flows: int, files: int, seconds: float) -> str:
    """The line of a run that had nothing to do."""
    return f"{counts(agents, flows, files)}: {SAME} ({seconds:.2f} s)"


def counts(agents: int, flows: int, files: int) -> str:
    """`6 agents, 1 flow, 72 files`."""
    return f"{many(agents, 'agent')}, {many(flows, 'flow')}, {many(files, 'file')}"


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
