# Generated from bmad/shop-skills/shop-plan/SKILL.md. Edit that file, then run bmad2pf.
"""Makes the plan of what to sell."""

from pocketflow import AsyncFlow

from ..agents import ShopAgentKeeper

STEP_01_LOOK_NOTE = """\
Your answer is the document `plan`, as far as this step brings it.

Facts that hold all the time:
- Bread sells best."""
STEP_02_CHOOSE_NOTE = """\
The document `plan` is shown as the steps before left it. Your answer is the whole of it, with what this step does to it; where that is nothing, give it back unchanged.

Facts that hold all the time:
- Bread sells best.

At the end:
- Tell the baker."""


def build() -> AsyncFlow:
    step_01_look = ShopAgentKeeper(
        id="step-01-look",
        reads=("tasting-notes",),
        creates="plan",
        note=STEP_01_LOOK_NOTE,
        shows=(
            "tasks/shop-plan/SKILL.md",
            "tasks/shop-plan/steps/step-01-look.md",
            "templates/shop-plan/templates/plan-template.md",
        ),
        template="templates/shop-plan/templates/plan-template.md",
    )
    step_02_choose = ShopAgentKeeper(
        id="step-02-choose",
        requires=("plan",),
        reads=("tasting-notes",),
        creates="plan",
        note=STEP_02_CHOOSE_NOTE,
        shows=(
            "tasks/shop-plan/SKILL.md",
            "tasks/shop-plan/steps/step-02-choose.md",
            "templates/shop-plan/templates/plan-template.md",
        ),
        template="templates/shop-plan/templates/plan-template.md",
    )

    step_01_look >> step_02_choose

    return AsyncFlow(start=step_01_look)
