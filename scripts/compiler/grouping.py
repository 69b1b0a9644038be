"""Steps in the order of their file become stages: plain steps and groups."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from .model import AgentStep, Group, Step


class Entry(NamedTuple):
    """A step as it was listed; `beside`: it is an agent's and may run beside its neighbours."""

    step: Step
    beside: bool


def stages(entries: Iterable[Entry]) -> tuple[Step | Group, ...]:
    """Neighbours that are marked parallel become one group; one alone is a plain step."""
    found: list[Step | Group] = []
    for beside, run in groupby(entries, key=attrgetter("beside")):
        steps = [entry.step for entry in run]
        members = tuple(step for step in steps if isinstance(step, AgentStep))
        if beside and len(members) > 1:
            found.append(Group(members))
        else:
            found.extend(steps)
    return tuple(found)
