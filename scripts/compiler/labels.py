"""What is written on a step in a drawing of its flow."""

from __future__ import annotations

import re

from .model import AgentStep, Gate, Step, Subflow

# In a picture a condition is read, not run: only the names in it are of interest.
_NAMED = re.compile(
    r"\b(?:inputs\.optional|results)\[\"([\w-]+)\"\]|\binputs\.(?:conditions|optional)\.(\w+)"
)
_PARTS = re.compile(r" (?=(?:or|and) )")


def label(step: Step) -> list[str]:
    """Lines: its id, whose it is or what it asks, what it runs over, whether it may be skipped."""
    lines = [step.id]
    if isinstance(step, AgentStep) and step.agent != step.id:
        lines.append(f"by {step.agent}")
    elif isinstance(step, Gate) and step.question:
        lines.append(step.question)
    elif isinstance(step, Subflow) and step.flow != step.id:
        lines.append(f"flow {step.flow}")
    if isinstance(step, AgentStep | Subflow) and step.for_each is not None:
        lines.append(f"for each of {step.for_each}")
    if step.when is not None:
        lines += _condition(step.id, step.when)
    return lines


def _condition(step: str, when: str) -> list[str]:
    """A condition for people, a line for each of its parts."""
    if when == f'inputs.optional["{step}"]':
        return ["optional"]
    return _PARTS.split(f"when {_NAMED.sub(lambda found: found[1] or found[2], when)}")
