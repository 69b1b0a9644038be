"""Agno: a Workflow of Steps and Parallels, no database, telemetry off, events not asked for."""

from __future__ import annotations

from typing import Any

from agno.workflow import Parallel, Step, StepInput, StepOutput, Workflow

from ..shapes import named
from .loop import Run, answer, serve


def step(name: str, delay: float) -> Any:
    async def execute(step_input: StepInput) -> StepOutput:
        return StepOutput(content=await answer(delay))

    return Step(name=name, executor=execute)


def _layer(names: list[str], delay: float) -> Any:
    steps = [step(name, delay) for name in names]
    return steps[0] if len(steps) == 1 else Parallel(*steps)


def _leaves(results: list[Any]) -> int:
    """A Parallel's result holds those of its steps."""
    return sum(_leaves(result.steps) if result.steps else 1 for result in results)


def build(shape: str, delay: float) -> Run:
    """One workflow, used for all runs."""
    layers = [_layer(names, delay) for names in named(shape)]
    workflow = Workflow(name=shape, steps=layers, telemetry=False)

    async def run() -> int:
        output = await workflow.arun(input="An idea.")
        return _leaves(output.step_results)

    return run


if __name__ == "__main__":
    serve(build)
