# Generated from bmad/src/shop/module-help.csv. Edit that file, then run bmad2pf.
"""Whether it holds"""

from pocketflow import AsyncFlow

from ..agents import Baker


def build() -> AsyncFlow:
    plan_step = Baker(
        id="plan-step",
        note="This time it is for: Check the plan (Check Mode). Whether it holds",
        shows=("tasks/plan/instructions.xml", "templates/plan/template.md"),
        template="templates/plan/template.md",
    )

    return AsyncFlow(start=plan_step)
