# Generated from bmad/src/shop/workflows/plan/workflow.yaml. Edit that file, then run bmad2pf.
"""Makes a plan"""

from pocketflow import AsyncFlow

from ..agents import Baker


def build() -> AsyncFlow:
    plan_step = Baker(
        id="plan-step",
        creates="plan",
        shows=("tasks/plan/instructions.xml", "templates/plan/template.md"),
        template="templates/plan/template.md",
    )

    return AsyncFlow(start=plan_step)
