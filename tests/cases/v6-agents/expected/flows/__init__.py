# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The flows, in the order of their files."""

from ..runtime.flow import Flow
from . import plan, plan_check_the_plan, shop

FLOWS = {
    "plan-check-the-plan": Flow(
        "plan-check-the-plan",
        plan_check_the_plan.build,
        description="Whether it holds",
        on_missing_doc="skip",
    ),
    "plan": Flow("plan", plan.build, description="Makes a plan", on_missing_doc="skip"),
    "shop": Flow("shop", shop.build, description="shop"),
}
