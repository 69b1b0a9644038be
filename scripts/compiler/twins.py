"""Steps of one flow that share an id, told apart so that each of them can be looked at."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from .model import AgentStep, Flow, Group, Step

_MARK: Final = re.compile("\0[0-9]+")  # no text of an author holds a NUL


def told_apart(flow: Flow) -> Flow:
    """The flow with a mark behind an id that an earlier step has already."""
    seen: dict[str, int] = {}

    def mark(step: Step) -> Step:
        seen[step.id] = count = seen.get(step.id, 0) + 1
        return step if count == 1 else replace(step, id=f"{step.id}\0{count}")

    def marked(stage: Step | Group) -> Step | Group:
        if not isinstance(stage, Group):
            return mark(stage)
        steps = map(mark, stage.members)
        return Group(tuple(step for step in steps if isinstance(step, AgentStep)))

    return replace(flow, stages=tuple(map(marked, flow.stages)))


def as_written(text: str) -> str:
    """A message without the marks."""
    return _MARK.sub("", text)
