# Generated from bmad/.claude/skills/shop-agent-keeper/SKILL.md. Edit that file, then run bmad2pf.
"""Keeps the shop in order."""

from ..runtime.node import AgentNode

PROMPT = """\
## Capabilities

| Code | Description | Skill |
|---|---|---|
| PL | Plan the shop | shop-plan |

## Remember

- The shop is closed on Mondays.

## In service

Nobody can be asked while you work, and you load no files but those that are shown to you or that `read_asset` gives. Where a text tells you to greet, to show a menu, to halt or to wait for a person, go on with the likeliest choice and say what you assumed. Where it tells you to write a file, your answer is its content.
"""
PERSONA = """\
You are Kim, Shopkeeper.
Role: Keeps the shop"""


class ShopAgentKeeper(AgentNode):
    id = "shop-agent-keeper"
    prompt = PROMPT
    persona = PERSONA
    assets = (
        "tasks/shop-open/SKILL.md",
        "tasks/shop-plan/instructions.md",
        "tasks/shop-plan/steps/step-01-look.md",
        "tasks/shop-plan/steps/step-02-choose.md",
        "tasks/shop-plan/workflow.md",
        "templates/shop-plan/plan-template.md",
        "data/shop-open/assets/blank-skill/SKILL.md",
        "data/shop-plan/workflow-notes.md",
    )
    commands = (("PL", "Plan the shop", ("tasks/shop-plan/workflow.md",)),)
