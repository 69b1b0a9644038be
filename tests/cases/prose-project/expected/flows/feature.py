# Generated from bmad/bmad/workflows/feature.md. Edit that file, then run bmad2pf.
"""Une fonction"""

from pocketflow import AsyncFlow

from ..agents import Planner

PHASE_1_PLAN_NOTE = """\
## Phase 1 — Plan (Agent : Planner)

Dis ce qu'il faut."""


def build() -> AsyncFlow:
    phase_1_plan = Planner(id="phase-1-plan", note=PHASE_1_PLAN_NOTE)

    return AsyncFlow(start=phase_1_plan)
