# Generated from bmad/.claude/skills/shop-plan/SKILL.md. Edit that file, then run bmad2pf.
"""Plans what the shop sells."""

from pocketflow import AsyncFlow

from ..agents import ShopAgentKeeper

STEP_02_CHOOSE_NOTE = """\
The document `shop-plan` is shown as the steps before left it. Your answer is the whole of it, with what this step does to it; where that is nothing, give it back unchanged."""


def build() -> AsyncFlow:
    step_01_look = ShopAgentKeeper(
        id="step-01-look",
        creates="shop-plan",
        note="Your answer is the document `shop-plan`, as far as this step brings it.",
        shows=(
            "tasks/shop-plan/workflow.md",
            "tasks/shop-plan/steps/step-01-look.md",
            "templates/shop-plan/plan-template.md",
        ),
        template="templates/shop-plan/plan-template.md",
    )
    step_02_choose = ShopAgentKeeper(
        id="step-02-choose",
        requires=("shop-plan",),
        creates="shop-plan",
        note=STEP_02_CHOOSE_NOTE,
        shows=(
            "tasks/shop-plan/workflow.md",
            "tasks/shop-plan/steps/step-02-choose.md",
            "templates/shop-plan/plan-template.md",
        ),
        template="templates/shop-plan/plan-template.md",
    )

    step_01_look >> step_02_choose

    return AsyncFlow(start=step_01_look)
