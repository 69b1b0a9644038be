"""The files that agents name: their assets, and the schemas of their answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..runtime.yamltext import Mapping, read
from . import schema, sources
from .diagnostics import Diagnostics, Position, near_match, quoted
from .dialects.assets import checked
from .dialects.fields import Fields
from .model import Agent, AgentStep, Flow, Group, Step

Take = Callable[[str], bytes | sources.SourceFault]
_CODES: Final[dict[sources.FaultKind, str]] = {
    "unreadable": "BMAD101",
    "special": "BMAD113",
    "large": "BMAD103",
    "missing": "BMAD209",
}


class Named:
    """The files that agents and steps name, each read once; `data` holds them by their paths.

    `take` gives the bytes of a file below `src`, or what is wrong with it.
    """

    def __init__(self, src: Path, shown: str, diagnostics: Diagnostics, take: Take) -> None:
        self.src = src
        self.take = take
        self.shown = shown
        self.diagnostics = diagnostics
        self.data: dict[str, bytes] = {}
        self.faults: dict[str, sources.SourceFault] = {}
        self.schemas: dict[str, dict[str, Any] | None] = {}

    def read_agent(self, agent: Agent) -> Agent:
        """The agent with the schema that it names; its assets are read."""
        for asset in agent.assets:
            self._text(asset.path, agent.at[asset.path])
        path = agent.output_file
        if path is None:
            return agent
        return replace(agent, output=self._output(path, agent.at["output"]))

    def read_flow(self, flow: Flow) -> Flow:
        """The flow whose steps have the schemas that they name; their assets are read."""
        stages = tuple(map(self._read_stage, flow.stages))
        return replace(flow, stages=stages)

    def _read_stage(self, stage: Step | Group) -> Step | Group:
        if isinstance(stage, Group):
            return Group(tuple(map(self._read_step, stage.members)))
        return self._read_step(stage) if isinstance(stage, AgentStep) else stage

    def _read_step(self, step: AgentStep) -> AgentStep:
        for path in step.shows:
            self._text(path, step.places.get(path, step.at))
        if step.output_file is None:
            return step
        return replace(step, output=self._output(step.output_file, step.places["output"]))

    def _output(self, path: str, at: Position) -> dict[str, Any] | None:
        text = self._text(path, at)
        if path not in self.schemas:
            # None stands for one that was refused.
            self.schemas[path] = None if text is None else self._schema(path, text)
        return self.schemas[path]

    def _text(self, path: str, at: Position) -> str | None:
        """The text of a file; what is wrong with it is told where it is named."""
        if path not in self.data and path not in self.faults:
            found = self.take(path)
            if isinstance(found, bytes):
                self.data[path] = found
            else:
                self.faults[path] = found
        if path in self.faults:
            fault = self.faults[path]
            hint = fault.hint or self._near(path)
            self.diagnostics.add(_CODES[fault.kind], at, fault.message, hint)
            return None
        try:
            text = self.data[path].decode()
        except UnicodeDecodeError:
            message = f"the file {quoted(path)} is no UTF-8 text"
            self.diagnostics.add("BMAD102", at, message, "save the file as UTF-8")
            return None
        return text

    def _near(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        try:
            names = os.listdir(self.src / folder)  # noqa: PTH208 - names only
        except OSError:
            names = []
        return near_match(name, names) or f'write it to "{self.shown}/{path}"'

    def _schema(self, path: str, text: str) -> dict[str, Any] | None:
        return (
            self._from_json(path, text) if path.endswith(".json") else self._from_yaml(path, text)
        )

    def _from_yaml(self, path: str, text: str) -> dict[str, Any] | None:
        shown = f"{self.shown}/{path}"
        root, faults = read(text)
        for fault in faults:
            at = Position(shown, fault.line, fault.column)
            self.diagnostics.add("BMAD118", at, fault.message, fault.hint)
        if not isinstance(root, Mapping):
            if not faults:
                at = Position(shown, 1, 1)
                self.diagnostics.add("BMAD118", at, "the schema is no mapping of keys to values")
            return None
        return None if faults else checked(root, Fields(root, shown, self.diagnostics))

    def _from_json(self, path: str, text: str) -> dict[str, Any] | None:
        at = Position(f"{self.shown}/{path}", 1, 1)
        try:
            data = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_without_twins)
        except json.JSONDecodeError as error:
            at = Position(at.path, error.lineno, error.colno)
            self.diagnostics.add("BMAD118", at, f"JSON does not parse: {error.msg}")
            return None
        except _BadJson as error:
            self.diagnostics.add("BMAD118", at, str(error))
            return None
        except (RecursionError, ValueError):
            self.diagnostics.add("BMAD118", at, "the JSON is too deep, or a number is too long")
            return None
        if not isinstance(data, dict):
            self.diagnostics.add("BMAD118", at, "the schema is no JSON object")
            return None
        return self._checked_json(at, data)

    def _checked_json(self, at: Position, data: dict[str, Any]) -> dict[str, Any] | None:
        found = schema.faults(data)
        for fault in found:
            where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in fault.path)
            message = f"{fault.message} (at {where.removeprefix('.')})" if where else fault.message
            self.diagnostics.add("BMAD118", at, message, fault.hint)
        return None if found else data


class _BadJson(Exception):
    """What is wrong, in words."""


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _BadJson(f"the key {quoted(twice)} stands twice")
    return found
