# Generated from bmad/src/shop/module-help.csv. Edit that file, then run bmad2pf.
"""shop"""

from pocketflow import AsyncFlow

from ..runtime.subflow import Subflow
from . import plan, plan_check_the_plan


def build() -> AsyncFlow:
    plan_ = Subflow("plan", plan.build, on_missing_doc="skip")
    check_the_plan = Subflow(
        "check-the-plan",
        plan_check_the_plan.build,
        on_missing_doc="skip",
        when='inputs.optional["check-the-plan"]',
    )

    plan_ >> check_the_plan

    return AsyncFlow(start=plan_)
