# Generated from bmad/.claude/skills/shop-plan/SKILL.md. Edit that file, then run bmad2pf.
"""Plans what the shop sells."""

from pocketflow import AsyncFlow

from ..agents import ShopAgentKeeper


def build() -> AsyncFlow:
    step_01_look = ShopAgentKeeper(
        id="step-01-look",
        shows=(
            "tasks/shop-plan/workflow.md",
            "tasks/shop-plan/steps/step-01-look.md",
            "templates/shop-plan/plan-template.md",
        ),
        template="templates/shop-plan/plan-template.md",
    )
    step_02_choose = ShopAgentKeeper(
        id="step-02-choose",
        creates="shop-plan",
        shows=(
            "tasks/shop-plan/workflow.md",
            "tasks/shop-plan/steps/step-02-choose.md",
            "templates/shop-plan/plan-template.md",
        ),
        template="templates/shop-plan/plan-template.md",
    )

    step_01_look >> step_02_choose

    return AsyncFlow(start=step_01_look)
