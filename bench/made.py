"""What the compiler makes of a project: its agents and the steps of its flows, as written down.

Read with PyYAML from what `bmad2pf import` writes; which foreign file each part was made from is
told by the head of what `bmad2pf --src` writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_HEAD = re.compile(r"# Generated from (.+)\. Edit that file, then run bmad2pf\.")
_AGENT = re.compile(r'^    id = "([^"]+)"$', re.MULTILINE)

_SAYS = ("note", "question", "task", "template", "checklist", "data")


@dataclass(frozen=True)
class Step:
    """A step as it runs. `file` is where its agent comes from, empty for a person.

    `says` are its words and the names of the files that go with it, `shown` the documents that
    it requires or reads.
    """

    id: str
    file: str
    says: str
    creates: str
    shown: frozenset[str]


@dataclass(frozen=True)
class Flow:
    """A flow with the steps of those that it runs, in their order. `path` is what it is from."""

    name: str
    path: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Made:
    """All agents' files, from the project's folder, and all flows that no other flow runs."""

    agents: list[str]
    flows: list[Flow]


def read(native: Path, generated: Path) -> Made:
    """What stands in two trees that were made of one project: imported, and compiled."""
    agents = {
        own[1]: _origin(path)
        for path in sorted((generated / "agents").glob("*.py"))
        if (own := _AGENT.search(path.read_text("utf-8")))
    }
    flows = dict(_flows(native))
    run = {step["flow"] for steps in flows.values() for step in steps if "flow" in step}
    origins = {path.stem: _origin(path) for path in sorted((generated / "flows").glob("*.py"))}
    found = [
        Flow(name, origins[re.sub(r"\W", "_", name)], tuple(_steps(steps, flows, agents)))
        for name, steps in flows.items()
        if name not in run
    ]
    return Made(list(agents.values()), found)


def _origin(path: Path) -> str:
    """The foreign file that a generated one names, below the project's folder."""
    head = _HEAD.match(path.read_text("utf-8"))
    return "" if head is None else head[1].split("/", 1)[1]


def _flows(native: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for path in sorted((native / "workflows").glob("*.yaml")):
        for name, flow in yaml.safe_load(path.read_text("utf-8"))["flows"].items():
            yield name, flow["sequence"]


def _steps(
    sequence: list[dict[str, Any]], flows: dict[str, list[dict[str, Any]]], agents: dict[str, str]
) -> Iterator[Step]:
    for step in sequence:
        if "flow" in step or "parallel" in step:
            inner = flows[step["flow"]] if "flow" in step else step["parallel"]
            yield from _steps(inner, flows, agents)
            continue
        shown = [*step.get("requires", ()), *step.get("reads", ())]
        yield Step(
            id=str(step.get("id") or step.get("human") or step.get("agent")),
            file=agents.get(step.get("agent", ""), ""),
            says=" ".join(str(step[key]) for key in _SAYS if key in step),
            creates=str(step.get("creates", "")).removesuffix(".md"),
            shown=frozenset(each.removesuffix(".md") for each in shown),
        )
