"""A draft as native sources: text that authors could have written, and where each line is from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from . import yamlform
from .draft import Draft, DraftAgent, DraftFlow, DraftStep, Origin, Origins
from .yamlform import Line

_NOTHING: Final[Origins] = {}


@dataclass(slots=True)
class SourceMap:
    """The origin of each line of native text; `whole` is that of a file copied line by line."""

    lines: dict[str, list[Origin]] = field(default_factory=dict)
    whole: dict[str, Origin] = field(default_factory=dict)

    def origin(self, path: str, line: int, column: int = 1) -> Origin | None:
        """Where a native line comes from (the file itself for line 0); None if it is native."""
        if path in self.whole:
            start = self.whole[path]
            return start._replace(line=max(line, 1), column=column)
        lines = self.lines.get(path)
        if not lines:
            return None
        return lines[min(max(line, 1), len(lines)) - 1]

    def file(self, path: str) -> str | None:
        """The foreign file that a native one was made from."""
        found = self.origin(path, 1)
        return None if found is None else found.path


@dataclass(slots=True)
class Written:
    """`files` by native path; the same draft always gives the same bytes."""

    files: dict[str, bytes] = field(default_factory=dict)
    origins: SourceMap = field(default_factory=SourceMap)


def write(draft: Draft) -> Written:
    """The native sources of a draft, assets included."""
    written = Written()
    for agent in draft.agents:
        add_agent(written, f"agents/{agent.id}.md", agent)
    for flow in draft.flows:
        _add(written, f"workflows/{flow.name}.yaml", list(_flow_lines(flow)), flow.at)
    for path, file in sorted(draft.files.items()):
        written.files[path] = file.data
        written.origins.whole[path] = file.at
    return written


def add_agent(written: Written, path: str, agent: DraftAgent) -> None:
    """One agent's file."""
    lines = [Line("---"), *_comments(agent.notes)]
    keys: dict[str, Any] = {"id": agent.id}
    if agent.description:
        keys["description"] = agent.description
    if agent.persona:
        keys["persona"] = agent.persona
    lines += yamlform.mapping(keys | agent.keys)
    lines.append(Line("---"))
    origins = [agent.origins.get("prompt", agent.at)] * (agent.prompt.count("\n") + 1)
    text = "".join(f"{line.text}\n" for line in lines)
    written.files[path] = f"{text}{agent.prompt}".encode()
    written.origins.lines[path] = [
        *(_origin(line.key, agent.at, agent.origins) for line in lines),
        *origins,
    ]


def _add(written: Written, path: str, lines: list[tuple[Line, Origin]], at: Origin) -> None:
    written.files[path] = "".join(f"{line.text}\n" for line, _ in lines).encode()
    written.origins.lines[path] = [origin for _, origin in lines] or [at]


def _flow_lines(flow: DraftFlow) -> Iterable[tuple[Line, Origin]]:
    for note in _comments(flow.notes):
        yield note, flow.at
    yield Line("flows:"), flow.at
    yield Line(f"  {yamlform.scalar(flow.name)}:"), flow.at
    keys: dict[str, Any] = {}
    if flow.description:
        keys["description"] = flow.description
    for line in yamlform.mapping(keys | flow.keys, 4):
        yield line, flow.at
    yield Line("    sequence:" if flow.steps else "    sequence: []"), flow.at
    for step in flow.steps:
        yield from _step_lines(step)


def _step_lines(step: DraftStep) -> Iterable[tuple[Line, Origin]]:
    for note in _comments(step.notes):
        yield Line(f"      {note.text}"), step.at
    lines = list(yamlform.mapping(step.keys, 8))
    for number, line in enumerate(lines):
        mark = "      - " if number == 0 else "        "
        text = mark + line.text[8:] if line.text else ""
        yield Line(text), _origin(line.key, step.at, step.origins)


def _comments(notes: Iterable[str]) -> list[Line]:
    return [Line(f"# {' '.join(note.split())}") for note in notes]


def _origin(key: str, at: Origin, origins: Origins) -> Origin:
    """The origin of the innermost key that has one."""
    while key:
        if key in origins:
            return origins[key]
        key = key.rpartition("/")[0]
    return at
